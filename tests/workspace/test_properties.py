"""Laws that hold for any history of a small park: files in any order and any split, runs in between, corrections,
edits of the park and of a factor, restatements.

A history is a list of deeds drawn by hypothesis from one set of readings around a month's end.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lujin.accounts.tables import entry, line, line_key
from lujin.demo import write_demo
from lujin.park import load
from lujin.workspace import open_workspace

from .small_park import CUSTOMER, HEAD, PRICE, ZONE, Reading, Site, register, text_of

few = settings(
    max_examples=2, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None
)
MONTHS = (202507, 202508)
FIRST, LAST = datetime(2025, 7, 30, 12, tzinfo=ZONE), datetime(2025, 8, 2, 6, tzinfo=ZONE)
HOUR = timedelta(hours=1)
SLOTS = int((LAST - FIRST) / HOUR)

METERS = """
[[meter]]
id = "M1"
flow = "F1"
kind = "register"
unit = "kWh"
multiplier = {multiplier}
digits = 5
interval = "1h"

[[meter]]
id = "M2"
kind = "interval"
unit = "kWh"
interval = "1h"

[[meter]]
id = "M3"
flow = "F3"
kind = "power"
unit = "kW"
interval = "1h"

# What E2 takes is what the interval meter counts less what it passes on to E3.
[[meter]]
id = "V2"
flow = "F2"
kind = "virtual"
terms = {{ M2 = 1, M3 = -0.5 }}
"""


def described(multiplier: int = 40) -> str:
    customers = "".join(CUSTOMER.format(n=n) for n in (1, 2, 3))
    return HEAD + customers + METERS.format(multiplier=multiplier)


@dataclass(frozen=True)
class Facts:
    """All that the meters said: registers with a rollover and a spike, intervals and powers with holes."""

    readings: tuple[Reading, ...]

    @staticmethod
    def drawn(seed: int) -> Facts:
        dice = random.Random(seed)
        count, readings = 99_900.0 - dice.random() * 50, []
        for hour in range(SLOTS + 1):
            at = FIRST + hour * HOUR + timedelta(minutes=dice.choice([0, 0, 0, 7]))
            count += dice.uniform(0.0, 5.0)
            spike = 4_000.0 if hour == dice.randrange(SLOTS) else 0.0
            readings.append(Reading("M1", at, round((count + spike) % 1e5, 2)))
            readings.append(Reading("M2", FIRST + hour * HOUR, round(dice.uniform(50, 90), 2)))
            readings.append(Reading("M3", FIRST + hour * HOUR, round(dice.uniform(-2, 40), 1)))
        return Facts(tuple(r for r in readings if dice.random() > 0.12))

    def dealt(self, dice: random.Random, files: int) -> list[list[Reading]]:
        """Split into files at random, or by runs of time; some readings stand in several files."""
        if dice.random() < 0.5:
            hands: list[list[Reading]] = [[] for _ in range(files)]
            for reading in self.readings:
                hands[dice.randrange(files)].append(reading)
        else:
            cuts = sorted(dice.sample(range(1, len(self.readings)), files - 1))
            hands = [list(self.readings[a:b]) for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
        for hand in hands:
            hand += dice.sample(self.readings, 5)
        dice.shuffle(hands)
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
        self.folder, self.all = folder, []

    def __call__(self, text: str | None = None) -> Site:
        site = Site(self.folder / str(len(self.all)), datetime(2025, 9, 1, tzinfo=UTC)).describe(
            text or described()
        )
        self.all.append(site)
        return site


def posted_at_once(make: _Sites, readings: Sequence[Reading], text: str | None = None) -> Site:
    site = make(text)
    site.take(readings)
    site.run()
    return site


# Order, batches, repetition ----------------------------------------------------------------------------------


@few
@given(seed=st.integers(0, 10**6), files=st.integers(2, 6))
def test_any_split_in_any_order_posted_once_gives_the_same_bytes(seed: int, files: int) -> None:
    dice, facts = random.Random(seed), Facts.drawn(seed)
    with sites() as make:
        measure = posted_at_once(make, facts.readings)
        other = make()
        for hand in facts.dealt(dice, files):
            other.take(hand)
        other.run()
        assert other.bytes() == measure.bytes()
        other.verified()


@few
@given(seed=st.integers(0, 10**6), files=st.integers(2, 6))
def test_any_interleaving_of_files_and_runs_gives_the_same_net(seed: int, files: int) -> None:
    dice, facts = random.Random(seed), Facts.drawn(seed)
    with sites() as make:
        measure = posted_at_once(make, facts.readings)
        other = make()
        for hand in facts.dealt(dice, files):
            other.take(hand)
            if dice.random() < 0.6:
                other.run(dice.choice([None, None, *MONTHS]))
        other.run()
        assert_frame_equal(other.net(MONTHS), measure.net(MONTHS))
        for enterprise in ("E1", "E2", "E3"):
            for month in MONTHS:
                then = measure.open().statement(enterprise, month)
                now = other.open().statement(enterprise, month)
                assert (now.energy, now.cost, now.books) == (then.energy, then.cost, then.books)
                assert now.meters == then.meters, "completeness too"
        assert not other.run().months, "nothing is left to post"
        other.verified()


@few
@given(seed=st.integers(0, 10**6), files=st.integers(1, 4))
def test_everything_imported_and_posted_twice_changes_nothing(seed: int, files: int) -> None:
    dice, facts = random.Random(seed), Facts.drawn(seed)
    with sites() as make:
        site = make()
        hands = facts.dealt(dice, files)
        for hand in hands:
            site.take(hand)
        site.run()
        once = site.bytes(recorded=True)
        for _ in range(2):
            for hand in hands:
                report = site.take(hand).report
                assert report is not None
                assert (report.accepted, report.corrects, report.conflicts) == (0, 0, 0)
            assert not site.run().months
        assert site.bytes(recorded=True) == once


@pytest.mark.parametrize("seed", range(2))
def test_one_reading_at_a_time_equals_all_at_once(seed: int) -> None:
    """The finest split, with a run after each: around the month's end, where most can go wrong."""
    facts = Facts.drawn(seed)
    near = [
        r for r in facts.readings if r.meter != "M3" and abs(r.time - datetime(2025, 8, 1, tzinfo=ZONE)) < 4 * HOUR
    ]
    rest = [r for r in facts.readings if r not in near]
    random.Random(seed).shuffle(near)
    with sites() as make:
        measure = posted_at_once(make, facts.readings)
        other = posted_at_once(make, rest)
        for reading in near:
            other.take([reading])
            other.run()
        assert_frame_equal(other.net(MONTHS), measure.net(MONTHS))


