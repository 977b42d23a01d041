"""Maximum demand on the statement: the greatest quarter hour of the connection, when it was and what it cost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from lujin.demo import write_demo
from lujin.workspace import Workspace, open_workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    files = write_demo(tmp_path_factory.mktemp("demand") / "park", enterprises=12, months=1)
    workspace = open_workspace(files.directory)
    workspace.import_files(files.arrivals)
    workspace.run()
    return workspace


def test_the_statement_names_demand_time_and_charge(workspace: Workspace) -> None:
    found = workspace.statement("E002", 202501)
    (line,) = found.demand
    park = workspace.park
    connection = park.connections[line.connection]
    assert connection.basis == "demand"
    assert line.at is not None
    assert line.billed >= line.max_demand_kw
    assert line.amount.value == (line.billed * line.price).quantize(Decimal("0.01"))
    assert line.amount.base == sum(c.amount.base for c in found.cost if c.item == "demand_charge")
    assert found.as_dict()["demand"][0]["max_demand_kw"] == f"{line.max_demand_kw:f}"


def test_a_second_run_records_no_second_charge(workspace: Workspace) -> None:
    workspace.run()
    with workspace.engine.connect() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM basic_charge").scalar()
        known = connection.exec_driver_sql("SELECT count(DISTINCT connection) FROM basic_charge").scalar()
    assert count == known


def test_a_single_part_tariff_has_no_demand_line(workspace: Workspace) -> None:
    single = next(c.enterprise for c in workspace.park.connections.values() if c.basis == "single")
    assert workspace.statement(single, 202501).demand == ()


def test_the_demand_line_stays_as_it_was_known(workspace: Workspace) -> None:
    before = workspace.statement("E002", 202501)
    assert before.recorded_at is not None
    assert workspace.statement("E002", 202501, as_of=before.recorded_at).demand == before.demand


def test_a_month_without_readings_has_no_demand_and_no_demand_charge(tmp_path: Path) -> None:
    files = write_demo(tmp_path / "park", enterprises=12, months=1)
    workspace = open_workspace(files.directory)
    (connection,) = (c for c in workspace.park.connections.values() if c.enterprise == "E002")
    assert connection.basis == "demand"
    flows = {f.id for f in workspace.park.flows.values() if f.connection == connection.id}
    unheard = [m.id for m in workspace.park.meters.values() if m.flow in flows]
    for path in (p for p in files.arrivals if p.suffix == ".parquet"):
        pl.read_parquet(path).filter(~pl.col("meter").is_in(unheard)).write_parquet(path)
    workspace.import_files(files.arrivals)
    report = workspace.run()
    found = workspace.statement("E002", 202501)
    assert found.demand == ()
    assert not any(c.item == "demand_charge" for c in found.cost)
    assert any(f"no reading of connection {connection.id}" in p.text() for p in report.problems)
