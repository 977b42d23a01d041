"""How much carbon does each unit carry? One linear system per time step, storages and starts carried along.

Per step, with f the energy sent from node to node, d what storages give and c what they take:

    P_i = Σ_g G_gi + Σ_j f_ji (as received) + Σ_s d_s        or, by delivery,  P_i = Σ_j f_ij + Σ_s c_s + use_i
    (diag(P) − fᵀ) ρ = m + Σ_s μ_s + Σ w

- What a branch loses stays in what arrives: the receiver's P counts what it received, its carbon what was sent.
- Storage: S⁺ = S (1−λ) + η_c c − d/η_d; share drawn φ = min(1, (d/η_d) / (S (1−λ))); μ = φ C;
  C⁺ = C − μ + ρ c. Losses stay in what comes out: its intensity is μ/d.
- No output (P = 0) but carbon comes in, as at a start: no intensity exists. The carbon w is kept as work in
  progress at the node and leaves with its next output.

ρ is linear in μ and w, so a block of steps is eliminated once, a scan over the few states follows, and one back
substitution gives all ρ. Memory is bounded by the block, beside what comes in and goes out.

Invariant: emitted = used + growth of storages + growth of work in progress, per gas.

Sources: J. Bialek, IEE Proc. 143 (1996) 313; C. Kang et al., IEEE Trans. Smart Grid 6 (2015) 2541; storage as
in X. Chen et al., Carbon-aware optimal power flow, arXiv 2308.03240; embodied carbon as in W. Leontief (1936).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from lujin.accounts.blocks import Part, Run, States
from lujin.accounts.elimination import Array, backward, factorise, forward
from lujin.accounts.network import Findings, Network, Storages, check_numbers, loop_error
from lujin.errors import N_, InputError, Problem

STEPS = 1024
# Bounds the arrays of one block, some 200 MB, however many states there are
BLOCK_VALUES = 25_000_000


@dataclass(frozen=True)
class Trace:
    """Carbon intensities and where the carbon went. Carbon in the unit of the sources, G gases or tags.

    intensity [G, N, T]: carbon per unit of throughput; 0 where nothing passes.
    storage_energy [S, T+1], storage_carbon [G, S, T+1]: content before each step, and after the last.
    wip [G, N]: work in progress after the last step.
    emitted [G]: all that came in. used [G, N]: with what was used at each node.
    problems: warnings, by name.
    """

    intensity: Array
    storage_energy: Array
    storage_carbon: Array
    opening_wip: Array
    wip: Array
    emitted: Array
    used: Array
    problems: tuple[Problem, ...]

    def imbalance(self) -> Array:
        """emitted − used − Δ storages − Δ work in progress, per gas [G]; zero but for rounding."""
        stored = (self.storage_carbon[:, :, -1] - self.storage_carbon[:, :, 0]).sum(axis=1)
        held: Array = (self.wip - self.opening_wip).sum(axis=1)
        balance: Array = self.emitted - self.used.sum(axis=1) - stored - held
        return balance


def trace(
    network: Network,
    flows: Array,
    source_power: Array,
    source_carbon: Array,
    storages: Storages | None = None,
    *,
    received: Array | None = None,
    use: Array | None = None,
    opening_wip: Array | None = None,
    say_step: Callable[[int], str] = str,
    say_stored: Callable[[str, float], str] | None = None,
    block: int = STEPS,
) -> Trace:
    """Trace carbon through ``network`` for T steps. Time is the last axis everywhere.

    flows [E, T]: energy sent along each edge in each step; negative: from target to source, where reversible.
    source_power [N, T]: energy that enters at each node (generation, purchase); counts where P is what enters.
    source_carbon [G, N, T]: carbon that enters at each node (combustion, purchase), per gas or tag of origin.
    received [E, T]: what arrives of ``flows``, with the same signs; by default all of it.
    use [N, T]: what is used at nodes whose P is what they deliver; elsewhere the remainder is used.
    opening_wip [G, N]: work in progress left by the steps before.
    say_step: the name of a step in messages; say_stored: of what a storage holds, by its name, with its unit.

    InputError: a value that is no number or negative where that has no meaning, more leaving a node than enters
    it, a loop that carbon enters and nothing leaves; each by name, with its first step.
    """
    gases, size, steps = source_carbon.shape
    stores = storages or Storages.none(gases, steps)
    assert flows.shape == (len(network.edges), steps), "flows are [E, T]"
    assert source_power.shape == (size, steps) == (len(network.nodes), steps), "sources are [N, T] and [G, N, T]"
    assert stores.charge.shape == stores.discharge.shape == (len(stores.names), steps), "storages are [S, T]"
    run = Run(network, network.pattern(), stores, Findings(say_step), Findings(say_step, say_stored))
    wip = np.zeros((gases, size)) if opening_wip is None else opening_wip.astype(np.float64)
    for names, opening in (
        (stores.names, stores.opening_energy[:, None]),
        (stores.names, stores.opening_carbon.T),
        (network.nodes, wip.T),
    ):
        check_numbers(run.errors, names, opening, 0)
    shares, energy = _drawn(stores, run.warnings)
    result = Trace(
        np.empty((gases, size, steps)),
        energy,
        np.empty((gases, len(stores.names), steps + 1)),
        wip.copy(),
        wip,
        np.zeros(gases),
        np.zeros((gases, size)),
        (),
    )
    result.storage_carbon[:, :, 0] = stores.opening_carbon
    block = max(1, min(block, BLOCK_VALUES // (size * gases + len(run.shape.entry) + 1)))
    for first in range(0, steps, block):
        at = slice(first, min(first + block, steps))
        arrived, used = (None if a is None else a[:, at] for a in (received, use))
        part = run.block(flows[:, at], source_power[:, at], arrived, used, at)
        carbon = source_carbon[:, :, at]
        for g in range(gases):
            check_numbers(run.errors, network.nodes, carbon[g], first)
        if run.errors.found:
            continue
        _solve(run, part, carbon, shares[:, at], at, result)
    if run.errors.found:
        raise InputError(*run.errors.problems())
    problems = (*run.warnings.problems("warning"), *_waiting(network, wip))
    return replace(result, problems=problems)


def carried(network: Network, flows: Array, traced: Trace) -> tuple[Array, Array]:
    """Carbon on each edge over all steps: along it [G, E], and against it [G, E]; flows [E, T] as traced."""
    gases, edges = traced.intensity.shape[0], len(network.edges)
    along, against = np.empty((gases, edges)), np.empty((gases, edges))
    for e, (u, v) in enumerate(zip(network.source, network.target, strict=True)):
        along[:, e] = traced.intensity[:, u] @ np.maximum(flows[e], 0.0)
        against[:, e] = traced.intensity[:, v] @ np.maximum(-flows[e], 0.0)
    return along, against


def _waiting(network: Network, wip: Array) -> list[Problem]:
    return [
        Problem(
            N_("{name}: carbon came in but nothing went out; it is kept as work in progress"),
            {"name": network.nodes[i]},
            severity="warning",
        )
        for i in np.flatnonzero(wip.any(axis=0)).tolist()
    ]


def _drawn(stores: Storages, warnings: Findings) -> tuple[Array, Array]:
    """Share of the content drawn in each step [S, T], and the content [S, T+1].

    S⁺ = S (1−λ) + η_c c − d/η_d;  φ = min(1, (d/η_d) / (S (1−λ))), and 1 when there is nothing to draw from.
    Metered flows can empty a storage further than it was full: the content stays at zero, and it is reported.
    """
    count, steps = stores.discharge.shape
    shares, energy, lack = np.zeros((count, steps)), np.empty((count, steps + 1)), np.zeros((count, steps))
    for s in range(count):
        keep = 1.0 - float(stores.standing_loss[s])
        gained = (stores.charge[s] * stores.charge_efficiency[s]).tolist()
        taken = (stores.discharge[s] / stores.discharge_efficiency[s]).tolist()
        content = float(stores.opening_energy[s])
        share, line = [0.0] * steps, [content]
        for t, out in enumerate(taken):
            content *= keep
            if out > 0:
                share[t] = out / content if out < content else 1.0
            content += gained[t] - out
            if content < 0:
                lack[s, t] = -content
                content = 0.0
            line.append(content)
        shares[s], energy[s] = share, line
    size = energy.max(axis=1, initial=0.0) if count else np.zeros(0)
    bad = lack > 1e-9 * size[:, None]
    if bad.any():
        warnings.add(
            N_("{name}: gives more than it holds in step {step} ({count} in all, by up to {worst})"),
            N_("check its opening content and its efficiencies"),
            stores.names,
            bad,
            lack,
            0,
        )
    return shares, energy


def _solve(run: Run, part: Part, carbon: Array, shares: Array, at: slice, result: Trace) -> None:
    """Intensities of one block [G, N, B], and the state of storages and work in progress after it."""
    waits = part.waits | (part.idle & (carbon > 0).any(axis=0))
    wip_nodes = np.flatnonzero(waits.any(axis=1) | (result.wip > 0).any(axis=0))
    state_nodes = np.concatenate([run.stores.node, wip_nodes])
    above = run.shape.above(state_nodes.tolist())
    count, width = len(state_nodes), part.idle.shape[1]
    fits = max(1, BLOCK_VALUES // (1 + count * (count + len(above))))
    if fits < width:
        for first in range(0, width, fits):
            cut = slice(first, min(first + fits, width))
            absolute = slice(at.start + cut.start, at.start + cut.stop)
            _solve(run, part.cut(cut), carbon[:, :, cut], shares[:, cut], absolute, result)
        return
    factors = factorise(run.shape, part.weight, part.leaving)
    right = np.array(carbon.transpose(1, 0, 2), dtype=np.float64, order="C", copy=True)
    result.emitted[:] += right.sum(axis=(0, 2))
    forward(run.steps, factors, right)
    if count:
        idle = part.idle[wip_nodes].astype(np.float64)
        states = States(
            state_nodes, np.concatenate([shares, 1.0 - idle]), np.concatenate([run.stores.charge[:, at], idle])
        )
        storages = len(run.stores.node)
        opening = np.concatenate([result.storage_carbon[:, :, at.start], result.wip[:, wip_nodes]], axis=1)
        content, given = states.scan(above, run.shape, factors, right, opening)
        right[above] += given
        result.storage_carbon[:, :, at.start + 1 : at.stop + 1] = content[1:, :storages].transpose(2, 1, 0)
        result.wip[:, wip_nodes] = content[-1, storages:].T
    for k, closed in factors.closed.items():
        stuck = closed & (right[k] > 0).any(axis=0)
        if stuck.any():
            column = int(np.argmax(stuck))
            raise loop_error([run.reached(part, k, column)], run.errors.say_step(at.start + column))
    backward(run.steps, factors, right)
    result.used[:] += np.einsum("ngb,nb->gn", right, part.used)
    if part.idle.any():
        right.transpose(0, 2, 1)[part.idle] = 0.0
    result.intensity[:, :, at] = right.transpose(1, 0, 2)
