"""What the rules are judged on: interval energy with its flags, the last reading of each meter, daily carbon,
claims, and whether the ledger holds. Gathered here from the park; judged elsewhere, which looks at nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import sqlalchemy as sa
from numpy.typing import NDArray

from lujin.accounts.claims import claims_of
from lujin.accounts.ledger import as_date
from lujin.accounts.subjects import SubjectSum
from lujin.accounts.tables import entry, line, line_key
from lujin.alarms.rules import EACH, Place, Rule
from lujin.errors import IntegrityError, Problem
from lujin.park import Park, examine, flow_terms
from lujin.park.calendar import SLOT_SECONDS, month_grid, month_of, next_month
from lujin.readings import Energy
from lujin.workspace import Workspace
from lujin.workspace.compute import energy_blocks
from lujin.workspace.plan import enterprises_of_meters, meters_of_enterprises
from lujin.workspace.progress import silent
from lujin.workspace.reading import gwp_sets

HISTORY_D = 28  # days that an unusual hour is compared with
CARBON_SCHEMA = {"book": pl.String, "enterprise": pl.String, "day": pl.Date, "t": pl.Float64}
_LOOK_BACK = 6  # months in which the last reading of a meter is looked for


@dataclass(frozen=True, slots=True)
class Overclaimed:
    """An instrument of which more is claimed than was issued, and by whom."""

    problem: Problem
    enterprises: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Known:
    """``energy``: month → all meters asked for, with every slot up to ``until``. ``heard``: meter → last
    reading. ``carbon``: scopes 1 and 2 per book, enterprise and day [tCO2e]. ``claims``, ``ledger``: what is wrong
    with them; None: not looked at.
    """

    park: Park
    until: datetime
    energy: Mapping[int, Energy] = field(default_factory=dict)
    heard: Mapping[str, datetime] | None = None
    carbon: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=CARBON_SCHEMA))
    claims: tuple[Overclaimed, ...] | None = None
    ledger: tuple[Problem, ...] | None = None
    owners: Mapping[str, frozenset[str]] = field(default_factory=dict)
    _sums: dict[tuple[int, tuple[str, ...]], NDArray[np.int64]] = field(default_factory=dict)

    def meters(self, place: Place) -> tuple[str, ...]:
        """Physical meters at the place, in file order."""
        if place.kind == "meter":
            names: Collection[str] = [place.id]
        elif place.kind == "enterprise":
            names = [m for m in self.park.meters if place.id in self.owners.get(m, ())]
        else:
            names = list(self.park.meters)
        return tuple(m for m in names if m in self.park.meters and self.park.meters[m].kind != "virtual")

    def flow_energy(self, month: int, flows: Sequence[str]) -> NDArray[np.int64]:
        """int64 [slots] of these flows together, base units; slots of which nothing is known are 0."""
        key = (month, tuple(flows))
        if key not in self._sums:
            energy = self.energy[month]
            terms = flow_terms(self.park)
            total = SubjectSum(self.park, energy.grid, energy.meters, {f: terms.get(f, ()) for f in flows})
            total.add(energy)
            result = total.result().total
            self._sums[key] = result.sum(axis=0) if len(result) else np.zeros(energy.grid.slots, np.int64)
        return self._sums[key]


def places(park: Park, place: Place) -> list[Place]:
    """The place, or each of its kind."""
    if place.id != EACH:
        return [place]
    names: Iterable[str] = {
        "enterprise": park.enterprises(),
        "meter": [m.id for m in park.meters.values() if m.kind != "virtual"],
        "flow": list(park.flows),
        "connection": list(park.connections),
    }.get(place.kind, ())
    return [Place(place.kind, name) for name in names]


def months_of(rule: Rule, now: datetime, timezone: str) -> set[int]:
    """Months whose interval energy the rule needs at this moment."""
    back = {
        "completeness": lambda: timedelta(hours=float(rule.number("window_h") + rule.number("delay_h"))),
        "anomaly": lambda: timedelta(days=float(rule.number("days")) + HISTORY_D),
        "demand": lambda: timedelta(hours=72),
        "limit": lambda: timedelta(hours=72 if rule.text("period") == "month" else 24),
    }.get(rule.kind)
    if back is None or (rule.kind == "limit" and rule.text("quantity") == "carbon"):
        return set()
    first, last = month_of(now - back(), timezone), month_of(now, timezone)
    found = {first}
    while first < last:
        first = next_month(first)
        found.add(first)
    return found


def known(workspace: Workspace, rules: Sequence[Rule], now: datetime, months: Collection[int] = ()) -> Known:
    """Everything that these rules ask for, as known now. ``months``: besides those that they need at ``now``."""
    park = workspace.park
    kinds = {rule.kind for rule in rules}
    wanted = set(months).union(*(months_of(rule, now, park.timezone) for rule in rules), set())
    owners = enterprises_of_meters(park)
    meters = _meters(park, rules)
    return Known(
        park,
        now,
        {month: _energy(workspace, month, now, meters) for month in sorted(wanted)},
        _heard(workspace, now) if "late" in kinds else None,
        _carbon(workspace, now) if any(_of_carbon(r) for r in rules) else pl.DataFrame(schema=CARBON_SCHEMA),
        _claims(workspace) if "claimed_twice" in kinds else None,
        _ledger(workspace) if "ledger" in kinds else None,
        owners,
    )


def _of_carbon(rule: Rule) -> bool:
    return rule.kind == "limit" and rule.text("quantity") == "carbon"


def _meters(park: Park, rules: Sequence[Rule]) -> list[str]:
    """Physical meters that these rules look at: all, unless each rule names an enterprise, a meter or a flow."""
    physical = [m.id for m in park.meters.values() if m.kind != "virtual"]
    wanted: set[str] = set()
    for rule in rules:
        place = rule.place
        if place.kind == "park" or place.id == EACH:
            return physical
        if place.kind == "meter":
            wanted.add(place.id)
        elif place.kind == "flow":
            wanted |= {term.meter for term in flow_terms(park).get(place.id, ())}
        else:
            owner = park.connections[place.id].enterprise if place.kind == "connection" else place.id
            wanted |= set(meters_of_enterprises(park, [owner]))
    return [m for m in physical if m in wanted]


def _energy(workspace: Workspace, month: int, now: datetime, meters: Sequence[str]) -> Energy:
    park = workspace.park
    grid = month_grid(month, park.timezone)
    blocks = [
        energy
        for energy, _ in energy_blocks(
            park, workspace.store, workspace.meter_keys(), meters, grid, int(now.timestamp())
        )
    ]
    if not blocks:
        empty = (0, grid.slots)
        return Energy(grid, (), np.zeros(empty, np.int64), np.zeros(empty, np.uint16), ())
    return Energy(
        grid,
        tuple(m for block in blocks for m in block.meters),
        np.concatenate([block.amount for block in blocks]),
        np.concatenate([block.flags for block in blocks]),
        tuple(event for block in blocks for event in block.events),
    )


def _heard(workspace: Workspace, now: datetime) -> dict[str, datetime]:
    """Meter → time of its last reading, looked for in the last months that have any."""
    names = {key: name for name, key in workspace.meter_keys().items()}
    found: dict[str, datetime] = {}
    for month in sorted(workspace.store.months(), reverse=True)[:_LOOK_BACK]:
        missing = [key for key, name in names.items() if name not in found]
        if not missing:
            break
        for meter, last in workspace.store.extent(month, missing).select("meter", "last").iter_rows():
            found[names[meter]] = min(last.astimezone(UTC), now)
    return found


def _carbon(workspace: Workspace, now: datetime) -> pl.DataFrame:
    """Scopes 1 and 2 of this and the previous two months per day, as posted."""
    park = workspace.park
    last = month_of(now, park.timezone)
    first = month_of(now - timedelta(days=45), park.timezone)
    return carbon_between(workspace, first, last)


def carbon_between(workspace: Workspace, first: int, last: int) -> pl.DataFrame:
    select = (
        sa.select(
            entry.c.book,
            entry.c.enterprise,
            line_key.c.debit,
            line_key.c.credit,
            line_key.c.commodity,
            line.c.day,
            sa.func.sum(line.c.amount).label("amount"),
        )
        .select_from(line.join(entry, entry.c.number == line.c.entry).join(line_key, line_key.c.id == line.c.key))
        .where(entry.c.month.between(first, last), entry.c.book.in_(("location", "market", "regulatory")))
        .group_by(
            entry.c.book,
            entry.c.enterprise,
            line_key.c.debit,
            line_key.c.credit,
            line_key.c.commodity,
            line.c.day,
        )
    )
    gases: dict[tuple[str, str, int], dict[str, int]] = {}
    with workspace.engine.connect() as connection:
        for book, enterprise, debit, credit, commodity, day, amount in connection.execute(select):
            for account, signed in ((debit, int(amount)), (credit, -int(amount))):
                if account.partition("/")[2].partition("/")[0] in ("S1", "S2"):
                    mg = gases.setdefault((book, enterprise, day), {})
                    mg[commodity] = mg.get(commodity, 0) + signed
    sets = gwp_sets(workspace, last)
    rows = [
        (book, enterprise, day, float(sets[book].co2e(mg).value))
        for (book, enterprise, day), mg in sorted(gases.items())
        if book in sets
    ]
    schema = {**CARBON_SCHEMA, "day": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(as_date("day"))


def _claims(workspace: Workspace) -> tuple[Overclaimed, ...]:
    """Of the park file as it is now: one that claims twice is refused, and the park of before goes on."""
    park = examine(workspace.directory / "park.toml").park
    found = []
    for problem in claims_of(park, 0, 999912)[1]:
        whose = {c.enterprise for c in park.claims if c.instrument == problem.params["instrument"]}
        found.append(Overclaimed(problem, tuple(sorted(whose))))
    return tuple(found)


def _ledger(workspace: Workspace) -> tuple[Problem, ...]:
    try:
        workspace.verify(progress=silent)
    except IntegrityError as error:
        return tuple(error.problems)
    return ()


def day_of(instant: datetime, zone: str) -> date:
    return instant.astimezone(ZoneInfo(zone)).date()


def slot_of(energy: Energy, instant: datetime) -> int:
    """The slot that holds the instant, within the month: 0 before it, one past the last after it."""
    slot = (int(instant.timestamp()) - energy.grid.start) // SLOT_SECONDS
    return min(max(slot, 0), energy.grid.slots)
