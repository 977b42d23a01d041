"""Which meter explains the gap of a balance (差额归因): the gap as a series, against the series of every meter.

The gap of a balance is r(t) = Σ σ·x(t) − expected loss, with σ = +1 for what comes in and −1 for what goes out. A
meter in error leaves its own trace in it:

==========  ======================================  ===========================================
kind        reading                                 trace in r
==========  ======================================  ===========================================
factor      k × true, for some time or all month    σ·x·(1 − 1/k): in proportion to its own flow
offset      true + c                                σ·c: constant while it lasts
stuck       the same value for hours                σ·(value − usual), where it stands still
==========  ======================================  ===========================================

and so do losses: constant, or in proportion to the supply. Each trace v is fitted by generalised least squares,
r ≈ β·v: an error that its class allows a meter is no fault, so that r carries the covariance s²·I + Σ u²·v·vᵀ of
random errors and of constant factors within the uncertainty u of each meter. The log-likelihood of Gaussian noise
of unknown variance, −N/2·ln(RSS), less ½·ln N per free parameter (Schwarz 1978: Estimating the dimension of a
model. Ann. Stat. 6, 461–464) and the log of the number of spans that were searched, ranks them. N is the effective
number of hours, n·(1 − ρ)/(1 + ρ) with the autocorrelation ρ of what is left (Bayley & Hammersley 1946). Meters
within ``CLEAR`` of the best explain the gap equally well: not identifiable. Arrays are float64, steps equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Kind = Literal["factor", "offset", "stuck", "loss_share", "loss_constant"]

CLEAR = 3.0  # difference of log-likelihoods; twice that is "strong" on the scale of Kass & Raftery (1995)
LEAST = 0.1  # share of the gap below which nothing is explained, however sure the trace is there
STILL = 6  # steps without change from which a meter that else moves is suspected to be stuck
LISTED = 10  # explanations that are listed
WEIGHED = 300  # explanations of which the share is worked out
HEAVY = 20  # meters whose errors within their class are allowed for: those that move most
_EXACT = 1e-6  # share of the gap below which differences are rounding
_TINY = 1e-12
_QUIET = 0.05  # least random error per step, as a share of what the class allows


@dataclass(frozen=True, slots=True)
class Fit:
    """One explanation. ``meter``: index, −1 for losses of ``balance``. ``share`` of the gap's variance that it
    explains [1]; ``weight``: likelihood against all others [1]; ``slope``: β; ``error``: Σ β·v of the balance in
    which it shows most [units of r]; steps [first, last).
    """

    meter: int
    balance: int
    kind: Kind
    share: float
    score: float
    slope: float
    error: float
    first: int
    last: int
    weight: float = 0.0

    @property
    def correction(self) -> float | None:
        """True quantity per quantity read [1]."""
        return 1 - self.slope if self.kind == "factor" else None


@dataclass(frozen=True, eq=False)
class Traces:
    """The balances of one component.

    ``residual`` and ``valid`` [balances, steps]; ``noise`` [balances]: size of what is to be expected from random
    errors, for weights alone. Part p: meter ``meter[p]`` in balance ``balance[p]`` with ``flow[p]`` = σ·x and
    ``sign[p]`` = σ, both [parts, steps]. ``supply`` [balances, steps]. ``allowed`` [meters]: relative standard
    uncertainty [1]. ``loss``: balances whose losses are not known. ``day``: index of the day per step; ``hour``:
    of the day.
    """

    residual: Floats
    valid: Bools
    noise: Floats
    meter: NDArray[np.int64]
    balance: NDArray[np.int64]
    flow: Floats
    sign: Floats
    supply: Floats
    allowed: Floats
    loss: Sequence[int]
    day: NDArray[np.int64]
    hour: NDArray[np.int64]

    @cached_property
    def still(self) -> Mapping[int, Bools]:
        """Meter → steps at which it stands still although it moves else."""
        return _still(self)


def rank(traces: Traces, least: float = LEAST) -> tuple[Fit, ...]:
    """The best explanation by every meter and by losses, most likely first; empty where there is no gap.
    ``least``: share of the gap below which an explanation is left out [1].
    """
    steps = int(traces.valid.sum())
    if steps < 3 or not (traces.residual * traces.valid).any():
        return ()
    gap = _Gap.of(traces)
    fits = [*_by_meter(gap), *_losses(gap)]
    if not fits:
        return ()
    effective = _effective(gap, max(fits, key=lambda fit: fit.share), steps)
    scored = sorted((_scored(fit, traces, effective) for fit in fits), key=lambda fit: -fit.score)[:WEIGHED]
    best: dict[tuple[int, int], Fit] = {}
    for fit in scored:
        key = (fit.meter, fit.balance if fit.meter < 0 else 0)
        if key not in best and (full := _in_full(traces, fit)).share >= least:
            best[key] = full
    found = sorted(best.values(), key=lambda fit: (-fit.score, fit.meter, fit.balance))[:LISTED]
    top = max([fit.score for fit in found], default=0.0)
    likely = np.exp([fit.score - max(top, 0.0) for fit in found])
    every = float(likely.sum() + np.exp(-max(top, 0.0)))  # with the hypothesis that there is no fault
    return tuple(replace(fit, weight=float(p) / every) for fit, p in zip(found, likely, strict=True))


def alike(ranked: Sequence[Fit]) -> tuple[Fit, ...]:
    """Explanations that the series cannot tell from the best one; none where no fault is likely."""
    if not ranked or ranked[0].score < CLEAR:
        return ()
    return tuple(fit for fit in ranked if fit.score > ranked[0].score - CLEAR)


def lone(traces: Traces, pipe: bool) -> bool:
    """Whether there is one equation alone, between two meters or (``pipe``) the two parties of a pipe: what
    one reads too much is what the other reads too little, so that neither can be accused.
    """
    measured = np.flatnonzero(traces.valid.any(axis=1))
    return len(measured) == 1 and (pipe or len(set(traces.meter[traces.balance == measured[0]].tolist())) == 2)


def either(traces: Traces, open_: bool) -> tuple[Fit, ...]:
    """Of one equation alone: every meter that counts while the likeliest fault lasts, and losses as likely, all
    with the same likelihood; none where no fault is likely and the gap is not ``open_`` for certain.
    """
    ranked = rank(traces, 0.0)
    likely = alike(ranked) or (ranked[:1] if open_ else ())
    if not likely:
        return ()
    first, last = likely[0].first, likely[0].last
    counts = {int(m) for m, sign in zip(traces.meter, traces.sign, strict=True) if sign[first:last].any()}
    found = [fit for fit in ranked if fit.meter in counts or (fit.meter < 0 and fit in likely)]
    weight = min(sum(fit.weight for fit in found), 1.0) / len(found)
    return tuple(replace(fit, weight=weight) for fit in found)


def without(traces: Traces, fit: Fit) -> Traces:
    """The same balances after the fault ``fit`` is put right, to look for the next one (serial elimination)."""
    return replace(traces, residual=traces.residual - _trace(traces, fit))


@dataclass(frozen=True, eq=False)
class _Gap:
    """What every fit needs. ``weight`` [balances, steps]; ``heavy`` [K, balances, steps]: flows of heavy meters;
    ``inverse`` G⁻¹ = (VᵀWV + diag(s²/u²))⁻¹ [K, K]; ``rest``: r less what the heavy meters may explain within
    their class; ``whole``: rᵀ(W − WVG⁻¹VᵀW)r.
    """

    traces: Traces
    weight: Floats
    heavy: Floats
    inverse: Floats
    rest: Floats
    whole: float

    @classmethod
    def of(cls, traces: Traces) -> _Gap:
        weight = traces.valid / np.maximum(traces.noise, np.finfo(float).tiny)[:, None] ** 2
        moved = np.bincount(traces.meter, weights=np.abs(traces.flow).sum(axis=1)) * traces.allowed
        chosen = np.argsort(-moved, kind="stable")[:HEAVY]
        chosen = chosen[moved[chosen] > 0]
        heavy = np.zeros((len(chosen), *traces.residual.shape))
        for k, meter in enumerate(chosen.tolist()):
            for p in np.flatnonzero(traces.meter == meter).tolist():
                heavy[k, traces.balance[p]] += traces.flow[p]
        flat = (heavy * weight).reshape(len(chosen), -1)
        ridge = _random(traces, weight) ** 2 / traces.allowed[chosen] ** 2
        inverse = np.linalg.inv(flat @ heavy.reshape(len(chosen), -1).T + np.diag(ridge))
        share = inverse @ (flat @ traces.residual.ravel())
        rest = traces.residual - np.tensordot(share, heavy, axes=1)
        return cls(traces, weight, heavy, inverse, rest, float((traces.residual * rest * weight).sum()))

    def products(self, balance: int, trace: Floats) -> tuple[Floats, Floats, Floats]:
        """Of a trace in one balance, per step: with the rest, with itself, with the heavy meters [K, steps]."""
        weighted = trace * self.weight[balance]
        return weighted * self.rest[balance], weighted * trace, self.heavy[:, balance] * weighted

    def size(self, own: Floats, cross: Floats) -> Floats:
        """vᵀ(W − WVG⁻¹VᵀW)v from vᵀWv [...] and VᵀWv [K, ...]."""
        found: Floats = own - (cross * np.tensordot(self.inverse, cross, axes=1)).sum(axis=0)
        return found


def _random(traces: Traces, weight: Floats) -> float:
    """Standard deviation of the weighted gap from step to step, robust against faults (median of differences)."""
    steps = np.diff(traces.residual * np.sqrt(weight), axis=1)
    both = traces.valid[:, 1:] & traces.valid[:, :-1]
    spread = float(np.median(np.abs(steps[both]))) / 0.6745 / np.sqrt(2) if both.any() else 0.0
    return max(spread, _QUIET)


def _by_meter(gap: _Gap) -> list[Fit]:
    traces = gap.traces
    found: list[Fit] = []
    for meter in np.unique(traces.meter).tolist():
        parts = np.flatnonzero(traces.meter == meter).tolist()
        found += _windows(gap, meter, "factor", [(p, traces.flow[p]) for p in parts])
        found += _windows(gap, meter, "offset", [(p, traces.sign[p]) for p in parts])
        if (still := traces.still.get(meter)) is not None:
            shapes = [(p, _stuck(traces, p, still)) for p in parts]
            at = np.flatnonzero(still)
            dot, size = (float(x.sum()) for x in _sums(gap, shapes))
            if dot > 0 and size > 0:
                found.append(_fit(meter, "stuck", dot, size, gap.whole, int(at[0]), int(at[-1]) + 1))
    return found


def _sums(gap: _Gap, shapes: Sequence[tuple[int, Floats]]) -> tuple[Floats, Floats]:
    """Of a trace over the whole time: its product with the rest, and its size."""
    products = [gap.products(int(gap.traces.balance[p]), shape) for p, shape in shapes]
    dot, own, cross = (sum(x.sum(axis=-1) for x in column) for column in zip(*products, strict=True))
    return np.asarray(dot), gap.size(np.asarray(own), np.asarray(cross))


def _windows(gap: _Gap, meter: int, kind: Kind, shapes: Sequence[tuple[int, Floats]]) -> list[Fit]:
    """The whole time, and the span that explains most: found among runs of days, then to the step."""
    traces, steps = gap.traces, len(gap.traces.day)
    products = [gap.products(int(traces.balance[p]), shape) for p, shape in shapes]
    sums = _Sums(gap, *(_from_zero(np.asarray(sum(column))) for column in zip(*products, strict=True)))
    if not sums.told:
        return []
    found = [_fit(meter, kind, *sums.at(0, steps), gap.whole, 0, steps)]
    days = np.append(np.flatnonzero(np.diff(traces.day, prepend=-1)), steps)
    first, last = sums.best(days, days)
    if last > first:
        near = np.arange(-int(np.diff(days).max()), int(np.diff(days).max()) + 1)
        first, _ = sums.best((first + near).clip(0, steps), np.array([last]))
        first, last = sums.best(np.array([first]), (last + near).clip(0, steps))
    if last > first and (first, last) != (0, steps):
        found.append(_fit(meter, kind, *sums.at(first, last), gap.whole, first, last))
    return found


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums of ``_Gap.products`` of one trace from the first step up to each step [..., steps + 1]."""

    gap: _Gap
    dot: Floats
    own: Floats
    cross: Floats

    @property
    def told(self) -> bool:
        """Whether the trace is anything that the heavy meters together are not."""
        return bool(self.own[-1] > 0 and self.at(0, len(self.own) - 1)[1] > _TINY * self.own[-1])

    def at(self, first: int, last: int) -> tuple[float, float]:
        size = self.gap.size(self.own[last] - self.own[first], self.cross[:, last] - self.cross[:, first])
        return float(self.dot[last] - self.dot[first]), float(size)

    def best(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[int, int]:
        """The span [start, end) whose fit explains most; (0, 0) if none can be told."""
        later = ends[None, :] > starts[:, None]
        dots = self.dot[ends][None, :] - self.dot[starts][:, None]
        alone = self.own[ends][None, :] - self.own[starts][:, None]
        sizes = self.gap.size(alone, self.cross[:, ends][:, None, :] - self.cross[:, starts][:, :, None])
        told = later & (alone > _TINY * self.own[-1]) & (sizes > 1e-6 * alone)  # beyond what rounding leaves
        gain = np.divide(dots**2, sizes, out=np.zeros_like(dots), where=told)
        i, j = divmod(int(np.argmax(gain)), len(ends))
        return (int(starts[i]), int(ends[j])) if gain[i, j] > 0 else (0, 0)


def _from_zero(values: Floats) -> Floats:
    """Sums from the first step up to each step."""
    return np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)


