"""Blocks of time steps of carbon tracing: laid out, checked, and the scan over what holds carbon between them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from lujin.accounts.elimination import Array, Factors, Pattern, backward, forward
from lujin.accounts.network import (
    EXCESS,
    ROUNDING,
    Findings,
    Network,
    Storages,
    check_excess,
    check_numbers,
    reached_from,
)
from lujin.errors import N_


@dataclass(frozen=True)
class Part:
    """A block of steps, laid out for elimination.

    sent [2E, B]: along each edge, then against it. weight [entries, B]: the same per entry of the pattern.
    used [N, B]: what is used at each node; leaving [N, B]: used and stored. idle [N, B]: nothing goes out;
    waits [N, B]: and energy comes in that may bring carbon.
    """

    sent: Array
    weight: Array
    leaving: Array
    used: Array
    idle: NDArray[np.bool_]
    waits: NDArray[np.bool_]

    def cut(self, at: slice) -> Part:
        """Some of the steps."""
        return Part(*(getattr(self, f.name)[:, at].copy() for f in fields(self)))


class Run:
    """What stays the same from block to block."""

    def __init__(
        self, network: Network, shape: Pattern, stores: Storages, errors: Findings, warnings: Findings
    ) -> None:
        self.network, self.shape, self.stores = network, shape, stores
        self.errors, self.warnings = errors, warnings
        self.steps = shape.steps()
        u, v = network.source, network.target
        size, edges = len(network.nodes), len(network.edges)
        self.into = _incidence(np.concatenate([v, u]), size)
        self.out_of = _incidence(np.concatenate([u, v]), size)
        pairs = zip(v.tolist(), u.tolist(), strict=True)
        there = np.array([(shape.entry[a, b], shape.entry[b, a]) for a, b in pairs], dtype=np.intp)
        self.entries = _incidence(there.reshape(edges, 2).T.ravel(), len(shape.entry))
        check_numbers(errors, stores.names, stores.charge, 0)
        check_numbers(errors, stores.names, stores.discharge, 0)

    def block(
        self, flows: Array, source_power: Array, received: Array | None, use: Array | None, at: slice
    ) -> Part:
        """Check the flows of a block and lay them out for elimination."""
        network, stores, first = self.network, self.stores, at.start
        check_numbers(self.errors, network.edges, flows, first, network.reversible)
        check_numbers(self.errors, network.nodes, source_power, first)
        sent = _two_ways(flows)
        arriving = self.into @ sent
        entering = arriving.copy() if received is None else self._received(received, flows, first)
        leaving = np.zeros_like(entering)
        for s, node in enumerate(stores.node):
            leaving[node] += stores.charge[s, at]
            entering[node] += stores.discharge[s, at]
            arriving[node] += stores.discharge[s, at]
        entering += source_power
        outgoing = self.out_of @ sent
        outgoing += leaving
        used = entering - outgoing
        delivers = np.flatnonzero(network.by_delivery)
        used[delivers] = 0.0
        if use is not None:
            check_numbers(self.errors, network.nodes, use, first)
            used[delivers] = use[delivers]
        entering[delivers] = outgoing[delivers] + used[delivers]
        check_excess(self.errors, network.nodes, entering, used, first)
        rest = np.flatnonzero(~network.by_delivery) if len(delivers) else slice(None)
        used[rest] *= used[rest] > ROUNDING * entering[rest]
        leaving += used
        idle = entering < np.finfo(np.float64).tiny
        leaving[idle] = 1.0
        return Part(sent, self.entries @ sent, leaving, used, idle, idle & (arriving > 0))

    def reached(self, part: Part, node: int, column: int) -> list[str]:
        """The names of all nodes that energy from ``node`` reaches in one step of the block."""
        u, v = self.network.source, self.network.target
        flowing = part.sent[:, column] > 0
        source, target = np.concatenate([u, v])[flowing], np.concatenate([v, u])[flowing]
        start = np.arange(len(self.network.nodes)) == node
        return [self.network.nodes[i] for i in np.flatnonzero(reached_from(len(start), source, target, start))]

    def _received(self, received: Array, flows: Array, first: int) -> Array:
        check_numbers(self.errors, self.network.edges, received, first, self.network.reversible)
        excess = np.abs(received) - np.abs(flows)
        bad = (excess > EXCESS * np.abs(flows)) | (received * flows < 0)
        if bad.any():
            self.errors.add(
                N_("{name}: more arrives than was sent in step {step} ({count} in all, by up to {worst})"),
                N_("settle its two meters first"),
                self.network.edges,
                bad,
                excess,
                first,
            )
        entering: Array = self.into @ _two_ways(received)
        return entering


def _two_ways(flows: Array) -> Array:
    """[2E, B]: what goes along each edge, then what goes against it."""
    both = np.empty((2, *flows.shape))
    np.maximum(flows, 0.0, out=both[0])
    with np.errstate(invalid="ignore"):  # an infinite flow has been reported
        np.subtract(both[0], flows, out=both[1])
    return both.reshape(2 * len(flows), flows.shape[1])


def _incidence(rows: NDArray[np.intp], size: int) -> csr_array:
    count = len(rows)
    return coo_array((np.ones(count), (rows, np.arange(count))), shape=(size, count)).tocsr()


@dataclass(frozen=True)
class States:
    """What holds carbon between steps: node [n]; share given [n, B]; energy taken at the node's ρ [n, B]."""

    node: NDArray[np.intp]
    share: Array
    taken: Array

    def scan(
        self, above: list[int], shape: Pattern, factors: Factors, right: Array, opening: Array
    ) -> tuple[Array, Array]:
        """Content before each step and after the last [B+1, n, G]; what is given, forwarded, at ``above``.

        With K the intensity at the node of state a per unit of carbon given by state b:
        C⁺ = (1 − φ) C + c (ρ₀ + K φ C), a product with a small matrix per step. right: forwarded sources.
        """
        steps, count, width = shape.steps(above), len(self.node), self.share.shape[1]
        row = np.array([above.index(n) for n in self.node])
        base = right[above]
        backward(steps, factors, base)
        matrix = np.zeros((width, count, count))
        matrix[:, np.arange(count), np.arange(count)] = 1.0 - self.share.T
        # What one gives reaches another only in steps where some give and some take
        gives, takes = (self.share > 0).any(axis=0), (self.taken > 0).any(axis=0)
        both = np.flatnonzero(gives & takes)
        if len(both):
            unit = np.zeros((len(above), count, len(both)))
            unit[row, np.arange(count)] = 1.0
            part = factors.at(both, steps)
            forward(steps, part, unit)
            backward(steps, part, unit)
            matrix[both] += (unit[row] * self.share[:, both] * self.taken[:, None, both]).transpose(2, 0, 1)
        gain = np.ascontiguousarray((base[row] * self.taken[:, None]).transpose(2, 0, 1))
        content = np.empty((width + 1, count, opening.shape[0]))
        content[0], done = opening.T, 0
        for t in np.flatnonzero(gives | takes).tolist():
            content[done + 1 : t + 1] = content[done]
            np.matmul(matrix[t], content[t], out=content[t + 1])
            content[t + 1] += gain[t]
            done = t + 1
        content[done + 1 :] = content[done]
        given = np.zeros((len(above), opening.shape[0], width))
        amounts = content[:-1].transpose(1, 2, 0) * self.share[:, None]
        np.add.at(given, row, amounts)
        forward(steps, factors, given)
        return content, given
