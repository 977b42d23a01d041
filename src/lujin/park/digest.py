"""A fingerprint of what a park says, whole or as far as it concerns one enterprise.

Equal content gives equal digests whatever its order in the file, its line numbers or the way a number is
written. What happens to unrelated enterprises does not show.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from lujin.errors import N_, ParkError, Problem
from lujin.park.forms import write_number
from lujin.park.model import Claim, Flow, Meter, Park
from lujin.park.names import closest
from lujin.park.supply import made_in_park


def digest(park: Park, enterprise: str | None = None) -> str:
    """SHA-256 (hex) of the canonical content of the park, or of the part that concerns ``enterprise``.

    That part: its nodes, the flows that touch them with kind and owner of the other end and whether a plant of
    the park made what comes from it, the meters of these flows with virtual terms and replaced devices,
    connections, prices that may apply, carriers, outputs, claims with their instruments and the flows of these
    instruments' devices, joint production, transfers, storage, method packs, calendar, factor date, time zone,
    region. ParkError: no such enterprise.
    """
    if enterprise is not None:
        return digests(park, [enterprise])[enterprise]
    parts = {
        **_frame(park),
        "id": park.id,
        "name": [park.name_zh, park.name_en],
        "base_year": _plain([park.base_year, park.recalculation_threshold]),
        "nodes": _records(park.nodes.values()),
        "flows": _records(park.flows.values()),
        "meters": _records(park.meters.values()),
        "connections": _records(park.connections.values()),
        "carriers": _records(park.carriers.values()),
        "prices": _records(park.prices),
        "outputs": _records(park.outputs),
        "instruments": _records(park.instruments.values()),
        "claims": _records(park.claims),
        "joints": _records(park.joints),
        "transfers": _records(park.transfers),
        "storages": _records(park.storages),
    }
    return _sha256(parts)


def digests(park: Park, enterprises: Collection[str] | None = None) -> Mapping[str, str]:
    """``digest`` of many enterprises (None: all) in one walk over the park."""
    names = park.enterprises() if enterprises is None else enterprises
    known = park.enterprises()
    for name in names:
        if name not in known:
            guess = closest(name, known)
            remedy = N_("did you mean {guess}?") if guess else N_("name an enterprise of the park")
            raise ParkError(Problem(N_("enterprise {name} is unknown"), {"name": name, "guess": guess}, remedy))
    index = _Index(park)
    frame = _sha256(_frame(park))
    return {name: _sha256({"frame": frame, **_part(park, index, name)}) for name in names}


def metering_digest(park: Park) -> str:
    """SHA-256 (hex) of what interval energies and the sums of meters rest on: meters, flows, carriers, days."""
    return _sha256(
        {
            "timezone": park.timezone,
            "days": _records(park.days.values()),
            "meters": _records(park.meters.values()),
            "flows": _records(park.flows.values()),
            "carriers": _records(park.carriers.values()),
            "checks": sorted([t.flow, t.check_meter] for t in park.transfers if t.check_meter),
        }
    )


class _Index:
    """Who touches what, worked out once for all enterprises."""

    def __init__(self, park: Park) -> None:
        self.nodes: dict[str, list[str]] = defaultdict(list)
        self.flows: dict[str, dict[str, Flow]] = defaultdict(dict)
        self.meters: dict[str, list[Meter]] = defaultdict(list)
        for node in park.nodes:
            self.nodes[park.owner(node)].append(node)
        for flow in park.flows.values():
            for end in {flow.source, flow.target}:
                self.flows[park.owner(end)][flow.id] = flow
        for meter in park.meters.values():
            self.meters[meter.flow].append(meter)
        self.made = made_in_park(park)


def _part(park: Park, index: _Index, enterprise: str) -> dict[str, object]:
    nodes = index.nodes[enterprise]
    flows = index.flows[enterprise]
    own = set(nodes)
    others = {end for flow in flows.values() for end in (flow.source, flow.target)} - own
    connections = {flow.connection for flow in flows.values()} | {
        c.id for c in park.connections.values() if c.enterprise == enterprise
    }
    ends = {(flow.carrier, flow.source, flow.target) for flow in flows.values()}
    claims, used = _claims(park, enterprise, own)
    devices = {park.instruments[c.instrument].device for c in claims if c.enterprise == enterprise} - {""}
    profiles = {f.id: f for f in park.flows.values() if f.source in devices and f.id not in flows}
    metered = {park.meters[d].flow for d in devices & park.meters.keys()} - flows.keys()
    profiles |= {flow: park.flows[flow] for flow in metered if flow in park.flows}
    made = sorted([n, c] for n, c in index.made if n in others and (c, n) in {(c, s) for c, s, _ in ends})
    return {
        "enterprise": enterprise,
        "nodes": _records(park.nodes[n] for n in nodes),
        "others": sorted([n, park.nodes[n].kind, park.owner(n)] for n in others),
        "flows": _records(flows.values()),
        "meters": _records(_meters(park, index, flows)),
        "connections": _records(c for c in park.connections.values() if c.id in connections),
        "carriers": _records(park.carriers[c] for c in {carrier for carrier, _, _ in ends}),
        "prices": _records(
            p
            for p in park.prices
            if any(p.carrier == c and p.source in ("", s) and p.target in ("", t) for c, s, t in ends)
        ),
        "outputs": _records(o for o in park.outputs if o.enterprise == enterprise),
        "claims": _records(claims),
        "joints": _records(j for j in park.joints if j.node in own),
        "transfers": _records(t for t in park.transfers if t.flow in flows),
        "storages": _records(s for s in park.storages if s.node in own),
        "instruments": _records(i for i in park.instruments.values() if i.id in used),
        **({"made_in_park": made} if made else {}),
        **({"profiles": _records(profiles.values())} if profiles else {}),
        **({"profile_meters": _records(_meters(park, index, profiles))} if profiles else {}),
    }


def _claims(park: Park, enterprise: str, own: Collection[str]) -> tuple[list[Claim], set[str]]:
    """Claims that the enterprise's books rest on, and their instruments.

    Its own; others of the same instruments and devices, since together they may not exceed what was issued or
    generated; and those of certificates of its own generators, which it cannot count at zero as well.
    """
    devices = {claim.instrument: park.instruments[claim.instrument].device for claim in park.claims}
    mine = {claim.instrument for claim in park.claims if claim.enterprise == enterprise}
    touched = ({devices[name] for name in mine} | set(own)) - {""}
    used = mine | {name for name, device in devices.items() if device in touched}
    return [claim for claim in park.claims if claim.instrument in used], used


def _meters(park: Park, index: _Index, flows: Iterable[str]) -> Iterable[Meter]:
    """Meters of the flows, the terms of virtual ones and the devices they replaced, all the way down."""
    found: dict[str, Meter] = {}
    waiting = [meter for flow in flows for meter in index.meters[flow]]
    waiting += [park.meters[t.check_meter] for t in park.transfers if t.flow in set(flows) and t.check_meter]
    while waiting:
        meter = waiting.pop()
        if meter.id not in found:
            found[meter.id] = meter
            waiting += [park.meters[n] for n in (*meter.terms, meter.replaces) if n in park.meters]
    return found.values()


def _frame(park: Park) -> dict[str, object]:
    return {
        "timezone": park.timezone,
        "region": park.region,
        "factor_date": _plain(park.factor_date),
        "packs": _plain(park.packs),
        "days": _records(park.days.values()),
    }


def _records(records: Iterable[Any]) -> list[str]:
    """Canonical text of each record of one table, sorted, so that order in the file does not show."""
    found = list(records)
    names = [f.name for f in fields(found[0]) if f.name != "line"] if found else []
    return sorted(
        _json({name: _plain(value) for name in names if (value := getattr(record, name)) not in (None, "")})
        for record in found
    )


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return write_number(value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _sha256(value: object) -> str:
    return hashlib.sha256(_json(value).encode()).hexdigest()
