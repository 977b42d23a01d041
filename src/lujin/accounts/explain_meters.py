"""The lower half of an explanation: subject → flows → meters → interval energy → readings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lujin.accounts.amounts import Amount
from lujin.accounts.counted import counted_slots
from lujin.accounts.explanation import Explanation
from lujin.accounts.settle import Outcome, class_uncertainty, settle
from lujin.accounts.subjects import SubjectSum
from lujin.errors import N_
from lujin.park import Flow, Park, Term, check_terms, flow_terms
from lujin.park.calendar import SLOT_SECONDS, Grid, month_grid
from lujin.readings.energy import Energy
from lujin.readings.flags import names

SETTLED: Mapping[Outcome, str] = {
    "agreed": N_("flow {flow} in the month: {own} by its own meter and by the check meter {meter}"),
    "mean": N_(
        "flow {flow} in the month: {own} by its own meter, {other} by the check meter {meter}, uncertainty "
        "{uncertainty}: settled at the mean, {settled}"
    ),
    "dispute": N_(
        "flow {flow} in the month: {own} by its own meter, {other} by the check meter {meter}, uncertainty "
        "{uncertainty}: in dispute; the receiver is posted the larger, the giver the smaller quantity"
    ),
    "unknown": N_(
        "flow {flow} in the month: {own} by its own meter, {other} by the check meter {meter}: not settled, since "
        "uncertainty is unknown; its own meter counts"
    ),
    "not_compared": N_("flow {flow} in the month: never measured by both meters; its own meter counts"),
}
_DAY_S = 86_400
_QUALITY = {0: N_("measured"), 1: N_("estimated by the supplier"), 2: N_("read by hand"), -1: N_("withdrawn")}


class Sources(Protocol):
    """Where interval energy and readings come from; the caller decides as known when."""

    def energy(self, month: int, meters: Sequence[str]) -> Energy:
        """Interval energy of these physical meters."""
        ...

    def history(self, meters: Sequence[str], start: datetime, end: datetime) -> pl.DataFrame:
        """Every version of the readings in [start, end]: columns meter (id), time, value, quality, recorded,
        source, row, file."""
        ...


@dataclass(frozen=True, eq=False)
class Meters:
    """What the meters of some subjects say of one month, or of one local ``day`` of it."""

    park: Park
    grid: Grid
    day: date | None
    terms: Mapping[str, tuple[Term, ...]]
    energy: Energy
    readings: pl.DataFrame

    @property
    def slots(self) -> NDArray[np.bool_]:
        if self.day is None:
            return np.ones(self.grid.slots, dtype=np.bool_)
        return np.asarray(self.grid.day == self.grid.days.index(self.day))

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.park.timezone)


def flows_of(park: Park, subject: str) -> tuple[Flow, ...]:
    """The flows behind a subject as lines carry it, ``GRID>E012:electricity``."""
    return tuple(f for f in park.flows.values() if f"{f.source}>{f.target}:{f.carrier}" == subject)


def meters_behind(park: Park, subjects: Sequence[str], month: int, day: date | None, sources: Sources) -> Meters:
    """Interval energy of every meter behind the subjects; with a ``day``, its readings as well."""
    flows = {flow.id for subject in subjects for flow in flows_of(park, subject)}
    terms = {flow: parts for flow, parts in flow_terms(park).items() if flow in flows}
    wanted = {term.meter for parts in terms.values() for term in parts}
    wanted |= {term.meter for flow, parts in check_terms(park).items() if flow in flows for term in parts}
    meters = [name for name in park.meters if name in wanted]
    grid = month_grid(month, park.timezone)
    energy = sources.energy(month, meters)
    readings = pl.DataFrame()
    if day is not None and meters:
        zone = ZoneInfo(park.timezone)
        start = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        after = day + timedelta(days=1)
        end = datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(UTC)
        quick = [name for name in meters if not _slow(park, name)]
        slow = [name for name in meters if _slow(park, name)]
        parts = [sources.history(quick, start, end)]
        if slow:  # a reading of the month is behind each of its days
            parts.append(sources.history(slow, grid.slot_start(0), grid.slot_start(grid.slots)))
        readings = pl.concat(parts)
    return Meters(park, grid, day, terms, energy, readings)


def _slow(park: Park, meter: str) -> bool:
    """Whether its readings are more than a day apart; 0 stands for a calendar month."""
    return park.meters[meter].interval_s == 0 or park.meters[meter].interval_s > _DAY_S


def explain_subject(subject: str, meters: Meters) -> Explanation:
    return Explanation(
        "subject",
        N_("subject {subject}"),
        {"subject": subject},
        (*(_flow(flow, meters) for flow in flows_of(meters.park, subject)), *_settled(subject, meters)),
    )


def _settled(subject: str, meters: Meters) -> Iterator[Explanation]:
    """How flows of the subject that two meters measured were settled for the month."""
    flows = {flow.id for flow in flows_of(meters.park, subject)} & check_terms(meters.park).keys()
    if not flows:
        return
    total = SubjectSum(meters.park, meters.grid, meters.energy.meters)
    total.add(meters.energy)
    for said in settle(meters.park, total.result(), class_uncertainty(meters.park)).settlements:
        if said.flow in flows:
            params = {"flow": said.flow, "own": said.own, "other": said.other, "settled": said.settled}
            params |= {"meter": ", ".join(said.check_meters), "uncertainty": said.uncertainty or "–"}
            yield Explanation("settlement", SETTLED[said.outcome], params, data=said.as_dict())


def _flow(flow: Flow, meters: Meters) -> Explanation:
    unit = meters.park.carriers[flow.carrier].base_unit
    return Explanation(
        "flow",
        N_("flow {flow}: {carrier} from {source} to {target}"),
        {"flow": flow.id, "carrier": flow.carrier, "source": flow.source, "target": flow.target},
        tuple(_meter(flow, term, unit, meters) for term in meters.terms.get(flow.id, ())),
    )


def _meter(flow: Flow, term: Term, unit: str, meters: Meters) -> Explanation:
    record = meters.park.meters[term.meter]
    place = meters.energy.meters.index(term.meter)
    chosen = meters.slots & _within(flow, term, meters)
    amount, flags = meters.energy.amount[place], meters.energy.flags[place]
    odd = {name: n for name, n in _counts(flags[chosen]) if n}
    flagged = ", ".join(f"{name} {n}" for name, n in odd.items()) or "–"
    children = (
        *(_hours(amount, flags, chosen, unit, meters) if meters.day is not None else ()),
        *_events(term.meter, chosen, meters),
        *_readings(term.meter, record.unit, meters),
    )
    params = {
        "meter": term.meter,
        "amount": Amount(int(amount[chosen].sum()), unit),
        "coefficient": term.coefficient,
        "slots": int(chosen.sum()),
        "flagged": flagged,
    }
    text = N_("meter {meter} × {coefficient}: {amount} in {slots} quarter hours, flags: {flagged}")
    data = {"meter_kind": record.kind, "unit": record.unit, "multiplier": record.multiplier, "flags": odd}
    return Explanation("meter", text, params, children, data)


def _within(flow: Flow, term: Term, meters: Meters) -> NDArray[np.bool_]:
    first, last = counted_slots(meters.park, flow, term, meters.grid)
    slots = np.arange(meters.grid.slots)
    return np.asarray((slots >= first) & (slots < last))


def _counts(flags: NDArray[np.uint16]) -> Iterator[tuple[str, int]]:
    for bit in range(16):
        (name,) = names(1 << bit)
        yield name, int(np.count_nonzero(flags & np.uint16(1 << bit)))


def _hours(
    amount: NDArray[np.int64], flags: NDArray[np.uint16], chosen: NDArray[np.bool_], unit: str, meters: Meters
) -> Iterator[Explanation]:
    at = np.flatnonzero(chosen)
    for hour in np.unique(meters.grid.quarter[at] // 4).tolist():
        slots = at[meters.grid.quarter[at] // 4 == hour]
        said = names(int(np.bitwise_or.reduce(flags[slots])))
        yield Explanation(
            "hour",
            N_("{hour}:00  {amount}  {flags}"),
            {"hour": f"{hour:02}", "amount": Amount(int(amount[slots].sum()), unit), "flags": ", ".join(said)},
            data={
                "slots": [
                    {
                        "start": meters.grid.slot_start(int(slot)).isoformat(),
                        "amount": str(int(amount[slot])),
                        "flags": list(names(int(flags[slot]))),
                    }
                    for slot in slots
                ]
            },
        )


def _events(meter: str, chosen: NDArray[np.bool_], meters: Meters) -> Iterator[Explanation]:
    at = np.flatnonzero(chosen)
    if not len(at):
        return
    first, last = (meters.grid.start + SLOT_SECONDS * int(at[i]) for i in (0, -1))
    for event in meters.energy.events:
        if event.meter == meter and event.start < last + SLOT_SECONDS and event.end >= first:
            start, end = (datetime.fromtimestamp(t, meters.zone).isoformat() for t in (event.start, event.end))
            detail = ", ".join(f"{name} {value}" for name, value in event.detail.items())
            params = {"event": event.kind, "start": start, "end": end, "detail": detail}
            yield Explanation("event", N_("{event} from {start} to {end}: {detail}"), params)


def _readings(meter: str, unit: str, meters: Meters) -> Iterator[Explanation]:
    """Every version, oldest first per time; the last one is the one that counts."""
    if meters.readings.is_empty():
        return
    found = meters.readings.filter(pl.col("meter") == meter).sort("time", "recorded", "source", "row")
    newest = found["time"] != found["time"].shift(-1)
    counts = newest.fill_null(True)
    for row, current in zip(found.iter_rows(named=True), counts, strict=True):
        params: dict[str, Any] = {
            "time": row["time"].astimezone(meters.zone).isoformat(),
            "value": row["value"],
            "unit": unit,
            "quality": _QUALITY.get(row["quality"], str(row["quality"])),
            "file": row["file"],
            "row": row["row"],
            "recorded": row["recorded"].isoformat(),
        }
        text = N_("reading {time}: {value} {unit} ({quality}), {file} row {row}, recorded {recorded}")
        if not current:
            text = N_("corrected later: {time}: {value} {unit} ({quality}), {file} row {row}, recorded {recorded}")
        if row["value"] is None:
            text = N_("withdrawn: {time}: no reading since {file} was taken back, recorded {recorded}")
        yield Explanation("reading", text, params, data={"current": bool(current), "source": row["source"]})
