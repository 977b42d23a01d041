"""Uncertainty by shared sources (不确定度): pure arrays, first order.

Every uncertain quantity is x = x̄ + Σ_k c_k δ_k with sources k that are independent of each other, δ_k of mean 0
and standard deviation 1, and c_k the standard uncertainty that source k brings to x. What rests on the same meter
or the same factor shares its source, so that sums, transfers and consolidation keep their correlation exactly, to
first order, by adding c_k (JCGM 100:2008, 5.2.2 and F.1.2.3; accounts of independent parts: IPCC 2006 Guidelines
Vol. 1, equations 3.1 and 3.2). Squares are taken at the end.

A source without a published or stated uncertainty has no number here: what rests on it is counted as unknown.
Drawing instead of linearising: ``uncertainty_draws``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse import csgraph, linalg

from lujin.errors import N_, InputError, Problem

Kind = Literal["meter", "factor", "allocation", "estimate"]
Distribution = Literal["normal", "uniform", "lognormal"]
Floats: TypeAlias = NDArray[np.float64]
# scipy ships no types; a sparse.csr_array of float64
Sparse: TypeAlias = Any

COVERAGE = 2.0  # k for about 95 % (JCGM 100:2008, 6.3.3)


@dataclass(frozen=True, slots=True)
class Source:
    """One datum that is not known exactly. ``relative``: its standard uncertainty as a part of its value; 1 where
    contributions are given absolutely. InputError, naming the datum: not above zero.
    """

    id: str
    kind: Kind
    relative: float = 1.0
    distribution: Distribution = "normal"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.relative) and self.relative > 0):
            raise InputError(
                Problem(
                    N_("{datum} has a standard uncertainty of {value}, which is not above zero"),
                    {"datum": self.id, "value": self.relative},
                    N_("state a positive uncertainty, or none: it then counts as unknown"),
                )
            )


@dataclass(frozen=True, eq=False)
class Contributions:
    """What each source brings to each account.

    ``value`` [A]; ``matrix`` sparse [A, K], standard uncertainty in the unit of ``value``, with sign. ``gross``
    [A]: sum of the absolute amounts that make up ``value``. ``unknown`` [A]: the part of ``gross`` that rests on
    at least one source of unknown uncertainty; ``reason`` sparse [A, R]: the part that rests on each of
    ``reasons`` (a part may have several reasons).
    """

    accounts: tuple[str, ...]
    value: Floats
    sources: tuple[Source, ...]
    matrix: Sparse
    gross: Floats
    unknown: Floats
    reasons: tuple[str, ...] = ()
    reason: Sparse = None

    @property
    def unknown_share(self) -> Floats:
        """[A], 0 to 1; 0 for an account without amounts."""
        return np.divide(self.unknown, self.gross, out=np.zeros_like(self.gross), where=self.gross > 0)


@dataclass(frozen=True, eq=False)
class Lines:
    """Amounts as products: x_l = base_l · Π_k (1 + relative_lk δ_k), the form of activity × factors.

    ``base`` [L]; ``relative`` sparse [L, K], 1; ``reason`` sparse [L, R], 1 where line l rests on unknown r.
    """

    labels: tuple[str, ...]
    base: Floats
    sources: tuple[Source, ...]
    relative: Sparse
    reasons: tuple[str, ...] = ()
    reason: Sparse = None

    @property
    def complete(self) -> NDArray[np.bool_]:
        """[L]: every source of the line has a known uncertainty."""
        if self.reason is None:
            return np.ones(len(self.base), dtype=np.bool_)
        return np.asarray(self.reason.sum(axis=1) == 0, dtype=np.bool_).ravel()

    def contributions(self) -> Contributions:
        """First order: ∂x_l/∂δ_k = base_l · relative_lk."""
        gross = np.abs(self.base)
        none = sparse.csr_array((len(self.base), 0))
        return Contributions(
            accounts=self.labels,
            value=self.base,
            sources=self.sources,
            matrix=sparse.csr_array(sparse.diags_array(self.base) @ self.relative),
            gross=gross,
            unknown=np.where(self.complete, 0.0, gross),
            reasons=self.reasons,
            reason=none if self.reason is None else sparse.csr_array(sparse.diags_array(gross) @ self.reason),
        )

    def quantified(self) -> Lines:
        """The same lines with those that rest on something unknown at zero."""
        return Lines(self.labels, np.where(self.complete, self.base, 0.0), self.sources, self.relative)


def matrix(shape: tuple[int, int], rows: ArrayLike, columns: ArrayLike, values: ArrayLike) -> Sparse:
    """A sparse [rows, columns] matrix; values at the same place add up."""
    place = (np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64))
    return sparse.csr_array(sparse.coo_array((np.asarray(values, dtype=np.float64), place), shape=shape))


def aggregate(parts: Contributions, into: Sparse, accounts: Sequence[str]) -> Contributions:
    """Sums of accounts: ``into`` sparse [G, A] with 1 where account a belongs to sum g. Shared sources stay so."""
    return Contributions(
        accounts=tuple(accounts),
        value=into @ parts.value,
        sources=parts.sources,
        matrix=sparse.csr_array(into @ parts.matrix),
        gross=abs(into) @ parts.gross,
        unknown=abs(into) @ parts.unknown,
        reasons=parts.reasons,
        reason=None if parts.reason is None else sparse.csr_array(abs(into) @ parts.reason),
    )


@dataclass(frozen=True, eq=False)
class FirstOrder:
    """[A] each, in the unit of the value; ``relative``: expanded / |value|, NaN where the value is 0."""

    value: Floats
    standard: Floats
    expanded: Floats
    relative: Floats


def first_order(parts: Contributions, coverage: float = COVERAGE) -> FirstOrder:
    """u = √Σ_k c_k², U = k·u (JCGM 100:2008, equations 10 and 18, sources independent)."""
    standard = np.sqrt(np.asarray(parts.matrix.multiply(parts.matrix).sum(axis=1)).ravel())
    size = np.abs(parts.value)
    nothing = np.full_like(size, np.nan)
    relative = np.divide(coverage * standard, size, out=nothing, where=size > 0)
    return FirstOrder(parts.value, standard, coverage * standard, relative)


def covariance(parts: Contributions) -> Floats:
    """[A, A]: C Cᵀ, the covariance of the accounts (JCGM 100:2008, F.1.2.3)."""
    return np.asarray((parts.matrix @ parts.matrix.T).todense())


@dataclass(frozen=True, slots=True)
class Contributor:
    """``contribution``: |c_k|; ``share``: of the variance, 0 to 1."""

    source: Source
    contribution: float
    share: float


def largest(parts: Contributions, n: int = 3) -> tuple[tuple[Contributor, ...], ...]:
    """Per account the sources with the largest share of the variance; ties by id."""
    found = []
    for row in range(len(parts.accounts)):
        start, end = parts.matrix.indptr[row], parts.matrix.indptr[row + 1]
        size = np.abs(parts.matrix.data[start:end])
        whole = float(np.sum(size**2))
        names = [parts.sources[k] for k in parts.matrix.indices[start:end]]
        order = sorted(range(len(names)), key=lambda i: (-size[i], names[i].id))
        found.append(
            tuple(Contributor(names[i], float(size[i]), float(size[i] ** 2) / whole) for i in order[:n] if size[i])
        )
    return tuple(found)


# ------------------------------------------------------------------------------------------------ the kernel


@dataclass(frozen=True, eq=False)
class Traced:
    """``intensity`` [n] and ``carbon`` of flows [m] or sums of flows [G], with their standard uncertainties
    ``*_parts`` [n, K], [m, K] or [G, K]; sums come without those of intensities.
    """

    intensity: Floats
    intensity_parts: Floats
    carbon: Floats
    carbon_parts: Floats


def outputs_follow(source: NDArray[np.int64], quantity: Floats, flow_u: Sparse, nodes: int) -> Sparse:
    """[n, K]: what the meters of its flows bring to a node's output X_k = y_k + Σ_j f_kj, final use y_k exact."""
    scatter = matrix((nodes, len(quantity)), source, np.arange(len(quantity)), quantity)
    return sparse.csr_array(scatter @ flow_u)


