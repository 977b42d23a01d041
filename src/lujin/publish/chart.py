"""Where the bars of a chart stand: heights and scale as parts of the drawing, 0 at the bottom and 1 at the top."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from lujin.publish.content import Chart, Content
from lujin.publish.numbers import Number, month_text

STEPS = 4  # lines of the scale above zero, at most


@dataclass(frozen=True, slots=True)
class Scale:
    """``low`` ≤ 0 ≤ ``high``, both multiples of ``step``."""

    low: Decimal
    high: Decimal
    step: Decimal

    def part(self, value: Decimal) -> float:
        return float((value - self.low) / (self.high - self.low))

    def lines(self) -> list[Decimal]:
        return [self.low + self.step * i for i in range(int((self.high - self.low) / self.step) + 1)]


def scale(values: list[Decimal]) -> Scale:
    """A scale that holds zero and all values, in steps of 1, 2, 2.5 or 5 times a power of ten.

    >>> scale([Decimal(37), Decimal(12)])
    Scale(low=Decimal('0'), high=Decimal('40'), step=Decimal('10'))
    >>> scale([Decimal(-3), Decimal(12)]).low, scale([Decimal(0)]).high
    (Decimal('-5'), Decimal('1'))
    """
    low, high = min(*values, Decimal(0), Decimal(0)), max(*values, Decimal(0), Decimal(0))
    if low == high:
        return Scale(Decimal(0), Decimal(1), Decimal(1))
    step = _step((high - low) / STEPS)
    return Scale(-_up(-low, step), _up(high, step), step)


def _step(least: Decimal) -> Decimal:
    power = Decimal(1).scaleb(least.adjusted())
    return next(power * Decimal(n) for n in ("1", "2", "2.5", "5", "10") if power * Decimal(n) >= least)


def _up(value: Decimal, step: Decimal) -> Decimal:
    found = (value / step).to_integral_value(ROUND_CEILING) * step
    return Decimal(0) if found == 0 else Decimal(f"{found.normalize():f}")


def drawing(content: Content, chart: Chart, month: int) -> dict[str, Any]:
    """For the typesetter: bars with bottom and height, the scale with labels. ``month``: drawn in full colour."""
    amounts = [(point, point.of(chart.of)) for point in content.history]
    found = scale([amount.value for _, amount in amounts if amount is not None])
    digits = max(0, -found.step.normalize().as_tuple().exponent)  # type: ignore[operator]
    zero = found.part(Decimal(0))
    bars = []
    for point, amount in amounts:
        top = zero if amount is None else found.part(amount.value)
        partly = point.measured is not None and point.measured < 1 and amount is not None
        label = f"{point.month % 100}" + ("*" if partly else "")
        year = month_text(point.month)[:4] if point.month % 100 == 1 or point is content.history[0] else ""
        bars.append(
            {
                "label": label,
                "year": year,
                "bottom": min(zero, top),
                "height": abs(top - zero),
                "known": amount is not None,
                "own": point.month == month,
            }
        )
    lines = [{"at": found.part(value), "label": Number(value, digits).text} for value in found.lines()]
    return {"title": chart.title, "unit": chart.unit, "bars": bars, "lines": lines, "zero": zero}
