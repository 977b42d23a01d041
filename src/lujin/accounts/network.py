"""What carbon tracing works on: nodes, edges, storages; what is wrong with their flows, told by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from lujin.accounts.elimination import Array, Pattern, pattern
from lujin.errors import N_, InputError, Problem

# What leaves a node may exceed what enters it by rounding only, as a share of what enters
EXCESS = 1e-9
# A remainder below this share of the throughput is rounding of a sum, not use
ROUNDING = 1e-12


@dataclass(frozen=True)
class Network:
    """A graph on which carbon is traced.

    nodes, edges: names. source, target: node number per edge [E].
    by_delivery [N]: how the throughput P of a node is measured, and with it where its losses go.

    - False (a point where carriers meet, a bus): P is what enters. What is not passed on or stored is used here.
    - True (a network with losses, a converter such as a boiler): P is what is delivered, that is what leaves and
      what is stated as used here, in the unit of what is delivered. Losses stay in the delivered unit.

    reversible [E]: whether a negative flow means the other direction; elsewhere it is refused.
    """

    nodes: tuple[str, ...]
    edges: tuple[str, ...]
    source: NDArray[np.intp]
    target: NDArray[np.intp]
    by_delivery: NDArray[np.bool_]
    reversible: NDArray[np.bool_]

    @classmethod
    def of(
        cls,
        nodes: Iterable[str],
        edges: Iterable[tuple[str, str, str]],
        *,
        by_delivery: Iterable[str] = (),
        one_way: Iterable[str] = (),
    ) -> Network:
        """From names: edges as (name, source, target); all are reversible but those in ``one_way``.

        >>> Network.of(["grid", "mill"], [("feeder", "grid", "mill")]).target.tolist()
        [1]
        """
        names, links = tuple(nodes), list(edges)
        number = {name: i for i, name in enumerate(names)}
        delivering, fixed = set(by_delivery), set(one_way)
        return cls(
            names,
            tuple(e for e, _, _ in links),
            np.array([number[s] for _, s, _ in links], dtype=np.intp),
            np.array([number[t] for _, _, t in links], dtype=np.intp),
            np.array([n in delivering for n in names], dtype=np.bool_),
            np.array([e not in fixed for e, _, _ in links], dtype=np.bool_),
        )

    def __post_init__(self) -> None:
        rounds = np.flatnonzero(self.source == self.target)
        if len(rounds):
            raise InputError(
                *(
                    Problem(
                        N_("{name} goes from a node to itself"),
                        {"name": self.edges[e]},
                        N_("leave it out; it carries nothing anywhere"),
                    )
                    for e in rounds
                )
            )

    def pattern(self) -> Pattern:
        return pattern(len(self.nodes), self.source.tolist(), self.target.tolist())


@dataclass(frozen=True)
class Storages:
    """Batteries, steam accumulators, gas holders. Energy in one unit of the caller's choice, S storages.

    node [S]: where each is connected. charge, discharge [S, T]: energy per step, both ≥ 0, at the node.
    charge_efficiency, discharge_efficiency [S] in (0, 1]; standing_loss [S]: share of the content lost per step.
    opening_energy [S]; opening_carbon [G, S] in the unit of the sources.
    """

    names: tuple[str, ...]
    node: NDArray[np.intp]
    charge: Array
    discharge: Array
    charge_efficiency: Array
    discharge_efficiency: Array
    standing_loss: Array
    opening_energy: Array
    opening_carbon: Array

    @classmethod
    def none(cls, gases: int, steps: int) -> Storages:
        no, rows = np.zeros(0), np.zeros((0, steps))
        return cls((), np.zeros(0, dtype=np.intp), rows, rows, no, no, no, no, np.zeros((gases, 0)))


@dataclass
class Findings:
    """Collects what is wrong per message and name: the first step, the number of steps, the worst value."""

    say_step: Callable[[int], str] = str
    say_value: Callable[[str, float], str] | None = None
    found: dict[tuple[str, str], tuple[int, int, float]] = field(default_factory=dict)
    remedies: dict[str, str] = field(default_factory=dict)

    def add(
        self, message: str, remedy: str, names: Sequence[str], bad: NDArray[np.bool_], value: Array, first: int
    ) -> None:
        """``bad`` and ``value`` [names, B] of a block of steps that begins at ``first``."""
        self.remedies[message] = remedy
        for row in np.flatnonzero(bad.any(axis=1)).tolist():
            steps = np.flatnonzero(bad[row])
            worst = value[row][steps[np.argmax(np.abs(value[row][steps]))]]
            at, count, before = self.found.get((message, names[row]), (first + int(steps[0]), 0, 0.0))
            worst = worst if abs(worst) > abs(before) or worst != worst else before
            self.found[message, names[row]] = (at, count + len(steps), float(worst))

    def problems(self, severity: str = "error") -> list[Problem]:
        return [
            Problem(
                message,
                {"name": name, "step": self.say_step(step), "count": count, "worst": self._said(name, worst)},
                self.remedies[message],
                severity="warning" if severity == "warning" else "error",
            )
            for (message, name), (step, count, worst) in self.found.items()
        ]

    def _said(self, name: str, value: float) -> str:
        return f"{value:.6g}" if self.say_value is None else self.say_value(name, value)


def check_numbers(
    findings: Findings, names: Sequence[str], values: Array, first: int, negative: bool | NDArray[np.bool_] = False
) -> None:
    """Not a number, infinite, or negative where that has no meaning. values [names, B]."""
    if not values.size:
        return
    if not np.isfinite(values.sum()):
        findings.add(
            N_("{name}: not a number in step {step} ({count} in all)"),
            N_("give an estimate and flag it, or leave the steps out"),
            names,
            ~np.isfinite(values),
            values,
            first,
        )
    allowed = np.broadcast_to(np.asarray(negative), len(names))
    if not allowed.all() and values.min() < 0:
        findings.add(
            N_("{name}: negative in step {step} ({count} in all, worst {worst})"),
            N_("correct the reading, or record a flow of its own in the other direction"),
            names,
            (values < 0) & ~allowed[:, None],
            values,
            first,
        )


def check_excess(findings: Findings, names: Sequence[str], entering: Array, used: Array, first: int) -> None:
    """More leaves a node than enters it: a transfer larger than its source. entering, used [N, B]."""
    bad = used < -EXCESS * entering
    if bad.any():
        findings.add(
            N_("{name}: more leaves than enters in step {step} ({count} in all, by up to {worst})"),
            N_("check the meters around it; a transfer cannot be larger than its source"),
            names,
            bad,
            -used,
            first,
        )


def stranded(
    size: int, source: NDArray[np.intp], target: NDArray[np.intp], way_out: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Nodes [N] from which no way out can be reached along the edges (all with a positive flow)."""
    # One extra node stands for the outside; walk back from it
    exits = np.flatnonzero(way_out)
    rows = np.concatenate([target, np.full(len(exits), size)])
    columns = np.concatenate([source, exits])
    back = coo_array((np.ones(len(rows)), (rows, columns)), shape=(size + 1, size + 1)).tocsr()
    reached = np.zeros(size + 1, dtype=np.bool_)
    reached[breadth_first_order(back, size, return_predecessors=False)] = True
    return ~reached[:size]


