"""How a certificate writes what its sums are made comparable with: units, potentials, uncertainties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lujin.publish.records import Doubt, Gwp, Total

_LEAST = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Units:
    """``stated``: commodity of book physical → base unit. A gas is in mg."""

    stated: Mapping[str, str]

    def of(self, total: Total) -> str:
        return self.stated.get(total.gas, "unknown") if total.book == "physical" else "mg"


def gwp_document(gwp: Gwp) -> dict[str, Any]:
    return {
        "book": gwp.book,
        "set": gwp.assessment,
        "values": {gas: _decimal(value) for gas, value in sorted(gwp.values.items())},
    }


def uncertainty_document(doubt: Doubt) -> dict[str, str]:
    return {
        "month": f"{doubt.month // 100:04}-{doubt.month % 100:02}",
        "book": doubt.book,
        "total": doubt.total,
        "unit": doubt.unit,
        "value": str(doubt.value),
        "atLeast": str(doubt.at_least),
        "relative": "unknown" if doubt.relative is None else _decimal(round(abs(doubt.relative), 6)),
        "unknownShare": _share(doubt.unknown_share),
    }


def _share(share: Decimal) -> str:
    """To six digits; what is not quite nothing, or not quite all, does not become it."""
    if 0 < share < 1:
        share = min(max(round(share, 6), _LEAST), 1 - _LEAST)
    return _decimal(share)


def _decimal(value: Decimal) -> str:
    """
    >>> _decimal(Decimal("29.80")), _decimal(Decimal("1E+1")), _decimal(Decimal("0.000"))
    ('29.8', '10', '0')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
