"""A year of quarter hours on a network that carbon is traced through, and the loop that one would write first."""

from __future__ import annotations

import time

import numpy as np
from scipy.sparse import coo_array, csc_array
from scipy.sparse.linalg import spsolve

from lujin.accounts.elimination import Array
from lujin.accounts.network import Network, Storages
from lujin.accounts.trace import trace

NODES, EDGES, STORAGES = 250, 300, 6
YEAR = 35_040
Case = tuple[Network, Array, Array, Array, Storages]


def network(rng: np.random.Generator, far: bool) -> tuple[np.ndarray, np.ndarray]:
    """Feeders as a random tree, closed to rings by the other edges: between neighbours, or anywhere (``far``)."""
    source = [int(rng.integers(max(0, i - 20), i)) for i in range(1, NODES)]
    target = list(range(1, NODES))
    while len(source) < EDGES:
        a = int(rng.integers(0, NODES))
        b = int(rng.integers(0, NODES) if far else np.clip(a + rng.integers(-12, 13), 0, NODES - 1))
        if a != b:
            source.append(a)
            target.append(b)
    return np.array(source), np.array(target)


def year(steps: int = YEAR, far: bool = False, seed: int = 20260701) -> Case:
    """Loads, sixty PV arrays, batteries that charge by day, a grid at node 0; flows as direct current would run.

    Energy in kWh per quarter hour, carbon in kg CO2 at 0.6 kg/kWh of the grid. About 60 % of the edges turn round.
    """
    rng = np.random.default_rng(seed)
    source, target = network(rng, far)
    incidence = np.zeros((EDGES, NODES))
    incidence[np.arange(EDGES), source], incidence[np.arange(EDGES), target] = 1, -1
    share = incidence[:, 1:] @ np.linalg.inv((incidence.T @ incidence)[1:, 1:])
    day = np.arange(steps) / 96
    load = rng.uniform(5, 50, (NODES, 1)) * (1 + 0.5 * np.sin(2 * np.pi * (day + rng.uniform(0, 1, (NODES, 1)))))
    power = np.zeros((NODES, steps))
    arrays = rng.choice(NODES, 60, replace=False)
    sun = np.maximum(0, np.sin(2 * np.pi * (day - 0.25)))
    power[arrays] = rng.uniform(25, 400, (60, 1)) * sun * rng.uniform(0.3, 1, (60, steps))
    node = rng.choice(np.arange(1, NODES), STORAGES, replace=False)
    hour = (np.arange(steps) / 4 + rng.integers(0, 6, (STORAGES, 1))) % 24
    rating = rng.uniform(25, 100, (STORAGES, 1))
    charge = rating * ((hour >= 11) & (hour < 15))
    discharge = 0.85 * rating * ((hour >= 17.5) & (hour < 21.5))
    injected = power - load
    np.add.at(injected, node, discharge - charge)
    power[0] += np.maximum(-injected.sum(axis=0), 0)
    carbon = np.zeros((1, NODES, steps))
    carbon[0, 0] = 0.6 * np.maximum(-injected.sum(axis=0), 0)
    stores = Storages(
        tuple(f"battery {i}" for i in range(STORAGES)), node, charge, discharge, np.full(STORAGES, 0.95),
        np.full(STORAGES, 0.95), np.full(STORAGES, 1e-5), np.zeros(STORAGES), np.zeros((1, STORAGES)),
    )  # fmt: skip
    graph = Network(
        tuple(f"n{i}" for i in range(NODES)), tuple(f"e{i}" for i in range(EDGES)), source, target,
        np.zeros(NODES, dtype=bool), np.ones(EDGES, dtype=bool),
    )  # fmt: skip
    return graph, share @ injected[1:], power, carbon, stores


def loop(case: Case, steps: int) -> Array:
    """One sparse matrix and one ``spsolve`` per step, on a pattern prepared once; intensity [N, steps]."""
    graph, flows, power, carbon, stores = case
    u, v, size = graph.source, graph.target, len(graph.nodes)
    rows, columns = np.concatenate([np.arange(size), v, u]), np.concatenate([np.arange(size), u, v])
    pattern = coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size)).tocsc()
    place = {(r, c): i for c in range(size) for i, r in _column(pattern, c)}
    slot = np.array([place[r, c] for r, c in zip(rows.tolist(), columns.tolist(), strict=True)])
    content, stored = stores.opening_energy.copy(), stores.opening_carbon[0].copy()
    result = np.empty((size, steps))
    for t in range(steps):
        along = np.maximum(flows[:, t], 0)
        against = along - flows[:, t]
        through = power[:, t] + np.bincount(v, along, size) + np.bincount(u, against, size)
        source = carbon[0, :, t].copy()
        available = content * (1 - stores.standing_loss)
        taken = stores.discharge[:, t] / stores.discharge_efficiency
        drawn = np.where(taken > 0, np.minimum(1, taken / np.maximum(available, 1e-300)), 0)
        np.add.at(through, stores.node, stores.discharge[:, t])
        np.add.at(source, stores.node, drawn * stored)
        values = np.bincount(slot, np.concatenate([through, -along, -against]), pattern.nnz)
        matrix = csc_array((values, pattern.indices, pattern.indptr), shape=pattern.shape)
        result[:, t] = spsolve(matrix, source)
        stored += result[stores.node, t] * stores.charge[:, t] - drawn * stored
        content = np.maximum(0, available + stores.charge_efficiency * stores.charge[:, t] - taken)
    return result


def _column(matrix: csc_array, c: int) -> list[tuple[int, int]]:
    span = range(int(matrix.indptr[c]), int(matrix.indptr[c + 1]))
    return [(i, int(matrix.indices[i])) for i in span]


def measure(steps: int, far: bool = False) -> dict[str, float]:
    """CPU seconds of this process for the whole; the loop on a tenth of the steps, and scaled."""
    case = year(steps, far)
    cpu, wall = time.process_time(), time.perf_counter()
    got = trace(*case)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    part = max(1, steps // 10)
    first = time.process_time()
    slow = loop(case, part)
    naive = (time.process_time() - first) * steps / part
    flows = case[1]
    return {
        "cpu": cpu,
        "wall": wall,
        "us_per_step": cpu / steps * 1e6,
        "loop_cpu": naive,
        "loop_steps": part,
        "ratio": naive / cpu,
        "entries": len(case[0].pattern().entry) / 2,
        "turning": float(np.mean((flows.max(axis=1) > 0) & (flows.min(axis=1) < 0))),
        "difference": float(np.abs(got.intensity[0, :, :part] - slow).max() / slow.max()),
        "imbalance": float(np.abs(got.imbalance() / got.emitted).max()),
    }
