"""Gaussian elimination of one sparse pattern for many time steps at once, without pivoting or cancellation.

The systems are those of carbon tracing, (diag(P) − Fᵀ) ρ = b. Written by columns, each unit of throughput of
node *c* goes with weight f[r, c] ≥ 0 to node *r* and with weight y[c] ≥ 0 out of the system (used, stored):

    (y_c + Σ_r f_rc) ρ_c − Σ_k f_ck ρ_k = b_c                 f, y, b ≥ 0

Such a matrix is a column-diagonally-dominant M-matrix, so that any order of elimination is stable; the order is
that of minimum degree on the pattern of all edges in either direction, once for all steps. The diagonal is never
formed by subtraction: eliminating node *k* sends what passed through it straight to its neighbours and exits,

    p_k = y_k + Σ_r f_rk        f_rc += f_rk f_kc / p_k        y_c += y_k f_kc / p_k

Only positive numbers are added, so each ρ has full relative accuracy, raising any b lowers no ρ, and p_k is zero
exactly when nothing leaves the loop that *k* closes.

References: W. K. Grassmann, M. I. Taksar, D. P. Heyman, Regenerative analysis and steady state distributions
for Markov chains, Operations Research 33 (1985) 1107; C. A. O'Cinneide, Numerische Mathematik 65 (1993) 109.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Per node k: its row among the unknowns, k, and per later neighbour its row, the entry to it, the entry from it
Steps = list[tuple[int, int, list[tuple[int, int, int]]]]


@dataclass(frozen=True)
class Pattern:
    """Elimination order and fill, shared by all steps.

    order: nodes in order of elimination; rank: its inverse.
    entry: (target, source) of every off-diagonal entry, fill included → its row in the array of weights.
    later: per node the neighbours that are eliminated after it, in order of elimination.
    """

    order: list[int]
    rank: list[int]
    entry: dict[tuple[int, int], int]
    later: list[list[int]]

    @cached_property
    def elimination(self) -> list[tuple[int, list[int], list[tuple[int, int, list[tuple[int, int]]]]]]:
        """Per node k: entries from k; per later neighbour c: c, the entry from it to k, and for each other
        neighbour r the entries k → r and c → r."""
        entry = self.entry
        return [
            (
                k,
                [entry[r, k] for r in self.later[k]],
                [
                    (c, entry[k, c], [(entry[r, k], entry[r, c]) for r in self.later[k] if r != c])
                    for c in self.later[k]
                ],
            )
            for k in self.order
        ]

    def above(self, nodes: Sequence[int]) -> list[int]:
        """The nodes that eliminating ``nodes`` touches, themselves included, in order of elimination."""
        found, open_ = set(nodes), list(nodes)
        while open_:
            for r in self.later[open_.pop()]:
                if r not in found:
                    found.add(r)
                    open_.append(r)
        return sorted(found, key=self.rank.__getitem__)

    def steps(self, nodes: Sequence[int] | None = None) -> Steps:
        """Instructions for a sweep over all nodes, or over some, as ``above`` gives them: row i for nodes[i]."""
        row = {k: k for k in self.order} if nodes is None else {k: i for i, k in enumerate(nodes)}
        return [(row[k], k, [(row[r], self.entry[r, k], self.entry[k, r]) for r in self.later[k]]) for k in row]


def pattern(size: int, source: Sequence[int], target: Sequence[int]) -> Pattern:
    """Minimum-degree order and fill of a graph of ``size`` nodes; ties go to the lower number.

    >>> p = pattern(4, [0, 1, 2], [1, 2, 3])
    >>> p.order, len(p.entry)
    ([0, 1, 2, 3], 6)
    """
    near: list[set[int]] = [set() for _ in range(size)]
    for u, v in zip(source, target, strict=True):
        if u != v:
            near[u].add(v)
            near[v].add(u)
    queue = [(len(s), n) for n, s in enumerate(near)]
    heapq.heapify(queue)
    order: list[int] = []
    later: list[set[int] | None] = [None] * size
    while queue:
        degree, k = heapq.heappop(queue)
        if later[k] is not None or degree != len(near[k]):
            continue  # eliminated, or its degree has changed since
        order.append(k)
        later[k] = near[k]
        for r in near[k]:
            near[r] |= near[k]
            near[r] -= {k, r}
            heapq.heappush(queue, (len(near[r]), r))
    rank = [0] * size
    for position, k in enumerate(order):
        rank[k] = position
    sorted_later = [sorted(s or (), key=rank.__getitem__) for s in later]
    entry: dict[tuple[int, int], int] = {}
    for k in order:
        for r in sorted_later[k]:
            entry[r, k] = len(entry)
            entry[k, r] = len(entry)
    return Pattern(order, rank, entry, sorted_later)


@dataclass(frozen=True)
class Factors:
    """passed: entry (r, k) the share of *k* that goes to the later *r*; entry (k, c) the weight from *c* to *k*.
    inverse: 1/p per node [N, B]. closed: per node that closes a loop without a way out, the steps [B] of it."""

    passed: Array
    inverse: Array
    closed: dict[int, NDArray[np.bool_]]

    def at(self, columns: NDArray[np.intp], steps: Steps) -> Factors:
        """What ``steps`` need, for some of the B columns."""
        if len(columns) == self.inverse.shape[1]:
            return self
        passed = np.empty((len(self.passed), len(columns)))
        inverse = np.empty((len(self.inverse), len(columns)))
        for _, k, near in steps:
            inverse[k] = self.inverse[k, columns]
            for _, out, into in near:
                passed[out], passed[into] = self.passed[out, columns], self.passed[into, columns]
        return Factors(passed, inverse, {})


def factorise(shape: Pattern, weight: Array, leaving: Array) -> Factors:
    """Eliminate all nodes. ``weight`` [entries, B] and ``leaving`` [N, B] are overwritten.

    Where p is zero, nothing enters or leaves at all, or a loop is closed: the steps are told in ``closed`` and
    p is taken as 1, which is right as long as b is zero there.
    """
    inverse = np.empty_like(leaving)
    closed: dict[int, NDArray[np.bool_]] = {}
    scratch, pivot = np.empty(leaving.shape[1]), np.empty(leaving.shape[1])
    # Rows as a list: indexing an array costs as much as adding a short row
    rows, exits, inverses = list(weight), list(leaving), list(inverse)
    multiply, add = np.multiply, np.add
    sure = list(np.all(leaving > 0, axis=1))
    for k, out, into in shape.elimination:
        pivot[:] = exits[k]
        for e in out:
            add(pivot, rows[e], pivot)
        if not sure[k] and not pivot.all():
            closed[k] = np.equal(pivot, 0.0)
            np.putmask(pivot, closed[k], 1.0)
        np.divide(1.0, pivot, inverses[k])
        for e in out:
            multiply(rows[e], inverses[k], rows[e])
        gone = multiply(exits[k], inverses[k], pivot)
        for c, e_c, others in into:
            coming = rows[e_c]
            add(exits[c], multiply(gone, coming, scratch), exits[c])
            for e_r, e_rc in others:
                add(rows[e_rc], multiply(rows[e_r], coming, scratch), rows[e_rc])
    return Factors(weight, inverse, closed)


def forward(steps: Steps, factors: Factors, right: Array) -> None:
    """Push ``right`` [rows, columns, B] up the elimination, in place."""
    scratch, rows, passed = np.empty(right.shape[1:]), list(right), factors.passed
    for i, _, near in steps:
        for j, out, _ in near:
            np.add(rows[j], np.multiply(passed[out], rows[i], scratch), rows[j])


def backward(steps: Steps, factors: Factors, right: Array) -> None:
    """Turn a ``right`` that went through ``forward`` into the solution, in place."""
    scratch, rows, passed = np.empty(right.shape[1:]), list(right), factors.passed
    for i, k, near in reversed(steps):
        for j, _, into in near:
            np.add(rows[i], np.multiply(passed[into], rows[j], scratch), rows[i])
        np.multiply(rows[i], factors.inverse[k], rows[i])
