"""Which physical meters make up a flow: virtual meters flattened, devices chained, names resolved.

All functions take a park that passed ``check`` and read its validity windows as half-open UTC intervals.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lujin.park.carriers import Dimension, fits
from lujin.park.model import Meter, Park

_ALL: frozenset[Dimension] = frozenset({"electricity", "heat", "volume", "mass"})
_BEGIN = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)

Window = tuple[datetime | None, datetime | None]
_Sums = dict[tuple[str, Window], Decimal]


@dataclass(frozen=True, slots=True)
class Term:
    """``coefficient`` × energy of physical meter ``meter`` counts in ``[valid_from, valid_to)``."""

    meter: str
    coefficient: Decimal
    valid_from: datetime | None
    valid_to: datetime | None


def intersect(a: Window, b: Window) -> Window | None:
    """The common part of two validity windows; None if they share no time."""
    start = max((t for t in (a[0], b[0]) if t is not None), default=None)
    end = min((t for t in (a[1], b[1]) if t is not None), default=None)
    if start is not None and end is not None and start >= end:
        return None
    return start, end


def begins(window: Window) -> datetime:
    return window[0] or _BEGIN


def ends(window: Window) -> datetime:
    return window[1] or _END


def overlapping(
    records: Iterable[tuple[Hashable, Any]], group: Callable[[Any], Hashable]
) -> Iterator[tuple[Any, Any]]:
    """Pairs of records of one group that share time: each with the one before it that lasts longest."""
    groups: dict[Hashable, list[tuple[Hashable, Any]]] = defaultdict(list)
    for key, record in records:
        groups[group(record)].append((key, record))
    for members in groups.values():
        members.sort(key=lambda m: begins((m[1].valid_from, m[1].valid_to)))
        longest = members[0][1]
        for _, record in members[1:]:
            window, before = (record.valid_from, record.valid_to), (longest.valid_from, longest.valid_to)
            if intersect(before, window) is not None:
                yield longest, record
            longest = max(longest, record, key=lambda r: ends((r.valid_from, r.valid_to)))


def flow_terms(park: Park) -> Mapping[str, tuple[Term, ...]]:
    """For every flow the physical meters that make up its energy, each with coefficient and window.

    Energy of the flow = Σ coefficient × energy of the meter inside the window. A window is what the flow, the
    meter and every virtual meter on the way have in common. Meters reached on several ways are summed; sums
    of 0 vanish. A flow without meter has no terms.
    """
    flat = _flatten(park)
    sums: dict[str, _Sums] = {flow: {} for flow in park.flows}
    for meter in park.meters.values():
        flow = park.flows.get(meter.flow)
        if flow is not None:
            _add(sums[flow.id], flat[meter.id], Decimal(1), (flow.valid_from, flow.valid_to))
    return {
        flow: tuple(Term(meter, total, *window) for (meter, window), total in found.items() if total)
        for flow, found in sums.items()
    }


def check_terms(park: Park) -> Mapping[str, tuple[Term, ...]]:
    """For every flow with a check meter the physical meters that make up what the other party measured.

    As ``flow_terms``, of the ``check_meter`` of the flow's transfers instead of its own meters. A window is what
    flow, transfer and meters have in common.
    """
    checked = [t for t in park.transfers if t.check_meter in park.meters and t.flow in park.flows]
    flat = _flatten(park) if checked else {}
    sums: dict[str, _Sums] = defaultdict(dict)
    for transfer in checked:
        flow = park.flows[transfer.flow]
        window = intersect((flow.valid_from, flow.valid_to), (transfer.valid_from, transfer.valid_to))
        if window is not None:
            _add(sums[flow.id], flat[transfer.check_meter], Decimal(1), window)
    return {
        flow: tuple(Term(meter, total, *window) for (meter, window), total in found.items() if total)
        for flow, found in sums.items()
    }


def virtual_terms(park: Park) -> Mapping[str, tuple[Term, ...]]:
    """For every virtual meter the physical meters that make it up, each with coefficient and window."""
    flat = _flatten(park)
    return {
        name: tuple(Term(device, total, *window) for (device, window), total in flat[name].items() if total)
        for name, meter in park.meters.items()
        if meter.kind == "virtual"
    }


def _flatten(park: Park) -> dict[str, _Sums]:
    """Every meter as a sum of physical meters, terms first, so that each is worked out once."""
    flat: dict[str, _Sums] = {}
    for name in term_order(park)[0]:
        meter = park.meters[name]
        window = (meter.valid_from, meter.valid_to)
        flat[name] = {} if meter.kind == "virtual" else {(name, window): Decimal(1)}
        for term, coefficient in meter.terms.items():
            _add(flat[name], flat.get(term, {}), coefficient, window)
    return flat


def _add(sums: _Sums, terms: _Sums, coefficient: Decimal, window: Window) -> None:
    for (device, own), factor in terms.items():
        common = intersect(own, window)
        if common is not None:
            sums[device, common] = sums.get((device, common), Decimal(0)) + factor * coefficient


def term_order(park: Park) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Meters in an order that puts the terms of a virtual meter before it, and the loops found on the way.

    Walks with its own stack, for a chain of virtual meters may be longer than the interpreter's.
    """
    done: dict[str, None] = {}
    loops: list[tuple[str, ...]] = []
    for start in park.meters:
        path: dict[str, Iterator[str]] = {} if start in done else {start: iter(park.meters[start].terms)}
        while path:
            name, rest = next(reversed(path.items()))
            term = next((t for t in rest if t in park.meters and t not in done), None)
            if term is None:
                path.pop(name)
                done[name] = None
            elif term in path:
                names = list(path)
                loops.append(tuple(names[names.index(term) :]))
            else:
                path[term] = iter(park.meters[term].terms)
    return tuple(done), tuple(loops)


