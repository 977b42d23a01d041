"""Ledger integers as a person reads them: base units outside the ledger become kWh, GJ, t, CNY, exactly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lujin.accounts.base_units import SHOWN
from lujin.errors import N_, InputError, Problem
from lujin.park import Carrier
from lujin.reference import Resolve, Row, gwp

GASES = ("CO2f", "CO2b", "CH4f", "CH4b", "N2O")
CO2E = "CO2e:"  # a factor that its source states as CO2e only, by its GWP set: CO2e:AR6, CO2e:unstated
COAL = ("ce_equivalent", "ce_equal")  # 当量值, 等价值


@dataclass(frozen=True, slots=True)
class Amount:
    """``base``: integer in ``base_unit``.

    >>> str(Amount(1_234_567, "Wh"))
    '1234.567 kWh'
    """

    base: int
    base_unit: str

    @property
    def unit(self) -> str:
        return SHOWN[self.base_unit][0]

    @property
    def value(self) -> Decimal:
        return Decimal(self.base).scaleb(-SHOWN[self.base_unit][1])

    def __str__(self) -> str:
        return f"{self.value:f} {self.unit}"

    def __bool__(self) -> bool:
        return self.base != 0

    def __add__(self, other: Amount) -> Amount:
        if other.base_unit != self.base_unit:
            raise TypeError(f"{self.base_unit} and {other.base_unit} do not add")
        return Amount(self.base + other.base, self.base_unit)

    def __sub__(self, other: Amount) -> Amount:
        return self + Amount(-other.base, other.base_unit)

    def as_dict(self) -> dict[str, str]:
        """Numbers as text: a JSON number is a double."""
        return {
            "value": f"{self.value:f}",
            "unit": self.unit,
            "base": str(self.base),
            "base_unit": self.base_unit,
        }


def base_unit(commodity: str, carriers: Mapping[str, Carrier]) -> str:
    """Base unit of a ledger commodity: a carrier, a gas, standard coal or money. InputError: none of these."""
    if commodity in GASES:
        return "mg"
    if commodity.startswith(CO2E):
        return "mgCO2e"
    if commodity in COAL:
        return "mgce"
    if commodity == "CNY":
        return "0.01 CNY"
    if (carrier := carriers.get(commodity)) is None:
        raise InputError(
            Problem(
                N_("the ledger holds {carrier}, which the park does not describe"),
                {"carrier": commodity},
                N_("describe the carrier in park.toml again"),
                file="park.toml",
                field="carriers",
            )
        )
    return carrier.base_unit


def total(amounts: Iterable[Amount], unit: str) -> Amount:
    return Amount(sum(amount.base for amount in amounts), unit)


@dataclass(frozen=True, slots=True)
class GwpSet:
    """A view on gases (全球增温潜势): kg CO2e per kg of each gas, and the published rows it comes from."""

    assessment: str
    values: Mapping[str, Decimal]
    rows: tuple[Row, ...]

    def co2e(self, gases: Mapping[str, int]) -> Amount:
        """CO2e of gases [mg → mg CO2e], rounded once. Biogenic CO2 counts 0 and stands apart.

        What a source states as CO2e counts if it did so through this very set, else not at all.
        """
        same = f"{CO2E}{self.assessment}"
        known = {gas: mg for gas, mg in gases.items() if gas == same or not gas.startswith(CO2E)}
        values = {**self.values, same: Decimal(1)}
        exact = sum((Decimal(mg) * values[gas] for gas, mg in known.items()), Decimal(0))
        return Amount(round(exact), "mgCO2e")


def gwp_set(resolve: Resolve, assessment: str, on: date) -> GwpSet:
    """The GWP-100 of one IPCC assessment. FactorError: the table has none of that name in force on the day."""
    names = {"CO2f": "CO2", "CH4f": "CH4 (fossil)", "CH4b": "CH4 (non-fossil)", "N2O": "N2O"}
    rows = {gas: resolve.one(gwp(name, assessment), on) for gas, name in names.items()}
    values = {gas: row.value for gas, row in rows.items()} | {"CO2b": Decimal(0)}
    return GwpSet(assessment, values, tuple(rows.values()))
