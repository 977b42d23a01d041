"""The cheapest course of every device (运行计划): a site in, a schedule out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lujin.dispatch import devices
from lujin.dispatch.check import check
from lujin.dispatch.devices import Draft
from lujin.dispatch.program import INF, Block, Floats, Program, Structure, Term, Vectors
from lujin.dispatch.site import (
    Converter,
    Extraction,
    Fleet,
    Link,
    Load,
    Renewable,
    Shift,
    Site,
    Storage,
    Supply,
    series,
)
from lujin.dispatch.solver import Solution, solve
from lujin.errors import N_, InputError, Problem

_AT_ONCE = 1e-6  # rate
_ORDER: tuple[tuple[type, Callable[[Draft, Any], None]], ...] = (  # renewables first: an export share counts them
    (Renewable, devices.renewable),
    (Supply, devices.supply),
    (Load, devices.load),
    (Shift, devices.shift),
    (Storage, devices.storage),
    (Fleet, devices.fleet),
    (Converter, devices.converter),
    (Extraction, devices.extraction),
    (Link, devices.link),
)


@dataclass(frozen=True, eq=False, slots=True)
class Schedule:
    """What each device does, and what it costs.

    ``series``: "device.quantity" → float64[steps] in the unit of its bus, e.g. ``BAT.charge``, ``GRID.import``.
    ``costs``: part of the bill → CNY. ``carbon_kg`` of the horizon. ``price``: bus → CNY per amount that one more
    unit of use at the step would cost. ``worth``: "device.quantity" → CNY that one more unit of its upper limit
    would save (float64[steps], ≥ 0). ``bound``: proven lower bound of ``objective`` [CNY].
    """

    site: Site
    objective: float
    bound: float
    series: Mapping[str, Floats]
    costs: Mapping[str, float]
    carbon_kg: float
    price: Mapping[str, Floats]
    worth: Mapping[str, Floats]


def schedule(site: Site, *, warm: bool = False, gap: float = 1e-6) -> Schedule:
    """The cheapest schedule of a site.

    Linear where the truth is linear. Where charging and discharging (or import and export) at once would pay, as
    with negative prices, whole numbers forbid it, at those steps only. ``warm`` is for many sites of one structure
    (``solver.solve``). InputError: the site is at fault, or nothing can meet it, with all problems found.
    """
    if problems := check(site):
        raise InputError(*problems)
    draft = formulate(site)
    solution = _solved(draft, warm, gap)
    rounds = 0
    while at_once := _at_once(draft, solution.primal):
        _forbid(draft, at_once, rounds)
        solution = _solved(draft, False, gap)
        rounds += 1
    return _told(draft, solution)


def formulate(site: Site) -> Draft:
    """A site as a program: every device, every bus, carbon and the green share."""
    price = site.carbon.price / 1000.0
    draft = Draft(site, Program(weights={"carbon": price, **site.weights}))
    for kind, declare in _ORDER:
        for device in site.devices:
            if isinstance(device, kind):
                declare(draft, device)
    _green(draft)
    _events(draft)
    for bus in site.buses:
        taken = series(draft.taken.get(bus, 0.0), site.steps)
        draft.program.constrain(f"{bus}.balance", site.steps, taken, taken, draft.into.get(bus, []))
    _carbon_cap(draft)
    return draft


def _carbon_cap(d: Draft) -> None:
    """Σ emissions ≤ cap; allowances are worth the price, used or not."""
    carbon, p = d.site.carbon, d.program
    if carbon.allowance and carbon.price:
        p.constants["allowances"] = -carbon.allowance * carbon.price / 1000.0
    if carbon.cap is None:
        return
    emitted = [
        Term(block, factor, rows=np.zeros(block.size, np.int32))
        for part, block, factor in p.parts
        if part == "carbon"
    ]
    p.constrain("carbon.cap", 1, -INF, carbon.cap, emitted)


def _green(d: Draft) -> None:
    """Σ own + Σ green power + certificates ≥ share · Σ use; in green hours y_t = g_t."""
    green, p, n, dt = d.site.green, d.program, d.site.steps, d.site.step_h
    if green is None:
        return
    electric = {bus.id for bus in d.site.buses.values() if bus.carrier == "electricity"}
    bought = [b for name, b in p.blocks.items() if name.endswith(".green")]
    own = [p.blocks[f"{r.id}.output"] for r in d.site.devices if isinstance(r, Renewable) and r.bus in electric]
    if green.share:
        used = sum(
            float(series(x.rate, n).sum()) for x in d.site.devices if isinstance(x, Load) and x.bus in electric
        )
        whole = [Term(b, dt, rows=np.zeros(b.size, np.int32)) for b in (*own, *bought)]
        if green.certificate_price is not None:
            certificates = p.variables("green.certificates", 1)
            p.add_cost("certificates", certificates, green.certificate_price)
            whole.append(Term(certificates))
        p.constrain("green.share", 1, green.share * used * dt, INF, whole)
    if green.hours is not None:
        for supply in d.site.devices:
            if isinstance(supply, Supply) and supply.bus in electric:
                terms = [Term(p.blocks[f"{supply.id}.import"])]
                if f"{supply.id}.green" in p.blocks:
                    terms.append(Term(p.blocks[f"{supply.id}.green"], -1.0))
                p.constrain(f"{supply.id}.green_hours", n, -INF, np.where(green.hours, 0.0, INF), terms)


def _events(d: Draft) -> None:
    """B_t − g_t + e_t + short_t ≥ bid while called; ρ Δ bid is earned, penalty Δ short paid."""
    p, n, dt = d.program, d.site.steps, d.site.step_h
    for event in d.site.events:
        fixed = event.committed
        bid = p.variables(f"{event.id}.bid", 1, fixed or 0.0, event.most if fixed is None else fixed)
        short = p.variables(f"{event.id}.short", n, 0.0, np.where(event.called, INF, 0.0))
        p.add_cost("event", bid, -event.payment * dt * float(event.called.sum()))
        p.add_cost("event", short, event.penalty * dt)
        terms = [
            Term(p.blocks[f"{event.supply}.import"], -1.0),
            Term(short),
            Term(bid, -1.0, columns=np.zeros(n, np.int32)),
        ]
        if (export := p.blocks.get(f"{event.supply}.export")) is not None:
            terms.append(Term(export))
        p.constrain(f"{event.id}.call", n, np.where(event.called, -series(event.baseline, n), -INF), INF, terms)


def _solved(draft: Draft, warm: bool, gap: float) -> Solution:
    structure, vectors = draft.program.structure(), draft.program.vectors()
    found = solve(structure, vectors, warm=warm, gap=gap)
    if found.status == "infeasible":
        raise InputError(*_why_not(draft, structure, vectors))
    if found.status == "unbounded":
        raise InputError(_endless(draft))
    if not len(found.primal):
        message = N_("no plan was found in the time allowed, and none was shown to be impossible")
        raise InputError(Problem(message, {}, N_("plan fewer steps, or allow a larger gap")))
    return found


def _at_once(draft: Draft, primal: Floats) -> list[tuple[Block, Block, NDArray[np.int32]]]:
    """Pairs of directions that both run, and the steps int32[·] where they do."""
    found = []
    for one, other in draft.exclusive:
        steps = np.flatnonzero(np.minimum(primal[one.slice], primal[other.slice]) > _AT_ONCE)
        if len(steps):
            found.append((one, other, steps.astype(np.int32)))
    return found


def _forbid(draft: Draft, at_once: list[tuple[Block, Block, NDArray[np.int32]]], number: int) -> None:
    """a_t ≤ Ā z_t, b_t ≤ B̄ (1 − z_t), z_t ∈ {0, 1}, at the steps t where both ran."""
    p, upper, greatest = draft.program, draft.program.vectors().upper, _greatest(draft)
    for one, other, steps in at_once:
        high = np.minimum(upper[one.slice][steps], greatest)
        low = np.minimum(upper[other.slice][steps], greatest)
        count = len(steps)
        z = p.variables(f"{one.name}.direction_{number}", count, 0.0, 1.0, integer=True)
        p.constrain(f"{one.name}.one_way_{number}", count, -INF, 0.0, [Term(one, columns=steps), Term(z, -high)])
        p.constrain(f"{other.name}.one_way_{number}", count, -INF, low, [Term(other, columns=steps), Term(z, low)])


def _greatest(draft: Draft) -> float:
    """A rate that no useful flow exceeds: all that has a limit and all that is taken, at once and through every
    unlimited way with its losses.
    """
    upper = draft.program.vectors().upper
    total, kept = 1.0, 1.0
    for term in (term for terms in draft.into.values() for term in terms):
        sizes = np.abs(np.atleast_1d(np.asarray(term.coefficient, np.float64)))
        most = float(np.max(upper[term.block.slice], initial=0.0))
        if np.isfinite(most):
            total += float(sizes.max()) * most
        elif (some := sizes[sizes > 0]).size:
            kept *= min(1.0, float(some.min()))
    return (total + sum(float(np.max(np.abs(taken))) for taken in draft.taken.values())) / kept


def _why_not(draft: Draft, structure: Structure, vectors: Vectors) -> list[Problem]:
    from lujin.dispatch.infeasible import why_not

    return why_not(draft, structure, vectors)


def _endless(draft: Draft) -> Problem:
    free = [s.id for s in draft.site.devices if isinstance(s, Supply) and s.sell is not None]
    return Problem(
        N_("the plan could earn without end: exports through {supplies} have no limit"),
        {"supplies": ", ".join(free) or "-"},
        N_("give the supply an export limit, and a buying price not below the selling price"),
    )


def _told(draft: Draft, solution: Solution) -> Schedule:
    program, site = draft.program, draft.site
    costs = program.amounts(solution.primal)
    carbon = costs.pop("carbon", 0.0)
    if site.carbon.price:
        costs["carbon"] = carbon * site.carbon.price / 1000.0
    constant = sum(program.constants.values())
    worth = {
        name: np.maximum(-solution.reduced[block.slice], 0.0)
        for name, block in program.blocks.items()
        if block.size == site.steps and ".direction_" not in name
    }
    return Schedule(
        site,
        solution.objective + constant,
        solution.bound + constant,
        {
            name: solution.primal[block.slice]
            for name, block in program.blocks.items()
            if ".direction_" not in name
        },
        costs,
        carbon,
        {bus: solution.dual[program.row_blocks[f"{bus}.balance"].slice] / site.step_h for bus in site.buses},
        worth,
    )
