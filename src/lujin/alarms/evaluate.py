"""Judging: a rule, what is known, and a moment give findings. Pure functions; the same again for every moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from lujin.alarms.finding import Finding, Level, Said, local, number, percent, some
from lujin.alarms.known import Known, places, slot_of
from lujin.alarms.limits import demand, limit
from lujin.alarms.rules import Kind, Place, Rule
from lujin.alarms.unusual import anomaly
from lujin.errors import N_
from lujin.park.calendar import SLOT_SECONDS, month_of
from lujin.readings import Flag, bits


def findings(rule: Rule, known: Known, now: datetime) -> tuple[Finding, ...]:
    """What the rule finds at ``now``, worst first. Nothing where what it needs was not looked at."""
    found = sorted(_JUDGES[rule.kind](rule, known, now), key=lambda f: (f.level == "hold", f.cause))
    return tuple({finding.cause: finding for finding in reversed(found)}.values())[::-1]


def _cause(rule: Rule, *parts: object) -> str:
    return "|".join([rule.id, *map(str, parts)])


def _whose(known: Known, place: Place) -> tuple[str, ...]:
    if place.kind == "enterprise":
        return (place.id,)
    return tuple(sorted(known.owners.get(place.id, ()))) if place.kind == "meter" else ()


# ------------------------------------------------------------------------------------------- completeness


def _completeness(rule: Rule, known: Known, now: datetime) -> Iterator[Finding]:
    end = now - timedelta(hours=float(rule.number("delay_h")))
    start = end - timedelta(hours=float(rule.number("window_h")))
    least, margin = float(rule.number("least")) / 100, float(rule.number("margin")) / 100
    counts = slots_between(known, start, end)
    for place in places(known.park, rule.place):
        meters = [m for m in known.meters(place) if m in counts and counts[m][0]]
        expected = sum(counts[m][0] for m in meters)
        measured = sum(counts[m][1] for m in meters)
        share = measured / expected if expected else 1.0
        if share >= min(least + margin, 1.0):
            continue
        worst = sorted(meters, key=lambda m: (counts[m][1] / counts[m][0], m))
        lacking = [m for m in worst if counts[m][1] < counts[m][0]]
        said = Said(
            N_("{place}: {share} of {hours} h are read; {missing} quarter hours lack at {meters}"),
            {
                "place": named(place),
                "share": percent(share),
                "hours": number(float(rule.number("window_h")), 0),
                "missing": number(expected - measured, 0),
                "meters": some(lacking),
            },
        )
        level: Level = "raise" if share < least else "hold"
        link = f"/meters?month={_month(known, start)}"
        yield Finding(
            _cause(rule, place), place, said, level, share * 100, least * 100, "%", _whose(known, place), link
        )


def slots_between(known: Known, start: datetime, end: datetime) -> Mapping[str, tuple[int, int]]:
    """Meter → slots that start within [start, end): expected, and of these measured."""
    found: dict[str, tuple[int, int]] = {}
    for energy in known.energy.values():
        first, last = slot_of(energy, start), slot_of(energy, end)
        if first >= last:
            continue
        flags = energy.flags[:, first:last]
        expected = np.count_nonzero((flags & bits(Flag.OUTSIDE)) == 0, axis=1)
        lacking = np.count_nonzero((flags & bits(Flag.MISSING | Flag.PARTIAL | Flag.ESTIMATED)) != 0, axis=1)
        for meter, n, gone in zip(energy.meters, expected.tolist(), lacking.tolist(), strict=True):
            before = found.get(meter, (0, 0))
            found[meter] = (before[0] + n, before[1] + n - gone)
    return found


# --------------------------------------------------------------------------------------------------- late


def _late(rule: Rule, known: Known, now: datetime) -> Iterator[Finding]:
    """A meter is late when nothing came for longer than the rule allows, and longer than two of its intervals."""
    if known.heard is None:
        return
    after = timedelta(hours=float(rule.number("after_h")))
    heard = heard_until(known, now)
    for place in places(known.park, rule.place):
        due = [m for m in known.meters(place) if _in_service(known, m, now, after)]
        silent = [m for m in due if m not in heard or now - heard[m] > max(after, _two_intervals(known, m))]
        if not silent:
            continue
        silent.sort(key=lambda m: (heard.get(m, datetime.min.replace(tzinfo=UTC)), m))
        since = heard.get(silent[0])
        when = Said(N_("nothing was ever heard")) if since is None else Said("{at}", {"at": _local(known, since)})
        longest = None if since is None else (now - since) / timedelta(hours=1)
        if place.kind == "meter":
            message = N_("{place}: nothing heard since {since}")
            said = Said(message, {"place": named(place), "since": when})
        else:
            message = N_("{place}: {count} of {all} meters are silent, the longest {meters} since {since}")
            numbers: dict[str, str | Said] = {"count": str(len(silent)), "all": str(len(due)), "since": when}
            said = Said(message, {"place": named(place), "meters": some(silent), **numbers})
        link = f"/meters/{silent[0]}" if len(silent) == 1 else "/meters"
        yield Finding(
            _cause(rule, place),
            place,
            said,
            "raise",
            longest,
            float(rule.number("after_h")),
            "h",
            _whose(known, place),
            link,
        )


def heard_until(known: Known, now: datetime) -> dict[str, datetime]:
    """Meter → end of its last measured slot up to ``now``; outside the months known, its last reading."""
    heard = {m: at for m, at in (known.heard or {}).items() if at <= now}
    for _, energy in sorted(known.energy.items()):
        last = slot_of(energy, now)
        lacking = bits(Flag.MISSING | Flag.ESTIMATED | Flag.OUTSIDE)
        measured = (energy.flags[:, :last] & lacking) == 0
        at = last - 1 - np.argmax(measured[:, ::-1], axis=1) if last else np.zeros(len(energy.meters), int)
        for m in np.flatnonzero(measured.any(axis=1)).tolist():
            end = energy.grid.start + (int(at[m]) + 1) * SLOT_SECONDS
            instant = min(datetime.fromtimestamp(end, UTC), now)
            heard[energy.meters[m]] = max(instant, heard.get(energy.meters[m], instant))
    return heard


def _in_service(known: Known, meter: str, now: datetime, after: timedelta) -> bool:
    record = known.park.meters[meter]
    began = record.valid_from is None or record.valid_from + after <= now
    return began and (record.valid_to is None or record.valid_to > now)


def _two_intervals(known: Known, meter: str) -> timedelta:
    seconds = known.park.meters[meter].interval_s
    return timedelta(seconds=2 * seconds) if seconds else timedelta(days=62)


# ---------------------------------------------------------------------------------------- claims and ledger


def _claimed_twice(rule: Rule, known: Known, now: datetime) -> Iterator[Finding]:  # noqa: ARG001
    for claimed in known.claims or ():
        problem = claimed.problem
        yield Finding(
            _cause(rule, problem.params["instrument"]),
            Place("park"),
            Said.problem(problem),
            "raise",
            float(problem.params["retired"]),
            float(problem.params["issued"]),
            "MWh",
            claimed.enterprises,
            "/enterprises",
        )


def _ledger(rule: Rule, known: Known, now: datetime) -> Iterator[Finding]:  # noqa: ARG001
    if not known.ledger:
        return
    params: dict[str, str | Said] = {"first": Said.problem(known.ledger[0]), "count": str(len(known.ledger))}
    message = N_("the ledger does not hold at {count} places: {first}")
    yield Finding(
        _cause(rule, "ledger"), Place("park"), Said(message, params), value=float(len(known.ledger)), link="/audit"
    )


# ------------------------------------------------------------------------------------------------- words


def named(place: Place) -> Said:
    """The place by its id; the names that the park gives it are added where it is shown."""
    return Said(N_("the park")) if place.kind == "park" else Said("{id}", {"id": place.id})


def _local(known: Known, instant: datetime) -> str:
    return local(instant, known.park.timezone)


def _month(known: Known, instant: datetime) -> str:
    month = month_of(instant, known.park.timezone)
    return f"{month // 100}-{month % 100:02}"


_JUDGES: Mapping[Kind, Callable[[Rule, Known, datetime], Iterator[Finding]]] = {
    "completeness": _completeness,
    "late": _late,
    "limit": limit,
    "demand": demand,
    "anomaly": anomaly,
    "claimed_twice": _claimed_twice,
    "ledger": _ledger,
}
