"""Each device as blocks of variables and rows (设备约束). One function per device, its inequalities written out.

t is a step of length Δ [h]; lower-case letters are variables, ≥ 0 unless said. A device answers with what it
gives to each bus (负 for what it takes); ``balance`` closes every bus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from lujin.dispatch.program import INF, Block, Coefficient, Program, Term
from lujin.dispatch.site import (
    Commitment,
    Converter,
    Demand,
    Extraction,
    Fleet,
    Link,
    Load,
    Renewable,
    Series,
    Shift,
    Site,
    Storage,
    Supply,
)


@dataclass(eq=False)
class Draft:
    """A site being turned into a program: what reaches each bus, and fixed takings per bus (float64[steps])."""

    site: Site
    program: Program
    into: dict[str, list[Term]] = field(default_factory=dict)
    taken: dict[str, Coefficient] = field(default_factory=dict)
    exclusive: list[tuple[Block, Block]] = field(default_factory=list)

    def give(self, bus: str, block: Block, coefficient: Coefficient) -> None:
        self.into.setdefault(bus, []).append(Term(block, coefficient))

    def take(self, bus: str, rate: Series) -> None:
        self.taken[bus] = self.taken.get(bus, 0.0) + np.asarray(rate, np.float64)

    def emit(self, block: Block, coefficient: Series) -> None:
        """``coefficient`` [kg per rate and step]."""
        self.program.add_cost("carbon", block, coefficient)


def supply(d: Draft, s: Supply) -> None:
    """0 ≤ g ≤ Ḡ, 0 ≤ e ≤ Ē; cost Δ(π g − σ e); green part 0 ≤ y ≤ g at Δ γ y."""
    p, n, dt = d.program, d.site.steps, d.site.step_h
    g = p.variables(f"{s.id}.import", n, 0.0, s.limit)
    p.add_cost(s.part, g, np.asarray(s.buy) * dt)
    d.emit(g, np.asarray(s.carbon) * dt)
    d.give(s.bus, g, 1.0)
    if s.sell is not None:
        e = p.variables(f"{s.id}.export", n, 0.0, s.export_limit)
        p.add_cost("feed_in", e, np.asarray(s.sell) * -dt)
        d.emit(e, np.asarray(s.carbon_export) * -dt)
        d.give(s.bus, e, -1.0)
        d.exclusive.append((g, e))
        if s.export_share is not None:
            made = [
                b for r in d.site.devices if isinstance(r, Renewable) and (b := p.blocks.get(f"{r.id}.output"))
            ]
            # Σ e ≤ share · Σ q
            p.constrain(f"{s.id}.export_share", 1, -INF, 0.0, [_sum(e), *(_sum(q, -s.export_share) for q in made)])
    if s.green_price is not None:
        y = p.variables(f"{s.id}.green", n, 0.0, s.limit)
        p.add_cost("green_power", y, np.asarray(s.green_price) * dt)
        p.constrain(f"{s.id}.green_of_import", n, -INF, 0.0, [Term(y), Term(g, -1.0)])
        if np.any(s.carbon):
            d.emit(y, np.asarray(s.carbon) * -dt)
    if s.capacity_charge:
        p.constants["capacity"] = p.constants.get("capacity", 0.0) + s.capacity_charge
    if s.demand is not None:
        _demand(d, s, s.demand, g)


def _demand(d: Draft, s: Supply, demand: Demand, g: Block) -> None:
    """P_m ≥ g_t, P_m ≥ max(to date, target, least) at D_m; with a contract: O_m ≥ g_t − limit at multiple · D_m.

    A ratchet asks P_m ≥ r P_k of every other month k.
    """
    p, n = d.program, d.site.steps
    month = np.zeros(n, np.int32) if demand.month is None else demand.month
    months = max(int(month.max()) + 1, *(np.size(x) for x in (demand.price, demand.to_date, demand.target)))
    price = np.broadcast_to(np.asarray(demand.price, np.float64), (months,))
    known = np.maximum(np.asarray(demand.to_date, np.float64), np.asarray(demand.target, np.float64))
    known = np.broadcast_to(known, (months,))
    if demand.contract is not None:
        limit = demand.contract * demand.excess_share
        over = p.variables(f"{s.id}.excess", months, np.maximum(known - limit, 0.0))
        p.constrain(f"{s.id}.peak_of_month", n, -limit, INF, [Term(over, columns=month), Term(g, -1.0)])
        p.add_cost("demand", over, price * demand.excess_multiple)
        p.constants["demand"] = p.constants.get("demand", 0.0) + float(price.sum() * demand.contract)
        return
    peak = p.variables(f"{s.id}.peak", months, np.maximum(known, demand.least))
    p.constrain(f"{s.id}.peak_of_month", n, 0.0, INF, [Term(peak, columns=month), Term(g, -1.0)])
    p.add_cost("demand", peak, price)
    if demand.ratchet and months > 1:
        here, there = np.nonzero(~np.eye(months, dtype=bool))
        p.constrain(
            f"{s.id}.ratchet",
            len(here),
            0.0,
            INF,
            [
                Term(peak, columns=here.astype(np.int32)),
                Term(peak, -demand.ratchet, columns=there.astype(np.int32)),
            ],
        )


def renewable(d: Draft, r: Renewable) -> None:
    """0 ≤ q ≤ available (or q = available)."""
    available = np.asarray(r.available, np.float64)
    q = d.program.variables(f"{r.id}.output", d.site.steps, 0.0 if r.curtailable else available, available)
    d.program.add_cost("operation", q, np.asarray(r.cost) * d.site.step_h)
    d.emit(q, r.carbon * d.site.step_h)
    d.give(r.bus, q, 1.0)


def load(d: Draft, load_: Load) -> None:
    """L must be met; where it may go missing: 0 ≤ x ≤ share · L, Δ Σ x ≤ amount, cost Δ ω x."""
    d.take(load_.bus, load_.rate)
    if load_.shed_cost is None:
        return
    p, n, dt = d.program, d.site.steps, d.site.step_h
    x = p.variables(f"{load_.id}.shed", n, 0.0, np.maximum(load_.rate, 0.0) * np.asarray(load_.shed_share))
    p.add_cost("shed", x, np.asarray(load_.shed_cost) * dt)
    d.give(load_.bus, x, 1.0)
    if load_.shed_amount < INF:
        p.constrain(f"{load_.id}.shed_amount", 1, -INF, load_.shed_amount, [_sum(x, dt)])


def shift(d: Draft, s: Shift) -> None:
    """b_t = b_{t−1} + Δ(x⁻ − x⁺), −A ≤ b ≤ B, b = 0 at the end of every window; x⁻ is put off, x⁺ made up."""
    p, n, dt = d.program, d.site.steps, d.site.step_h
    off = p.variables(f"{s.id}.down", n, 0.0, s.down)
    up = p.variables(f"{s.id}.up", n, 0.0, s.up)
    ends = np.zeros(n, bool)
    ends[-1] = True
    if s.window is not None:
        ends[:-1] |= np.diff(s.window) != 0
    most = np.where(ends, 0.0, s.amount)
    b = p.variables(f"{s.id}.put_off", n, -most if s.advance else 0.0, most)
    p.constrain(f"{s.id}.course", n, 0.0, 0.0, [Term(b), Term(b, -1.0, lag=1), Term(off, -dt), Term(up, dt)])
    p.add_cost("shift", off, s.cost * dt)
    d.give(s.bus, off, 1.0)
    d.give(s.bus, up, -1.0)
    d.exclusive.append((off, up))


def storage(d: Draft, s: Storage) -> None:
    """s_t = (1 − δ)^Δ s_{t−1} + η_c c Δ − d Δ/η_d, s̲ K ≤ s ≤ s̄ K; s_T ≥ final or s_T = s_0.

    Wear κ d Δ, or segments d = Σ_j d_j with rising κ_j; Σ d Δ ≤ cycles · (s̄ − s̲) K in each window.
    """
    p, n, dt = d.program, d.site.steps, d.site.step_h
    c = p.variables(f"{s.id}.charge", n, 0.0, s.charge)
    out = p.variables(f"{s.id}.discharge", n, 0.0, s.discharge)
    least = np.full(n, s.least * s.capacity)
    if not s.cyclic:
        least[-1] = max(s.initial if s.final is None else s.final, least[-1])
    level = p.variables(f"{s.id}.level", n, least, s.most * s.capacity)
    keep = (1.0 - s.loss) ** dt
    start = np.zeros(n)
    start[0] = 0.0 if s.cyclic else keep * s.initial
    p.constrain(
        f"{s.id}.course",
        n,
        start,
        start,
        [
            Term(level),
            Term(level, -keep, lag=1, cyclic=s.cyclic),
            Term(c, -s.charge_efficiency * dt),
            Term(out, dt / s.discharge_efficiency),
        ],
    )
    if s.wear_depth:
        _wear(d, s, out)
    else:
        p.add_cost("wear", out, s.wear * dt)
    p.add_cost("operation", c, s.charge_cost * dt)
    if s.end_value:
        value = np.zeros(n)
        value[-1] = -s.end_value
        p.add_cost("stored", level, value)
    if s.cycles is not None:
        window = np.zeros(n, np.int32) if s.window is None else s.window
        usable = (s.most - s.least) * s.capacity * s.cycles
        p.constrain(f"{s.id}.cycles", int(window.max()) + 1, -INF, usable, [Term(out, dt, rows=window)])
    d.give(s.bus, c, -1.0)
    d.give(s.bus, out, 1.0)
    d.exclusive.append((c, out))


def _wear(d: Draft, s: Storage, out: Block) -> None:
    """Discharge of each day in segments of the capacity, the first the cheapest (κ rises: no binaries)."""
    p, n, dt = d.program, d.site.steps, d.site.step_h
    day = np.arange(n, dtype=np.int32) // max(round(24 / dt), 1)
    days = int(day.max()) + 1
    parts = []
    for number, (share, wear) in enumerate(s.wear_depth):
        amount = p.variables(f"{s.id}.depth_{number}", days, 0.0, share * s.capacity)
        p.add_cost("wear", amount, wear)
        parts.append(Term(amount))
    p.constrain(f"{s.id}.depths", days, 0.0, 0.0, [*parts, Term(out, -dt, rows=day)])


def fleet(d: Draft, f: Fleet) -> None:
    """E_t = E_{t−1} + η c Δ − d Δ/η, E̲_t ≤ E_t ≤ Ē_t."""
    p, n, dt = d.program, d.site.steps, d.site.step_h
    c = p.variables(f"{f.id}.charge", n, 0.0, f.charge)
    energy = p.variables(f"{f.id}.energy", n, f.least, f.most)
    terms = [Term(energy), Term(energy, -1.0, lag=1), Term(c, -f.efficiency * dt)]
    d.give(f.bus, c, -1.0)
    if np.any(f.discharge):
        out = p.variables(f"{f.id}.discharge", n, 0.0, f.discharge)
        terms.append(Term(out, dt / f.efficiency))
        p.add_cost("wear", out, f.wear * dt)
        d.give(f.bus, out, 1.0)
        d.exclusive.append((c, out))
    p.constrain(f"{f.id}.course", n, 0.0, 0.0, terms)


def converter(d: Draft, c: Converter) -> None:
    """0 ≤ a ≤ ā; takes and gives in ratio of a; on/off and ramps where asked for."""
    n, dt = d.site.steps, d.site.step_h
    a = d.program.variables(f"{c.id}.activity", n, 0.0, c.limit)
    d.program.add_cost("operation", a, np.asarray(c.cost) * dt)
    d.emit(a, np.asarray(c.carbon) * dt)
    for bus, ratio in c.inputs.items():
        d.give(bus, a, -np.asarray(ratio, np.float64) if isinstance(ratio, np.ndarray) else -float(ratio))
    for bus, ratio in c.outputs.items():
        d.give(bus, a, np.asarray(ratio, np.float64) if isinstance(ratio, np.ndarray) else float(ratio))
    _ramp(d, c, [Term(a)], float(np.max(c.limit)))
    if c.commitment is not None:
        _commit(d, c.id, c.commitment, [Term(a)], c.limit)


def extraction(d: Draft, x: Extraction) -> None:
    """p + λ h ≤ p̄, p − β h ≥ 0, h ≤ h̄, fuel = α (p + λ h)."""
    program, n, dt = d.program, d.site.steps, d.site.step_h
    p = program.variables(f"{x.id}.power", n, 0.0, x.power_limit)
    h = program.variables(f"{x.id}.heat", n, 0.0, x.heat_limit)
    whole = [Term(p), Term(h, x.loss)]
    program.constrain(f"{x.id}.region", n, -INF, x.power_limit, whole)
    program.constrain(f"{x.id}.back_pressure", n, 0.0, INF, [Term(p), Term(h, -x.back_pressure)])
    for block, share in ((p, 1.0), (h, x.loss)):
        program.add_cost("operation", block, np.asarray(x.cost) * (share * dt))
        d.emit(block, np.asarray(x.carbon) * (share * dt))
        d.give(x.fuel, block, -x.fuel_rate * share)
    d.give(x.power, p, 1.0)
    d.give(x.heat, h, 1.0)
    _ramp(d, x, whole, float(np.max(x.power_limit)))
    if x.commitment is not None:
        _commit(d, x.id, x.commitment, whole, x.power_limit)


def _ramp(d: Draft, unit: Converter | Extraction, activity: Sequence[Term], greatest: float) -> None:
    """−r⁻ ≤ a_t − a_{t−1} ≤ r⁺; the first step against what it was, where that is known."""
    if unit.ramp_up is None and unit.ramp_down is None:
        return
    n, dt = d.site.steps, d.site.step_h
    up = INF if unit.ramp_up is None else unit.ramp_up * greatest * dt
    down = INF if unit.ramp_down is None else unit.ramp_down * greatest * dt
    lower, upper = np.full(n, -down), np.full(n, up)
    if unit.was is None:
        lower[0], upper[0] = -INF, INF
    else:
        lower[0], upper[0] = unit.was - down, unit.was + up
    before = [term._replace(coefficient=-np.asarray(term.coefficient), lag=1) for term in activity]
    before = [t._replace(coefficient=float(np.asarray(t.coefficient))) for t in before]
    d.program.constrain(f"{unit.id}.ramp", n, lower, upper, [*activity, *before])


def _commit(d: Draft, id_: str, k: Commitment, activity: Sequence[Term], limit: Series) -> None:
    """a̲ u ≤ a ≤ ā u; u_t − u_{t−1} = v − w; Σ_{up} v ≤ u; Σ_{down} w ≤ 1 − u (tight, Rajan & Takriti 2005).

    Only u is declared whole: v and w follow.
    """
    p, n, dt = d.program, d.site.steps, d.site.step_h
    greatest = np.asarray(limit, np.float64)
    lower, upper = np.zeros(n), np.ones(n)
    up, down = ceil(k.up_h / dt - 1e-9), ceil(k.down_h / dt - 1e-9)
    since = n if k.since_h == INF else round(k.since_h / dt)
    if k.was_on and since < up:
        lower[: up - since] = 1.0
    if not k.was_on and since < down:
        upper[: down - since] = 0.0
    u = p.variables(f"{id_}.on", n, lower, upper, integer=True)
    start = p.variables(f"{id_}.start", n, 0.0, 1.0)
    stop = p.variables(f"{id_}.stop", n, 0.0, 1.0)
    before = np.zeros(n)
    before[0] = float(k.was_on)
    p.constrain(f"{id_}.turn", n, before, before, [Term(u), Term(u, -1.0, lag=1), Term(start, -1.0), Term(stop)])
    p.constrain(
        f"{id_}.most_on", n, -INF, 0.0, [*activity, Term(u, -greatest if greatest.ndim else -float(greatest))]
    )
    if k.least:
        p.constrain(
            f"{id_}.least_on",
            n,
            0.0,
            INF,
            [*activity, Term(u, -k.least * greatest if greatest.ndim else -k.least * float(greatest))],
        )
    if up > 1:
        p.constrain(
            f"{id_}.least_up", n, -INF, 0.0, [*(Term(start, lag=i) for i in range(min(up, n))), Term(u, -1.0)]
        )
    if down > 1:
        p.constrain(
            f"{id_}.least_down", n, -INF, 1.0, [*(Term(stop, lag=i) for i in range(min(down, n))), Term(u)]
        )
    p.add_cost("start", start, k.start_cost)
    p.add_cost("start", stop, k.stop_cost)
    p.add_cost("operation", u, k.running_cost * dt)
    for bus, rate in k.idle.items():
        d.give(bus, u, -rate)


def link(d: Draft, x: Link) -> None:
    """0 ≤ f ≤ F̄, 0 ≤ r ≤ R̄; η f arrives at the target, η r at the source."""
    p, n, dt = d.program, d.site.steps, d.site.step_h
    ahead = p.variables(f"{x.id}.ahead", n, 0.0, x.limit)
    back = p.variables(f"{x.id}.back", n, 0.0, x.back_limit)
    for block, begin, end in ((ahead, x.source, x.target), (back, x.target, x.source)):
        d.give(begin, block, -1.0)
        d.give(end, block, x.efficiency)
        p.add_cost("operation", block, x.cost * dt)
    d.exclusive.append((ahead, back))


def _sum(block: Block, coefficient: float = 1.0) -> Term:
    return Term(block, coefficient, rows=np.zeros(block.size, np.int32))
