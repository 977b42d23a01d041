"""Which part of a node's carbon each of its products carries, by the formula that the park names (联产分摊)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.joint import Declared, allocate
from lujin.accounts.pools import Floats, PoolGraph
from lujin.errors import N_, InputError, Problem
from lujin.park import Joint
from lujin.park.model import ACCOUNT_HOLDERS

_KJ_PER_WH = 3.6


@dataclass(frozen=True, eq=False)
class Shares:
    """``parts``: made pool → its share [T]; shares of a node sum to 1 where it makes anything, else to 0.

    ``rules``: made pool → formula id, or ``pass_on@1`` where there is nothing to share.
    """

    parts: dict[int, Floats]
    rules: dict[int, str]
    problems: list[Problem] = field(default_factory=list)


def product_shares(
    graph: PoolGraph, amounts: NDArray[np.int64], fuel_kj: Mapping[str, Floats] | None = None
) -> Shares:
    """Shares of every made pool for the ``amounts`` [rows, T]. ``fuel_kj``: node → fuel energy burned [kJ]."""
    found = Shares({}, {})
    steps = amounts.shape[1]
    given = _given(graph, np.maximum(amounts, 0))
    for node, pools in graph.made().items():
        making = [pool for pool in pools if given[pool].any()]
        found.parts.update({pool: np.zeros(steps) for pool in pools})
        found.rules.update(dict.fromkeys(pools, "pass_on@1"))
        holder = graph.park.nodes[node].kind in ACCOUNT_HOLDERS
        joint = graph.joints.get(node)
        if joint is None and (holder or len(making) > 1):
            if making:
                found.problems.append(_undeclared(graph, node, making, holder))
            continue
        if joint is None:
            for pool in making:
                found.parts[pool][:] = given[pool] > 0
            continue
        parts = _declared(graph, joint, making, given, holder)
        if parts is not None and (left_out := [p for p in making if graph.pools[p].carrier not in joint.shares]):
            found.problems.append(_unnamed(graph, joint, left_out))
        if parts is None:
            parts = _by_formula(graph, joint, making, given, amounts, (fuel_kj or {}).get(node), found.problems)
        for pool, part in parts.items():
            found.parts[pool][:] = part
            found.rules[pool] = joint.method
    return found


def _given(graph: PoolGraph, moved: NDArray[np.int64]) -> dict[int, Floats]:
    """Made pool → what left it that carries carbon [T]."""
    found = {pool: np.zeros(moved.shape[1]) for pool, role in enumerate(graph.roles) if role == "made"}
    for item in graph.edges:
        if item.row >= 0 and item.source in found:
            found[item.source] += moved[item.row]
    return found


def _declared(
    graph: PoolGraph, joint: Joint, making: Sequence[int], given: Mapping[int, Floats], holder: bool
) -> dict[int, Floats] | None:
    """declared@1: what is made shares the parts of what is not; an enterprise's own work keeps the rest."""
    if joint.method != "declared@1":
        return None
    parts: dict[int, Floats] = {
        p: np.where(given[p] > 0, float(joint.shares.get(graph.pools[p].carrier, 0)), 0.0) for p in making
    }
    if holder or not parts:
        return parts
    whole = np.sum(list(parts.values()), axis=0)
    return {p: np.divide(part, whole, out=np.zeros_like(part), where=whole > 0) for p, part in parts.items()}