def reached_from(
    size: int, source: NDArray[np.intp], target: NDArray[np.intp], start: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Nodes [N] that can be reached from ``start`` along the edges, ``start`` included."""
    return ~stranded(size, target, source, start)


def closed_loops(
    nodes: Sequence[str],
    source: NDArray[np.intp],
    target: NDArray[np.intp],
    way_out: NDArray[np.bool_],
    carbon: NDArray[np.bool_],
) -> list[list[str]]:
    """The loops that carbon enters and nothing leaves: strongly connected, no way out, named.

    source, target: edges with a positive flow. way_out [N]: something is used, stored or sold there.
    carbon [N]: carbon enters the park there.

    >>> edge = np.array([0, 1, 2]), np.array([1, 2, 1])
    >>> closed_loops(["a", "b", "c"], *edge, np.zeros(3, bool), np.array([True, False, False]))
    [['b', 'c']]
    """
    size = len(nodes)
    lost = stranded(size, source, target, way_out) & reached_from(size, source, target, carbon)
    if not lost.any():
        return []
    graph = coo_array((np.ones(len(source)), (source, target)), shape=(size, size)).tocsr()
    _, component = connected_components(graph, directed=True, connection="strong")
    leaving = np.zeros(component.max() + 1, dtype=np.bool_)
    leaving[component[source[component[source] != component[target]]]] = True
    return [
        [nodes[i] for i in np.flatnonzero(component == c).tolist()]
        for c in np.unique(component[lost])
        if not leaving[c]
    ]


def loop_error(loops: Sequence[Sequence[str]], step: str) -> InputError:
    """No way out means that the carbon has no owner: the system is singular."""
    return InputError(
        *(
            Problem(
                N_("carbon enters the loop of {nodes} in step {step} and nothing leaves it"),
                {"nodes": ", ".join(loop), "step": step},
                N_("record what is used, lost or stored there; without a way out the carbon has no owner"),
            )
            for loop in loops
        )
    )
