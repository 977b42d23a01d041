"""Mehrotra's predictor-corrector method for one storage behind one meter, each step reduced to one row.

Unknowns of step t, all between 0 and an upper bound: import g, export e, PV used q, charge c, discharge d and
content s above its least. Shared unknowns y: the billed peak P_m of each month and, where equipment is to be
sized, its capacities K. A shared unknown enters as an upper bound (g_t ≤ P_m, q_t ≤ profile_t K) or in the
content row:

    min Σ cost·x + price·y   s.t.   A x + G y = b,   0 ≤ x ≤ U + W y,   low ≤ y ≤ high
    balance   g − e + q + d − c = load
    content   s_t − k s_{t−1} − η_c c + d/η_d + G_t y = b_t

A Newton step is   S Δλ + V Δy = r,   −Vᵀ Δλ + H Δy = τ   with S = A Θ Aᵀ. The balance of a step is eliminated
by hand, what is left of S is a chain (``lujin.dispatch.chain``), and V, with one column per shared unknown, is
the border.
Sums of positive terms replace each difference: x y/(x + y) for x − x²/(x + y).

Sources: S. Mehrotra (1992), SIAM Journal on Optimization 2, 575; S. J. Wright (1997), Primal-Dual Interior-Point
Methods, chapters 10 and 11; J. Gondzio (1996), Computational Optimization and Applications 6, 137.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lujin.dispatch.blocks import CHARGE, CONTENT, DISCHARGE, EXPORT, IMPORT, PV, Blocks
from lujin.dispatch.chain import Array, Reduced, Shape, Stretch, chain_shape, reduce_chain

REFINEMENTS = 2
FEASIBLE, EXACT = 1e-10, 1e-12
"""[largest load] By how much the rows of a plan may miss; by how much those of a step, before it is refined."""


@dataclass(frozen=True)
class Point:
    """Primal x, its distance v to the upper bound, y with distances below and above; duals in the same order."""

    x: Array
    v: Array
    y: Array
    below: Array
    above: Array
    price: Array
    value: Array
    zx: Array
    zv: Array
    zbelow: Array
    zabove: Array

    def moved(self, step: Point, primal: float, dual: float) -> Point:
        """This point plus the step, in the arrays of the step."""
        for names, length in ((PRIMAL, primal), (DUAL, dual)):
            for name in names:
                change = getattr(step, name)
                change *= length
                change += getattr(self, name)
        return step


PAIRS = (("x", "zx"), ("v", "zv"), ("below", "zbelow"), ("above", "zabove"))
PRIMAL = ("x", "v", "y", "below", "above")
DUAL = ("price", "value", "zx", "zv", "zbelow", "zabove")


@dataclass(frozen=True)
class Residuals:
    """Of a point: balance [T], content [T], dual of x [6, T], dual of y [N]."""

    balance: Array
    content: Array
    dual: Array
    shared: Array

    @property
    def rows(self) -> float:
        return max(float(np.abs(self.balance).max()), float(np.abs(self.content).max()))


@dataclass(frozen=True)
class Outcome:
    point: Point
    objective: float
    bound: float
    infeasibility: float
    iterations: int
    converged: bool


@dataclass(frozen=True)
class Newton:
    """One factorisation of the Newton matrix and what is needed to use it for several right sides.

    inverse_x, inverse_v [6, T]: 1/x, 1/v, 0 where an unknown is fixed. theta, hx, hv [6, T]: 1/(hx + hv), zx/x,
    zv/v. pulled [coupled, T]: theta hv. nearer_x, nearer_v [6, T]: hx > hv, hv > hx. total [T]: the pivot of
    the balance, Σ θ. coupling [T]: χ/total with χ = Σ η θ. border_price, border_value: the columns of V in the
    balance and, eliminated, in the chain.
    """

    blocks: Blocks
    inverse_x: Array
    inverse_v: Array
    theta: Array
    hx: Array
    hv: Array
    nearer_x: NDArray[np.bool_]
    nearer_v: NDArray[np.bool_]
    pulled: Array
    total: Array
    coupling: Array
    chain: Reduced
    border_price: list[Stretch]
    border_value: list[Stretch]
    border: Array
    own: Array
    scale: Array

    def solve(self, balance: Array, content: Array, shared: Array) -> tuple[Array, Array, Array]:
        """Δλ [T], Δμ [T], Δy [N] of one right side."""
        inner = content - self.coupling * balance
        value = self.chain.solve(inner)
        pull = shared + _against(self.border_price, balance / self.total) + _against(self.border_value, value)
        y = self._shared(pull)
        value = self.chain.solve(_minus(inner, self.border_value, y))
        price = _minus(balance, self.border_price, y) / self.total - self.coupling * value
        # Once more for the border: a peak that one step pins leaves rounding in the dual of that step
        more = self._shared(shared + self.against(price, value) - self.own * y)
        moved = self.chain.solve(_minus(np.zeros_like(value), self.border_value, more))
        price += _minus(np.zeros_like(price), self.border_price, more) / self.total - self.coupling * moved
        return price, value + moved, y + more

    def _shared(self, pull: Array) -> Array:
        return np.asarray(self.scale * np.linalg.solve(self.border, self.scale * pull))

    def against(self, price: Array, value: Array) -> Array:
        """Vᵀ (λ, μ) [N]."""
        blocks = self.blocks
        columns = blocks.columns(price, value)[: blocks.coupled] if blocks.sized else price[None]
        return blocks.gather(self.pulled * columns) + blocks.shift_price(value)


def _against(columns: list[Stretch], vector: Array) -> Array:
    """Vᵀ r [N]."""
    return np.array(
        [np.einsum("i,i->", c.values, vector[c.first : c.first + len(c.values)]) for c in columns],
        dtype=np.float64,
    )


def _minus(vector: Array, columns: list[Stretch], y: Array) -> Array:
    """r − V y."""
    result = vector.copy()
    for column, amount in zip(columns, y.tolist(), strict=True):
        if len(column.values) and amount:
            result[column.first : column.first + len(column.values)] -= amount * column.values
    return result


def factorise(blocks: Blocks, shape: Shape, at: Point, free: Array) -> Newton:
    """The Newton matrix at a point; free [6, T] is 0 where an unknown is fixed at 0."""
    hole = 1.0 - free
    inverse_x, inverse_v = free / (at.x + hole), free / (at.v + hole)
    hx, hv = at.zx * inverse_x, at.zv * inverse_v
    theta = hx + hv
    hole += theta
    np.divide(free, hole, out=theta)
    n = blocks.coupled
    pulled = theta[:n] * hv[:n]
    grid = theta[IMPORT] + theta[EXPORT] + theta[PV]
    gain, loss = blocks.charge, blocks.discharge
    charge, discharge = theta[CHARGE], theta[DISCHARGE]
    total = grid + charge + discharge
    coupling = (gain * charge + loss * discharge) / total
    ground = (grid * (gain**2 * charge + loss**2 * discharge) + (loss - gain) ** 2 * charge * discharge) / total
    content = theta[CONTENT]
    passed = blocks.keep > 0
    ground[:-1] += np.where(passed, 0.0, content[:-1])
    if not blocks.ring:
        ground[-1] += content[-1]
    weight = np.where(passed, content[:-1], 0.0)
    chain = reduce_chain(shape, ground, weight, float(content[-1]) if blocks.ring else 0.0)
    border_price, border_value = _border(blocks, theta, pulled, total, coupling)
    border = chain.gram(border_value)
    for i, a in enumerate(border_price):
        for j, b in enumerate(border_price):
            low, high = max(a.first, b.first), min(a.first + len(a.values), b.first + len(b.values))
            if low < high:
                x, y = a.values[low - a.first : high - a.first], b.values[low - b.first : high - b.first]
                border[i, j] += np.einsum("i,i,i->", x, y, 1.0 / total[low:high])
    own = at.zbelow / at.below + at.zabove / at.above + blocks.gather_squared(hx[:n] * pulled)
    border[np.diag_indices_from(border)] += own
    scale = 1.0 / np.sqrt(np.diag(border))
    return Newton(
        blocks, inverse_x, inverse_v, theta, hx, hv, hx > hv, hv > hx, pulled, total,
        coupling, chain, border_price, border_value,
        scale[:, None] * border * scale, own, scale,
    )  # fmt: skip


def _border(
    blocks: Blocks, theta: Array, pulled: Array, total: Array, coupling: Array
) -> tuple[list[Stretch], list[Stretch]]:
    """Columns of V, one per shared unknown: in the balance rows, and in the chain."""
    starts = blocks.month_start.tolist()
    price = [Stretch(a, pulled[IMPORT, a:b]) for a, b in pairwise(starts)]
    if blocks.profile is None or blocks.room is None or blocks.shift is None:
        return price, [_eliminated(column, coupling) for column in price]
    value = [_eliminated(column, coupling) for column in price]
    sun = Stretch(0, blocks.profile * pulled[PV])
    grid = theta[IMPORT] + theta[EXPORT] + theta[PV]
    spread = blocks.discharge - blocks.charge
    power = pulled[DISCHARGE] * (blocks.discharge * grid + spread * theta[CHARGE])
    power += pulled[CHARGE] * (spread * theta[DISCHARGE] - blocks.charge * grid)
    only = np.zeros_like(theta)
    only[CONTENT] = blocks.room * pulled[CONTENT]
    energy = blocks.rows(only)[1] + blocks.shift
    price += [sun, Stretch(0, pulled[DISCHARGE] - pulled[CHARGE]), Stretch(0, np.zeros(0))]
    value += [_eliminated(sun, coupling), Stretch(0, power / total), Stretch(0, energy)]
    return price, value


def _eliminated(column: Stretch, coupling: Array) -> Stretch:
    return Stretch(column.first, -coupling[column.first : column.first + len(column.values)] * column.values)


@dataclass(frozen=True)
class Aim:
    """What the duals would become less what they are, did the primal stand still: centre/x − zx and so on."""

    x: Array
    v: Array
    below: Array
    above: Array


def direction(newton: Newton, at: Point, off: Residuals, aim: Aim) -> Point:
    """The Newton step; of a ``Point`` it has only the parts. Uses up the arrays of the aim."""
    blocks, n = newton.blocks, newton.blocks.coupled
    moved = aim.x - aim.v
    moved -= off.dual
    moved *= newton.theta
    balance, content = blocks.rows(moved)
    shared = aim.below - aim.above - off.shared + blocks.gather(aim.v[:n] + newton.hv[:n] * moved[:n])
    price, value, y = newton.solve(off.balance - balance, off.content - content, shared)
    room = blocks.spread(y)
    slope = blocks.columns(price, value)
    moved += newton.theta * slope
    moved[:n] += newton.pulled * room
    for _ in range(REFINEMENTS):
        balance, content = blocks.rows(moved)
        balance, content = off.balance - balance, off.content - content - blocks.shifted(y)
        if max(float(np.abs(balance).max()), float(np.abs(content).max())) <= max(EXACT, 0.1 * off.rows):
            break
        more, higher, further = newton.solve(balance, content, np.zeros_like(y))
        price, value, y = price + more, value + higher, y + further
        room = blocks.spread(y)
        extra = blocks.columns(more, higher)
        slope += extra
        extra *= newton.theta
        moved += extra
        moved[:n] += newton.pulled * blocks.spread(further)
    x, v, zx, zv = moved, -moved, aim.x, aim.v
    v[:n] += room
    zx -= newton.hx * x
    zv -= newton.hv * v
    # Near a bound h is huge and h Δ loses its digits: there the dual follows from stationarity
    slope -= off.dual
    np.subtract(zv, slope, out=zx, where=newton.nearer_x)
    np.add(zx, slope, out=zv, where=newton.nearer_v)
    return Point(
        x, v, y, y.copy(), -y, price, value, zx, zv,
        aim.below - at.zbelow / at.below * y, aim.above + at.zabove / at.above * y,
    )  # fmt: skip


def residuals(blocks: Blocks, at: Point, free: Array) -> Residuals:
    balance, content = blocks.rows(at.x)
    dual = (blocks.cost - blocks.columns(at.price, at.value) - at.zx + at.zv) * free
    shared = blocks.price - blocks.shift_price(at.value) - blocks.gather(at.zv) - at.zbelow + at.zabove
    return Residuals(blocks.balance - balance, blocks.content - content - blocks.shifted(at.y), dual, shared)


def furthest(fall: float) -> float:
    """Step to the border, if the fastest falling part loses ``fall`` times itself per step; at most 1e10."""
    return 1.0 / max(fall, 1e-10)


def primal_fall(newton: Newton, at: Point, step: Point) -> tuple[float, float]:
    """Largest fall and largest rise of x, v and the distances of y, each relative to itself."""
    ratios = (step.x * newton.inverse_x, step.v * newton.inverse_v, step.below / at.below, step.above / at.above)
    return max(-float(r.min()) for r in ratios), max(float(r.max()) for r in ratios)


def dual_fall(at: Point, step: Point) -> float:
    """Largest fall of a bound dual relative to itself; a fixed unknown has none."""
    with np.errstate(invalid="ignore"):
        ratios = (step.zx / at.zx, step.zv / at.zv, step.zbelow / at.zbelow, step.zabove / at.zabove)
    return max(-float(np.fmin.reduce(r, axis=None)) for r in ratios)


def _dot(a: Array, b: Array) -> float:
    """Σ a b on one thread; a BLAS dot product would wake all."""
    return float(np.einsum("i,i->", a.ravel(), b.ravel()))


def complementarity(at: Point) -> float:
    """x·zx + v·zv + below·zbelow + above·zabove."""
    return sum(_dot(getattr(at, a), getattr(at, z)) for a, z in PAIRS)


def solve(blocks: Blocks, start: Point, tolerance: float = 1e-10, most: int = 100) -> Outcome:
    """Run until objective and Lagrangian bound agree to ``tolerance`` (relative) and the rows hold."""
    shape = chain_shape(blocks.cost.shape[1], blocks.ratio)
    free = (blocks.limits(blocks.high) > 0).astype(np.float64)
    at = start
    pairs = 2.0 * free.sum() + 2.0 * len(blocks.price)
    best: Outcome | None = None
    for iteration in range(most + 1):
        off = residuals(blocks, at, free)
        outcome = _judge(blocks, at, off, iteration, tolerance)
        if best is None or outcome.converged or _gap(outcome) < _gap(best):
            best = outcome
        if outcome.converged or iteration == most:
            break
        mu = complementarity(at) / pairs
        step = _combined(factorise(blocks, shape, at, free), at, off, mu, pairs)
        if step is None:
            break
        at = step
    assert best is not None
    return replace(best, iterations=iteration)


def _gap(outcome: Outcome) -> float:
    return (outcome.objective - outcome.bound) / (1.0 + abs(outcome.objective)) + outcome.infeasibility


def _judge(blocks: Blocks, at: Point, off: Residuals, iteration: int, tolerance: float) -> Outcome:
    objective = _dot(blocks.cost, at.x) + _dot(blocks.price, at.y)
    bound = blocks.bound(at.price, at.value)[0]
    gap = abs(objective - bound) / (1.0 + abs(objective))
    return Outcome(at, objective, bound, off.rows, iteration, gap <= tolerance and off.rows <= FEASIBLE)


def _combined(newton: Newton, at: Point, off: Residuals, mu: float, pairs: float) -> Point | None:
    """Predictor, centring by its success, corrector (Wright 1997, algorithm PC of chapter 10)."""
    affine = direction(newton, at, off, Aim(-at.zx, -at.zv, -at.zbelow, -at.zabove))
    fall, rise = primal_fall(newton, at, affine)
    # x Δzx + zx Δx = −x zx: a dual falls by one plus what its primal rises
    primal, dual = min(1.0, furthest(fall)), min(1.0, furthest(1.0 + rise))
    turned = sum(_dot(getattr(affine, a), getattr(at, z)) for a, z in PAIRS)
    x, v = affine.x * affine.zx, affine.v * affine.zv
    below, above = affine.below * affine.zbelow, affine.above * affine.zabove
    product = float(x.sum() + v.sum() + below.sum() + above.sum())
    now = mu * pairs
    after = now * (1.0 - dual) + (primal - dual) * turned + primal * dual * product
    centre = max(after / now, 0.0) ** 3 * mu
    for done, inverse, held in ((x, newton.inverse_x, at.zx), (v, newton.inverse_v, at.zv)):
        np.subtract(centre, done, out=done)
        done *= inverse
        done -= held
    aim = Aim(x, v, (centre - below) / at.below - at.zbelow, (centre - above) / at.above - at.zabove)
    step = direction(newton, at, off, aim)
    primal, dual = furthest(primal_fall(newton, at, step)[0]), furthest(dual_fall(at, step))
    if not np.isfinite(primal + dual) or max(primal, dual) < 1e-8:
        return None
    near = min(max(0.95, 1.0 - 10 * mu), 0.9999)
    return at.moved(step, min(1.0, near * primal), min(1.0, near * dual))
