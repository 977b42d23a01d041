"""Which tariff period each quarter hour of a day belongs to (分时时段).

A notice lists spans per period and month. An inner span overrides the outer one that contains it (尖峰 inside
高峰); where a notice names no flat span, the rest of the day is flat. Hot days may bring super-peak hours
outside their fixed months.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lujin.errors import N_, FactorError, Problem
from lujin.park.model import Connection
from lujin.reference.grammar import PERIODS, QUARTERS, months_of, quarter_of
from lujin.reference.listing import spans
from lujin.reference.rows import Row
from lujin.reference.scope import one_group, row_selector
from lujin.reference.select import Resolve

HOLE = -1


@dataclass(frozen=True, slots=True)
class Span:
    """A period and its hours, in quarter hours since midnight; ``end`` <= ``start`` crosses midnight."""

    period: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.period} {_clock(self.start)}-{_clock(self.end)}"

    @property
    def mask(self) -> NDArray[np.bool_]:
        """bool[96]: the quarter hours of the span."""
        quarter = np.arange(QUARTERS)
        if self.start < self.end:
            return (self.start <= quarter) & (quarter < self.end)
        return (self.start <= quarter) | (quarter < self.end)


@dataclass(frozen=True, eq=False, slots=True)
class Partition:
    """A day cut into periods.

    ``codes``: int8[96], index into PERIODS, -1 in holes. ``holes``: the spans that no period covers.
    ``conflicts``: pairs of spans that overlap although neither lies inside the other. ``nested``: pairs
    (inner, outer), resolved in favour of the inner one.
    """

    codes: NDArray[np.int8]
    holes: tuple[Span, ...]
    conflicts: tuple[tuple[Span, Span], ...]
    nested: tuple[tuple[Span, Span], ...]


@dataclass(frozen=True, eq=False, slots=True)
class DayClock:
    """The periods of one day: ``codes`` int8[96] (read-only), the rows behind them, and what is not certain."""

    codes: NDArray[np.int8]
    rows: tuple[Row, ...]
    hot: bool = False
    problems: tuple[Problem, ...] = ()


def partition(spans: Iterable[Span], rest: str = "") -> Partition:
    """Cut a day into periods; ``rest`` is the period of the hours that no span names (empty: a hole).

    >>> p = partition([Span("peak", 56, 76), Span("super_peak", 60, 68)], rest="flat")
    >>> [PERIODS[p.codes[q]] for q in (0, 56, 60, 68, 76)]
    ['flat', 'peak', 'super_peak', 'peak', 'flat']
    """
    painted = [(span, span.mask) for span in dict.fromkeys(spans)]
    painted.sort(key=lambda pair: (-int(pair[1].sum()), pair[0].start, pair[0].period))
    codes = np.full(QUARTERS, PERIODS.index(rest) if rest else HOLE, dtype=np.int8)
    nested: list[tuple[Span, Span]] = []
    conflicts: list[tuple[Span, Span]] = []
    for i, (span, mask) in enumerate(painted):
        for other, around in painted[:i]:  # at least as long
            if span.period != other.period and (mask & around).any():
                inside = not (mask & ~around).any() and bool((around & ~mask).any())
                (nested if inside else conflicts).append((span, other))
        codes[mask] = PERIODS.index(span.period)
    codes.setflags(write=False)
    return Partition(codes, _runs(codes == HOLE), tuple(conflicts), tuple(nested))


def clock_from_rows(rows: Sequence[Row], month: int, hot: frozenset[str] = frozenset()) -> NDArray[np.int8]:
    """int8[96] from ``period_clock`` rows of one group, for a month 1..12.

    ``hot``: periods whose hours apply in every month, because the day is hot. FactorError when the spans
    leave a hole or contradict each other.
    """
    return _painted(tuple(rows), month, hot)


def day_clock(resolve: Resolve, connection: Connection, on: date, temperature_max_c: Decimal | None) -> DayClock:
    """The tariff periods of a connection on a local day.

    ``temperature_max_c`` is the highest temperature [°C] of the place that the notice names (Guangdong:
    Guangzhou). When a temperature rule could apply and the temperature is not known, it is not applied, and
    a warning says so. FactorError: no clock, several clocks, or a clock that is no partition.
    """
    selector = row_selector(connection, "period_clock")
    rows = resolve.all(selector, on)
    if not rows:
        resolve.one(selector, on)  # raises, with the candidates
    one_group(selector, on, rows)
    rules = resolve.all(row_selector(connection, "rule_temperature_trigger"), on)
    used, hot, problems = _heat(rows, rules, on, temperature_max_c)
    codes = clock_from_rows(rows, on.month, frozenset(rule.values["period"] for rule in used))
    active = tuple(row for row in rows if on.month in months_of(row.values["months"]))
    return DayClock(codes, (*active, *used), hot, problems)


def clock(
    resolve: Resolve, connection: Connection, on: date, temperature_max_c: Decimal | None
) -> NDArray[np.int8]:
    """int8[96]: period code per local quarter hour; see ``day_clock`` for what it rests on."""
    return day_clock(resolve, connection, on, temperature_max_c).codes


def month_clock(
    resolve: Resolve, connection: Connection, temperatures: Mapping[date, Decimal | None]
) -> tuple[NDArray[np.int8], tuple[Problem, ...]]:
    """int8[days, 96] for the days in their order, and one warning for all days that cannot be decided."""
    days = [day_clock(resolve, connection, on, temperature) for on, temperature in temperatures.items()]
    codes = np.stack([day.codes for day in days]) if days else np.empty((0, QUARTERS), np.int8)
    unknown = [problem for day in days for problem in day.problems]
    if not unknown:
        return codes, ()
    listed = spans(problem.params["day"] for problem in unknown)
    return codes, (replace(unknown[0], params={**unknown[0].params, "day": listed}),)


def _heat(
    rows: Sequence[Row], rules: Sequence[Row], on: date, temperature_max_c: Decimal | None
) -> tuple[tuple[Row, ...], bool, tuple[Problem, ...]]:
    """The temperature rules that fire on the day, and a warning for those that nobody can decide."""
    fired: list[Row] = []
    problems: list[Problem] = []
    for rule in rules:
        period = rule.values["period"]
        fixed = {m for row in rows if row.values["period"] == period for m in months_of(row.values["months"])}
        if on.month in fixed:
            continue
        if temperature_max_c is None:
            problems.append(
                Problem(
                    N_("the highest temperature of {day} is not known: {period} hours of hot days not applied"),
                    {"day": on, "period": period, "limit": rule.values["value"]},
                    N_("add the day to days.csv; from {limit} °C the hours apply"),
                    file="days.csv",
                    field="temperature_max_c",
                    severity="warning",
                )
            )
        elif temperature_max_c >= rule.value:
            fired.append(rule)
    return tuple(fired), bool(fired), tuple(problems)


@lru_cache(maxsize=4096)
def _painted(rows: tuple[Row, ...], month: int, hot: frozenset[str]) -> NDArray[np.int8]:
    spans = [
        Span(v["period"], quarter_of(v["start"]), quarter_of(v["end"]) % QUARTERS or QUARTERS)
        for v in (row.values for row in rows)
        if month in months_of(v["months"]) or v["period"] in hot
    ]
    found = partition(spans, "" if any(span.period == "flat" for span in spans) else "flat")
    if found.holes or found.conflicts:
        params = {
            "month": month,
            "holes": ", ".join(f"{_clock(h.start)}-{_clock(h.end)}" for h in found.holes) or "-",
            "conflicts": ", ".join(f"{a} / {b}" for a, b in found.conflicts) or "-",
            "rows": ", ".join(row.id for row in rows),
        }
        raise FactorError(
            Problem(
                N_("the clock of month {month} is no partition of the day: holes {holes}; conflicts {conflicts}"),
                params,
                N_("correct the period_clock rows in reference/tariffs.csv: {rows}"),
            )
        )
    return found.codes


def _runs(mask: NDArray[np.bool_]) -> tuple[Span, ...]:
    """The runs of True as spans without a period."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return tuple(Span("", int(start), int(end)) for start, end in edges.reshape(-1, 2))


def _clock(quarter: int) -> str:
    return f"{quarter // 4:02d}:{quarter % 4 * 15:02d}"
