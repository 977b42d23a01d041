"""The energy manager drops a file, corrects a column, sees what is refused and how totals move, takes it back."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lujin
from lujin.access.viewer import Role

from ..served import Served, serving
from .looking import Watched
from .test_looks import PAIRS
from .test_verify_drop import DROP

Open = Callable[..., Watched]


@pytest.fixture(scope="module")
def writable(demo_park: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    park = Path(shutil.copytree(demo_park, tmp_path_factory.mktemp("imports") / "park"))
    with serving(park, {}) as served:
        yield served


def export(demo_park: Path) -> bytes:
    """Two columns of numbers, one broken row, one reading that corrects an earlier one."""
    workspace = lujin.open(demo_park, environment={})
    registers = (m for m in workspace.park.meters.values() if m.kind == "register" and m.unit == "kWh")
    meter = next(m.id for m in registers if m.id.startswith("E003"))
    rows = workspace.store.read(202503, [workspace.meter_keys()[meter]])
    workspace.engine.dispose()
    at, value = rows["time"][40].isoformat(), rows["value"][40]
    lines = (
        "采集时间,表号,正向,反向",
        f"{at},{meter},{value + 0.5},0",
        f"某日,{meter},1,0",
        f"{at},没有此表,1,0",
    )
    return "\n".join(lines).encode("gb18030")


@pytest.mark.parametrize(("language", "width", "theme"), PAIRS[0])
def test_from_the_dropped_file_to_the_moved_total_and_back(
    page_of: Open, writable: Served, demo_park: Path, language: str, width: int, theme: str
) -> None:
    watched = page_of(Role.OPERATOR, language, width, theme, served=writable).open("/imports")
    page = watched.page
    watched.picture("imports")
    assert watched.faults() == []

    with page.expect_navigation(url="**/imports/files/*"):
        page.evaluate(DROP, ["三月补抄.csv", base64.b64encode(export(demo_park)).decode()])
    watched.settle()
    watched.picture("imports-file")
    assert watched.faults() == []
    page.select_option("select[name='role.2']", "value")
    page.select_option("select[name='role.3']", "")
    page.click("button[value=try]")
    page.wait_for_selector("button[value=take]")
    assert page.locator(".counts .bad dd").first.inner_text() == "2"
    watched.picture("imports-trial")
    assert watched.faults() == []

    page.click("button[value=take]")
    page.wait_for_selector("a[href^='/imports/arrivals/']")
    watched.settle()
    assert page.locator("a[href^='/enterprises/']").count()
    watched.picture("imports-taken")
    assert watched.faults() == []

    page.click("a[href^='/imports/arrivals/']")
    page.click("a[href*='undo=true']")
    page.wait_for_selector("button.danger")
    watched.picture("imports-arrival")
    assert watched.faults() == []
    page.fill("input[name=reason]", "wrong file")
    page.click("button.danger")
    page.wait_for_selector("a[href^='/imports/arrivals/']")
    watched.settle()
    assert watched.faults() == []


def test_a_file_that_is_no_table_is_told_beside_the_drop_zone(page_of: Open, writable: Served) -> None:
    watched = page_of(Role.OPERATOR, "en", served=writable).open("/imports")
    bomb = base64.b64encode(b"PK\x03\x04" + bytes(200)).decode()
    watched.page.evaluate(DROP, ["bomb.xlsx", bomb])
    watched.page.wait_for_selector("[data-error]:not([hidden])")
    assert "damaged" in watched.page.locator("[data-error]").inner_text()


def test_it_works_without_scripts(page_of: Open, writable: Served, demo_park: Path, tmp_path: Path) -> None:
    file = tmp_path / "plain.csv"
    file.write_bytes(export(demo_park))
    watched = page_of(Role.OPERATOR, "en", served=writable, scripts=False).open("/imports")
    page = watched.page
    page.set_input_files("input[name=file]", str(file))
    page.click("button.send")
    page.select_option("select[name='role.2']", "value")
    page.select_option("select[name='role.3']", "")
    page.click("button[value=try]")
    page.wait_for_selector("button[value=take]")
    page.uncheck("input[name=post]")
    page.click("button[value=take]")
    page.wait_for_selector("a[href^='/imports/arrivals/']")