def _losses(gap: _Gap) -> list[Fit]:
    traces, every = gap.traces, len(gap.traces.day)
    found: list[Fit] = []
    for b in traces.loss:
        shapes: tuple[tuple[Kind, Floats], ...] = (
            ("loss_share", traces.supply[b]),
            ("loss_constant", np.ones(every)),
        )
        for kind, trace in shapes:
            product, own, cross = (x.sum(axis=-1) for x in gap.products(b, trace))
            dot, size = float(product), float(gap.size(own, cross))
            if dot > 0 and size > 0:  # losses only ever take away
                found.append(Fit(-1, b, kind, dot**2 / size / gap.whole, 0.0, dot / size, 0.0, 0, every))
    return found


def _fit(meter: int, kind: Kind, dot: float, size: float, whole: float, first: int, last: int) -> Fit:
    return Fit(meter, -1, kind, dot * dot / size / whole, 0.0, dot / size, 0.0, first, last)


def _in_full(traces: Traces, fit: Fit) -> Fit:
    """With the balance in which the fault shows most, how much it moves there, and the part of it that it is."""
    trace = _trace(traces, fit)
    errors = (trace * traces.valid).sum(axis=1)
    b = int(np.argmax(np.abs(errors)))
    left, whole = (float((r[traces.valid] ** 2).sum()) for r in (traces.residual - trace, traces.residual))
    return replace(fit, balance=b, error=float(errors[b]), share=max(1 - left / whole, 0.0))


