"""Where carbon that was passed on comes from: through transfers and allocations back to what was burned or bought.

The ledger's own lines of the month are the linear system: what each pool got, and where it went. So an explanation
needs no second calculation: with w the part of a pool's carbon that ends on the account asked about,

    w = (to the account + Σ to pool j · w_j) / all that left the pool,

and every source contributes its amount × w of the pool that it entered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse
from scipy.sparse import linalg

from lujin.accounts.amounts import GASES, Amount
from lujin.accounts.explanation import Explanation
from lujin.accounts.pools import Floats
from lujin.errors import N_

_SOURCES = ("ATM", "EXT")
LEAST = 0.0005  # sources and pools below this part of the whole are summed up


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A pool of one enterprise, as its account says: ``WIP/STEAM/steam`` without ``WIP/``."""

    enterprise: str
    pool: str


@dataclass(frozen=True, eq=False)
class Carbon:
    """Lines of one month and gas: moves between pools, sources into them, exits out of them."""

    places: tuple[Place, ...]
    moves: Sequence[tuple[int, int, int, str, str]]  # from, to, mg, subject, rule
    sources: Sequence[tuple[int, int, str, str, str, str]]  # into, mg, account, rule, factor, subject
    exits: Sequence[tuple[int, int, str, str]]  # from, mg, enterprise, account


def carbon_of(lines: pl.DataFrame, gas: str) -> Carbon:
    """From ledger lines of book ``embodied``: columns enterprise, debit, credit (without enterprise), commodity,
    rule, factor, subject, amount.
    """
    own = lines.filter(pl.col("commodity") == gas)
    places: dict[Place, int] = {}

    def place(enterprise: str, account: str) -> int:
        return places.setdefault(Place(enterprise, account.partition("/")[2]), len(places))

    moves: list[tuple[int, int, int, str, str]] = []
    sources: list[tuple[int, int, str, str, str, str]] = []
    exits: list[tuple[int, int, str, str]] = []
    arrivals: dict[tuple[str, str, str], int] = {}
    names = ["enterprise", "debit", "credit", "rule", "factor", "subject"]
    sums = own.group_by(names).agg(pl.col("amount").sum()).sort(names)
    for enterprise, debit, credit, _, _, subject, _ in sums.iter_rows():
        if debit.startswith("WIP/") and credit.startswith("DUE/"):
            arrivals[credit[4:], enterprise, subject] = place(enterprise, debit)
    for enterprise, debit, credit, rule, factor, subject, amount in sums.iter_rows():
        to, origin = debit.partition("/")[0], credit.partition("/")[0]
        if to == "WIP" and origin == "WIP":
            moves.append((place(enterprise, credit), place(enterprise, debit), amount, subject, rule))
        elif to == "WIP" and origin in _SOURCES:
            sources.append((place(enterprise, debit), amount, f"{enterprise}/{credit}", rule, factor, subject))
        elif to == "WIP" and origin == "STORED":
            exits.append((place(enterprise, debit), -amount, enterprise, credit))
        elif origin == "WIP":
            exits.append((place(enterprise, credit), amount, enterprise, debit))
            if to == "DUE" and (enterprise, debit[4:], subject) in arrivals:
                target = arrivals[enterprise, debit[4:], subject]
                exits.pop()
                moves.append((place(enterprise, credit), target, amount, subject, rule))
    return Carbon(tuple(places), moves, sources, exits)


@dataclass(frozen=True, eq=False)
class Traced:
    """``part`` per pool: which part of its carbon ends on the account. ``whole``: what left each pool [mg]."""

    part: Floats
    whole: Floats
    carried: Floats  # [mg] what a pool gave beyond what it got in the month: from earlier months


def traced(carbon: Carbon, asked: Mapping[int, int]) -> Traced:
    """``asked``: pool → carbon that went from it to the account asked about [mg]."""
    size = len(carbon.places)
    whole, entered, aim = np.zeros(size), np.zeros(size), np.zeros(size)
    for a, b, amount, _, _ in carbon.moves:
        whole[a] += amount
        entered[b] += amount
    for a, amount, _, _ in carbon.exits:
        whole[a] += amount
    for b, amount, *_ in carbon.sources:
        entered[b] += amount
    for a, amount in asked.items():
        aim[a] += amount
    live = whole > 0
    scale = np.divide(1.0, whole, out=np.zeros(size), where=live)
    rows = np.array([a for a, *_ in carbon.moves], dtype=np.int64)
    columns = np.array([b for _, b, *_ in carbon.moves], dtype=np.int64)
    values = np.array([m for _, _, m, _, _ in carbon.moves], dtype=np.float64)
    inner = sparse.coo_array((values * scale[rows], (rows, columns)), shape=(size, size))
    system = (sparse.identity(size) - inner).tocsc()
    part = linalg.spsolve(system, aim * scale) if size else aim
    return Traced(np.atleast_1d(part), whole, np.maximum(whole - entered, 0))


