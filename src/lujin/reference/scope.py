"""Which tariff rows apply to a connection: those of its zone, customer class and voltage, and of wider groups."""

from __future__ import annotations

import csv
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from io import StringIO

from lujin.park.model import Basis, Connection
from lujin.reference.factors import NATION
from lujin.reference.rows import Row
from lujin.reference.schema import SCHEMAS
from lujin.reference.select import Selector, several

# The notices name the same group in different words
_SAME_ZONE: Mapping[str, tuple[frozenset[str], ...]] = {
    "广东": (
        frozenset({"珠三角", "珠三角六市"}),
        frozenset({"东西两翼", "东西两翼地区", "东西两翼(肇庆)"}),
        frozenset({"粤北山区", "粤北山区 (河源 etc.)"}),
    ),
}
_WHOLE_REGION = frozenset({"", "all", "全省", "全省 incl. 肇庆", "全省 incl. 青岛 济南"})
_MEAN_OF_REGION = "全省均值"  # a province mean, completed by the zone adder
_ANY = frozenset({"", "all"})
_TIME_OF_USE = frozenset({"industrial and commercial TOU", "industrial and commercial TOU (agency purchase)"})
_INDUSTRIAL = ("工商业", "一般工商业", "大工业", *_TIME_OF_USE)


def row_selector(connection: Connection, item: str, **conditions: str) -> Selector:
    """The selector of a tariff item for a connection; ``conditions`` replace those that it gives.

    National rows are taken for rules only, never for prices.
    """
    c = connection
    return _row_selector(
        c.region, c.zone, c.customer_class, c.voltage, c.basis, item, tuple(sorted(conditions.items()))
    )


@lru_cache(maxsize=4096)
def _row_selector(
    region: str,
    zone: str,
    customer_class: str,
    voltage: str,
    basis: Basis,
    item: str,
    conditions: tuple[tuple[str, str], ...],
) -> Selector:
    zones = _WHOLE_REGION.union({zone}, *(same for same in _SAME_ZONE.get(region, ()) if zone in same))
    parts = "单一制" if basis == "single" else "两部制"
    classes = _ANY | {customer_class, parts, f"{customer_class}{parts}"}
    if customer_class.startswith(_INDUSTRIAL):
        classes |= _TIME_OF_USE
    found: dict[str, str | Iterable[str]] = {
        "region": (region, NATION) if item.startswith("rule_") else region,
        "applies_to": zones | {_MEAN_OF_REGION} if item == "td_energy_price" else zones,
        "customer_class": classes,
        "voltage": _ANY | {voltage},
        "item": item,
    }
    return Selector.of("tariffs", **found | dict(conditions))


_PRICE_UNIT: Mapping[str, str] = {"demand_charge": "CNY/kW.month", "capacity_charge": "CNY/kVA.month"}


def price_row(connection: Connection, item: str, on: date) -> str:
    """The CSV line that would state a price of the connection for the month of ``on``; ? is to be filled in."""
    last = date(on.year, on.month, monthrange(on.year, on.month)[1])
    known = {
        "region": connection.region,
        "applies_to": connection.zone,
        "customer_class": connection.customer_class,
        "voltage": connection.voltage,
        "item": item,
        "period": "flat" if item == "energy_price" else "",
        "operator": "=",
        "value": "?",
        "unit": _PRICE_UNIT.get(item, "CNY/kWh"),
        "valid_from": f"{last:%Y-%m}-01",
        "valid_to": f"{last}",
        "source": "?",
        "confidence": "verified",
    }
    line = StringIO()
    csv.writer(line, lineterminator="").writerow([known.get(column, "") for column in SCHEMAS["tariffs"].columns])
    return line.getvalue()


def one_group(selector: Selector, on: date, rows: Sequence[Row]) -> None:
    """FactorError unless all rows come from one table of one notice: same zone, class and voltage."""
    groups = {tuple(row.values[c] for c in ("applies_to", "customer_class", "voltage")) for row in rows}
    if len(groups) > 1:
        raise several(selector, on, rows)
