"""A chain of nodes with grounds and edges, solved by cyclic reduction without one subtraction.

The normal equations of a storage over time are the matrix of the energy

    Σ_t ground_t x_t² + Σ_t weight_t (x_t − k x_{t+1})²  (+ closing (x_T − k x_1)² when the year closes on itself)

with ground, weight ≥ 0 and 0 < k ≤ 1. Elimination of a node turns its star into a mesh whose conductances are
products and sums of positive numbers, so that every pivot is exact to some units in the last place however far
ground and weight lie apart (10²⁰ near the end of an interior-point run). A Cholesky factorisation would form
weight + ground first and lose the ground. Every second node is eliminated at once: log₂ T vector operations.

Sources: W. K. Grassmann, M. I. Taksar, D. P. Heyman (1985), Operations Research 33, 1107 (elimination without
subtraction); R. W. Hockney (1965), Journal of the ACM 12, 95 (cyclic reduction); A. E. Kennelly (1899) (star to
mesh).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ratio = Array | float
TINY = 1e-290
WHOLE = 64
"""[nodes] From this many on, columns are held whole, not as the stretch that they touch."""


@dataclass(frozen=True)
class Stretch:
    """A column that is zero outside nodes first … first + len(values) − 1."""

    first: int
    values: Array


@dataclass(frozen=True)
class Shape:
    """What depends on the length and the loss alone: made once, used for every factorisation.

    nodes: T. padded: nodes with those added so that the first halvings come out even. steps: for each level
    the ratio k of the edges left and right of the eliminated nodes. last: that of the one edge that remains.
    """

    nodes: int
    padded: int
    steps: tuple[tuple[Ratio, Ratio], ...]
    last: float
    ratio: float


@dataclass(frozen=True)
class Level:
    """One halving: inverse pivots of the eliminated nodes [m], their pulls on the neighbours left and right."""

    nodes: int
    inverse: Array
    left: Array
    right: Array

    def forward(self, right_side: Array) -> tuple[Array, Array]:
        """Right side [..., n] → what the eliminated nodes held [..., m], right side of those kept [..., n − m]."""
        m = len(self.inverse)
        gone = np.ascontiguousarray(right_side[..., 1 : 2 * m : 2])
        kept = np.empty((*right_side.shape[:-1], self.nodes - m))
        kept[..., : m + 1] = right_side[..., : 2 * m + 1 : 2]
        kept[..., -1] = right_side[..., -1]
        kept[..., :m] += self.left * gone
        kept[..., 1 : m + 1] += self.right * gone
        return gone, kept

    def forward_stretch(self, column: Stretch) -> tuple[Stretch, Stretch]:
        """As ``forward`` for a column that touches one stretch of an odd number of nodes."""
        first, end = column.first, column.first + len(column.values)
        low, high = first // 2, end // 2  # eliminated node i is node 2 i + 1, kept node i is node 2 i
        gone = np.ascontiguousarray(column.values[2 * low + 1 - first :: 2])
        kept = np.zeros(high + 1 - low)
        even = (first + 1) // 2
        kept[even - low : (end + 1) // 2 - low] = column.values[2 * even - first :: 2]
        kept[:-1] += self.left[low:high] * gone
        kept[1:] += self.right[low:high] * gone
        return Stretch(low, gone), Stretch(low, kept)

    def backward(self, gone: Array, kept: Array) -> Array:
        m = len(self.inverse)
        x = np.empty(self.nodes)
        x[: 2 * m + 1 : 2] = kept[: m + 1]
        x[-1] = kept[-1]
        x[1 : 2 * m : 2] = self.inverse * gone + self.left * kept[:m] + self.right * kept[1 : m + 1]
        return x


@dataclass(frozen=True)
class Ends:
    """The two nodes left: inverse pivot of the last, its pull on the first, inverse pivot of the first."""

    last: float
    pull: float
    first: float


@dataclass(frozen=True)
class Reduced:
    """A chain taken apart: S = L D Lᵀ with the nodes in the order of their elimination."""

    shape: Shape
    levels: tuple[Level, ...]
    ends: Ends

    def solve(self, right_side: Array) -> Array:
        """x [T] of S x = right side [T]."""
        rest = np.zeros(self.shape.padded)
        rest[: self.shape.nodes] = right_side
        parts = []
        for level in self.levels:
            gone, rest = level.forward(rest)
            parts.append(gone)
        first = (rest[0] + self.ends.pull * rest[1]) * self.ends.first
        x = np.array([first, rest[1] * self.ends.last + self.ends.pull * first])
        for level, gone in zip(reversed(self.levels), reversed(parts), strict=True):
            x = level.backward(gone, x)
        return x[: self.shape.nodes]

    def gram(self, columns: list[Stretch]) -> Array:
        """Vᵀ S⁻¹ V [N, N] of N columns: Σ over levels of yᵀ D⁻¹ y with L y = V; none is solved backward."""
        total = np.zeros((len(columns), len(columns)))
        depth = 0
        while depth < len(self.levels) and self.levels[depth].nodes > WHOLE:
            level = self.levels[depth]
            split = [level.forward_stretch(column) for column in columns]
            _add_products(total, [gone for gone, _ in split], level.inverse)
            columns = [kept for _, kept in split]
            depth += 1
        rest = np.zeros((len(columns), self.levels[depth].nodes if depth < len(self.levels) else 2))
        for i, column in enumerate(columns):
            rest[i, column.first : column.first + len(column.values)] = column.values
        for level in self.levels[depth:]:
            gone, rest = level.forward(rest)
            total += (gone * level.inverse) @ gone.T
        first = rest[:, 0] + self.ends.pull * rest[:, 1]
        return total + self.ends.last * np.outer(rest[:, 1], rest[:, 1]) + self.ends.first * np.outer(first, first)


def _add_products(total: Array, columns: list[Stretch], inverse: Array) -> None:
    """total_ij += Σ_t y_ti y_tj inverse_t, over the nodes that two columns share."""
    for i, a in enumerate(columns):
        if not len(a.values):
            continue
        weighted = a.values * inverse[a.first : a.first + len(a.values)]
        for j in range(i, len(columns)):
            b = columns[j]
            low, high = max(a.first, b.first), min(a.first + len(a.values), b.first + len(b.values))
            if low < high:
                x, y = weighted[low - a.first : high - a.first], b.values[low - b.first : high - b.first]
                product = float(np.einsum("i,i->", x, y))  # one thread: a BLAS dot product would wake all
                total[i, j] += product
                if i != j:
                    total[j, i] += product


def chain_shape(nodes: int, ratio: float) -> Shape:
    """Plan of the halvings of a chain of T nodes whose edges have the ratio k."""
    halvings = max(0, math.ceil(math.log2(max(nodes - 1, 1) / (WHOLE / 2))))
    unit = 2**halvings
    padded = max(-(-(nodes - 1) // unit) * unit + 1, 2)
    edge = np.full(padded - 1, 1.0)
    edge[: nodes - 1] = ratio
    steps: list[tuple[Ratio, Ratio]] = []
    left = padded
    while left > 2:
        m = (left - 1) // 2
        before, after = edge[: 2 * m : 2], edge[1 : 2 * m : 2]
        steps.append((1.0, 1.0) if ratio == 1.0 else (before.copy(), after.copy()))
        edge = np.concatenate([before * after, edge[2 * m :]])
        left -= m
    return Shape(nodes, padded, tuple(steps), float(edge[0]), ratio)


def reduce_chain(shape: Shape, ground: Array, weight: Array, closing: float = 0.0) -> Reduced:
    """Take a chain apart: ground [T], weight [T − 1], weight of the edge that closes it to a ring (0: open).

    Nodes that pad an open chain stand alone; those that pad a ring lie in series on its closing edge.
    """
    extra = shape.padded - shape.nodes
    series = closing * (extra + 1)
    ground = np.concatenate([ground, np.full(extra, 0.0 if closing else 1.0)])
    weight = np.concatenate([weight, np.full(extra, series)])
    levels = []
    for left_ratio, right_ratio in shape.steps:
        n = len(ground)
        m = (n - 1) // 2
        middle, left, right = ground[1 : 2 * m : 2], weight[: 2 * m : 2], weight[1 : 2 * m : 2]
        pull_left, pull_right = left_ratio * left, right_ratio * right
        inverse = 1.0 / (middle + left_ratio * pull_left + right + TINY)
        drain = middle * inverse
        kept = np.empty(n - m)
        kept[: m + 1] = ground[: 2 * m + 1 : 2]
        kept[-1] = ground[-1]
        kept[:m] += left * drain
        kept[1 : m + 1] += right_ratio * pull_right * drain
        levels.append(Level(n, inverse, pull_left * inverse, pull_right * inverse))
        weight = np.concatenate([left * right * inverse, weight[2 * m :]])
        ground = kept
    return Reduced(shape, tuple(levels), _ends(shape, ground, float(weight[0]), series))


def _ends(shape: Shape, ground: Array, weight: float, closing: float) -> Ends:
    """Two nodes with weight (x_1 − k x_2)² and closing (x_2 − r x_1)²; the loss around the ring is 1 − k r."""
    first, last = float(ground[0]), float(ground[1])
    pivot = last + shape.last**2 * weight + closing + TINY
    around = 1.0 - shape.last * shape.ratio
    rest = first + (weight + shape.ratio**2 * closing) * (last / pivot) + weight * (closing / pivot) * around**2
    return Ends(1.0 / pivot, (shape.last * weight + shape.ratio * closing) / pivot, 1.0 / (rest + TINY))
