"""A certificate dropped on the page: anybody may, everything is checked, nothing is stored."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import lujin
from lujin.access.viewer import Role
from lujin.publish import canonical_file
from lujin.web.app import create_app
from lujin.web.routes.verify import MOST
from lujin.web.settings import Settings

HTML = {"accept": "text/html", "accept-language": "en"}


@pytest.fixture(scope="session")
def certified(demo_park: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A park that closed a month, and a certificate of it."""
    park = Path(shutil.copytree(demo_park, tmp_path_factory.mktemp("certified") / "park"))
    workspace = lujin.open(park, environment={})
    workspace.close([202501], "suspense stays", "Lin")
    found = workspace.certificate("E006", 202501, books=("location", "market", "embodied", "physical"))
    workspace.engine.dispose()
    return park, canonical_file(found)


def client(park: Path) -> TestClient:
    return TestClient(create_app(Settings(park, environment={})))


def send(of: TestClient, certificate: bytes, **more: bytes) -> dict[str, object]:
    files = {"certificate": ("E006.json", certificate), **{name: (name, data) for name, data in more.items()}}
    answer = of.post("/verify", files=files)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_a_genuine_certificate_holds_and_is_told_in_words(certified: tuple[Path, bytes]) -> None:
    park, certificate = certified
    browser = client(park)
    found = send(browser, certificate)
    assert found["ok"] is True
    assert {layer["state"] for layer in found["layers"]} == {"passed"}  # type: ignore[attr-defined]
    page = browser.post("/verify", files={"certificate": ("E006.json", certificate)}, headers=HTML).text
    assert "This certificate holds" in page
    assert "issued by this park" in page
    assert "tCO2e" in page and "Energy and cost" in page


def _another(digit: re.Match[bytes]) -> bytes:
    return digit[1] + (b"7" if digit[2] != b"7" else b"3")


def test_a_changed_certificate_names_the_layer_and_tells_no_number(certified: tuple[Path, bytes]) -> None:
    park, certificate = certified
    changed = re.sub(rb'("amounts":{"2025-01-01":"-?)(\d)', _another, certificate, count=1)
    browser = client(park)
    assert send(browser, changed)["failed"] == "signature"
    page = browser.post("/verify", files={"certificate": ("E006.json", changed)}, headers=HTML).text
    assert "does not hold" in page
    assert "Energy and cost" not in page


def test_a_restatement_shows_at_once(certified: tuple[Path, bytes], tmp_path: Path) -> None:
    park = Path(shutil.copytree(certified[0], tmp_path / "park"))
    workspace = lujin.open(park, environment={})
    late = tmp_path / "late.csv"
    late.write_text("meter,time,value\nPV-E006-1,2025-01-15T12:00:00+08:00,1.5\n", encoding="utf-8")
    workspace.import_files([late])
    workspace.restate([202501], "a meter was read wrong", "Lin")
    workspace.engine.dispose()
    assert send(client(park), certified[1])["failed"] == "status"


def test_elsewhere_the_status_is_unknown_until_a_list_is_given(certified: tuple[Path, bytes], park: Path) -> None:
    browser = client(park)
    states = {x["layer"]: x["state"] for x in send(browser, certified[1])["layers"]}  # type: ignore[attr-defined]
    assert states["status"] == "unknown"
    listed = client(certified[0]).get("/status-list.json").content
    states = {
        x["layer"]: x["state"]
        for x in send(browser, certified[1], status=listed)["layers"]  # type: ignore[attr-defined]
    }
    assert states["status"] == "passed"


@pytest.mark.parametrize("content", [b"{}", b"[]", b"\x00\xff\xfe", b"[" * 100_000, b'{"a":1e999}', b"%PDF-1.7"])
def test_any_file_gets_an_answer_in_words(as_viewer: Callable[..., TestClient], content: bytes) -> None:
    browser = as_viewer(None)
    answer = browser.post("/verify", files={"certificate": ("x", content)}, headers=HTML)
    assert answer.status_code == 200
    assert "Traceback" not in answer.text
    assert send(browser, content)["ok"] is False


def test_what_is_missing_or_wrong_is_said_on_the_page(
    as_viewer: Callable[..., TestClient], certified: tuple[Path, bytes]
) -> None:
    browser = as_viewer(None)
    none = browser.post("/verify", files={"certificate": ("", b"")}, headers=HTML)
    assert (none.status_code, "no certificate was chosen" in none.text) == (422, True)
    large = browser.post("/verify", files={"certificate": ("x", b" " * (MOST + 1))}, headers=HTML)
    assert (large.status_code, "are not taken here" in large.text) == (413, True)
    wrong = browser.post(
        "/verify", files={"certificate": ("x", certified[1])}, data={"issuer": "did:web:x"}, headers=HTML
    )
    assert (wrong.status_code, "did:web:x" in wrong.text) == (422, True)


def test_a_stream_without_length_is_cut_off_at_the_limit(as_viewer: Callable[..., TestClient]) -> None:
    def endless() -> object:
        yield b'--b\r\ncontent-disposition: form-data; name="certificate"; filename="x"\r\n\r\n'
        for _ in range(MOST // 65_536 + 2):
            yield b" " * 65_536

    headers = {"content-type": "multipart/form-data; boundary=b"}
    answer = as_viewer(None).post("/verify", content=endless(), headers=headers)  # type: ignore[arg-type]
    assert answer.status_code == 413


def test_a_name_from_the_certificate_is_text_and_never_markup(as_viewer: Callable[..., TestClient]) -> None:
    name = "<script>alert(1)</script>.json"
    page = as_viewer(None).post("/verify", files={"certificate": (name, b"{}")}, headers=HTML).text
    assert "<script>alert" not in page


def test_signed_in_people_use_the_same_page(
    as_viewer: Callable[..., TestClient], certified: tuple[Path, bytes]
) -> None:
    for role in (Role.OPERATOR, Role.BANK, Role.VERIFIER):
        assert send(as_viewer(role), certified[1])["ok"] is True
