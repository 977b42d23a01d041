"""Questions about single meters: what a year's days hold, what looked odd and why, how complete each one is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from lujin.accounts import Amount
from lujin.accounts.facts import COUNTS, completeness_as_of
from lujin.accounts.statement_parts import Completeness, Part
from lujin.errors import N_, InputError, Problem
from lujin.park import Park, check_terms, flow_terms
from lujin.park.calendar import month_grid
from lujin.park.virtual import meter_chain
from lujin.workspace.meter_days import findings_in, meter_days, stamps
from lujin.workspace.quality import Finding, meter_units

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

Look = Literal["outside", "missing", "estimated", "suspect", "partly", "whole"]


@dataclass(frozen=True, slots=True)
class Device(Part):
    """What the park file says of a meter. ``enterprises``: those whose meter it is, see ``owners``.

    ``chain``: all devices of its measuring point, oldest first. ``carrier``, ``source`` and ``target`` are empty
    for a meter that only serves virtual ones, whose ``flows`` are named instead.
    """

    meter: str
    kind: str
    unit: str
    multiplier: str
    digits: int | None
    interval_s: int
    accuracy_class: str
    carrier: str
    source: str
    target: str
    flows: tuple[str, ...]
    enterprises: tuple[str, ...]
    chain: tuple[str, ...]
    terms: Mapping[str, str]
    valid_from: datetime | None
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class ListedMeter(Part):
    """``slots``: completeness of the month as posted; None where it is not posted."""

    device: Device
    slots: Completeness | None


@dataclass(frozen=True, slots=True)
class MeterDay(Part):
    """Slots of a local day; ``look``: the one word that a calendar shows."""

    day: date
    expected: int
    measured: int
    interpolated: int
    estimated: int
    suspect: int
    missing: int
    amount: Amount

    @property
    def look(self) -> Look:
        if not self.expected:
            return "outside"
        if self.missing == self.expected:
            return "missing"
        if self.suspect:
            return "suspect"
        if self.missing:
            return "partly"
        return "estimated" if self.estimated else "whole"


@dataclass(frozen=True, slots=True)
class MeterYear(Part):
    """``days``: those of the months with readings in the park. ``findings``: episodes in order of time."""

    device: Device
    year: int
    days: tuple[MeterDay, ...]
    findings: tuple[Finding, ...]

    @property
    def total(self) -> Completeness:
        sums = {name: sum(getattr(day, name) for day in self.days) for name in COUNTS}
        return Completeness(self.device.meter, **sums)


def owners(park: Park) -> Mapping[str, frozenset[str]]:
    """Meter → enterprises at either end of the flow that it measures or checks; of a meter without a flow of its
    own, at the ends of those that virtual meters work out with it. Those whose account it merely moves, as the
    submeter of a neighbour does, are none: its readings are not theirs to see.
    """
    found: dict[str, set[str]] = {meter: set() for meter in park.meters}
    for name, flows in _flows(park).items():
        own = park.meters[name].flow
        for flow in (own,) if own else flows:
            found[name] |= _ends(park, flow)
    for transfer in park.transfers:
        if transfer.check_meter in found:
            found[transfer.check_meter] |= _ends(park, transfer.flow)
    return {meter: frozenset(names) for meter, names in found.items()}


def _ends(park: Park, flow: str) -> set[str]:
    record = park.flows[flow]
    return {park.owner(record.source), park.owner(record.target)} - {""}


def device(park: Park, meter: str) -> Device:
    """InputError: the park has no such meter."""
    if meter not in park.meters:
        remedy = N_("see the list of meters")
        raise InputError(Problem(N_("there is no meter {meter}"), {"meter": meter}, remedy, field="meter"))
    return devices(park, [meter])[0]


def devices(park: Park, meters: Iterable[str]) -> tuple[Device, ...]:
    """What the park file says of meters that it has."""
    whose, measured = owners(park), _flows(park)
    found = []
    for name in meters:
        m = park.meters[name]
        flow = park.flows.get(m.flow) or (park.flows[measured[name][0]] if len(measured[name]) == 1 else None)
        found.append(
            Device(
                meter=name,
                kind=m.kind,
                unit=m.unit,
                multiplier=f"{m.multiplier:f}",
                digits=m.digits,
                interval_s=m.interval_s,
                accuracy_class=m.accuracy_class,
                carrier=park.flows[measured[name][0]].carrier if measured[name] else "",
                source=flow.source if flow else "",
                target=flow.target if flow else "",
                flows=measured[name],
                enterprises=tuple(sorted(whose[name])),
                chain=meter_chain(park, name),
                terms={term: f"{factor:f}" for term, factor in m.terms.items()},
                valid_from=m.valid_from,
                valid_to=m.valid_to,
            )
        )
    return tuple(found)


def _flows(park: Park) -> Mapping[str, tuple[str, ...]]:
    """Meter → flows that it measures or checks, its own first."""
    found: dict[str, dict[str, None]] = {m.id: ({m.flow: None} if m.flow else {}) for m in park.meters.values()}
    for name, terms in (*flow_terms(park).items(), *check_terms(park).items()):
        for term in terms:
            found[term.meter][name] = None
    for transfer in park.transfers:
        if transfer.check_meter in found:  # a virtual one, which is no term
            found[transfer.check_meter][transfer.flow] = None
    return {meter: tuple(flows) for meter, flows in found.items()}


def meter_list(workspace: Workspace, month: int, enterprise: str = "") -> tuple[ListedMeter, ...]:
    """Meters of the park or of one enterprise, in file order, with the month's completeness as posted."""
    park = workspace.park
    whose = owners(park)
    names = [m for m in park.meters if not enterprise or enterprise in whose[m]]
    with workspace.engine.connect() as connection:
        rows = completeness_as_of(connection, [month]).select("meter", *COUNTS).iter_rows()
        slots = {row[0]: Completeness(*row) for row in rows}
    return tuple(ListedMeter(found, slots.get(found.meter)) for found in devices(park, names))


