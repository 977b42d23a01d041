"""Carbon intensities of one step, such as a month, for some thousands of nodes: one sparse factorisation.

    (diag(X) − Fᵀ) q = m

X_j is what node j makes [its unit], f_kj what of k goes into j, m_j the carbon that enters at j: direct emission
and what was bought outside. With y_k = X_k − Σ_j f_kj, what is used or sold, the sum over columns gives
Σ_k y_k q_k = Σ_j m_j: the carbon of final use is all that came in.

Sources: W. Leontief (1936), The Review of Economics and Statistics 18, 105; as life-cycle inventory
R. Heijungs & S. Suh, The Computational Structure of Life Cycle Assessment (2002), chapter 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

from lujin.accounts.elimination import Array
from lujin.accounts.network import (
    ROUNDING,
    Findings,
    check_excess,
    check_numbers,
    closed_loops,
    loop_error,
    stranded,
)
from lujin.errors import InputError


@dataclass(frozen=True)
class Intensities:
    """intensity [N, G]: carbon per unit of throughput, 0 where nothing is made. held [N, G]: carbon that came to
    nodes that made nothing, kept as work in progress. used [N]: X − Σ f, in the unit of each node."""

    intensity: Array
    held: Array
    used: Array

    def imbalance(self, carbon: Array) -> Array:
        """Carbon that came in − carbon of what was used − carbon held, per gas [G]; zero but for rounding."""
        balance: Array = carbon.sum(axis=0) - self.used @ self.intensity - self.held.sum(axis=0)
        return balance


def intensities(
    nodes: Sequence[str],
    source: NDArray[np.intp],
    target: NDArray[np.intp],
    quantity: Array,
    throughput: Array,
    carbon: Array,
    *,
    step: str = "1",
) -> Intensities:
    """Solve one step. Edges [E] by node number, in any order, several between the same nodes allowed.

    quantity [E] ≥ 0 in the unit of the source node; throughput X [N] ≥ 0; carbon m [N, G] ≥ 0. ``step`` names
    the step in messages.

    InputError: a negative or missing value, more leaving a node than it makes, a loop that carbon enters and
    nothing leaves; each by name.

    >>> one = np.array([0]), np.array([1]), np.array([4.0])
    >>> intensities(["boiler", "mill"], *one, np.array([5.0, 2.0]), np.array([[10.0], [0.0]])).intensity.tolist()
    [[2.0], [4.0]]
    """
    size = len(nodes)
    findings = Findings(lambda _: step)
    edges = [f"{nodes[u]} → {nodes[v]}" for u, v in zip(source.tolist(), target.tolist(), strict=True)]
    check_numbers(findings, edges, quantity[:, None], 0)
    check_numbers(findings, nodes, throughput[:, None], 0)
    check_numbers(findings, nodes, carbon, 0)
    passed = np.bincount(source, weights=quantity, minlength=size)
    used = throughput - passed
    check_excess(findings, nodes, throughput[:, None], used[:, None], 0)
    if findings.found:
        raise InputError(*findings.problems())
    used = np.where(used > ROUNDING * throughput, used, 0.0)
    idle = throughput == 0
    flowing = quantity > 0
    u, v, f = source[flowing], target[flowing], quantity[flowing]
    enters = np.any(carbon > 0, axis=1)
    way_out = (used > 0) | idle
    loops = closed_loops(nodes, u, v, way_out, enters)
    if loops:
        raise loop_error(loops, step)
    # Where nothing goes out, the row gives the carbon that stays; where nothing enters a closed loop, 0 = 0
    diagonal = used + passed
    diagonal[idle] = 1.0
    diagonal[stranded(size, u, v, way_out)] *= 2.0
    rows, columns = np.concatenate([np.arange(size), v]), np.concatenate([np.arange(size), u])
    matrix = coo_array((np.concatenate([diagonal, -f]), (rows, columns)), shape=(size, size)).tocsc()
    # A column-diagonally-dominant M-matrix needs no pivoting
    factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    solution = factors.solve(carbon)
    solution += factors.solve(carbon - matrix @ solution)
    held = np.where(idle[:, None], solution, 0.0)
    solution[idle] = 0.0
    return Intensities(np.maximum(solution, 0.0), held, used)
