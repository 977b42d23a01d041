"""Uncertainty by drawing (蒙特卡洛): the few hundred sources are drawn once, all accounts follow from them.

JCGM 101:2008, clause 7; IPCC 2006 Guidelines Vol. 1, 3.2.3.2 (approach 2). The generator is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import ndtr

from lujin.accounts.uncertainty import Contributions, Floats, Lines, Source, Sparse
from lujin.errors import N_, InputError, Problem

QUANTILES = (0.025, 0.5, 0.975)
_BLOCK = 10_000  # draws at a time: memory stays at [sources, block]


@dataclass(frozen=True, eq=False)
class Draws:
    """``mean``, ``standard`` [A]; ``quantiles`` [A, Q] at the levels ``at`` (JCGM 101:2008, 7.7)."""

    accounts: tuple[str, ...]
    mean: Floats
    standard: Floats
    at: tuple[float, ...]
    quantiles: Floats


def draw(sources: Sequence[Source], draws: int, rng: np.random.Generator) -> Floats:
    """δ [K, draws], each source of mean 0 and standard deviation 1.

    ``uniform``: between ±√3. ``lognormal``: 1 + relative·δ is lognormal with mean 1, so never negative
    (IPCC 2006 Guidelines Vol. 1, 3.2.2.4, for large relative uncertainties of positive quantities).
    """
    found = rng.standard_normal((len(sources), draws))
    for k, source in enumerate(sources):
        if source.distribution == "uniform":
            found[k] = np.sqrt(3.0) * (2.0 * ndtr(found[k]) - 1.0)
        elif source.distribution == "lognormal":
            spread = np.log1p(source.relative**2)
            found[k] = np.expm1(np.sqrt(spread) * found[k] - spread / 2) / source.relative
    return found


def monte_carlo(
    model: Lines | Contributions,
    draws: int,
    rng: np.random.Generator,
    *,
    into: Sparse = None,
    accounts: Sequence[str] = (),
    at: tuple[float, ...] = QUANTILES,
) -> Draws:
    """Quantiles per account. ``Lines``: products, Σ_l base_l Π_k (1 + u_lk δ_k); ``Contributions``: linear.

    ``into`` sparse [A, L] sums lines to ``accounts``; None: each for itself. InputError: fewer than 100 draws.
    """
    if draws < 100:
        raise InputError(
            Problem(N_("{draws} draws tell no interval"), {"draws": draws}, N_("draw 1,000 times or more"))
        )
    own = model.labels if isinstance(model, Lines) else model.accounts
    names = tuple(accounts) if into is not None else own
    found = np.empty((len(names), draws))
    for start in range(0, draws, _BLOCK):
        size = min(_BLOCK, draws - start)
        deltas = draw(model.sources, size, rng)
        found[:, start : start + size] = _drawn(model, deltas, into)
    levels = np.quantile(found, at, axis=1).T if len(names) else np.empty((0, len(at)))
    return Draws(names, found.mean(axis=1), found.std(axis=1, ddof=1), at, levels)


def _drawn(model: Lines | Contributions, deltas: Floats, into: Sparse) -> Floats:
    if isinstance(model, Contributions):
        whole = model if into is None else None
        matrix = model.matrix if whole else into @ model.matrix
        value = model.value if whole else into @ model.value
        linear: Floats = np.asarray(value)[:, None] + np.asarray(matrix @ deltas)
        return linear
    rows = sparse.eye_array(len(model.base), format="csc") if into is None else sparse.csc_array(into)
    indptr, indices, data = model.relative.indptr, model.relative.indices, model.relative.data
    found: Floats = np.zeros((rows.shape[0], deltas.shape[1]))
    product, factor = np.empty(deltas.shape[1]), np.empty(deltas.shape[1])
    for line in np.flatnonzero(model.base):
        product.fill(model.base[line])
        for place in range(indptr[line], indptr[line + 1]):
            np.multiply(deltas[indices[place]], data[place], out=factor)
            factor += 1.0
            product *= factor
        for place in range(rows.indptr[line], rows.indptr[line + 1]):
            found[rows.indices[place]] += rows.data[place] * product
    return found
