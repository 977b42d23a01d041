"""A storage year as the blocks of the interior point: checked, scaled, contents counted from their least.

Power is in units of the largest load, energy in that unit times the step, money so that the mean price is one.
Contents are shifted, s′ = s − low_t with low_t = s_min, at the last step the end target: every unknown starts
at 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lujin.dispatch.blocks import CHARGE, CONTENT, DISCHARGE, EXPORT, IMPORT, PV, Blocks
from lujin.dispatch.chain import Array
from lujin.dispatch.primal_dual import Point
from lujin.errors import N_, InputError, Problem


@dataclass(frozen=True, eq=False)
class StorageYear:
    """What one site faces over T steps of equal length, in M billing months. Any span of steps will do.

    step_h: length Δ of a step [h].
    load_kw [T]: load, negative where more comes back than is used [kW].
    buy, sell [T]: price of import and of export [CNY/kWh].
    pv_kw [T]: what the PV could give; less may be used [kW].
    month [T]: billing month of each step, 0 … M − 1, never falling.
    demand_price [M]: D_m [CNY/kW]; demand_floor_kw [M]: peak already billed, such as that to date [kW].
    charge_kw, discharge_kw: largest power at the meter's side [kW]; min_kwh, max_kwh: range of the content [kWh].
    charge_efficiency, discharge_efficiency: η_c, η_d, in (0, 1]. standing_loss: δ, share of the content lost
    per hour.
    wear, charge_cost: cost of each kWh discharged, charged [CNY/kWh].
    start_kwh: content before the first step [kWh]; none: the year closes on itself, s_0 = s_T free.
    end_kwh: least content after the last step [kWh]; none: no more than min_kwh.
    import_limit_kw, export_limit_kw: at the meter [kW].
    """

    step_h: float
    load_kw: Array
    buy: Array
    sell: Array
    pv_kw: Array
    month: NDArray[np.int64]
    demand_price: Array
    charge_kw: float
    discharge_kw: float
    max_kwh: float
    min_kwh: float = 0.0
    charge_efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    standing_loss: float = 0.0
    wear: float = 0.0
    charge_cost: float = 0.0
    start_kwh: float | None = None
    end_kwh: float | None = None
    demand_floor_kw: Array | None = None
    import_limit_kw: float = np.inf
    export_limit_kw: float = np.inf

    @property
    def steps(self) -> int:
        return len(self.load_kw)

    @property
    def floor_kw(self) -> Array:
        return np.zeros(len(self.demand_price)) if self.demand_floor_kw is None else self.demand_floor_kw

    @property
    def keep(self) -> float:
        """(1 − δ)^Δ: share of the content that is left after a step."""
        return float((1.0 - self.standing_loss) ** self.step_h)


@dataclass(frozen=True, eq=False)
class Growth:
    """What may be built, in the order PV [kW], battery [kW], battery [kWh]; the first two columns of a size plan.

    price [3]: CNY per unit and span of the program; low, high [3]: least and most to build. profile: per
    program, PV output per kW installed [T]. content: share of the new kWh that is the least content, the most,
    the start (none: the year closes on itself) and the least at the end.
    """

    price: Array
    low: Array
    high: Array
    profile: tuple[Array, ...]
    content: tuple[float, float, float | None, float]


@dataclass(frozen=True, eq=False)
class Assembly:
    """Blocks, and how to come back: power [kW] and price [CNY/kWh] of one unit, constant [CNY] left out,
    least [T] content [kWh] and per kWh built."""

    blocks: Blocks
    power: float
    money: float
    constant: float
    least: Array
    least_built: Array
    step_h: float


def check(year: StorageYear) -> None:
    """Refuse what has no meaning, saying which field."""
    wrong = []
    for name in ("load_kw", "buy", "sell", "pv_kw"):
        values = getattr(year, name)
        if values.shape != (year.steps,) or not np.isfinite(values).all():
            wrong.append((name, N_("must hold one finite number per step")))
    if year.steps == 0:
        wrong.append(("load_kw", N_("must hold at least one step")))
    months = len(year.demand_price)
    if year.month.shape != (year.steps,) or not _counts_up(year.month, months):
        wrong.append(("month", N_("must run from 0 to one less than there are demand prices, without a gap")))
    if year.floor_kw.shape != (months,) or not (year.floor_kw >= 0).all() or not (year.demand_price >= 0).all():
        wrong.append(("demand_price", N_("and floors must be at least 0, one per month")))
    if (year.pv_kw < 0).any():
        wrong.append(("pv_kw", N_("must be at least 0")))
    if not (
        0 < year.charge_efficiency <= 1 and 0 < year.discharge_efficiency <= 1 and 0 <= year.standing_loss < 1
    ):
        wrong.append(
            ("charge_efficiency", N_("and the other shares must lie in (0, 1], the standing loss in [0, 1)"))
        )
    if min(year.charge_kw, year.discharge_kw, year.min_kwh) < 0 or year.max_kwh < year.min_kwh:
        wrong.append(("max_kwh", N_("must be at least min_kwh, powers and contents at least 0")))
    if not year.import_limit_kw > 0 or not year.export_limit_kw >= 0 or not year.step_h > 0:
        wrong.append(("import_limit_kw", N_("must be above 0, the export limit at least 0, the step above 0")))
    free = np.isinf(min(year.import_limit_kw, year.export_limit_kw))
    if not wrong and free and (year.sell > year.buy).any():
        wrong.append(("export_limit_kw", N_("must be finite where the price of export exceeds that of import")))
    if wrong:
        raise InputError(
            *(Problem(message, remedy=N_("correct the input"), field=name) for name, message in wrong)
        )


def _counts_up(month: NDArray[np.int64], months: int) -> bool:
    steps = np.diff(month)
    return bool(len(month) and month[0] == 0 and month[-1] == months - 1 and ((steps == 0) | (steps == 1)).all())


def import_caps(year: StorageYear, kw_built: float) -> Array:
    """Largest import that can pay, per month [kW]: the limit, or what load, charge and resale can take."""
    if np.isfinite(year.import_limit_kw):
        return np.full(len(year.demand_price), year.import_limit_kw)
    starts = np.flatnonzero(np.diff(year.month, prepend=-1))
    take = np.maximum(year.load_kw, 0.0) + year.charge_kw + kw_built
    take = np.where(year.sell > year.buy, take + year.export_limit_kw, take)
    peak = np.maximum.reduceat(take, starts)
    margin = 1e-3 * (1.0 + float(np.abs(year.load_kw).max()))
    return np.asarray(np.maximum(peak, year.floor_kw) * 1.1 + margin, np.float64)


def export_caps(year: StorageYear, pv_built: Array, kw_built: float) -> Array:
    """Largest export that can pay, per step [kW]."""
    give = year.pv_kw + pv_built + np.maximum(-year.load_kw, 0.0) + year.discharge_kw + kw_built
    most = np.where(give > 0, 1.1 * give + 1e-3 * give.max(), 0.0)
    resale = most + min(year.import_limit_kw, year.export_limit_kw)
    most = np.where(year.sell > year.buy, resale, most)
    return np.asarray(np.minimum(most, year.export_limit_kw), np.float64)


def assemble(years: Sequence[StorageYear], weights: Sequence[float], growth: Growth | None = None) -> Assembly:
    """One program of the weighted years, side by side; they share only what is built.

    The years must agree on step, storage and losses. With several of them each needs a start of its own.
    """
    first = years[0]
    for year in years:
        check(year)
    built = [growth.profile[i] * growth.high[0] if growth else np.zeros(y.steps) for i, y in enumerate(years)]
    kw = float(growth.high[1]) if growth else 0.0
    power = max(max(float(np.abs(y.load_kw).max()), float(y.pv_kw.max())) for y in years) or 1.0
    prices = np.concatenate([np.abs(y.buy) for y in years])
    money = float(prices.mean()) or 1.0
    energy = power * first.step_h
    cost, upper = [], []
    for year, weight, sun in zip(years, weights, built, strict=True):
        each = np.zeros((6, year.steps))
        each[IMPORT], each[EXPORT] = year.buy, -year.sell
        each[CHARGE], each[DISCHARGE] = year.charge_cost, year.wear
        cost.append(each * (weight / money))
        most = np.zeros((6, year.steps))
        most[EXPORT] = export_caps(year, sun, kw) / power
        most[PV] = year.pv_kw / power
        most[CHARGE], most[DISCHARGE] = year.charge_kw / power, year.discharge_kw / power
        upper.append(most)
    least, room, content, keep = _contents(years)
    flat_cost, flat_upper = np.concatenate(cost, axis=1), np.concatenate(upper, axis=1)
    flat_upper[CONTENT] = room / energy
    demand, floors, caps, constant = _peaks(years, weights, kw)
    starts = np.concatenate(
        [np.flatnonzero(np.diff(y.month, prepend=-1)) + o for y, o in zip(years, _offsets(years), strict=True)]
    )
    profile = share = shift = None
    least_built = np.zeros_like(least)
    price, low, high = demand * power / (money * energy), floors / power, caps / power
    ring = first.start_kwh is None
    if growth is not None:
        profile = np.concatenate(growth.profile)
        least_built, share, shift = _built_contents(years, growth)
        ring = growth.content[2] is None
        units = np.array([power, power, energy])
        price = np.concatenate([price, growth.price * units / (money * energy)])
        low, high = np.concatenate([low, growth.low / units]), np.concatenate([high, growth.high / units])
    reach = flat_upper.copy()
    if growth is not None and share is not None and profile is not None:
        reach[PV] += profile * growth.high[0]
        reach[[CHARGE, DISCHARGE]] += growth.high[1]
        reach[CONTENT] += share * growth.high[2]
    reach[IMPORT] = 1.0
    flat_cost[reach <= 0] = 0.0
    blocks = Blocks(
        cost=flat_cost, upper=flat_upper, balance=np.concatenate([y.load_kw for y in years]) / power,
        content=content / energy, month_start=np.append(starts, sum(y.steps for y in years)), price=price, low=low,
        high=high, charge=first.charge_efficiency, discharge=1.0 / first.discharge_efficiency, keep=keep,
        ratio=first.keep, ring=ring, profile=profile, room=share, shift=shift,
    )  # fmt: skip
    return Assembly(blocks, power, money, constant, least, least_built, first.step_h)


def _offsets(years: Sequence[StorageYear]) -> list[int]:
    return [sum(y.steps for y in years[:i]) for i in range(len(years))]


def _contents(years: Sequence[StorageYear]) -> tuple[Array, Array, Array, Array]:
    """Least content low_t, room above it, right side −low_t + k low_{t−1} of the content row, k passed on
    [T − 1]."""
    least, room, right, keep = [], [], [], []
    for year in years:
        low = np.full(year.steps, year.min_kwh)
        low[-1] = max(year.min_kwh, year.end_kwh if year.end_kwh is not None else 0.0)
        before = np.append(low[-1] if year.start_kwh is None else year.start_kwh, low[:-1])
        least.append(low)
        room.append(year.max_kwh - low)
        right.append(year.keep * before - low)
        keep.append(np.append(np.full(year.steps - 1, year.keep), 0.0))
    return np.concatenate(least), np.concatenate(room), np.concatenate(right), np.concatenate(keep)[:-1]


def _built_contents(years: Sequence[StorageYear], growth: Growth) -> tuple[Array, Array, Array]:
    """Per kWh built: least content, room above it, and G = low_t − k low_{t−1} of the content row."""
    share_low, share_high, start, end = growth.content
    least, shift = [], []
    for year in years:
        low = np.full(year.steps, share_low)
        low[-1] = max(share_low, end)
        least.append(low)
        shift.append(low - year.keep * np.append(low[-1] if start is None else start, low[:-1]))
    flat = np.concatenate(least)
    return flat, share_high - flat, np.concatenate(shift)


def _peaks(years: Sequence[StorageYear], weights: Sequence[float], kw: float) -> tuple[Array, Array, Array, float]:
    """Demand price, floor and cap of each peak; a floor at the cap is a constant cost and leaves the peak free."""
    price, low, high, constant = [], [], [], 0.0
    for year, weight in zip(years, weights, strict=True):
        cap = import_caps(year, kw)
        stuck = year.floor_kw >= cap * (1 - 1e-9)
        constant += weight * float((year.demand_price * year.floor_kw)[stuck].sum())
        price.append(weight * np.where(stuck, 0.0, year.demand_price))
        low.append(np.where(stuck, 0.0, year.floor_kw))
        high.append(cap)
    return np.concatenate(price), np.concatenate(low), np.concatenate(high), constant


def starting_point(blocks: Blocks) -> Point:
    """Inside every bound, near the middle of what is likely; duals that leave about equal complementarity."""
    months = blocks.months
    load = np.maximum.reduceat(blocks.balance, blocks.month_start[:-1])
    width = blocks.high - blocks.low
    y = blocks.low + 0.5 * width
    y[:months] = np.clip(
        1.1 * load + 0.1, blocks.low[:months] + 0.1 * width[:months], blocks.high[:months] - 0.1 * width[:months]
    )
    y[months:] = blocks.low[months:] + np.minimum(
        0.5 * width[months:], 1.0 + 3.0 * (np.arange(len(y) - months) == 2)
    )
    upper = blocks.limits(y)
    fixed = blocks.limits(blocks.high) <= 0
    x = 0.5 * upper
    x[[CHARGE, DISCHARGE]] = 0.25 * upper[[CHARGE, DISCHARGE]]
    x[EXPORT] = np.minimum(0.5 * upper[EXPORT], 0.1)
    x[IMPORT] = np.clip(blocks.balance - x[PV] + x[EXPORT], 0.1 * upper[IMPORT], 0.9 * upper[IMPORT])
    x[fixed] = 0.0
    v = np.where(fixed, 0.0, upper - x)
    price = blocks.cost[IMPORT].copy()
    value = np.full_like(price, price.mean())
    dual = blocks.cost - blocks.columns(price, value)
    even = 0.1 * max(1.0, float(np.abs(price).mean()))
    zx = np.where(fixed, 0.0, np.maximum(dual, 0.0) + even / np.where(fixed, 1.0, np.minimum(x, 1.0)))
    zv = np.where(fixed, 0.0, np.maximum(-dual, 0.0) + even / np.where(fixed, 1.0, np.minimum(v, 1.0)))
    shared = blocks.price - blocks.shift_price(value) - blocks.gather(zv)
    below, above = y - blocks.low, blocks.high - y
    return Point(
        x, v, y, below, above, price, value, zx, zv,
        np.maximum(shared, 0.0) + even / below, np.maximum(-shared, 0.0) + even / above,
    )  # fmt: skip