def explain_embodied(
    lines: pl.DataFrame, enterprise: str, accounts: Collection[str], factors: Mapping[str, Explanation]
) -> tuple[Explanation, ...]:
    """Per gas on the accounts asked about: every source with its rule, factors and meters' subject, and the pools
    on the way. ``lines``: of all who are joined. ``factors``: row id → its explanation.
    """
    found: list[Explanation] = []
    for gas in GASES:
        carbon = carbon_of(lines, gas)
        for account in sorted(accounts):
            asked = _asked(carbon, enterprise, account)
            total = sum(asked.values())
            if total > 0:
                way = traced(carbon, asked)
                text = N_("{account}, {commodity}: {amount} traced back")
                params = {"account": account, "commodity": gas, "amount": Amount(total, "mg")}
                children = (*_origins(carbon, way, total, factors), *_pools(carbon, way, total))
                found.append(Explanation("traced", text, params, children))
    return tuple(found)


def subjects_of(explanations: Sequence[Explanation]) -> list[str]:
    """The subjects of every source and transfer named, whose meters stand behind it."""
    named = ("origin", "transfer")
    found = {str(n.params["subject"]) for e in explanations for n in e.walk() if n.kind in named}
    return sorted(name for name in found if name)


def _asked(carbon: Carbon, enterprise: str, account: str) -> dict[int, int]:
    """Pool → what went from it to the account: an exit, or what a neighbour received or gave."""
    asked: dict[int, int] = defaultdict(int)
    for a, amount, who, name in carbon.exits:
        if who == enterprise and name == account:
            asked[a] += amount
    for a, b, amount, _, _ in carbon.moves:
        seller, buyer = carbon.places[a].enterprise, carbon.places[b].enterprise
        if seller != buyer and (enterprise, account) in ((buyer, f"DUE/{seller}"), (seller, f"DUE/{buyer}")):
            asked[a] += amount
    return dict(asked)


def _origins(carbon: Carbon, way: Traced, total: int, factors: Mapping[str, Explanation]) -> list[Explanation]:
    sums: dict[tuple[str, str, str, str], float] = defaultdict(float)
    for b, amount, account, rule, factor, subject in carbon.sources:
        sums[account, rule, factor, subject] += amount * way.part[b]
    carried = float((way.carried * way.part).sum())
    found, small = [], 0.0
    for (account, rule, factor, subject), came in sorted(sums.items(), key=lambda item: (-item[1], item[0])):
        if abs(came) < LEAST * total:
            small += came
            continue
        text = N_("{percent} % from {origin} ({enterprise}): {amount}, {rule}")
        who, _, name = account.partition("/")
        params = {
            "percent": f"{100 * came / total:.2f}",
            "origin": name,
            "enterprise": who,
            "amount": Amount(round(came), "mg"),
            "subject": subject,
            "rule": rule,
        }
        children = tuple(factors[row] for row in factor.split("+") if row in factors)
        found.append(Explanation("origin", text, params, children))
    for rest, text in (
        (carried, N_("{percent} % carried over from earlier months: {amount}")),
        (small, N_("{percent} % from smaller sources: {amount}")),
    ):
        if round(rest):
            said = {"percent": f"{100 * rest / total:.2f}", "amount": Amount(round(rest), "mg")}
            found.append(Explanation("carried", text, said))
    return found


def _pools(carbon: Carbon, way: Traced, total: int) -> list[Explanation]:
    """The pools that it went through: what each got from whom, and which part of it came here."""
    into: dict[int, list[Explanation]] = defaultdict(list)
    for a, b, amount, subject, rule in carbon.moves:
        text = N_("from {pool} ({enterprise}): {amount}, {rule}")
        params = {
            "pool": carbon.places[a].pool,
            "enterprise": carbon.places[a].enterprise,
            "amount": Amount(amount, "mg"),
            "subject": subject,
            "rule": rule,
        }
        into[b].append(Explanation("transfer", text, params))
    came = way.part * way.whole
    order = sorted(range(len(carbon.places)), key=lambda i: (-came[i], carbon.places[i]))
    return [
        Explanation(
            "pool",
            N_("through {pool} ({enterprise}): {percent} % of its {whole}"),
            {
                "pool": carbon.places[i].pool,
                "enterprise": carbon.places[i].enterprise,
                "percent": f"{100 * way.part[i]:.4g}",
                "whole": Amount(round(way.whole[i]), "mg"),
            },
            tuple(into[i]),
        )
        for i in order
        if came[i] > LEAST * total
    ]
