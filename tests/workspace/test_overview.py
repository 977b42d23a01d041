"""The overview says what the statements say, and the flows conserve: on a demo park of twelve enterprises."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from lujin.accounts import Amount, park_totals
from lujin.demonstrate import demonstrate
from lujin.errors import InputError
from lujin.workspace import Workspace, open_workspace
from lujin.workspace.flows import carbon_map, carriers, day_totals, flow_map, latest_day, node_edges
from lujin.workspace.ledger_months import ledger_month
from lujin.workspace.overview import MonthOverview, attention, month_overview, ranking, trend
from lujin.workspace.reading import gwp_sets
from lujin.workspace.sankey import Sankey, carbon_sankey, energy_sankey

MONTH = 202502


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("overview") / "park"
    demonstrate(folder, 12, 3)
    workspace = open_workspace(folder, environment={})
    yield workspace
    workspace.engine.dispose()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def overview(demo: Workspace) -> MonthOverview:
    return month_overview(demo, MONTH)


def test_every_enterprise_has_the_numbers_of_its_statement(demo: Workspace, overview: MonthOverview) -> None:
    assert len(overview.enterprises) == 12
    for found in overview.enterprises:
        told = demo.statement(found.enterprise, MONTH)
        assert found.energy == told.energy
        assert (found.cost, found.coal_equivalent) == (told.cost_total, told.coal_equivalent)
        assert found.books == told.books
        assert found.completeness == told.completeness
        assert found.embodied == (told.embodied.own if told.embodied else None)


def test_the_month_is_the_sum_of_the_statements_and_the_year_that_of_the_months(demo: Workspace) -> None:
    months = trend(demo, demo.months())
    whole = demo.totals()
    with demo.engine.connect() as connection:
        assert whole == park_totals(connection, demo.park, gwp_sets(demo, max(demo.months()))), (
            "from the lines themselves"
        )
    assert [m.month for m in months] == list(demo.months())
    for name in ("cost", "coal_equivalent", "generated", "estimated_electricity"):
        assert sum(getattr(m.totals, name).base for m in months) == getattr(whole, name).base
    for carrier, amount in whole.energy.items():
        assert sum(m.totals.energy.get(carrier, Amount(0, amount.base_unit)).base for m in months) == amount.base
    for book, found in whole.consolidated.items():
        parts = [m.totals.consolidated[book] for m in months]
        assert abs(sum(part.scope2.base for part in parts) - found.scope2.base) <= len(parts), "rounded once each"


def test_what_is_bought_and_made_is_used_or_sold(overview: MonthOverview) -> None:
    assert {"electricity", "steam", "natural_gas"} <= {c.carrier for c in overview.carriers}
    for carrier in overview.carriers:
        assert carrier.bought + carrier.generated == carrier.used + carrier.sold, carrier.carrier


@pytest.mark.parametrize("by", ["electricity", "cost", "coal_equivalent", "co2e", "embodied"])
def test_the_ranking_is_in_order_and_its_shares_make_a_whole(overview: MonthOverview, by: str) -> None:
    ranks = ranking(overview, by)
    amounts = [rank.amount.base for rank in ranks if rank.amount is not None]
    assert amounts == sorted(amounts, reverse=True)
    assert len(ranks) == len(overview.enterprises)
    assert sum(rank.share or 0 for rank in ranks if rank.share and rank.share > 0) == pytest.approx(1)


def test_the_month_s_file_follows_the_ledger(demo: Workspace) -> None:
    first = ledger_month(demo, MONTH)
    (file,) = (demo.directory / "derived" / "ledger").glob(f"{MONTH}-*")
    assert ledger_month(demo, MONTH).sums.equals(first.sums)
    file.write_bytes(b"no Parquet")
    assert ledger_month(demo, MONTH).sums.equals(first.sums), "a damaged file is made again"
    assert ledger_month(demo, 201901).sums.is_empty()


def test_what_needs_attention_is_counted(demo: Workspace, overview: MonthOverview) -> None:
    found = {item.kind: item for item in attention(demo, overview)}
    assert found["suspect"].count > 0 and found["suspect"].names
    assert found["unverified"].count > 0


def balanced(picture: Sankey, slack: int = 0) -> None:
    into: dict[str, int] = defaultdict(int)
    out: dict[str, int] = defaultdict(int)
    for band in picture.bands:
        assert band.value > 0
        out[band.source] += band.value
        into[band.target] += band.value
    for key in into.keys() & out.keys():
        assert abs(into[key] - out[key]) <= slack, key


def acyclic(picture: Sankey) -> bool:
    waits = defaultdict(set)
    for band in picture.bands:
        waits[band.target].add(band.source)
    keys = {mark.key for mark in picture.marks}
    while free := {key for key in keys if not waits[key] & keys}:
        keys -= free
    return not keys


@pytest.mark.parametrize("most", [3, 30])
def test_every_picture_of_flows_balances_and_has_no_loop(demo: Workspace, most: int) -> None:
    for carrier in carriers(demo.park):
        found = flow_map(demo, carrier, date(2025, 2, 1), date(2025, 2, 28))
        picture = energy_sankey(found, most)
        balanced(picture)
        assert acyclic(picture), carrier
        for node in found.nodes:
            assert node.incoming - node.outgoing == node.rest


def test_losses_are_a_band_of_their_own(demo: Workspace) -> None:
    picture = energy_sankey(flow_map(demo, "steam", date(2025, 2, 1), date(2025, 2, 28)))
    (loss,) = [band for band in picture.bands if band.kind == "loss"]
    assert loss.source == "STEAM" and loss.value > 0


def test_the_map_agrees_with_the_ledger(demo: Workspace, overview: MonthOverview) -> None:
    """What the fence's meters say is what was bought, where no two meters disagree."""
    found = flow_map(demo, "electricity", date(2025, 2, 1), date(2025, 2, 28))
    (grid,) = [node for node in found.nodes if node.node == "GRID"]
    assert grid.outgoing == overview.totals.energy["electricity"]
    assert grid.incoming == overview.totals.sold["electricity"]
    days = day_totals(demo, date(2025, 2, 1), date(2025, 2, 28))
    bought = [day.bought for day in days if day.carrier == "electricity"]
    assert len(bought) == 28 and sum(amount.base for amount in bought if amount) == grid.outgoing.base


def test_a_node_shows_all_that_goes_in_and_out(demo: Workspace) -> None:
    edges = node_edges(demo, "E002", date(2025, 2, 1), date(2025, 2, 28))
    assert {"electricity", "bituminous_coal"} & {edge.carrier for edge in edges}
    assert all("E002" in (edge.source, edge.target) for edge in edges)
    with pytest.raises(InputError, match="no node"):
        node_edges(demo, "E999", date(2025, 2, 1), date(2025, 2, 28))


def test_carbon_flows_conserve_to_the_rounding(demo: Workspace) -> None:
    found = carbon_map(demo, MONTH)
    assert found is not None
    for most in (3, 30):
        picture = carbon_sankey(found, most)
        balanced(picture, slack=len(found.edges))
        assert acyclic(picture)


def test_the_latest_day_has_readings(demo: Workspace) -> None:
    assert latest_day(demo, date(2026, 1, 1)) == date(2025, 3, 31)
    assert latest_day(demo, date(2025, 2, 10)) == date(2025, 2, 9)
    assert latest_day(demo, date(2024, 2, 10)) is None


def test_the_folder_can_be_lost(demo: Workspace) -> None:
    before = month_overview(demo, MONTH)
    shutil.rmtree(Path(demo.directory) / "derived")
    assert month_overview(demo, MONTH) == before