# Histories with corrections, edits and restatements ----------------------------------------------------------


def edited_price(flat: str) -> str:
    return PRICE.replace("0.72766875", flat)


@dataclass
class Past:
    """What a history left behind: the files in order, the last park and price, and answers as of each step."""

    site: Site
    arrivals: list[list[Reading]]
    multiplier: int
    price: str
    answers: list[tuple[datetime, pl.DataFrame, list[object]]]


def told(site: Site, as_of: datetime) -> list[object]:
    """The statements of all enterprises as known then."""
    workspace = site.open()
    return [
        workspace.statement(enterprise, month, book, as_of=as_of).as_dict()
        for enterprise in ("E1", "E2")
        for month in MONTHS
        for book in ("location", "regulatory")
    ]


def lived(make: _Sites, seed: int, steps: int, *, asking: bool = False) -> Past:
    """A history: each step is an arrival, a correction, an edit of park or price, a restatement or a run.

    ``asking``: the answers after each step are kept.
    """
    dice, facts = random.Random(seed), Facts.drawn(seed)
    past = Past(make(), [], 40, "0.72766875", [])
    site, hands = past.site, facts.dealt(dice, 4)

    def arrive(readings: list[Reading]) -> None:
        past.arrivals.append(readings)
        site.take(readings)

    for _ in range(steps):
        deed = dice.choice(["arrive", "arrive", "correct", "park", "price", "restate", "run", "run"])
        if deed == "arrive" and hands:
            arrive(hands.pop())
        elif deed == "correct":
            arrive(
                [
                    Reading(r.meter, r.time, r.value + dice.choice([-1.5, 3.0]))
                    for r in dice.sample(facts.readings, 4)
                ]
            )
        elif deed == "park":
            past.multiplier = dice.choice([40, 60, 80])
            (site.directory / "park.toml").write_text(described(past.multiplier), encoding="utf-8")
        elif deed == "price":
            past.price = dice.choice(["0.72766875", "0.70000000", "0.81000000"])
            site.reference("tariffs", edited_price(past.price))
        elif deed == "restate":
            if done := [m.month for m in site.open().status().months if m.posted]:
                site.later(minutes=1).open().restate(done)
        else:
            site.run(dice.choice([None, None, *MONTHS]))
        site.later(hours=1)
        if asking:
            past.answers.append((site.now, site.net(MONTHS, as_of=site.now), told(site, site.now)))
    for hand in hands:
        arrive(hand)
    site.run()
    return past