def _trace(traces: Traces, fit: Fit) -> Floats:
    """β·v [balances, steps]"""
    found = np.zeros_like(traces.residual)
    if fit.meter < 0:
        found[fit.balance] = fit.slope * (traces.supply[fit.balance] if fit.kind == "loss_share" else 1.0)
        return found
    runs = traces.still.get(fit.meter) if fit.kind == "stuck" else None
    for p in np.flatnonzero(traces.meter == fit.meter).tolist():
        if fit.kind == "stuck":
            trace = np.zeros(len(traces.day)) if runs is None else _stuck(traces, p, runs)
        else:
            trace = (traces.flow if fit.kind == "factor" else traces.sign)[p]
        found[traces.balance[p], fit.first : fit.last] += fit.slope * trace[fit.first : fit.last]
    return found


def _still(traces: Traces) -> dict[int, Bools]:
    """Meter → steps at which it stands still although it moves else."""
    found: dict[int, Bools] = {}
    for p in range(len(traces.meter)):
        flow, counts = traces.flow[p], traces.sign[p] != 0
        same = np.concatenate([[False], flow[1:] == flow[:-1]]) & counts
        edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
        still = np.zeros(len(flow), dtype=np.bool_)
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if end - start + 1 >= STILL:
                still[start - 1 : end] = True
        moves = counts & ~still
        if still.any() and moves.sum() >= 24:
            found.setdefault(int(traces.meter[p]), still)
    return found


