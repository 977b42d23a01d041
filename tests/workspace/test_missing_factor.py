"""A factor or price that is missing leaves out its lines; once it is supplied, run posts them and nothing else."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lujin.demo import write_demo
from lujin.workspace import Workspace, open_workspace

MONTH = 202501


def _opened(directory: Path) -> Workspace:
    return open_workspace(directory)


def _set_aside(directory: Path) -> tuple[Path, str]:
    """Take the equal value of electricity out of the park's own rows; returns the file as it was."""
    file = directory / "reference" / "coal_equivalents.csv"
    whole = file.read_text("utf-8")
    lines = whole.splitlines(keepends=True)
    assert any("供电煤耗" in line for line in lines)
    file.write_text("".join(line for line in lines if "供电煤耗" not in line), "utf-8")
    return file, whole


@pytest.fixture
def lacking(tmp_path: Path) -> tuple[Workspace, Path, str]:
    files = write_demo(tmp_path / "park", enterprises=12, months=1)
    file, whole = _set_aside(files.directory)
    workspace = _opened(files.directory)
    workspace.import_files(files.arrivals)
    report = workspace.run()
    assert any("lujin run" in p.text() for p in report.problems if p.severity == "error")
    return workspace, file, whole


def test_supplied_factor_posts_what_was_left_out(lacking: tuple[Workspace, Path, str], tmp_path: Path) -> None:
    workspace, file, whole = lacking
    before = workspace.statement("E004", MONTH)
    assert before.energy[0].carrier == "electricity" and not before.energy[0].coal_equal
    file.write_text(whole, "utf-8")
    report = _opened(workspace.directory).run()
    assert {m.month: set(m.reasons) for m in report.months} == {MONTH: {"late_factor"}}
    after = workspace.statement("E004", MONTH)
    assert after.energy[0].coal_equal
    assert (after.cost_total, after.carbon, after.coal_equivalent) == (
        before.cost_total,
        before.carbon,
        before.coal_equivalent,
    )
    whole_park = write_demo(tmp_path / "whole", enterprises=12, months=1)
    at_once = _opened(whole_park.directory)
    at_once.import_files(whole_park.arrivals)
    at_once.run()
    assert _net(workspace).equals(_net(at_once))
    assert workspace.verify(replay=True)["entries"] > 0


def test_nothing_is_tried_again_until_the_reference_changes(lacking: tuple[Workspace, Path, str]) -> None:
    workspace, _, _ = lacking
    assert workspace.run().months == ()


def _net(workspace: Workspace) -> pl.DataFrame:
    from lujin.accounts import net

    with workspace.engine.connect() as connection:
        return net(connection, MONTH)
