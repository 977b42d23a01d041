"""One storage behind one meter as a linear program, and what its matrix does to vectors. See ``primal_dual``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lujin.dispatch.chain import Array

IMPORT, PV, CHARGE, DISCHARGE, CONTENT, EXPORT = range(6)


@dataclass(frozen=True)
class Blocks:
    """One linear program in units of its own; shapes: T steps, M months, N = M or M + 3 shared unknowns.

    cost, upper [6, T]; balance [T] load; content [T] right side of the content row; month_start [M + 1] steps.
    price, low, high [N]. charge, discharge: content gained per unit charged, lost per unit discharged; keep: k.
    keep [T − 1]: k of the content passed from step t to t + 1, 0 where a new start begins. ratio: k. ring: the
    last content is the first one's predecessor. profile [T], room [T], shift [T], only with capacities: W of PV
    and of content, and G of the energy capacity.
    """

    cost: Array
    upper: Array
    balance: Array
    content: Array
    month_start: NDArray[np.int64]
    price: Array
    low: Array
    high: Array
    charge: float
    discharge: float
    keep: Array
    ratio: float
    ring: bool = False
    profile: Array | None = None
    room: Array | None = None
    shift: Array | None = None

    @property
    def months(self) -> int:
        return len(self.month_start) - 1

    @property
    def sized(self) -> bool:
        return self.profile is not None

    def rows(self, x: Array) -> tuple[Array, Array]:
        """A x: balance [T] and content [T]."""
        content = x[CONTENT] - self.charge * x[CHARGE] + self.discharge * x[DISCHARGE]
        content[1:] -= self.keep * x[CONTENT, :-1]
        if self.ring:
            content[0] -= self.ratio * x[CONTENT, -1]
        return x[IMPORT] - x[EXPORT] + x[PV] + x[DISCHARGE] - x[CHARGE], content

    def columns(self, price: Array, value: Array) -> Array:
        """Aᵀ λ [6, T] of the balance price [T] and the content value [T]."""
        result = np.empty((6, len(price)))
        result[IMPORT] = result[PV] = price
        np.negative(price, out=result[EXPORT])
        np.subtract(-price, self.charge * value, out=result[CHARGE])
        np.add(price, self.discharge * value, out=result[DISCHARGE])
        result[CONTENT] = value
        result[CONTENT, :-1] -= self.keep * value[1:]
        if self.ring:
            result[CONTENT, -1] -= self.ratio * value[0]
        return result

    @property
    def coupled(self) -> int:
        """Number of first rows whose upper bounds may depend on y: the import, or all but the export."""
        return 5 if self.sized else 1

    def spread(self, y: Array) -> Array:
        """W y [coupled, T]: what the shared unknowns add to each upper bound."""
        result = np.empty((self.coupled, self.upper.shape[1]))
        result[IMPORT] = np.repeat(y[: self.months], np.diff(self.month_start))
        if self.profile is not None and self.room is not None:
            np.multiply(self.profile, y[-3], out=result[PV])
            result[CHARGE] = result[DISCHARGE] = y[-2]
            np.multiply(self.room, y[-1], out=result[CONTENT])
        return result

    def limits(self, y: Array) -> Array:
        """U + W y [6, T]."""
        result = self.upper.copy()
        result[: self.coupled] += self.spread(y)
        return result

    def gather(self, z: Array) -> Array:
        """Wᵀ z [N]."""
        peaks = np.add.reduceat(z[IMPORT], self.month_start[:-1])
        if self.profile is None or self.room is None:
            return peaks
        sizes = [
            (self.profile * z[PV]).sum(),
            z[CHARGE].sum() + z[DISCHARGE].sum(),
            (self.room * z[CONTENT]).sum(),
        ]
        return np.concatenate([peaks, sizes])

    def gather_squared(self, z: Array) -> Array:
        """diag(Wᵀ z W) [N]: no bound depends on two shared unknowns."""
        peaks = np.add.reduceat(z[IMPORT], self.month_start[:-1])
        if self.profile is None or self.room is None:
            return peaks
        sizes = [
            (self.profile**2 * z[PV]).sum(),
            z[CHARGE].sum() + z[DISCHARGE].sum(),
            (self.room**2 * z[CONTENT]).sum(),
        ]
        return np.concatenate([peaks, sizes])

    def shifted(self, y: Array) -> Array | float:
        """G y in the content rows [T]."""
        return 0.0 if self.shift is None else self.shift * y[-1]

    def shift_price(self, value: Array) -> Array:
        """Gᵀ λ [N]."""
        result = np.zeros(len(self.price))
        if self.shift is not None:
            result[-1] = (self.shift * value).sum()
        return result

    def bound(self, price: Array, value: Array) -> tuple[float, Array, Array]:
        """Lagrangian bound at any prices: value, reduced prices of y [N], bound duals of x [6, T].

        Each unknown lies between finite bounds, so the minimum over them is closed form and no dual has to be
        feasible: b·λ − U·z + Σ_y min(r low, r high), z = max(0, Aᵀλ − cost), r = price − Gᵀλ − Wᵀz.
        """
        z = np.maximum(self.columns(price, value) - self.cost, 0.0)
        reduced = self.price - self.shift_price(value) - self.gather(z)
        inner = np.minimum(reduced * self.low, reduced * self.high).sum()
        fixed = (self.balance * price).sum() + (self.content * value).sum() - (self.upper * z).sum()
        return float(fixed + inner), reduced, z
