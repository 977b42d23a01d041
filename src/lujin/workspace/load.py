"""The load of an enterprise hour by hour: what the heat map of a month or a year shows (负荷热力图).

It is the very quantity of the statement, purchased + generated − delivered, from the same interval energies; only
a flow in dispute between two meters counts here with what the enterprise itself is posted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lujin.accounts import Amount, SubjectSum
from lujin.accounts.flows import GENERATING, month_flows
from lujin.accounts.settle import class_uncertainty, settle
from lujin.accounts.statement import check_asked
from lujin.accounts.statement_parts import Part
from lujin.errors import N_, InputError, Problem
from lujin.park import Park, check_terms, flow_terms
from lujin.park.calendar import Grid, month_grid
from lujin.readings.energy import Energy
from lujin.readings.flags import Flag, bits
from lujin.workspace.compute import energy_blocks
from lujin.workspace.trend import span

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

HOURS = 24
LONGEST = 24  # months


@dataclass(frozen=True, slots=True)
class Hour(Part):
    """``amount`` None: a meter behind it said nothing, and nothing could be estimated. ``estimated``: a part of it
    is.
    """

    amount: Amount | None
    estimated: bool


@dataclass(frozen=True, slots=True)
class Load(Part):
    """``days`` × 24 hours of the local clock, months ``first`` to ``last``. ``peak``: the largest quarter hour of
    one month, the largest hour of several (``peak_minutes``), as mean power [unit per hour]; None: nothing known.
    ``mean``: over what is known.
    """

    enterprise: str
    first: int
    last: int
    carrier: str
    unit: str
    days: tuple[date, ...]
    hours: tuple[tuple[Hour, ...], ...]
    meters: tuple[str, ...]
    total: Amount
    missing_hours: int
    estimated_hours: int
    peak_minutes: int
    peak: Decimal | None
    peak_at: datetime | None
    mean: Decimal | None

    @property
    def factor(self) -> Decimal | None:
        """Load factor (负荷率): mean over peak; None where either is unknown or not above zero."""
        if self.peak is None or self.mean is None or self.peak <= 0 or self.mean <= 0:
            return None
        return self.mean / self.peak

    def by_month(self) -> tuple[MonthLoad, ...]:
        found: dict[int, list[Hour]] = {}
        for day, hours in zip(self.days, self.hours, strict=True):
            found.setdefault(day.year * 100 + day.month, []).extend(hours)
        return tuple(_month_load(month, hours, self.total.base_unit) for month, hours in found.items())


@dataclass(frozen=True, slots=True)
class MonthLoad(Part):
    """``total``: of the hours that are known; ``largest``: hour; None: none is known. ``missing``: hours."""

    month: int
    total: Amount | None
    largest: Amount | None
    missing: int


def _month_load(month: int, hours: Sequence[Hour], unit: str) -> MonthLoad:
    known = [hour.amount.base for hour in hours if hour.amount is not None]
    missing = len(hours) - len(known)
    if not known:
        return MonthLoad(month, None, None, missing)
    return MonthLoad(month, Amount(sum(known), unit), Amount(max(known), unit), missing)


@dataclass(frozen=True, eq=False)
class _Steps:
    """Arrays over the steps of a month: base units, whether a part is estimated, whether a part is unknown."""

    grid: Grid
    seconds: int
    amount: NDArray[np.int64]
    estimated: NDArray[np.bool_]
    unknown: NDArray[np.bool_]


def load_carriers(park: Park, enterprise: str) -> tuple[str, ...]:
    """Carriers that the enterprise's meters measure, in the order of the park file."""
    terms = flow_terms(park)
    found = {
        flow.carrier for flow in park.flows.values() if terms.get(flow.id) and _touches(park, flow.id, enterprise)
    }
    return tuple(name for name in park.carriers if name in found)


def load(
    workspace: Workspace, enterprise: str, first: int, carrier: str = "electricity", last: int | None = None
) -> Load:
    """InputError: no such enterprise, or it has no meter of that carrier, or the months are no span."""
    park = workspace.park
    check_asked(park, enterprise, "physical")
    known = load_carriers(park, enterprise)
    if carrier not in known:
        params = {"enterprise": enterprise, "carrier": carrier, "known": ", ".join(known) or "–"}
        message = N_("no meter of {enterprise} measures {carrier}")
        raise InputError(Problem(message, params, N_("use one of: {known}"), field="carrier"))
    months = span(first, last or first)
    if not 1 <= len(months) <= LONGEST:
        ends: dict[str, object] = {"first": first, "last": last, "most": LONGEST}
        message = N_("from {first} to {last} is no span of at most {most} months")
        raise InputError(Problem(message, ends, N_("name an earlier month first"), field="last"))
    signs = _signs(park, enterprise, carrier)
    checked = check_terms(park).keys() & signs.keys()
    if checked:  # what two meters say is settled month by month
        steps = [_settled(workspace, enterprise, month, signs) for month in months]
    else:
        steps = list(_kept(workspace, months, signs))
    terms = flow_terms(park)
    behind = {term.meter for flow in signs for term in terms.get(flow, ())}
    names = tuple(meter for meter in park.meters if meter in behind)
    return _load(enterprise, carrier, steps, park.carriers[carrier].base_unit, names)


def _touches(park: Park, flow: str, enterprise: str) -> bool:
    return enterprise in (park.owner(park.flows[flow].source), park.owner(park.flows[flow].target))


