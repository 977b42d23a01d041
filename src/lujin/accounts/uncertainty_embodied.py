"""Uncertainty of embodied carbon (book ``embodied``): what a buyer takes over rests on the seller's meters too.

The month's carbon moves between pools: c_kj from pool k to pool j. Pools hold T_k = sources + Σ_i c_ik. With
shares s_kj = c_kj/T_k the totals are T = (I − Sᵀ)⁻¹ sources. A meter on a transfer moves its share; what leaves a
pool by other ways gives way, so that no carbon is made. In the kernel's form this is (diag(T) − Cᵀ) q = b with
q = 1, flows C and outputs that follow their flows: one call of ``through_kernel``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from lujin.accounts.uncertainty import (
    Contributions,
    Floats,
    Lines,
    Network,
    Sparse,
    matrix,
    outputs_follow,
    through_kernel,
)
from lujin.accounts.uncertainty_sources import Basis, Rests, lines_of

TOTALS = ("direct", "acquired", "transferred", "final")
_KINDS: Mapping[str, str] = {"ATM": "direct", "EXT": "acquired"}  # where carbon enters from


class Edge(NamedTuple):
    """Carbon [mg or mg CO2e] from pool to pool. A pool is (enterprise, account); a final use is a pool too."""

    source: tuple[str, str]
    target: tuple[str, str]
    amount: float
    subject: str
    quality: str = "measured"


class Entering(NamedTuple):
    """Carbon that enters a pool from the air or from outside the park, and what its line rests on."""

    pool: tuple[str, str]
    amount: float
    subject: str
    rule: str
    factor: str
    quality: str = "measured"
    kind: str = "direct"  # or acquired


@dataclass(frozen=True, slots=True)
class Carbon:
    """The carbon of one month between pools, and what entered them."""

    edges: tuple[Edge, ...]
    entering: tuple[Entering, ...]


def carbon_edges(found: pl.DataFrame, weights: Mapping[str, float]) -> Carbon:
    """From lines of book embodied (``uncertainty_statement.moves``), gases weighted and added.

    Within an enterprise a line is an edge from its credit to its debit account; ATM and EXT enter. A transfer is
    a pair: seller DUE/<buyer> ← pool, buyer pool ← DUE/<seller>, matched by subject, in proportion where one side
    has several pools. A negative net amount is the move the other way; what goes to EXT or ATM leaves its pool.
    """
    edges: dict[tuple[tuple[str, str], tuple[str, str], str, str], float] = defaultdict(float)
    entering: dict[tuple[str, ...], float] = defaultdict(float)
    sold: dict[tuple[str, str, str], dict[tuple[str, str], float]] = defaultdict(lambda: defaultdict(float))
    bought: dict[tuple[str, str, str], dict[tuple[str, str, str], float]] = defaultdict(lambda: defaultdict(float))
    for row in found.iter_rows(named=True):
        owner, amount = row["enterprise"], row["amount"] * weights[row["commodity"]]
        debit, credit = row["debit"], row["credit"]
        if debit.startswith("MEMO/"):  # stands beside the balance
            continue
        groups = debit.partition("/")[0], credit.partition("/")[0]
        if groups[0] in _KINDS:
            debit, credit, amount, groups = credit, debit, -amount, (groups[1], groups[0])
        if groups[1] in _KINDS:
            rests = row["subject"], row["rule"], row["factor"], row["quality"]
            entering[owner, debit, credit, *rests] += amount
        elif groups[0] == "DUE":
            sold[owner, debit.partition("/")[2], row["subject"]][owner, credit] += amount
        elif groups[1] == "DUE":
            bought[credit.partition("/")[2], owner, row["subject"]][owner, debit, row["quality"]] += amount
        else:
            edges[(owner, credit), (owner, debit), row["subject"], row["quality"]] += amount
    for key, buyers in bought.items():
        sellers = sold.get(key) or {(key[0], f"DUE/{key[1]}"): 1.0}
        whole = sum(sellers.values())
        for seller, part in sellers.items():
            for (buyer, pool, quality), amount in buyers.items():
                edges[seller, (buyer, pool), key[2], quality] += amount * (part / whole if whole else 1.0)
    for (owner, pool, origin, subject, _, _, quality), amount in entering.items():
        if amount < 0:
            edges[(owner, pool), (owner, origin), subject, quality] -= amount
    turned = [Edge(s, t, a, j, q) if a > 0 else Edge(t, s, -a, j, q) for (s, t, j, q), a in edges.items() if a]
    return Carbon(
        tuple(edge for edge in turned if edge.source != edge.target),
        tuple(
            Entering((o, pool), amount, subject, rule, factor, quality, _KINDS[origin.partition("/")[0]])
            for (o, pool, origin, subject, rule, factor, quality), amount in entering.items()
            if amount > 0
        ),
    )


@dataclass(frozen=True, eq=False)
class _System:
    """Pools with totals T [n]; what enters [e] at pools ``at``; edges [m]. Both with sources numbered alike."""

    pools: tuple[tuple[str, str], ...]
    total: Floats
    at: NDArray[np.int64]
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    items: Lines  # entering [e], then edges [m]
    kinds: tuple[str, ...]  # of what enters [e]: direct, acquired, opening

    @property
    def entered(self) -> int:
        return len(self.at)

    @property
    def quantity(self) -> Floats:
        return self.items.base[self.entered :]


def trace_embodied(carbon: Carbon, rests: Basis, enterprise: str = "") -> tuple[Contributions, Contributions]:
    """Contributions to ``TOTALS`` of one enterprise, or of all (empty), and those of the quantified part.

    ``acquired``: from outside and from neighbours; ``transferred``: to neighbours; ``final``: what stays, or
    leaves to customers. In the sum over all enterprises transfers inside the park are neither.

    Unknown travels: carbon that entered by an unknown factor, or came over a transfer whose meter is unknown,
    stays unknown in all pools that it reaches, in proportion. Other ways out of the same pool are not marked.
    """
    system = _system(carbon, rests)
    items = system.items
    into = _into(system, enterprise)
    amount = into @ items.base
    gross = np.maximum(amount, 0.0)
    every_mark = [~items.complete, *(_column(items.reason, r) for r in range(len(items.reasons)))]
    unknown, *each = _unknown(system, every_mark)
    clear = np.divide(items.base - unknown, items.base, out=np.zeros(len(unknown)), where=items.base != 0)
    both = sparse.csr_array(sparse.vstack([into, into @ sparse.diags_array(clear)]))
    parts = _parts(system, both)
    reason = np.column_stack([into @ one for one in each]) if each else np.zeros((len(TOTALS), 0))
    every = Contributions(
        TOTALS,
        amount,
        items.sources,
        parts[: len(TOTALS)],
        gross,
        np.clip(into @ unknown, 0.0, gross),
        items.reasons,
        sparse.csr_array(np.clip(reason, 0.0, gross[:, None])),
    )
    left = gross - every.unknown
    return every, Contributions(TOTALS, left, items.sources, parts[len(TOTALS) :], left, np.zeros(len(TOTALS)))


def _parts(system: _System, into: Sparse) -> Sparse:
    """[sums, K]: what the sources bring to sums of items, sparse [sums, entering + edges]."""
    entered, n = system.entered, len(system.pools)
    own = system.items.contributions().matrix[:entered]
    flow_u = system.items.relative[entered:]
    enters = matrix((n, entered), system.at, np.arange(entered), np.ones(entered))
    traced = through_kernel(
        Network(
            system.total,
            system.source,
            system.target,
            system.quantity,
            enters @ system.items.base[:entered],
            [f"{owner}/{account}" for owner, account in system.pools],
        ),
        direct_u=sparse.csr_array(enters @ own),
        flow_u=flow_u,
        output_u=outputs_follow(system.source, system.quantity, flow_u, n),
        into=into[:, entered:],
    )
    return sparse.csr_array(into[:, :entered] @ own + sparse.csr_array(traced.carbon_parts))


def _system(carbon: Carbon, rests: Basis) -> _System:
    edges = carbon.edges
    inflow: dict[tuple[str, str], float] = defaultdict(float)
    outflow: dict[tuple[str, str], float] = defaultdict(float)
    for term in carbon.entering:
        inflow[term.pool] += term.amount
    for edge in edges:
        inflow[edge.target] += edge.amount
        outflow[edge.source] += edge.amount
    # A pool that gave more than it got had it from before the month; its uncertainty then is not known now
    opening = {p: out - inflow[p] for p, out in sorted(outflow.items()) if out - inflow[p] > 1e-9 * out}
    pools = tuple(sorted(inflow.keys() | outflow.keys()))
    place = {pool: i for i, pool in enumerate(pools)}
    entering = carbon.entering
    rest = [rests.line(term.rule, term.factor, term.subject, term.quality) for term in entering]
    rest += [Rests((), (("estimate", f"{owner}/{account}"),)) for owner, account in opening]
    rest += [_moved(rests, edge) for edge in edges]
    amounts = [*(t.amount for t in entering), *opening.values(), *(e.amount for e in edges)]
    labels = [*(t.subject for t in entering), *("" for _ in opening), *(e.subject for e in edges)]
    total = np.zeros(len(pools))
    at = np.array([place[t.pool] for t in entering] + [place[p] for p in opening], dtype=np.int64)
    target = np.array([place[e.target] for e in edges], dtype=np.int64)
    np.add.at(total, at, amounts[: len(at)])
    np.add.at(total, target, amounts[len(at) :])
    source = np.array([place[e.source] for e in edges], dtype=np.int64)
    kinds = (*(t.kind for t in entering), *("opening" for _ in opening))
    return _System(pools, total, at, source, target, lines_of(labels, amounts, rest), kinds)


def _moved(rests: Basis, edge: Edge) -> Rests:
    """A transfer rests on its meters. A line without subject is a step of accounting that nothing measures. The
    allocation of a joint process is a convention, exact unless the park states an uncertainty of it.
    """
    measured = rests.line("", "", edge.subject, edge.quality) if edge.subject else Rests((), ())
    (owner, account), (taker, other) = edge.source, edge.target
    shared = rests.allocation(f"{owner}/{account}>{taker}/{other}")
    return Rests(measured.known + shared, measured.unknown)


def _into(system: _System, enterprise: str) -> Sparse:
    """[TOTALS, entering + edges]: which items make up a total, with sign."""
    rows: list[int] = []
    columns: list[int] = []
    signs: list[float] = []

    def add(total: str, column: int, sign: float = 1.0) -> None:
        rows.append(TOTALS.index(total))
        columns.append(column)
        signs.append(sign)

    for i, (pool, kind) in enumerate(zip(system.at.tolist(), system.kinds, strict=True)):
        if enterprise and system.pools[pool][0] != enterprise:
            continue
        if kind in TOTALS:
            add(kind, i)
        add("final", i)
    for j, (source, target) in enumerate(zip(system.source.tolist(), system.target.tolist(), strict=True)):
        giver, taker = system.pools[source][0], system.pools[target][0]
        if not enterprise or giver == taker:
            continue
        if taker == enterprise:
            add("acquired", system.entered + j)
            add("final", system.entered + j)
        elif giver == enterprise:
            add("transferred", system.entered + j)
            add("final", system.entered + j, -1.0)
    return matrix((len(TOTALS), len(system.items.base)), rows, columns, signs)


def _column(flags: Sparse, r: int) -> NDArray[np.bool_]:
    return np.asarray(flags[:, [r]].todense()).ravel() > 0


def _unknown(system: _System, every_mark: Sequence[NDArray[np.bool_]]) -> list[Floats]:
    """Per mark and item the carbon that rests on a marked item, itself or upstream: (diag(T) − C'ᵀ) φ = b'.

    Marked flows bring what they carry as unknown and leave the matrix; marks without flows share one matrix.
    """
    n, entered = len(system.pools), system.entered
    shared: object = None
    found: list[Floats] = []
    for marked in every_mark:
        amounts = np.where(marked, system.items.base, 0.0)
        clear = ~marked[entered:]
        lu = shared if clear.all() else None
        if lu is None:
            flows = matrix((n, n), system.target[clear], system.source[clear], system.quantity[clear])
            lu = linalg.splu(sparse.csc_array(sparse.diags_array(system.total) - flows))
            shared = lu if clear.all() else shared
        enters = np.bincount(system.at, weights=amounts[:entered], minlength=n)
        enters += np.bincount(system.target, weights=amounts[entered:], minlength=n)
        share = np.clip(lu.solve(enters), 0.0, 1.0)  # type: ignore[attr-defined]
        moved = np.where(clear, system.quantity * share[system.source], system.quantity)
        found.append(np.concatenate([amounts[:entered], moved]))
    return found
