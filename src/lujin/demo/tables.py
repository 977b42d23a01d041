"""The park's own reference rows: what was never published for it, labelled as composed and unverified."""

from __future__ import annotations

import csv
import io
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence

from lujin.demo.days import YEAR
from lujin.demo.graph import REGION, ZONE
from lujin.park.model import Park
from lujin.reference.schema import SCHEMAS

_SOURCE = "demo composite, no published table"
_NOTE = "replace by the table that the grid company published"
# Expanded uncertainty (k = 2) [%] that a park would state; none is published for these factors. What is left out
# stays unknown, and the statement says so.
_UNCERTAIN = (
    ("factor", "grid_factors:grid_*", "value", 5.0),
    ("factor", "fuel_factors:GBT32151-C1|fuel|烟煤|*", "ncv", 4.0),
    ("factor", "fuel_factors:GBT32151-C1|fuel|烟煤|*", "carbon_content", 3.0),
    ("factor", "fuel_factors:GBT32151-C1|fuel|天然气|*", "ncv", 2.0),
    ("factor", "fuel_factors:GBT32151-C1|fuel|天然气|*", "carbon_content", 1.5),
    ("factor", "fuel_factors:GBT32151-C1|fuel|柴油|*", "ncv", 1.0),
    ("factor", "fuel_factors:GBT32151-C1|fuel|柴油|*", "carbon_content", 1.5),
    ("meter", "*-W", "", 0.5),
)
# Flat price of January [CNY/kWh, funds included] by class and voltage, and how the months differ from it.
_FLAT = {
    ("工商业单一制", "<1kV"): 0.719,
    ("工商业单一制", "1-10(20)kV"): 0.694,
    ("工商业两部制", "1-10(20)kV"): 0.6342,
    ("工商业两部制", "110kV"): 0.5842,
}
_MONTHS = (0.0, -0.006, -0.011, -0.009, -0.002, 0.008, 0.014, 0.012, 0.005, -0.004, -0.007, 0.003)
_BASIC = {"1-10(20)kV": (32.0, 20.0), "110kV": (29.5, 18.5)}  # CNY/kW.month, CNY/kVA.month


def write_reference() -> Mapping[str, str]:
    """File name → CSV text, in the columns of the shipped tables."""
    return {
        "tariffs.csv": _csv("tariffs", [*_prices(), *_basic_charges()]),
        "coal_equivalents.csv": _csv("coal_equivalents", [_equal_value(), _heat_equal_value()]),
        "uncertainties.csv": _csv("uncertainties", list(_uncertainties())),
    }


def _prices() -> Iterable[dict[str, object]]:
    for (customer_class, voltage), january in _FLAT.items():
        for month, change in enumerate(_MONTHS, 1):
            yield _tariff(
                customer_class,
                voltage,
                item="energy_price",
                period="flat",
                value=f"{january + change:.4f}",
                unit="CNY/kWh",
                valid_from=f"{YEAR}-{month:02d}-01",
                valid_to=f"{YEAR}-{month:02d}-{monthrange(YEAR, month)[1]}",
            )


def _basic_charges() -> Iterable[dict[str, object]]:
    for voltage, charges in _BASIC.items():
        for item, unit, value in zip(
            ("demand_charge", "capacity_charge"), ("CNY/kW.month", "CNY/kVA.month"), charges, strict=True
        ):
            yield _tariff("工商业两部制", voltage, item=item, value=value, unit=unit, valid_from=f"{YEAR}-01-01")


def _tariff(customer_class: str, voltage: str, **values: object) -> dict[str, object]:
    return {
        "region": REGION,
        "applies_to": ZONE,
        "customer_class": customer_class,
        "voltage": voltage,
        "operator": "=",
        "source": _SOURCE,
        "confidence": "unverified",
        "evidence": "",
        "note": _NOTE,
        **values,
    }


def _equal_value() -> dict[str, object]:
    return {
        "kind": "electricity",
        "name_zh": f"供电煤耗 {YEAR}",
        "name_en": f"net coal consumption for power supply {YEAR}",
        "value": "0.302",
        "unit": "kgce/kWh",
        "valid_from": f"{YEAR}-01-01",
        "valid_to": f"{YEAR}-12-31",
        "source": _SOURCE,
        "confidence": "unverified",
        "note": f"no value for {YEAR} was at hand: 2024 rounded; use for equal-value (等价值) conversion",
    }


def _heat_equal_value() -> dict[str, object]:
    return {
        "kind": "heat",
        "name_zh": "热力(等价值)",
        "name_en": "heat (equal value)",
        "value": "0.0379",
        "unit": "kgce/MJ",
        "valid_from": f"{YEAR}-01-01",
        "valid_to": f"{YEAR}-12-31",
        "source": _SOURCE,
        "confidence": "unverified",
        "note": "0.03412 kgce/MJ over a boiler and network efficiency of 0.90; the plant's own figure is better",
    }


def _uncertainties() -> Iterable[dict[str, object]]:
    for kind, applies_to, parameter, value in _UNCERTAIN:
        yield {
            "kind": kind,
            "applies_to": applies_to,
            "parameter": parameter,
            "distribution": "normal",
            "coverage": "k=2",
            "value": value,
            "unit": "%",
            "source": _SOURCE,
            "confidence": "unverified",
            "note": "replace by the certificate or the analysis",
        }


def _csv(table: str, rows: Sequence[Mapping[str, object]]) -> str:
    return _text(SCHEMAS[table].columns, rows)


def write_days(park: Park) -> str:
    """``days.csv``: composed daily maximum temperature, public holidays of the year."""
    rows = [
        {
            "date": fact.day,
            "temperature_max_c": fact.temperature_max_c,
            "holiday": "yes" if fact.holiday else "no",
        }
        for fact in park.days.values()
    ]
    return _text(("date", "temperature_max_c", "holiday"), rows)


def _text(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
