"""Data reconciliation (数据校正) of one period: the least change that closes all balances, and which meter it
puts in doubt.

Model: m = x + e, e ~ N(0, Σ), Σ = diag(σ²), A x = c. All arrays float64; rows of A are balances, columns meters.

References
----------
Mah, R. S. H. and Tamhane, A. C. (1982): Detection of gross errors in process data. AIChE J. 28, 828–830.
Ripps, D. L. (1965): Adjustment of experimental data. Chem. Eng. Prog. Symp. Ser. 61(55), 8–13.
Serth, R. W. and Heenan, W. A. (1986): Gross error detection and data reconciliation in steam-metering systems.
AIChE J. 32, 733–742 (iterative measurement test).
Crowe, C. M. et al. (1983): Reconciliation of process flow rates by matrix projection. AIChE J. 29, 881–888.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
_SINGULAR = 1e-9


@dataclass(frozen=True, eq=False)
class Reconciled:
    """``values`` x̂ [meters] (NaN: neither measured nor to be inferred), ``adjusted`` = x̂ − m, ``statistic``
    |z| of the measurement test (NaN: not redundant). ``chi2`` of the balances with ``freedom`` degrees.
    """

    values: Floats
    adjusted: Floats
    statistic: Floats
    chi2: float
    freedom: int

    @property
    def consistent(self) -> bool:
        """Whether random errors explain the balances (global test)."""
        return self.freedom == 0 or self.chi2 <= float(stats.chi2.ppf(CONFIDENCE, self.freedom))


def reconcile(a: Floats, measured: Floats, sigma: Floats, c: Floats | None = None) -> Reconciled:
    """x̂ = m − Σ Aᵀ (A Σ Aᵀ)⁺ (A m − c), the minimum of Σ (x − m)²/σ² subject to A x = c.

    ``a`` [balances, meters], ``measured`` m and ``sigma`` σ [meters]. A meter with σ = ∞ counts as unmeasured: its
    column is projected out (Crowe 1983). The statistic is |x̂ − m| over its standard deviation, N(0, 1) if there is
    no gross error (Mah & Tamhane 1982).
    """
    c = np.zeros(len(a)) if c is None else c
    known = np.isfinite(sigma)
    reduced = _without(a, ~known)
    left = reduced @ a
    m = np.where(known, measured, 0.0)
    s2 = np.where(known, sigma, 0.0) ** 2
    residual = left @ m - reduced @ c
    spread = (left * s2) @ left.T
    inverse = np.linalg.pinv(spread, rcond=_SINGULAR, hermitian=True)
    gain = (s2[:, None] * left.T) @ inverse
    adjusted = -gain @ residual
    variance = np.diag(gain @ left) * s2
    redundant = known & (variance > _SINGULAR * np.maximum(s2, np.finfo(float).tiny))
    statistic = np.full(len(m), np.nan)
    statistic[redundant] = np.abs(adjusted[redundant]) / np.sqrt(variance[redundant])
    values = np.where(known, m + adjusted, np.nan)
    if not known.all():
        values[~known] = _inferred(a[:, ~known], c - a[:, known] @ values[known])
    chi2 = float(residual @ inverse @ residual)
    freedom = int(np.linalg.matrix_rank(spread, tol=_SINGULAR * max(np.abs(spread).max(initial=0.0), 1e-300)))
    return Reconciled(values, np.where(known, adjusted, np.nan), statistic, chi2, freedom)


def _without(a: Floats, unmeasured: NDArray[np.bool_]) -> Floats:
    """Combinations of the balances in which no unmeasured meter occurs [combinations, balances]."""
    if not unmeasured.any():
        return np.eye(len(a))
    free: Floats = linalg.null_space(a[:, unmeasured].T, rcond=_SINGULAR).T
    return free


def _inferred(a: Floats, c: Floats) -> Floats:
    """Unmeasured values where the balances determine them, NaN elsewhere."""
    found = np.linalg.pinv(a) @ c
    free = linalg.null_space(a, rcond=_SINGULAR)
    found[np.abs(free).max(axis=1, initial=0.0) > np.sqrt(_SINGULAR)] = np.nan
    return found


def critical(tested: int, confidence: float = CONFIDENCE) -> float:
    """Critical |z| for ``tested`` meters at once (Šidák's inequality, Mah & Tamhane 1982, eq. 10).

    >>> round(critical(1), 2), round(critical(28), 2)
    (1.96, 3.12)
    """
    level = confidence ** (1 / max(tested, 1))
    return float(stats.norm.ppf((1 + level) / 2))


def eliminate(a: Floats, measured: Floats, sigma: Floats, c: Floats | None = None) -> tuple[tuple[int, ...], ...]:
    """Serial elimination: meters in gross error in the order found, each with those that fit it equally.

    While some |z| exceeds the critical value, the meter with the largest counts as unmeasured and the rest is
    reconciled again. Two meters whose adjustments are proportional have one |z|: they come as one group, and no
    monthly total can tell them apart.
    """
    sigma = sigma.copy()
    groups: list[tuple[int, ...]] = []
    while True:
        found = reconcile(a, measured, sigma, c)
        z = np.nan_to_num(found.statistic, nan=-1.0)
        worst = float(z.max(initial=-1.0))
        if worst <= critical(int((z >= 0).sum())):
            return tuple(groups)
        group = tuple(np.flatnonzero(z >= worst * (1 - 1e-6)).tolist())
        groups.append(group)
        sigma[group[0]] = np.inf