def _stuck(traces: Traces, part: int, still: Bools) -> Floats:
    """σ·(value − usual), the usual value being the mean of the same hour of the day while the meter moved."""
    flow, moves = traces.flow[part], ~still & (traces.sign[part] != 0)
    count = np.bincount(traces.hour[moves], minlength=24)
    total = np.bincount(traces.hour[moves], weights=flow[moves], minlength=24)
    usual = np.where(count > 0, total / np.maximum(count, 1), flow[moves].mean() if moves.any() else 0.0)
    found: Floats = np.where(still, flow - usual[traces.hour], 0.0)
    return found


def _effective(gap: _Gap, fit: Fit, steps: int) -> float:
    """n·(1 − ρ)/(1 + ρ) of what the best fit leaves."""
    traces = gap.traces
    left = (gap.rest - _trace(traces, fit)) * np.sqrt(gap.weight)
    both = traces.valid[:, 1:] & traces.valid[:, :-1]
    size = float((left[:, 1:] ** 2 * both).sum() + (left[:, :-1] ** 2 * both).sum()) / 2
    rho = float((left[:, 1:] * left[:, :-1] * both).sum()) / size if size > 0 else 0.0
    rho = min(max(rho, 0.0), 0.98)
    return max(steps * (1 - rho) / (1 + rho), 3.0)


def _scored(fit: Fit, traces: Traces, effective: float) -> Fit:
    """Log-likelihood ratio against no fault. A correction by a factor far from 1 is less likely beforehand."""
    left = max(1 - fit.share, 0.0) + _EXACT
    windowed = (fit.first, fit.last) != (0, len(traces.day)) and fit.kind in ("factor", "offset")
    steps = len(traces.day)
    prior = float(np.log(steps * (steps + 1) / 2)) if windowed else 0.0  # as many spans there are to choose from
    if fit.correction is not None:
        prior += 0.5 * float(np.log(max(abs(fit.correction), 1e-6))) ** 2 / 4 + (
            2.0 if fit.correction < 0 else 0.0
        )
    score = -effective / 2 * float(np.log(left)) - 0.5 * float(np.log(effective)) - prior
    return replace(fit, score=score)
