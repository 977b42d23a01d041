"""A small park whose parts a test can add to, and its problems as sentences."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lujin import park
from lujin.errors import Problem

BASE = """\
[park]
id = "P"
timezone = "Asia/Shanghai"
region = "广东"
[park.packs]
location = "ghgp-location@1"

[[node]]
id = "GRID"
kind = "grid"

[[node]]
id = "E1"
kind = "enterprise"

[[node]]
id = "E2"
kind = "enterprise"

[[flow]]
id = "F1"
carrier = "electricity"
source = "GRID"
target = "E1"

[[meter]]
id = "M1"
flow = "F1"
"""


@pytest.fixture
def base() -> str:
    return BASE


@pytest.fixture
def problems(tmp_path: Path) -> Callable[[str], list[Problem]]:
    """Problems of a park file with this text."""

    def check(text: str) -> list[Problem]:
        (tmp_path / "park.toml").write_text(text, encoding="utf-8")
        return park.check(tmp_path)

    return check


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], park.Park]:
    def load(text: str) -> park.Park:
        (tmp_path / "park.toml").write_text(text, encoding="utf-8")
        return park.load(tmp_path)

    return load
