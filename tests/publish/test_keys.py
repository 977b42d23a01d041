"""The signing key: made once, for its owner alone."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lujin.errors import InputError, StoreError
from lujin.publish import public_did, signing_key


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_is_made_on_first_use_and_kept(tmp_path):
    keys = tmp_path / "keys"
    made = signing_key(keys)
    assert public_did(signing_key(keys)) == public_did(made) == public_did(made.public_key())
    assert public_did(made).startswith("did:key:z6Mk")
    assert (mode(keys), mode(keys / "signing.pem")) == (0o700, 0o600)
    assert [path.name for path in keys.iterdir()] == ["signing.pem"]


def test_two_parks_have_two_keys(tmp_path):
    assert public_did(signing_key(tmp_path / "a")) != public_did(signing_key(tmp_path / "b"))


def test_without_leave_to_make_one_a_missing_key_is_told(tmp_path):
    with pytest.raises(InputError, match="no signing key yet"):
        signing_key(tmp_path / "keys", create=False)
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("bits", [0o050, 0o001, 0o040, 0o004])
@pytest.mark.parametrize("name", ["", "signing.pem"])
def test_a_key_that_others_can_reach_is_refused_by_name_with_the_remedy(tmp_path, name, bits):
    keys = tmp_path / "keys"
    signing_key(keys)
    place = keys / name if name else keys
    place.chmod(bits | (0o600 if name else 0o700))
    with pytest.raises(InputError) as told:
        signing_key(keys)
    assert f"chmod {'600' if name else '700'} {place}" in str(told.value)


@pytest.mark.parametrize(
    "text", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_what_is_no_key_is_refused(tmp_path, text):
    keys = tmp_path / "keys"
    signing_key(keys)
    (keys / "signing.pem").write_bytes(text)
    with pytest.raises(InputError, match="no signing key"):
        signing_key(keys)


def test_a_key_of_another_kind_is_refused(tmp_path):
    keys = tmp_path / "keys"
    signing_key(keys)
    other = Ed448PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (keys / "signing.pem").write_bytes(other)
    with pytest.raises(InputError, match="Ed25519"):
        signing_key(keys)


def test_a_place_that_cannot_hold_a_key_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        signing_key(tmp_path / "file" / "keys")


def test_many_at_once_get_one_key(tmp_path):
    keys = tmp_path / "keys"
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: public_did(signing_key(keys)), range(8)))
    assert len(set(made)) == 1
