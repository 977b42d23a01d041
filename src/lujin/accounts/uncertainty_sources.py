"""What a ledger line rests on: the meters behind its subject and the rows of its factor, as sources."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from lujin.accounts.uncertainty import Kind, Lines, Source, matrix
from lujin.park import Carrier, Park, Term, flow_terms
from lujin.park.calendar import month_start, next_month
from lujin.reference import Row, Stated, Uncertainties

# Numbers of a fuel's row that a rule multiplies (rules.combustion, rules.combustion_gas)
_FUEL: Mapping[str, tuple[str, ...]] = {
    "combustion": ("ncv", "carbon_content"),
    "combustion_gas": ("ncv",),
}


class Rests(NamedTuple):
    """``known``: (source, its relative standard uncertainty in the line); ``unknown``: (kind, id)."""

    known: tuple[tuple[Source, float], ...]
    unknown: tuple[tuple[Kind, str], ...]


@dataclass(frozen=True, eq=False)
class Basis:
    """Answers what lines of one month rest on.

    Several meters behind one subject: with ``amounts`` (meter → amount in the month) each brings its own part.
    Without, the whole amount is taken to err as the meter of the worst class does: fully correlated, never less
    than the truth. Where a meter is subtracted (net feeder less sub-meter) and amounts are not given, no class
    bounds the difference: unknown.
    """

    park: Park
    month: int
    table: Uncertainties
    rows: Mapping[str, Row]
    amounts: Mapping[str, float] | None = None
    terms: Mapping[str, Sequence[Term]] = field(default_factory=dict)
    _subjects: dict[str, Rests] = field(default_factory=dict)
    _factors: dict[tuple[str, str], Rests] = field(default_factory=dict)

    def line(self, rule: str, factor: str, subject: str, quality: str) -> Rests:
        activity = self._estimated(subject) if quality == "estimated" else self.subject(subject)
        numbers = self._own(subject) if rule == "own_factor@1" else self._factor(rule, factor)
        return Rests(activity.known + numbers.known, activity.unknown + numbers.unknown)

    def _own(self, subject: str) -> Rests:
        """A plant's own factor rests on what it burned and shared: known if the park states it for the node."""
        node = subject.partition(">")[0]
        found = self.table.allocation(node)
        if found is None:
            return Rests((), (("allocation", node),))
        return Rests((_known("allocation", node, found),), ())

    def _estimated(self, subject: str) -> Rests:
        """An estimate is no reading: it has a source of its own, unknown unless a row states it."""
        found = self.table.estimate(subject)
        if found is None:
            return Rests((), (("estimate", subject),))
        return Rests((_known("estimate", subject, found),), ())

    def allocation(self, name: str) -> tuple[tuple[Source, float], ...]:
        """What the park states of the carbon that one pool gives another, ``E002/WIP/CHP1>E002/WIP/STEAM``."""
        found = self.table.allocation(name)
        return () if found is None else (_known("allocation", name, found),)

    def subject(self, label: str) -> Rests:
        """Meters behind all flows of a subject; the label is that of ``Subject``."""
        if label not in self._subjects:
            self._subjects[label] = self._metered(label)
        return self._subjects[label]

    def _metered(self, label: str) -> Rests:
        carrier = label.rpartition(":")[2]
        terms = [term for term in self.terms.get(label, ()) if term.coefficient]
        if not terms or carrier not in self.park.carriers:
            return Rests((), (("meter", label),))
        names = sorted({term.meter for term in terms})
        medium = medium_of(self.park.carriers[carrier])
        stated = {name: self.table.meter(name, self.park.meters[name].accuracy_class, medium) for name in names}
        missing = tuple(("meter", name) for name, found in stated.items() if found is None)
        if missing:
            return Rests((), missing)  # type: ignore[arg-type]
        known = {name: found for name, found in stated.items() if found is not None}
        shares = self._shares(terms)
        if shares is not None:
            return Rests(tuple(_known("meter", n, known[n], shares[n]) for n in names if shares[n]), ())
        if any(term.coefficient < 0 for term in terms):
            return Rests((), (("meter", label),))
        worst = max(names, key=lambda name: (known[name].relative, name))
        return Rests((_known("meter", worst, known[worst]),), ())

    def _shares(self, terms: Sequence[Term]) -> Mapping[str, float] | None:
        """Each meter's part of the subject's amount, signed; None: not known."""
        if self.amounts is None or any(term.meter not in self.amounts for term in terms):
            return None
        parts: dict[str, float] = defaultdict(float)
        for term in terms:
            parts[term.meter] += float(term.coefficient) * self.amounts[term.meter]
        whole = sum(parts.values())
        return {name: part / whole for name, part in parts.items()} if whole else None

    def _factor(self, rule: str, factor: str) -> Rests:
        asked = (rule, factor)
        if asked not in self._factors:
            parts = [self._numbers(rule, self.rows[name]) for name in factor.split("+") if name]
            self._factors[asked] = Rests(
                tuple(k for part in parts for k in part.known), tuple(u for part in parts for u in part.unknown)
            )
        return self._factors[asked]

    def _numbers(self, rule: str, row: Row) -> Rests:
        """The numbers of a row that the rule uses; one stated for the whole factor stands for all of them."""
        names: tuple[str, ...] = ("value",)
        if row.table == "fuel_factors" and row.values["kind"] == "fuel":
            names = _FUEL.get(rule.partition("@")[0], ("value",))
        whole = self.table.factor(row.key) if rule.startswith("combustion@") else None
        if whole is not None:
            return Rests((_known("factor", f"{row.key}#value", whole),), ())
        found = {f"{row.key}#{name}": self.table.factor(row.key, name) for name in names}
        return Rests(
            tuple(_known("factor", name, one) for name, one in found.items() if one is not None),
            tuple(("factor", name) for name, one in found.items() if one is None),
        )


