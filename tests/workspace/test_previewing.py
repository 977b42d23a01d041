"""What closing and restating would do is shown before, equals what is then done, and stores nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from lujin.database import metadata, open_database
from lujin.errors import StaleError
from lujin.workspace.running import RunReport

from .small_park import COAL, END, MONTH, PRICE, Reading, Site, register, text_of
from .test_closing import On


@pytest.fixture(params=["sqlite", "postgresql"])
def park(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[On]:
    environment = {}
    if request.param == "postgresql":
        server: sa.URL = request.getfixturevalue("postgresql_server")
        name = f"test_{uuid4().hex}"
        admin = open_database(server.render_as_string(hide_password=False))
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        admin.dispose()
        environment["LUJIN_DATABASE"] = server.set(database=name).render_as_string(hide_password=False)
    made = On(tmp_path / "park", environment=environment)
    made.describe(text_of(2))
    made.take([*register("M1"), *register("M2")])
    made.run()
    yield made
    for workspace in made.opened:
        workspace.engine.dispose()


def rows(park: Site) -> dict[str, int]:
    with park.open().engine.connect() as connection:
        count = sa.select(sa.func.count())
        return {
            table.name: connection.execute(count.select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


def dearer(park: Site) -> None:
    park.reference("tariffs", PRICE.replace("0.72766875", "0.8"))


def late(park: Site) -> None:
    park.take([Reading("M1", END, register("M1")[-1].value + 10)])


def restated(park: Site, stamp: str = "") -> RunReport:
    park.later(minutes=1)
    return park.open().restate([MONTH], "the price was wrong", stamp=stamp)


def test_a_preview_of_a_closed_month_says_what_the_restatement_then_does(park: On) -> None:
    park.open().close([MONTH])
    late(park)
    dearer(park)
    before = rows(park)
    found = park.open().restate_preview([MONTH])
    assert rows(park) == before
    (event,) = restated(park, found.stamp).restated
    (month,) = found.months
    assert month.effect and month.effect == event.effect
    assert month.needs_cause and month.state == "closed"
    assert [dict(a) for a in month.arrivals] == event.arrived["sources"]
    said = [
        {"selector": f.selector, "was": [r.id for r in f.was], "is": [r.id for r in f.now]} for f in month.factors
    ]
    assert said == event.arrived["factors"] and said
    assert {row.values["value"] for f in month.factors for row in f.now} >= {"0.8"}


def test_a_preview_of_an_open_month_tells_its_effect_too(park: On) -> None:
    dearer(park)
    found = park.open().restate_preview([MONTH])
    (month,) = found.months
    assert month.state == "open" and not month.needs_cause and month.effect
    before = {(e["enterprise"], e["account"]): int(e["amount"]) for e in month.effect}
    cost = {e: park.open().statement(e, MONTH, "physical").cost for e in ("E1", "E2")}
    restated(park, found.stamp)
    for enterprise, lines in cost.items():
        now = sum(line.amount.base for line in park.open().statement(enterprise, MONTH, "physical").cost)
        moved = sum(n for (name, account), n in before.items() if name == enterprise and "COST" in account)
        assert now - sum(line.amount.base for line in lines) == moved != 0


def test_a_preview_that_would_move_nothing_says_so(park: On) -> None:
    assert not park.open().restate_preview([MONTH]).moves


CHANGES: dict[str, Callable[[Site], None]] = {
    "a late reading": late,
    "a new price": dearer,
    "an edited park": lambda p: p.describe(text_of(3)) and None,
    "a closing": lambda p: p.open().close([MONTH]) and None,
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_stale_preview_is_refused(park: On, what: str) -> None:
    stamp = park.open().restate_preview([MONTH]).stamp
    CHANGES[what](park)
    before = rows(park)
    with pytest.raises(StaleError, match="since the preview"):
        restated(park, stamp)
    assert rows(park) == before


def test_all_conditions_of_closing_are_told_met_or_not(park: On) -> None:
    before = rows(park)
    (found,) = park.open().close_preview([MONTH])
    assert rows(park) == before
    assert found.met and found.state == "open" and len(found.conditions) == 8
    late(park)
    (found,) = park.open().close_preview([MONTH])
    assert [c.name for c in found.conditions if not c.met] == ["posted"]
    assert "lujin run" in found.conditions[3].problems[0].text()
    park.run()
    park.open().close([MONTH])
    (found,) = park.open().close_preview([MONTH])
    assert [c.name for c in found.conditions if not c.met] == ["state"]


def test_a_missing_factor_bars_the_closing_and_is_named(site: Callable[..., Site]) -> None:
    park = site()
    park.reference("coal_equivalents", COAL.replace("2026-12-31", "2025-06-30"))
    park.take(register("M1"))
    park.run()
    (found,) = park.open().close_preview([MONTH])
    (failing,) = [c for c in found.conditions if not c.met]
    assert failing.name == "priced" and len(failing.problems) > 1


def test_an_unfinished_month_is_not_closed(park: On) -> None:
    (found,) = park.open().close_preview([202512])
    assert {"ended", "posted"} <= {c.name for c in found.conditions if not c.met}