def years(workspace: Workspace) -> tuple[int, ...]:
    """Years with readings."""
    return tuple(sorted({month // 100 for month in stamps(workspace)}))


def meter_year(workspace: Workspace, meter: str, year: int) -> MeterYear:
    """Every day of a year, and what looked odd. A virtual meter has no days of its own.

    InputError: the park has no such meter.
    """
    about = device(workspace.park, meter)
    if about.kind == "virtual":
        return MeterYear(about, year, (), ())
    unit = meter_units(workspace.park)[meter]
    rows = meter_days(workspace, meter, range(year * 100 + 1, year * 100 + 13))
    days: list[MeterDay] = []
    findings: list[Finding] = []
    for month, row in rows.items():
        dates = month_grid(month, workspace.park.timezone).days
        columns = (row[name] for name in (*COUNTS, "amount"))
        days += (_day(unit, *values) for values in zip(dates, *columns, strict=True))
        findings += findings_in(row)
    return MeterYear(about, year, tuple(days), episodes(findings))


def _day(unit: str, day: date, *values: int) -> MeterDay:
    expected, measured, interpolated, estimated, suspect, missing, amount = values
    return MeterDay(day, expected, measured, interpolated, estimated, suspect, missing, Amount(amount, unit))


def episodes(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings in order of time; runs of one kind that a border of months cut are one again."""
    joined: list[Finding] = []
    open_runs: dict[tuple[str, str], int] = {}
    for finding in sorted(findings, key=lambda f: (f.start, f.end, f.meter, f.kind)):
        at = open_runs.get((finding.meter, finding.kind))
        if at is not None and finding.slots and joined[at].slots and joined[at].end == finding.start:
            joined[at] = _both(joined[at], finding)
            continue
        open_runs[finding.meter, finding.kind] = len(joined)
        joined.append(finding)
    return tuple(joined)


def _both(one: Finding, two: Finding) -> Finding:
    energy = one.energy + two.energy if one.energy is not None and two.energy is not None else None
    largest = max(
        (f.largest for f in (one, two) if f.largest is not None), key=lambda a: abs(a.base), default=None
    )
    return replace(one, end=two.end, slots=one.slots + two.slots, energy=energy, largest=largest)