def successors(park: Park) -> Mapping[str, str]:
    """Device → the device that replaced it."""
    return {m.replaces: m.id for m in park.meters.values() if m.replaces}


def meter_chain(park: Park, meter: str, newer: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """All devices of one measuring point, oldest first: what ``meter`` replaced and what replaced it.

    ``newer``: ``successors(park)``, for those who ask for many chains.
    """
    newer = successors(park) if newer is None else newer
    chain = [meter]
    while (older := park.meters[chain[0]].replaces) in park.meters and older not in chain:
        chain.insert(0, older)
    while (newest := newer.get(chain[-1])) is not None and newest not in chain:
        chain.append(newest)
    return tuple(chain)


def meter_names(park: Park) -> Mapping[str, str]:
    """Every name under which a file may know a physical meter, ids and aliases → id."""
    names = {m.id: m.id for m in park.meters.values() if m.kind != "virtual"}
    for meter in park.meters.values():
        for alias in meter.alias if meter.kind != "virtual" else ():
            names.setdefault(alias, meter.id)
    return names


def meter_dimensions(park: Park) -> Mapping[str, frozenset[Dimension]]:
    """What each meter can measure: the dimension of its flow's carrier; for a meter that is only a term, those
    of its unit that the virtual meters above it, or the flow that it checks, allow. One element each in a park
    that passed ``check``.
    """
    allowed: dict[str, frozenset[Dimension]] = {}  # by the virtual meters above
    for transfer in park.transfers:
        checked = park.flows.get(transfer.flow)
        if transfer.check_meter and checked and (carrier := park.carriers.get(checked.carrier)):
            allowed[transfer.check_meter] = frozenset({carrier.dimension})
    found: dict[str, frozenset[Dimension]] = {}
    for name in reversed(term_order(park)[0]):
        meter = park.meters[name]
        flow = park.flows.get(meter.flow)
        carrier = park.carriers.get(flow.carrier) if flow else None
        found[name] = frozenset({carrier.dimension}) if carrier else _of_unit(meter) & allowed.get(name, _ALL)
        for term in meter.terms:
            allowed[term] = allowed.get(term, _ALL) & found[name]
    return found


def _of_unit(meter: Meter) -> frozenset[Dimension]:
    if meter.kind == "virtual":
        return _ALL
    return frozenset(d for d in _ALL if fits(meter.unit, d, meter.enthalpy_kj_per_kg))