@dataclass(frozen=True, eq=False)
class Network:
    """The linear system (diag(X) − Fᵀ) q = b. ``outputs`` X [n, units]; flow e brings ``quantity`` F_e [units]
    from node ``source`` to ``target`` [m]; ``direct`` b [n, mg].
    """

    outputs: Floats
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    quantity: Floats
    direct: Floats
    names: Sequence[str] = ()

    def factored(self) -> Any:
        """A = diag(X) − Fᵀ as LU. InputError: a node that gives nothing, or a loop without a way out, by name."""
        _check_system(self.outputs, self.source, self.target, self.quantity, self.names)
        n = len(self.outputs)
        flows = matrix((n, n), self.target, self.source, self.quantity)
        return linalg.splu(sparse.csc_array(sparse.diags_array(self.outputs) - flows))


def through_kernel(
    network: Network, *, direct_u: Sparse, flow_u: Sparse, output_u: Sparse = None, into: Sparse = None
) -> Traced:
    """Sources through the linear system:  δq = A⁻¹ (δb − δX∘q + δFᵀq),  c_e = F_e q_source,
    δc_e = δF_e q_source + F_e δq_source.

    ``direct_u`` [n, K] absolute standard uncertainty of b; ``flow_u`` [m, K] relative of F; ``output_u`` [n, K]
    absolute of X (None: exact; where X is the sum of what leaves: ``outputs_follow``). ``into`` sparse [G, m]:
    the sums of flows that are wanted instead of every flow; solved backwards (Aᵀy = …), G solves and not K.
    """
    lu, n, m = network.factored(), len(network.outputs), len(network.quantity)
    q = np.asarray(lu.solve(network.direct), dtype=np.float64)
    carbon = network.quantity * q[network.source] if m else np.zeros(0)
    moved = direct_u + matrix((n, m), network.target, np.arange(m), carbon) @ flow_u
    if output_u is not None:
        moved = moved - sparse.diags_array(q) @ output_u
    own = sparse.csr_array(sparse.diags_array(carbon) @ flow_u) if m else flow_u
    drawn = matrix((m, n), np.arange(m), network.source, network.quantity)
    if into is not None:
        back = lu.solve(np.ascontiguousarray((into @ drawn).todense().T), trans="T")
        sums = np.asarray((into @ own).todense()) + np.asarray(moved.T @ back).T
        return Traced(q, np.zeros((n, 0)), into @ carbon, sums)
    parts = np.asarray(lu.solve(np.ascontiguousarray(moved.todense())), dtype=np.float64).reshape(n, -1)
    return Traced(q, parts, carbon, np.asarray(own.todense()) + drawn @ parts)


def _check_system(
    outputs: Floats, source: NDArray[np.int64], target: NDArray[np.int64], quantity: Floats, names: Sequence[str]
) -> None:
    n = len(outputs)
    named = names or [str(i) for i in range(n)]
    if (idle := np.flatnonzero(~(outputs > 0))).size:
        raise InputError(
            Problem(
                N_("{node} gives nothing out, its carbon has no intensity"),
                {"node": ", ".join(named[i] for i in idle[:5].tolist())},
                N_("keep its carbon in work-in-progress until it gives something"),
            )
        )
    left = outputs - np.bincount(source, weights=quantity, minlength=n)
    graph = matrix((n, n), source, target, quantity)
    _, part = csgraph.connected_components(graph, directed=True, connection="strong")
    open_parts = set(part[left > 1e-9 * outputs].tolist())
    open_parts |= set(part[source[part[source] != part[target]]].tolist())
    for closed in sorted(set(part.tolist()) - open_parts):
        raise InputError(
            Problem(
                N_("the loop {nodes} has no way out, its carbon has no finite intensity"),
                {"nodes": " → ".join(named[i] for i in np.flatnonzero(part == closed).tolist())},
                N_("measure what leaves it, or correct the flows inside it"),
            )
        )