def _by_formula(
    graph: PoolGraph,
    joint: Joint,
    making: Sequence[int],
    given: Mapping[int, Floats],
    amounts: NDArray[np.int64],
    fuel_kj: Floats | None,
    problems: list[Problem],
) -> dict[int, Floats]:
    """Power against heat by the named formula; several heats of one node share theirs by energy."""
    dimension = {p: graph.park.carriers[graph.pools[p].carrier].dimension for p in making}
    heats = [p for p in making if dimension[p] == "heat"]
    powers = [p for p in making if dimension[p] == "electricity"]
    if others := [p for p in making if p not in heats and p not in powers]:
        problems.append(_not_covered(graph, joint, others))
    steps = amounts.shape[1]
    power = np.sum([given[p] * _KJ_PER_WH for p in powers], axis=0) if powers else np.zeros(steps)
    heat = np.sum([given[p] for p in heats], axis=0) if heats else np.zeros(steps)
    net = np.maximum(heat - _returned(graph, joint.node, amounts), 0)
    boiler = None
    if joint.boiler_efficiency is not None and fuel_kj is not None:
        boiler = fuel_kj * float(joint.boiler_efficiency)
    try:
        share = allocate(joint.method, power, net, stated(joint, boiler))
    except InputError as error:
        problems.extend(_refused(joint.node, problem) for problem in error.problems)
        return {}
    found = {p: _part(given[p], heat) * share.heat for p in heats}
    found.update({p: _part(given[p] * _KJ_PER_WH, power) * share.power for p in powers})
    return found


def _part(amount: Floats, whole: Floats) -> Floats:
    return np.divide(amount, whole, out=np.zeros_like(amount), where=whole > 0)


def stated(joint: Joint, boiler_kj: Floats | None = None) -> Declared:
    """What the park states about the plant, as the formulas take it. ``boiler_kj``: heat of the boilers [kJ]."""

    def number(value: Decimal | None) -> float | None:
        return None if value is None else float(value)

    return Declared(
        number(joint.power_reference),
        number(joint.heat_reference),
        number(joint.heat_temperature_k),
        number(joint.ambient_temperature_k),
        boiler_kj,
    )


def _returned(graph: PoolGraph, node: str, amounts: NDArray[np.int64]) -> Floats:
    """Condensate that comes back to the node [kJ per step]: net heat is what was sent less what returned."""
    rows = [r for r, s in enumerate(graph.subjects) if s.target == node and s.carrier == "condensate"]
    total: Floats = np.maximum(amounts[rows], 0).sum(axis=0).astype(np.float64)
    return total


def _undeclared(graph: PoolGraph, node: str, making: Sequence[int], holder: bool) -> Problem:
    carriers = ", ".join(graph.pools[p].carrier for p in making)
    if holder:
        return Problem(
            N_("{node} sells {carriers}, and nothing says which part of its carbon goes with it: not posted"),
            {"node": node, "carriers": carriers},
            N_("describe the plant that makes it as a node of its own, or state declared@1 in a [[joint]]"),
            file="park.toml",
            field="joint",
        )
    return Problem(
        N_("{node} makes {carriers}, and nothing says how they share its carbon: not posted"),
        {"node": node, "carriers": carriers},
        N_('add a [[joint]] for {node} that names a formula, e.g. method = "ghgp_efficiency@1"'),
        file="park.toml",
        field="joint",
    )


def _refused(node: str, reason: Problem) -> Problem:
    """Why a formula gives no shares, with the plant that it was asked for."""
    said = {"place": node, "said": reason, "node": node}
    return Problem(N_("{place}: {said}"), said, file="park.toml", field="joint")


def _unnamed(graph: PoolGraph, joint: Joint, pools: Sequence[int]) -> Problem:
    return Problem(
        N_("{node}: {method} names no share for {carriers}, so that it carries no carbon"),
        {
            "node": joint.node,
            "method": joint.method,
            "carriers": ", ".join(graph.pools[p].carrier for p in pools),
        },
        N_("declare a share for each output, 0 where it bears nothing"),
        file="park.toml",
        field="joint",
    )


def _not_covered(graph: PoolGraph, joint: Joint, others: Sequence[int]) -> Problem:
    return Problem(
        N_("{node}: {method} shares carbon between power and heat, not with {carriers}"),
        {
            "node": joint.node,
            "method": joint.method,
            "carriers": ", ".join(graph.pools[p].carrier for p in others),
        },
        N_("use declared@1 with a share for each, or state that they are by-products or waste"),
        file="park.toml",
        field="joint",
    )
