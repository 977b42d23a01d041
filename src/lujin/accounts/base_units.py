"""Base units of the ledger and the units in which a person reads them."""

from __future__ import annotations

from collections.abc import Mapping

# base unit → unit shown, and the power of ten between them
SHOWN: Mapping[str, tuple[str, int]] = {
    "Wh": ("kWh", 3),
    "kJ": ("GJ", 6),
    "L": ("m3", 3),
    "g": ("t", 6),
    "mg": ("t", 9),
    "mgce": ("tce", 9),
    "mgCO2e": ("tCO2e", 9),
    "0.01 CNY": ("CNY", 2),
}