def _signs(park: Park, enterprise: str, carrier: str) -> Mapping[str, int]:
    """Flow → what of it the enterprise uses: + what comes in or is generated, − what goes out, 0 what is generated
    and goes straight out.
    """
    found = {}
    for flow in park.flows.values():
        if flow.carrier == carrier and _touches(park, flow.id, enterprise):
            seller, buyer = park.owner(flow.source), park.owner(flow.target)
            crossing = 0 if seller == buyer else 1 if buyer == enterprise else -1
            generated = seller == enterprise and park.nodes[flow.source].kind in GENERATING
            found[flow.id] = crossing + int(generated)
    return found


def _kept(workspace: Workspace, months: Sequence[int], signs: Mapping[str, int]) -> Iterator[_Steps]:
    """From the months kept under ``derived/``: a single month in quarter hours, several in hours."""
    metered = flow_terms(workspace.park)
    flows = [flow for flow, sign in signs.items() if sign and metered.get(flow)]
    step, seconds = ("quarter", 900) if len(months) == 1 else ("hour", 3600)
    sign = np.array([signs[flow] for flow in flows], np.int64)
    for month in months:
        grid = month_grid(month, workspace.park.timezone)
        if not flows:
            size = (grid.end - grid.start) // seconds
            yield _Steps(
                grid, seconds, np.zeros(size, np.int64), np.zeros(size, np.bool_), np.zeros(size, np.bool_)
            )
            continue
        found = workspace.series(flows, month, month, step, kind="flow")
        amount = sign @ found.amount
        estimated, missing = (np.asarray((counts > 0).any(axis=0)) for counts in (found.estimated, found.missing))
        yield _Steps(grid, seconds, amount, estimated, missing)


def _settled(workspace: Workspace, enterprise: str, month: int, signs: Mapping[str, int]) -> _Steps:
    park = workspace.park
    grid = month_grid(month, park.timezone)
    own, checks = flow_terms(park), check_terms(park)
    behind = {term.meter for flow in signs for term in own.get(flow, ())}
    wanted = behind | {term.meter for flow in signs for term in checks.get(flow, ())}
    meters = [name for name in park.meters if name in wanted]
    total = SubjectSum(park, grid, meters, {flow: own.get(flow, ()) for flow in signs})
    unknown = np.zeros(grid.slots, dtype=np.bool_)
    until = int(workspace.clock().timestamp())
    for energy, _ in energy_blocks(park, workspace.store, workspace.meter_keys(), meters, grid, until):
        total.add(energy)
        unknown |= _unknown(energy, behind)
    settled = settle(park, total.result(), class_uncertainty(park)).energy
    moves = month_flows(park, settled)
    signed = [(leg.row, 1 if leg.inward else -1) for leg in moves.legs if leg.enterprise == enterprise]
    signed += [(row, 1) for row, _, owner in moves.generated() if owner == enterprise]
    amount, estimated = np.zeros(grid.slots, np.int64), np.zeros(grid.slots, np.bool_)
    for row, sign in signed:
        amount += sign * settled.total[row]
        estimated |= settled.estimated[row] != 0
    return _Steps(grid, 900, amount, estimated, unknown)


def _unknown(energy: Energy, behind: set[str]) -> NDArray[np.bool_]:
    """Slots of which a meter that counts told nothing, or only a part."""
    rows = [i for i, meter in enumerate(energy.meters) if meter in behind]
    flags = energy.flags[rows]
    none = (flags & bits(Flag.MISSING | Flag.PARTIAL) != 0) & (flags & bits(Flag.ESTIMATED) == 0)
    return np.asarray(none.any(axis=0))


def _load(enterprise: str, carrier: str, steps: Sequence[_Steps], unit: str, meters: tuple[str, ...]) -> Load:
    days = [day for part in steps for day in part.grid.days]
    hours = [hour for part in steps for hour in _hours(part, unit)]
    amount = np.concatenate([part.amount for part in steps])
    known = ~np.concatenate([part.unknown for part in steps])
    peak = peak_at = mean = None
    seconds = steps[0].seconds
    if known.any():
        at = int(np.where(known, amount, np.iinfo(np.int64).min).argmax())
        starts = np.concatenate(
            [p.grid.start + p.seconds * np.arange(len(p.amount), dtype=np.int64) for p in steps]
        )
        per_hour = Decimal(3600) / seconds
        peak = Amount(int(amount[at]), unit).value * per_hour
        peak_at = datetime.fromtimestamp(int(starts[at]), UTC)
        mean = Amount(round(float(amount[known].mean())), unit).value * per_hour
    return Load(
        enterprise,
        steps[0].grid.month,
        steps[-1].grid.month,
        carrier,
        Amount(0, unit).unit,
        tuple(days),
        tuple(tuple(hours[d * HOURS : (d + 1) * HOURS]) for d in range(len(days))),
        meters,
        Amount(int(amount.sum()), unit),
        sum(hour.amount is None for hour in hours),
        sum(hour.estimated for hour in hours),
        seconds // 60,
        peak,
        peak_at,
        mean,
    )


def _hours(part: _Steps, unit: str) -> Iterator[Hour]:
    """24 per local day; where the clock is put back, two hours are in one."""
    every = part.seconds // 900
    day, quarter = part.grid.day[::every].astype(np.int64), part.grid.quarter[::every]
    place = day * HOURS + quarter // 4
    size = len(part.grid.days) * HOURS
    sums = np.zeros(size, np.int64)
    np.add.at(sums, place, part.amount)
    guessed, none = (np.bincount(place, weights=w, minlength=size) > 0 for w in (part.estimated, part.unknown))
    for amount, estimated, unknown in zip(sums.tolist(), guessed.tolist(), none.tolist(), strict=True):
        yield Hour(None if unknown else Amount(amount, unit), estimated and not unknown)
