"""What must hold between the rows of a park description. Every check yields problems and stops at none.

Rules for meters are in ``check_meters``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from lujin.errors import N_, Problem
from lujin.park.calendar import month_start, next_month
from lujin.park.carriers import fits, is_rate, units_of
from lujin.park.check_carbon import joints, storages, transfers
from lujin.park.check_meters import meters
from lujin.park.forms import write_month
from lujin.park.model import ACCOUNT_HOLDERS, OUTSIDE, Flow
from lujin.park.names import closest
from lujin.park.schema import Draft, Key
from lujin.park.virtual import intersect, overlapping

# Names of the province-level regions as factor tables write them (GB/T 2260, short forms).
REGIONS = (
    *("北京", "天津", "河北", "山西", "内蒙古", "辽宁", "吉林", "黑龙江", "上海", "江苏", "浙江", "安徽"),
    *("福建", "江西", "山东", "河南", "湖北", "湖南", "广东", "广西", "海南", "重庆", "四川", "贵州"),
    *("云南", "西藏", "陕西", "甘肃", "青海", "宁夏", "新疆", "香港", "澳门", "台湾"),
)

# Columns that name a record, and the table they name it in.
REFERENCES: Mapping[str, Mapping[str, str]] = {
    "node": {"owner": "node", "split_from": "node"},
    "flow": {"carrier": "carrier", "source": "node", "target": "node", "connection": "connection"},
    "meter": {"flow": "flow", "replaces": "meter", "terms": "meter"},
    "connection": {"enterprise": "node"},
    "price": {"carrier": "carrier", "source": "node", "target": "node"},
    "output": {"enterprise": "node"},
    "claim": {"instrument": "instrument", "enterprise": "node"},
    "joint": {"node": "node", "shares": "carrier"},
    "transfer": {"flow": "flow", "check_meter": "meter"},
    "storage": {"node": "node"},
}


def structure(draft: Draft) -> list[Problem]:
    """All problems of a draft, those of single rows first found included, in order of their place."""
    checks: tuple[Callable[[Draft], Iterator[Problem]], ...] = (
        park,
        references,
        windows,
        nodes,
        flows,
        connections,
        prices,
        outputs,
        claims,
        joints,
        transfers,
        storages,
        meters,
    )
    found = [*draft.problems, *(problem for check in checks for problem in check(draft))]
    return sorted(found, key=lambda p: (p.file, p.line or 0))


def park(d: Draft) -> Iterator[Problem]:
    region = d.park.region
    if region and region not in REGIONS:
        short = closest(region.removesuffix("省").removesuffix("市"), REGIONS)
        yield d.problem(
            "park",
            "",
            "region",
            N_("{region} is not a province as the factor tables write it"),
            N_("did you mean {guess}?")
            if short
            else N_("write it like 广东, or ship factors for it in reference/"),
            "warning",
            region=region,
            guess=short,
        )
    if not d.park.packs and d.park.id:
        yield d.problem(
            "park",
            "",
            "packs",
            N_("no method pack is named, so nothing will be posted"),
            N_('add [park.packs] and lines like location = "name@1"'),
            "warning",
        )
    if d.park.id and not d.park.enterprises() and not d.broken.get("node"):
        message, remedy = N_("nobody holds an account"), N_('add a [[node]] of kind = "enterprise"')
        yield d.problem("park", "", "", message, remedy, "warning")


def references(d: Draft) -> Iterator[Problem]:
    """Every id that a row names exists, in rows at fault too."""
    known = {into: set(d.names(into)) for columns in REFERENCES.values() for into in columns.values()}
    for into, ids in known.items():
        ids.update(str(row.values.get("id", "")).strip() for row in d.broken.get(into, ()))
    for table, columns in REFERENCES.items():
        rows = [row for (name, _), row in d.rows.items() if name == table]
        for row in (*rows, *d.broken.get(table, ())):
            for column, into in columns.items():
                value = row.values.get(column, "")
                words = value if isinstance(value, Mapping) else (value,)
                names = [word.strip() for word in words if isinstance(word, str)]
                yield from (
                    d.unknown(row, column, name, into) for name in names if name and name not in known[into]
                )


def windows(d: Draft) -> Iterator[Problem]:
    """Every record with a validity ends after it begins."""
    tables = ("node", "flow", "meter", "connection", "instrument")
    dated: Iterable[tuple[str, Key, Any]] = (
        *((table, key, record) for table in tables for key, record in d.names(table).items()),
        *(("price", n, price) for n, price in enumerate(d.park.prices)),
        *(("joint", n, joint) for n, joint in enumerate(d.park.joints)),
        *(("transfer", n, transfer) for n, transfer in enumerate(d.park.transfers)),
        *(("storage", n, storage) for n, storage in enumerate(d.park.storages)),
    )
    for table, key, record in dated:
        if record.valid_from and record.valid_to and record.valid_to <= record.valid_from:
            yield d.problem(
                table,
                key,
                "valid_to",
                N_("valid_to {end} is not after valid_from {start}"),
                N_("correct one of them; valid_to is the first moment that no longer counts"),
                start=d.shown(record.valid_from),
                end=d.shown(record.valid_to),
            )


def nodes(d: Draft) -> Iterator[Problem]:
    for node in d.park.nodes.values():
        yield from _coordinates(d, node.id)
        yield from _owner(d, node.id)
        if not node.split_from:
            continue
        if node.split_from == node.id:
            message, remedy = N_("{node} is split from itself"), N_("name the enterprise it came from")
            yield d.problem("node", node.id, "split_from", message, remedy, node=node.id)
        elif node.valid_from is None:
            message = N_("{node} is split from {other}, but nobody knows when")
            yield d.problem(
                "node", node.id, "valid_from", message, N_("add valid_from"), node=node.id, other=node.split_from
            )


def _coordinates(d: Draft, key: str) -> Iterator[Problem]:
    node = d.park.nodes[key]
    if (node.longitude is None) != (node.latitude is None):
        missing = "longitude" if node.longitude is None else "latitude"
        message, remedy = N_("{column} of {node} is missing"), N_("give longitude and latitude, or neither")
        yield d.problem("node", key, missing, message, remedy, column=missing, node=key)
    for column, value, limit in (("longitude", node.longitude, 180), ("latitude", node.latitude, 90)):
        if value is not None and abs(value) > limit:
            swapped = column == "latitude" and node.longitude is not None and abs(node.longitude) <= 90
            yield d.problem(
                "node",
                key,
                column,
                N_("{column} {value} is not between -{limit} and {limit}"),
                N_("longitude and latitude seem to be swapped") if swapped else N_("write it in degrees"),
                column=column,
                value=value,
                limit=limit,
            )


def _owner(d: Draft, key: str) -> Iterator[Problem]:
    node = d.park.nodes[key]
    if node.kind in ACCOUNT_HOLDERS:
        if node.owner not in ("", key):
            message, remedy = N_("{node} is an {kind} and answers for itself"), N_("remove owner")
            yield d.problem("node", key, "owner", message, remedy, node=key, kind=node.kind)
    elif node.kind in OUTSIDE:
        if node.owner:
            message = N_("{node} is outside the fence, so its owner is ignored")
            yield d.problem("node", key, "owner", message, N_("remove owner"), "warning", node=key)
    elif not node.owner:
        message, remedy = N_("{kind} {node} has no owner"), N_("name the enterprise that answers for it")
        yield d.problem("node", key, "owner", message, remedy, node=key, kind=node.kind)
    elif node.owner in d.park.nodes and d.park.nodes[node.owner].kind not in ACCOUNT_HOLDERS:
        message, remedy = N_("owner {owner} holds no account"), N_("name an enterprise or the operator")
        yield d.problem("node", key, "owner", message, remedy, owner=node.owner)


def _holder(d: Draft, table: str, key: Key, enterprise: str) -> Iterator[Problem]:
    """``enterprise`` exists and holds an account."""
    node = d.park.nodes.get(enterprise)
    if node is not None and node.kind not in ACCOUNT_HOLDERS:
        message, remedy = N_("{node} is a {kind} and holds no account"), N_("name an enterprise or the operator")
        yield d.problem(table, key, "enterprise", message, remedy, node=enterprise, kind=node.kind)


def flows(d: Draft) -> Iterator[Problem]:
    measured = {meter.flow for meter in d.park.meters.values()}
    for flow in d.park.flows.values():
        key = flow.id
        if flow.source == flow.target:
            message, remedy = N_("flow {flow} ends where it begins"), N_("name two different nodes")
            yield d.problem("flow", key, "target", message, remedy, flow=key)
        ends_at = [d.park.nodes[n].kind for n in (flow.source, flow.target) if n in d.park.nodes]
        if len(ends_at) == 2 and OUTSIDE.issuperset(ends_at):
            message = N_("flow {flow} lies outside the fence and enters no account")
            remedy = N_("let it begin or end at a node of the park")
            yield d.problem("flow", key, "target", message, remedy, "warning", flow=key)
        if key not in measured and not d.broken.get("meter"):
            message, remedy = N_("no meter measures flow {flow}"), N_("add a [[meter]] with flow = {flow}")
            yield d.problem("flow", key, "", message, remedy, "warning", flow=key)
        yield from _billed(d, flow)


def _billed(d: Draft, flow: Flow) -> Iterator[Problem]:
    connection = d.park.connections.get(flow.connection)
    if flow.connection and flow.carrier != "electricity":
        message = N_("flow {flow} carries {carrier}, but a connection bills electricity only")
        remedy = N_("remove connection; give a [[price]] for {carrier}")
        yield d.problem("flow", flow.id, "connection", message, remedy, flow=flow.id, carrier=flow.carrier)
        return
    if connection is None:
        return
    owners = {d.park.owner(n) for n in (flow.source, flow.target) if n in d.park.nodes}
    if connection.enterprise in d.park.nodes and connection.enterprise not in owners:
        message = N_("flow {flow} neither leaves nor reaches {enterprise}, whose connection {connection} bills it")
        yield d.problem(
            "flow",
            flow.id,
            "connection",
            message,
            N_("name a connection of one of its two sides"),
            flow=flow.id,
            enterprise=connection.enterprise,
            connection=connection.id,
        )
    common = intersect((flow.valid_from, flow.valid_to), (connection.valid_from, connection.valid_to))
    if common != (flow.valid_from, flow.valid_to):
        message = N_(
            "flow {flow} holds from {start} to {end}, connection {connection} does not hold all that time"
        )
        yield d.problem(
            "flow",
            flow.id,
            "connection",
            message,
            N_("let one flow end with the connection and begin another with the next one"),
            flow=flow.id,
            connection=connection.id,
            start=d.shown(flow.valid_from),
            end=d.shown(flow.valid_to),
        )


def connections(d: Draft) -> Iterator[Problem]:
    billed = defaultdict(list)
    for flow in d.park.flows.values():
        billed[flow.connection].append(flow)
    for connection in d.park.connections.values():
        yield from _holder(d, "connection", connection.id, connection.enterprise)
        needed = {"demand": "contract_kw", "capacity": "capacity_kva"}.get(connection.basis)
        if needed and getattr(connection, needed) is None:
            message = N_("connection {connection} is billed by {basis}, but {column} is missing")
            by_demand = connection.basis == "demand"
            yield d.problem(
                "connection",
                connection.id,
                needed,
                message,
                N_("add {column} if the supply contract declares a demand; else the measured maximum is billed")
                if by_demand
                else N_("add {column} from the supply contract"),
                "warning" if by_demand else "error",
                connection=connection.id,
                basis=connection.basis,
                column=needed,
            )
        if not billed[connection.id] and not d.broken.get("flow"):
            message, remedy = (
                N_("no flow names connection {connection}"),
                N_("add connection to the flow it bills"),
            )
            yield d.problem("connection", connection.id, "", message, remedy, "warning", connection=connection.id)
    records = ((c.id, c) for c in d.park.connections.values())
    for first, second in overlapping(records, lambda c: c.enterprise):
        if not _deliberate(billed[first.id], billed[second.id]):
            message = N_("connections {first} and {second} of {enterprise} hold at the same time")
            yield d.problem(
                "connection",
                second.id,
                "valid_from",
                message,
                N_("end {first} when {second} begins, or give each its own flow"),
                first=first.id,
                second=second.id,
                enterprise=second.enterprise,
            )


def _deliberate(first: list[Flow], second: list[Flow]) -> bool:
    """Two accounts with the grid at one time are real if flows of that time tell them apart."""
    return any(
        intersect((a.valid_from, a.valid_to), (b.valid_from, b.valid_to)) is not None
        for a in first
        for b in second
    )


def prices(d: Draft) -> Iterator[Problem]:
    numbers = {id(price): n for n, price in enumerate(d.park.prices)}
    for n, price in enumerate(d.park.prices):
        carrier = d.park.carriers.get(price.carrier)
        currency, _, unit = price.unit.partition("/")
        if carrier and (currency != "CNY" or is_rate(unit) or not fits(unit, carrier.dimension, Decimal(1))):
            units = [f"CNY/{u}" for u in units_of(carrier.dimension) if not is_rate(u)]
            message = N_("{unit} is not a price of {carrier}")
            yield d.problem(
                "price",
                n,
                "unit",
                message,
                N_("use one of: {known}"),
                unit=price.unit,
                carrier=price.carrier,
                known=", ".join(units),
            )
    for first, second in overlapping(enumerate(d.park.prices), lambda p: (p.carrier, p.source, p.target)):
        message = N_(
            "two prices of {carrier} from {source} to {target} hold at the same time; the other is {first}"
        )
        yield d.problem(
            "price",
            numbers[id(second)],
            "valid_from",
            message,
            N_("end one (valid_to) when the other begins (valid_from)"),
            carrier=second.carrier,
            source=second.source or "*",
            target=second.target or "*",
            first=f"{first.value} {first.unit}",
        )


def outputs(d: Draft) -> Iterator[Problem]:
    seen: set[tuple[str, str, int]] = set()
    for n, output in enumerate(d.park.outputs):
        yield from _holder(d, "output", n, output.enterprise)
        key = (output.enterprise, output.product, output.month)
        if key in seen:
            message = N_("output {product} of {enterprise} in {month} is there twice")
            yield d.problem(
                "output",
                n,
                "month",
                message,
                N_("keep one row, or correct the month"),
                product=output.product,
                enterprise=output.enterprise,
                month=write_month(output.month),
            )
        seen.add(key)


def claims(d: Draft) -> Iterator[Problem]:
    """A MWh of an instrument is used once, by one enterprise, in a month of its vintage."""
    used: dict[str, Decimal] = defaultdict(Decimal)
    for n, claim in enumerate(d.park.claims):
        yield from _holder(d, "claim", n, claim.enterprise)
        instrument = d.park.instruments.get(claim.instrument)
        if instrument is None:
            continue
        before = used[claim.instrument]
        used[claim.instrument] += claim.energy_mwh
        if before <= instrument.energy_mwh < used[claim.instrument]:
            message = N_("claims on {instrument} reach {claimed} MWh, but it holds {whole} MWh")
            yield d.problem(
                "claim",
                n,
                "energy_mwh",
                message,
                N_("lower this claim or name another instrument: each MWh counts once"),
                instrument=claim.instrument,
                claimed=used[claim.instrument],
                whole=instrument.energy_mwh,
            )
        month = (month_start(claim.month, d.park.timezone), month_start(next_month(claim.month), d.park.timezone))
        if intersect(month, (instrument.valid_from, instrument.valid_to)) != month:
            message = N_("month {month} lies outside the vintage {start} to {end} of {instrument}")
            yield d.problem(
                "claim",
                n,
                "month",
                message,
                N_("claim a month of the vintage, or name another instrument"),
                month=write_month(claim.month),
                start=d.shown(instrument.valid_from),
                end=d.shown(instrument.valid_to),
                instrument=claim.instrument,
            )
