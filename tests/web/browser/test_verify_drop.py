"""A bank officer drops a certificate on the page; anybody may, without an account."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lujin
from lujin.publish import canonical_file

from ..served import Served, serving
from .looking import Watched
from .test_looks import PAIRS

Open = Callable[..., Watched]
# Drops a file as a desktop would: the browser takes it from a DataTransfer.
DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, {type: "application/json"}));
  for (const type of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(type, {dataTransfer: carried, bubbles: true, cancelable: true}));
}"""


@pytest.fixture(scope="module")
def certified(demo_park: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, bytes]]:
    park = Path(shutil.copytree(demo_park, tmp_path_factory.mktemp("certified") / "park"))
    workspace = lujin.open(park, environment={})
    workspace.close([202501, 202502], "suspense stays", "Lin")
    found = workspace.certificate("E006", 202501, 202502, books=("location", "market", "embodied", "physical"))
    workspace.engine.dispose()
    with serving(park, {}) as served:
        yield served, canonical_file(found)


def drop(watched: Watched, name: str, content: bytes) -> Watched:
    with watched.page.expect_navigation():
        watched.page.evaluate(DROP, [name, base64.b64encode(content).decode()])
    watched.settle()
    return watched


@pytest.mark.parametrize(("language", "width", "theme"), PAIRS[0])
def test_a_dropped_certificate_is_checked_and_told(
    page_of: Open, certified: tuple[Served, bytes], language: str, width: int, theme: str
) -> None:
    served, certificate = certified
    watched = page_of(None, language, width, theme, served=served).open("/verify")
    drop(watched, "E006-2025-01.json", certificate)
    assert watched.page.locator("#result.good").count() == 1
    assert watched.page.locator(".layers .mark.good").count() == 5
    watched.page.locator("summary").first.click()
    watched.picture("verify-holds")
    assert watched.faults() == []

    drop(watched, "E006-2025-01.json", certificate.replace(b'"month":"2025-01"', b'"month":"2025-02"', 1))
    assert watched.page.locator("#result.bad").count() == 1
    watched.picture("verify-fails")
    assert watched.faults() == []


def test_the_file_can_be_chosen_by_keyboard_and_without_scripts(
    page_of: Open, certified: tuple[Served, bytes], tmp_path: Path
) -> None:
    served, certificate = certified
    (tmp_path / "c.json").write_bytes(certificate)
    watched = page_of(None, "en", served=served, scripts=False).open("/verify")
    watched.page.set_input_files("#f-certificate", tmp_path / "c.json")
    watched.page.get_by_role("button", name="Check").press("Enter")
    watched.page.wait_for_selector("#result.good")
