"""Keys, a log and a certificate of it."""

import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lujin.publish import canonical_file, issue

sys.path.insert(0, str(Path(__file__).parent))
from issuing import NOW, small_log


@pytest.fixture(scope="session")
def key():
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture(scope="session")
def stranger():
    return Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


@pytest.fixture(scope="session")
def log():
    return small_log()


@pytest.fixture(scope="session")
def document(log, key):
    return issue(log.certified(key), key, NOW, 3)


@pytest.fixture(scope="session")
def file(document):
    return canonical_file(document)