def _known(kind: Kind, name: str, found: Stated, part: float = 1.0) -> tuple[Source, float]:
    return Source(name, kind, found.relative, found.distribution), found.relative * part


def medium_of(carrier: Carrier) -> str:
    """Which accuracy classes measure a carrier: those of electricity, heat, steam, gas, mass or water.

    >>> from lujin.park.carriers import CARRIERS
    >>> [medium_of(CARRIERS[name]) for name in ("steam", "natural_gas", "water", "electricity")]
    ['steam', 'gas', 'water', 'electricity']
    """
    match carrier.dimension:
        case "heat":
            return "steam" if carrier.id == "steam" else "heat"
        case "volume":
            return "water" if carrier.id == "water" else "gas"
        case other:
            return other


def basis(
    park: Park,
    month: int,
    table: Uncertainties,
    rows: Mapping[str, Row],
    subjects: Iterable[str],
    amounts: Mapping[str, float] | None = None,
) -> Basis:
    """``subjects``: labels that will be asked for. Only their flows and meters are looked at."""
    wanted = set(subjects)
    labels = {flow.id: f"{flow.source}>{flow.target}:{flow.carrier}" for flow in park.flows.values()}
    flows = {name: flow for name, flow in park.flows.items() if labels[name] in wanted}
    meters: dict[str, None] = dict.fromkeys(m.id for m in park.meters.values() if m.flow in flows)
    waiting = list(meters)
    while waiting:
        inner = [name for name in park.meters[waiting.pop()].terms if name not in meters]
        meters.update(dict.fromkeys(inner))
        waiting.extend(inner)
    chosen = {
        name: m if m.flow in flows else replace(m, flow="") for name, m in park.meters.items() if name in meters
    }
    start, end = month_start(month, park.timezone), month_start(next_month(month), park.timezone)
    terms: dict[str, list[Term]] = defaultdict(list)
    for name, found in flow_terms(replace(park, flows=flows, meters=chosen)).items():
        for term in found:
            if (term.valid_from is None or term.valid_from < end) and (
                term.valid_to is None or term.valid_to > start
            ):
                terms[labels[name]].append(term)
    return Basis(park, month, table, rows, amounts, terms)


def lines_of(labels: Sequence[str], base: Sequence[float], rests: Sequence[Rests]) -> Lines:
    """Amounts with what they rest on, as arrays. Reasons are written ``kind:id``."""
    sources: dict[str, tuple[int, Source]] = {}
    reasons: dict[str, int] = {}
    known: list[tuple[int, int, float]] = []
    unknown: set[tuple[int, int]] = set()
    for row, rest in enumerate(rests):
        for source, relative in rest.known:
            place, _ = sources.setdefault(f"{source.kind}:{source.id}", (len(sources), source))
            known.append((row, place, relative))
        for kind, name in rest.unknown:
            unknown.add((row, reasons.setdefault(f"{kind}:{name}", len(reasons))))
    rows, columns, values = zip(*known, strict=True) if known else ((), (), ())
    at, why = zip(*sorted(unknown), strict=True) if unknown else ((), ())
    return Lines(
        labels=tuple(labels),
        base=np.asarray(base, dtype=np.float64),
        sources=tuple(source for _, source in sources.values()),
        relative=matrix((len(labels), len(sources)), rows, columns, values),
        reasons=tuple(reasons),
        reason=matrix((len(labels), len(reasons)), at, why, np.ones(len(at))),
    )
