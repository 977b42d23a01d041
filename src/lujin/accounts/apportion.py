"""Sharing a whole number among parts so that nothing is lost or invented (最大余额法, largest remainder)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from lujin.errors import N_, InputError, Problem


def largest_remainder(
    total: int, weights: Sequence[int | Fraction | Decimal], ids: Sequence[str] | None = None
) -> list[int]:
    """Whole parts of ``total`` in proportion to ``weights``.

    The parts sum to ``total`` exactly, each differs from its exact quota by less than one unit, and a zero
    weight gets zero. Units left over go to the largest remainders; ties go by ``ids`` (default: the position),
    so that with ids the order of the parts does not matter. A negative total gives the negated parts.

    Source: Hamilton's method; Balinski & Young, Fair Representation (1982), chapter 2.
    InputError: a negative weight, or nothing to share by.

    >>> largest_remainder(100, [1, 1, 1])
    [34, 33, 33]
    >>> largest_remainder(10, [1, 1, 0], ids=["b", "a", "c"]), largest_remainder(0, [0, 0])
    ([5, 5, 0], [0, 0])
    """
    exact = [Fraction(w) for w in weights]
    whole = sum(exact, Fraction(0))
    if any(w < 0 for w in exact):
        raise InputError(Problem(N_("a share of {total} has a negative weight"), {"total": total}))
    if total == 0:
        return [0] * len(exact)
    if whole == 0:
        raise InputError(
            Problem(N_("there is nothing to share {total} by: all weights are zero"), {"total": total})
        )
    size, sign = abs(total), 1 if total > 0 else -1
    # One common denominator, so that the loop works on plain integers
    scale = math.lcm(*(w.denominator for w in exact))
    numerators = [int(w * scale) for w in exact]
    divisor = int(whole * scale)
    quotas = [divmod(size * n, divisor) for n in numerators]
    parts = [q for q, _ in quotas]
    order = sorted(range(len(parts)), key=lambda i: (-quotas[i][1], ids[i] if ids is not None else "", i))
    for i in order[: size - sum(parts)]:
        parts[i] += 1
    return [sign * p for p in parts]