@few
@given(seed=st.integers(0, 10**6))
def test_after_any_history_replay_gives_the_stored_amounts(seed: int) -> None:
    with sites() as make:
        past = lived(make, seed, steps=8)
        past.site.verified()


@few
@given(seed=st.integers(0, 10**6))
def test_answers_as_known_then_never_change(seed: int) -> None:
    with sites() as make:
        past = lived(make, seed, steps=8, asking=True)
        for known, net, statements in past.answers:
            assert_frame_equal(past.site.net(MONTHS, as_of=known), net)
            assert told(past.site, known) == statements


@few
@given(seed=st.integers(0, 10**6))
def test_after_any_history_the_increments_add_up_to_the_full_computation(seed: int) -> None:
    with sites() as make:
        past = lived(make, seed, steps=8)
        # The factors of a month stay as they were chosen; restated, both rest on those of today.
        past.site.later(minutes=1).open().restate([m.month for m in past.site.open().status().months])
        full = make(described(past.multiplier))
        full.reference("tariffs", edited_price(past.price))
        for readings in past.arrivals:
            full.take(readings)
        full.run()
        assert_frame_equal(past.site.net(MONTHS), full.net(MONTHS))


@few
@given(seed=st.integers(0, 10**6))
def test_every_entry_balances_in_every_commodity(seed: int) -> None:
    with sites() as make:
        past = lived(make, seed, steps=6)
        columns = (line.c.entry, line_key.c.commodity, line_key.c.debit, line_key.c.credit, line.c.amount)
        with past.site.open().engine.connect() as connection:
            select = sa.select(*columns, entry.c.enterprise).join(line_key, line_key.c.id == line.c.key)
            rows = connection.execute(select.join(entry, entry.c.number == line.c.entry)).fetchall()
            entries = connection.execute(sa.select(sa.func.count()).select_from(entry)).scalar_one()
        assert len({row.entry for row in rows}) == entries
        sides: dict[tuple[int, str], dict[str, int]] = {}
        for row in rows:
            assert row.debit != row.credit
            assert row.debit.startswith(f"{row.enterprise}/") and row.credit.startswith(f"{row.enterprise}/")
            accounts = sides.setdefault((row.entry, row.commodity), {})
            accounts[row.debit] = accounts.get(row.debit, 0) + row.amount
            accounts[row.credit] = accounts.get(row.credit, 0) - row.amount
        assert sides and all(sum(accounts.values()) == 0 for accounts in sides.values())


# Units -------------------------------------------------------------------------------------------------------


def as_mwh(site: Site, readings: Sequence[Reading]) -> Path:
    path = site.write([])
    rows = (f"{r.meter},{r.time.isoformat()},{r.value / 1000!r}" for r in readings)
    path.write_text("\n".join(["meter,time,value (MWh)", *rows]) + "\n", encoding="utf-8")
    return path


@few
@given(seed=st.integers(0, 10**6))
def test_the_same_energy_in_another_unit_is_the_same_within_one_ledger_unit(seed: int) -> None:
    dice = random.Random(seed)
    counts = register("M1", FIRST, LAST, rate=lambda _: dice.uniform(0, 300), initial=dice.uniform(0, 9e5))
    with sites() as make:
        measure = posted_at_once(make, counts, text_of(1))
        other = make(text_of(1))
        result = other.take_file(as_mwh(other, counts))
        assert result.report is not None and result.report.accepted == len(counts), result.problems
        other.run()
        for month in MONTHS:
            one, two = (s.open().statement("E1", month).energy[0] for s in (measure, other))
            assert abs(one.purchased.base - two.purchased.base) <= 1
            for period, amount in one.periods.items():
                assert abs(amount.base - two.periods[period].base) <= len(counts)


