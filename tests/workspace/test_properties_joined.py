"""The laws of ``test_properties`` for a park whose enterprises depend on one another: a CHP plant that sells power
and steam, a bus with a battery, a product that is passed on, a flow that both parties measure.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from .small_park import COAL, ZONE, Reading, Site

few = settings(
    max_examples=1, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
JULY, AUGUST = MONTHS = (202507, 202508)
FIRST, LAST = datetime(2025, 7, 31, 6, tzinfo=ZONE), datetime(2025, 8, 1, 18, tzinfo=ZONE)
HOUR = timedelta(hours=1)
SLOTS = int((LAST - FIRST) / HOUR)
JOINED = {"OP", "E1", "E2", "E3"}

HEAD = """\
[park]
id = "p"
timezone = "Asia/Shanghai"
region = "广东"

[park.packs]
location = "ghgp-location@2"
market = "ghgp-market@2"
regulatory = "gbt32151-2024@1"
embodied = "embodied@1"
"""
NODES = {
    "GRID": "grid",
    "COALCO": "supplier",
    "OP": "operator",
    "E1": "enterprise",
    "E2": "enterprise",
    "E3": "enterprise",
    "E4": "enterprise",
    "CHP": "chp",
    "BUS": "main",
    "STEAM": "main",
    "BAT": "battery",
}
# flow → carrier, source, target, unit, least and greatest of an hour
FLOWS = {
    "COAL": ("bituminous_coal", "COALCO", "CHP", "t", 2, 4),
    "POWER": ("electricity", "CHP", "BUS", "kWh", 3000, 5000),
    "AUX": ("electricity", "BUS", "CHP", "kWh", 100, 200),
    "GRIDBUS": ("electricity", "GRID", "BUS", "kWh", 500, 900),
    "CHARGE": ("electricity", "BUS", "BAT", "kWh", 0, 400),
    "GIVE": ("electricity", "BAT", "BUS", "kWh", 0, 200),
    "HEAT": ("steam", "CHP", "STEAM", "GJ", 20, 30),
    "P1": ("electricity", "BUS", "E1", "kWh", 800, 1200),
    "P2": ("electricity", "BUS", "E2", "kWh", 1500, 2000),
    "S2": ("steam", "STEAM", "E2", "GJ", 8, 12),
    "S3": ("steam", "STEAM", "E3", "GJ", 8, 12),
    "G3": ("electricity", "GRID", "E3", "kWh", 100, 300),
    "MEAL": ("product", "E2", "E1", "t", 1, 3),
    "G4": ("electricity", "GRID", "E4", "kWh", 100, 300),
}
CHECKED = "S2"


def described(
    method: str = "energy@1", efficiency: str = "0.95", status: str = "product", without: str = ""
) -> str:
    """``without``: an enterprise that is not in the file, nor any of its flows."""
    parts = [HEAD]
    for node, kind in NODES.items():
        if node == without:
            continue
        owner = 'owner = "OP"\n' if kind in ("chp", "main", "battery") else ""
        parts.append(f'[[node]]\nid = "{node}"\nkind = "{kind}"\n{owner}')
    for flow, (carrier, source, target, unit, _, _) in FLOWS.items():
        if without in (source, target):
            continue
        parts.append(
            f'[[flow]]\nid = "{flow}"\ncarrier = "{carrier}"\nsource = "{source}"\ntarget = "{target}"\n'
            f'[[meter]]\nid = "M{flow}"\nflow = "{flow}"\nkind = "interval"\nunit = "{unit}"\ninterval = "1h"\n'
        )
    parts.append(f'[[meter]]\nid = "MX"\nkind = "interval"\nunit = "{FLOWS[CHECKED][3]}"\ninterval = "1h"\n')
    parts.append(
        f'[[joint]]\nnode = "CHP"\nmethod = "{method}"\n'
        '[[joint]]\nnode = "E2"\nmethod = "declared@1"\nshares = { product = 1 }\n'
        f'[[transfer]]\nflow = "MEAL"\nstatus = "{status}"\nevidence = "contract"\n'
        f'[[transfer]]\nflow = "{CHECKED}"\nstatus = "energy"\ncheck_meter = "MX"\n'
        f'[[storage]]\nnode = "BAT"\ncapacity = 5000\nunit = "kWh"\ncharge_efficiency = {efficiency}\n'
        "discharge_efficiency = 0.95\n"
    )
    return "\n".join(parts)


def measured(seed: int) -> list[Reading]:
    """What all meters said, with holes; the plant burns for some hours before it gives anything."""
    dice = random.Random(seed)
    start, found = dice.randrange(24), []
    for hour in range(SLOTS):
        at = FIRST + hour * HOUR
        for flow, (*_, least, most) in FLOWS.items():
            value = round(dice.uniform(least, most), 2)
            cold = hour < start and flow in ("POWER", "HEAT", "S2", "S3", "AUX")
            found.append(Reading(f"M{flow}", at, 0.0 if cold else value))
            if flow == CHECKED:
                found.append(Reading("MX", at, 0.0 if cold else round(value * dice.uniform(0.8, 1), 2)))
    return [r for r in found if dice.random() > 0.03]


def dealt(readings: Sequence[Reading], dice: random.Random, files: int) -> list[list[Reading]]:
    hands: list[list[Reading]] = [[] for _ in range(files)]
    by_meter = dice.random() < 0.5
    places = {r.meter: dice.randrange(files) for r in readings}
    for reading in readings:
        hands[places[reading.meter] if by_meter else dice.randrange(files)].append(reading)
    return [hand for hand in hands if hand]


@contextmanager
def sites() -> Iterator[_Sites]:
    with tempfile.TemporaryDirectory() as folder:
        made = _Sites(Path(folder))
        yield made
        for site in made.all:
            for workspace in site.opened:
                workspace.engine.dispose()


class _Sites:
    def __init__(self, folder: Path) -> None:
        self.folder, self.all = folder, list[Site]()

    def __call__(self, text: str | None = None) -> Site:
        site = Site(self.folder / str(len(self.all)), datetime(2025, 9, 1, tzinfo=UTC))
        site.describe(text or described())
        site.reference("coal_equivalents", COAL)
        self.all.append(site)
        return site


def posted_at_once(make: _Sites, readings: Sequence[Reading], text: str | None = None) -> Site:
    site = make(text)
    site.take(readings)
    site.run()
    return site


@few
@given(seed=st.integers(0, 10**6), files=st.integers(2, 5))
def test_any_split_in_any_order_posted_once_gives_the_same_bytes(seed: int, files: int) -> None:
    readings = measured(seed)
    with sites() as make:
        measure, other = posted_at_once(make, readings), make()
        for hand in dealt(readings, random.Random(seed), files):
            other.take(hand)
        other.run()
        assert other.bytes() == measure.bytes()
        other.verified()


@few
@given(seed=st.integers(0, 10**6), files=st.integers(2, 5))
def test_any_interleaving_of_files_and_runs_gives_the_same_net(seed: int, files: int) -> None:
    dice, readings = random.Random(seed), measured(seed)
    with sites() as make:
        measure, other = posted_at_once(make, readings), make()
        for hand in dealt(readings, dice, files):
            other.take(hand)
            if dice.random() < 0.6:
                other.run(dice.choice([None, None, *MONTHS]))
        other.run()
        assert_frame_equal(other.net(MONTHS), measure.net(MONTHS))
        assert not other.run().months, "nothing is left to post"
        other.verified()


@few
@given(seed=st.integers(0, 10**6))
def test_after_edits_of_the_park_the_increments_add_up_to_the_full_computation(seed: int) -> None:
    dice, readings = random.Random(seed), measured(seed)
    text = described()
    with sites() as make:
        site, arrivals = make(), list[list[Reading]]()
        hands = dealt(readings, dice, 3)
        for _ in range(6):
            deed = dice.choice(["arrive", "correct", "park", "restate", "run", "run"])
            if deed == "arrive" and hands:
                arrivals.append(hands.pop())
                site.take(arrivals[-1])
            elif deed == "correct":
                wrong = [Reading(r.meter, r.time, r.value + 1) for r in dice.sample(readings, 4)]
                arrivals.append(wrong)
                site.take(wrong)
            elif deed == "park":
                text = described(
                    dice.choice(["energy@1", "egrid@1"]),
                    dice.choice(["0.95", "0.8"]),
                    dice.choice(["product", "waste"]),
                )
                (site.directory / "park.toml").write_text(text, encoding="utf-8")
            elif deed == "restate":
                if done := [m.month for m in site.open().status().months if m.posted]:
                    site.later(minutes=1).open().restate(done)
            else:
                site.run(dice.choice([None, None, *MONTHS]))
            site.later(hours=1)
        for hand in hands:
            arrivals.append(hand)
            site.take(hand)
        site.run()
        site.verified()
        full = make(text)
        for arrival in arrivals:
            full.take(arrival)
        full.run()
        assert_frame_equal(site.net(MONTHS), full.net(MONTHS))


@pytest.mark.parametrize("seed", range(2))
def test_a_late_reading_of_the_plants_coal_restates_all_who_take_from_it_and_nobody_else(seed: int) -> None:
    readings = measured(seed)
    late = [r for r in readings if r.meter == "MCOAL" and r.time.month == 7][-3:]
    with sites() as make:
        site = posted_at_once(make, [r for r in readings if r not in late])
        before = site.net(MONTHS)
        site.take(late)
        report = site.run()
        assert report.months[0].month == JULY and report.months[0].enterprises == len(JOINED)
        changed = before.join(site.net(MONTHS), on=before.columns, how="anti", nulls_equal=True)
        assert set(changed["enterprise"]) <= JOINED
        assert set(changed.filter(book="embodied")["enterprise"]) == JOINED
        assert_frame_equal(site.net(MONTHS), posted_at_once(make, readings).net(MONTHS))
        once = site.bytes(recorded=True)
        site.take(late)
        assert not site.run().months
        assert site.bytes(recorded=True) == once
        site.verified()


def due(site: Site) -> dict[str, int]:
    """Commodity → what all enterprises of the park together owe one another in book embodied [mg]."""
    sums: dict[str, int] = {}
    book = site.net(MONTHS).filter(book="embodied")
    for debit, credit, gas, amount in book.select("debit", "credit", "commodity", "amount").iter_rows():
        for account, signed in ((debit, amount), (credit, -amount)):
            if "/DUE/" in account:
                sums[gas] = sums.get(gas, 0) + signed
    return sums


def test_an_enterprise_taken_out_of_the_park_file_leaves_no_account_behind() -> None:
    """Its neighbours sell to it no longer; what it took over from them must go as well."""
    readings = measured(0)
    with sites() as make:
        site = posted_at_once(make, readings)
        (site.directory / "park.toml").write_text(described(without="E3"), encoding="utf-8")
        site.later(hours=1).run()
        left = posted_at_once(
            make, [r for r in readings if r.meter not in ("MS3", "MG3")], described(without="E3")
        )
        assert_frame_equal(site.net(MONTHS), left.net(MONTHS))
        assert set(due(site).values()) == {0}
        assert not site.run().months
        site.verified()


def test_a_book_that_the_park_no_longer_keeps_is_reversed_and_comes_back() -> None:
    readings = measured(0)
    with sites() as make:
        site = posted_at_once(make, readings)
        before = site.net(MONTHS)
        for text in (described().replace('embodied = "embodied@1"\n', ""), described()):
            (site.directory / "park.toml").write_text(text, encoding="utf-8")
            site.later(hours=1).run()
            assert site.net(MONTHS).filter(book="embodied").is_empty() == ("embodied" not in text)
        assert_frame_equal(site.net(MONTHS), before)
        site.verified()
