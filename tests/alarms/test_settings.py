"""Settings: checked at once, secrets never readable without the park's key and never shown."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from lujin.errors import InputError, StoreError
from lujin.operator_options import Options, changed, options, secret_of, stored_form
from lujin.operator_settings import KEY_FILE, Kept, opened, sealed, store, stored

from .conftest import Watched


def test_a_secret_is_sealed_with_a_key_beside_the_park(tmp_path: Path) -> None:
    kept = sealed("smtp_password", "gehe im", tmp_path / "keys")
    assert "gehe" not in kept and kept != sealed("smtp_password", "gehe im", tmp_path / "keys")
    assert opened("smtp_password", kept, tmp_path / "keys") == "gehe im"
    assert stat.S_IMODE((tmp_path / "keys" / KEY_FILE).stat().st_mode) == 0o600


def test_a_secret_cannot_be_put_in_another_place_or_read_with_another_key(tmp_path: Path) -> None:
    kept = sealed("smtp_password", "gehe im", tmp_path / "keys")
    with pytest.raises(StoreError, match="enter it again"):
        opened("webhook:duty", kept, tmp_path / "keys")
    with pytest.raises(StoreError):
        opened("smtp_password", kept, tmp_path / "others")


def test_a_secret_may_stay_in_the_environment(tmp_path: Path) -> None:
    kept = sealed("smtp_password", "env:PW", tmp_path)
    assert kept == "env:PW" and opened("smtp_password", kept, tmp_path, {"PW": "x"}) == "x"
    with pytest.raises(InputError, match="PW"):
        opened("smtp_password", kept, tmp_path, {})


def test_what_is_shown_holds_no_secret(tmp_path: Path) -> None:
    given = {
        "smtp_password": "gehe im",
        "webhooks": "duty https://example.com/x geheim2\nplain https://example.com/y",
    }
    found = changed(Options(), given, tmp_path)
    said = json.dumps(found.shown()) + repr(found)
    for text in ("gehe im", "geheim2", "aes:"):
        assert text not in said
    assert found.shown()["smtp_password"] == "set"
    assert [h["secret"] for h in found.shown()["webhooks"]] == ["set", ""]


def test_an_empty_secret_stays_and_a_dash_removes_it(tmp_path: Path) -> None:
    found = changed(Options(), {"smtp_password": "a b", "webhooks": "duty https://example.com/x s"}, tmp_path)
    kept = changed(found, {"smtp_password": "", "webhooks": "duty https://example.com/z"}, tmp_path)
    assert kept.smtp_password == found.smtp_password
    assert kept.webhooks[0].url.endswith("/z")
    assert secret_of("webhook:duty", kept.webhooks[0].secret, tmp_path) == "s"
    gone = changed(kept, {"smtp_password": "-", "webhooks": "duty https://example.com/z -"}, tmp_path)
    assert gone.smtp_password == "" and gone.webhooks[0].secret == ""


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"smtp_host": "mail server"}, "smtp_host"),
        ({"smtp_host": "mail.example\r\nX"}, "smtp_host"),
        ({"smtp_port": "99999"}, "smtp_port"),
        ({"smtp_port": "x"}, "smtp_port"),
        ({"smtp_security": "maybe"}, "smtp_security"),
        ({"smtp_from": "nobody"}, "smtp_from"),
        ({"smtp_host": "mail.example"}, "smtp_from"),
        ({"webhooks": "duty ftp://example.com"}, "webhooks"),
        ({"webhooks": "duty https://user@example.com"}, "webhooks"),
        ({"webhooks": "duty https://example.com:x/"}, "webhooks"),
        ({"webhooks": "a https://example.com\na https://example.com"}, "webhooks"),
        ({"quiet": "22-7"}, "quiet"),
        ({"session_hours": "0"}, "session_hours"),
        ({"upload_limit_mb": "-5"}, "upload_limit_mb"),
        ({"language": "tlh"}, "language"),
        ({"smtp_user": "x" * 300}, "smtp_user"),
    ],
)
def test_each_fault_names_its_field(tmp_path: Path, given: dict[str, str], field: str) -> None:
    with pytest.raises(InputError) as caught:
        changed(Options(), given, tmp_path)
    assert {p.field for p in caught.value.problems} == {field}


def test_settings_are_kept_in_the_database_by_version(both: Watched, tmp_path: Path) -> None:
    engine = both.open().engine
    assert stored(engine) == Kept({}, 0) and options(stored(engine)) == Options()
    found = changed(Options(), {"quiet": "22:00-07:00", "webhooks": "duty https://example.com/x s"}, tmp_path)
    store(engine, stored_form(found), "Lin", both.tick())
    kept = stored(engine)
    assert options(kept) == found
    store(engine, stored_form(found), "Wu", both.tick())
    assert stored(engine).version == kept.version