# Conservation on the demo park -------------------------------------------------------------------------------


RESOLUTION = 5e-5  # of a month's energy: what the last digit of a register hides at both ends
ESTIMATE = 0.5  # of what had to be estimated: how far the mean of similar days may be off
INSIDE_E002 = {"AIR1>AIRNET:compressed_air", "E002>AIR1:electricity", "E002>CHP1:electricity"}
UNSEEN = {"E008>E008-BAT:electricity", "E008-BAT>E008:electricity", *INSIDE_E002}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Per subject and month: what flowed (``truth``), what each account that took part says (``amount``, of it
    ``estimated``), after the late files."""
    files = write_demo(tmp_path_factory.mktemp("demo") / "park", enterprises=12, months=2)
    workspace = open_workspace(files.directory, environment={})
    workspace.import_files(files.arrivals)
    workspace.run()
    workspace.import_files(files.late)
    workspace.run()
    workspace.verify(replay=True)
    flows = load(files.park).flows.values()
    label = {f.id: f"{f.source}>{f.target}:{f.carrier}" for f in flows}
    truth = files.truth.with_columns(pl.col("flow").replace_strict(label, return_dtype=pl.String).alias("subject"))
    truth = truth.group_by("subject", "month").agg(pl.col("amount").sum().alias("truth"))
    names = ("enterprise", "month", "debit", "credit", "subject", "commodity")
    columns = [{**entry.c, **line_key.c}[name] for name in (*names, "quality")]
    select = sa.select(*columns, sa.func.sum(line.c.amount)).select_from(entry)
    select = select.join(line, line.c.entry == entry.c.number).join(line_key, line_key.c.id == line.c.key)
    select = select.where(entry.c.book == "physical").group_by(*columns)
    with workspace.engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(select)]
    lines = pl.DataFrame(rows, schema=[*names, "quality", "amount"], orient="row", infer_schema_length=None)
    estimated = pl.col("amount").filter(pl.col("quality") == "estimated").sum()
    sides = lines.group_by(names).agg(pl.col("amount").sum(), estimated.alias("estimated"))
    energy = sides.filter(pl.col("subject").str.ends_with(":" + pl.col("commodity")))
    return truth.join(energy.cast({"month": pl.Int32}), on=["subject", "month"], how="full", coalesce=True)


def test_demo_ledger_holds_every_flow_as_it_flowed(demo: pl.DataFrame) -> None:
    off = (pl.col("amount") - pl.col("truth")).abs()
    allowed = pl.col("truth") * RESOLUTION + pl.col("estimated") * ESTIMATE
    assert demo.filter(off > allowed).rows(named=True) == []
    assert demo.filter(pl.col("truth").is_null()).is_empty(), "nothing is in the ledger that did not flow"
    silent = demo.filter(pl.col("amount").is_null() & (pl.col("truth") > 0))
    assert set(silent["subject"]) == UNSEEN, "what stays inside one enterprise moves no account"
    known = demo.drop_nulls().unique(["subject", "month"])
    assert known["subject"].n_unique() >= 45
    total = known.filter(pl.col("subject").str.ends_with(":electricity")).sum()
    assert abs(total["amount"][0] / total["truth"][0] - 1) < 5e-5


def test_demo_registers_lose_nothing_in_gaps(demo: pl.DataFrame) -> None:
    """E003 is read by a register with six hours gone: what is estimated is only when, not how much."""
    (row,) = demo.filter((pl.col("subject") == "GRID>E003:electricity") & (pl.col("month") == 202501)).rows(
        named=True
    )
    assert row["estimated"] > 30_000_000
    assert abs(row["amount"] - row["truth"]) <= row["truth"] * 1e-6


def test_demo_both_sides_of_a_delivery_hold_the_same(demo: pl.DataFrame) -> None:
    both = demo.drop_nulls().group_by("subject", "month").agg(pl.col("amount").n_unique(), pl.len())
    assert both.filter(pl.col("amount") != 1).is_empty()
    assert both.filter(pl.col("len") > 1).height >= 15
