"""Carriers (能源与物料载体) and units.

Amounts are integers in the base unit of the carrier's dimension:

=============  ==========  =======================================
dimension      base unit   carriers
=============  ==========  =======================================
electricity    Wh          electricity
heat           kJ          steam, hot water, chilled water
volume         L           gases at 0 °C and 101.325 kPa (10⁻³ Nm³), water
mass           g           coal, oil, process materials, products
=============  ==========  =======================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from lujin.errors import N_, Problem, UnitError

Dimension = Literal["electricity", "heat", "volume", "mass"]

BASE_UNIT: Mapping[Dimension, str] = {"electricity": "Wh", "heat": "kJ", "volume": "L", "mass": "g"}

_ENERGY_J: Mapping[str, int] = {
    "Wh": 3_600,
    "kWh": 3_600_000,
    "MWh": 3_600_000_000,
    "GWh": 3_600_000_000_000,
    "万kWh": 36_000_000_000,
    "J": 1,
    "kJ": 1_000,
    "MJ": 1_000_000,
    "GJ": 1_000_000_000,
    "TJ": 1_000_000_000_000,
}
_VOLUME_L: Mapping[str, int] = {
    "L": 1,
    "Nm3": 1_000,
    "m3": 1_000,
    "kNm3": 1_000_000,
    "10^4 Nm3": 10_000_000,
    "万Nm3": 10_000_000,
    "万m3": 10_000_000,
}
_MASS_G: Mapping[str, int | Fraction] = {
    "mg": Fraction(1, 1_000),
    "g": 1,
    "kg": 1_000,
    "t": 1_000_000,
    "kt": 1_000_000_000,
    "万t": 10_000_000_000,
}
_POWER_W: Mapping[str, int] = {"W": 1, "kW": 1_000, "MW": 1_000_000}
# A user writes these; the left side is what people type, the right side what the tables know.
_ALIASES: Mapping[str, str] = {
    "度": "kWh",
    "千瓦时": "kWh",
    "万千瓦时": "万kWh",
    "万度": "万kWh",
    "兆瓦时": "MWh",
    "吉焦": "GJ",
    "兆焦": "MJ",
    "吨": "t",
    "万吨": "万t",
    "千克": "kg",
    "公斤": "kg",
    "立方米": "m3",
    "万立方米": "万m3",
    "万标立方米": "万Nm3",
    "标方": "Nm3",
    "标立方米": "Nm3",
    "m³": "m3",
    "Nm³": "Nm3",
    "千瓦": "kW",
    "KWH": "kWh",
    "KWh": "kWh",
    "kwh": "kWh",
    "Kwh": "kWh",
    "MWH": "MWh",
    "KW": "kW",
    "kw": "kW",
    "nm3": "Nm3",
    "NM3": "Nm3",
    "M3": "m3",
    "升": "L",
    "l": "L",
    "吨标煤": "tce",
}


@dataclass(frozen=True, slots=True)
class Carrier:
    """What flows.

    ``fuel`` is the Chinese name under which fuel and coal-equivalent tables list it (empty: not a fuel),
    ``process`` the name in the process-emission table, ``coal_equivalent`` the name in GB/T 2589 when it
    differs from ``fuel``.
    """

    id: str
    dimension: Dimension
    name_zh: str
    name_en: str
    fuel: str = ""
    process: str = ""
    coal_equivalent: str = ""
    biogenic: bool = False

    @property
    def base_unit(self) -> str:
        return BASE_UNIT[self.dimension]


CARRIERS: Mapping[str, Carrier] = {
    c.id: c
    for c in (
        Carrier("electricity", "electricity", "电力", "electricity"),
        Carrier("steam", "heat", "蒸汽", "steam"),
        Carrier("hot_water", "heat", "热水", "hot water"),
        Carrier("condensate", "heat", "凝结水", "condensate"),
        Carrier("chilled_water", "heat", "冷冻水", "chilled water"),
        # 389.31 GJ/10⁴ Nm³ of the fuel tables is the upper of the two rows of GB/T 2589.
        Carrier("natural_gas", "volume", "天然气", "natural gas", fuel="天然气", coal_equivalent="天然气(高)"),
        Carrier(
            "coke_oven_gas", "volume", "焦炉煤气", "coke oven gas", fuel="焦炉煤气", coal_equivalent="焦炉煤气(高)"
        ),
        Carrier("blast_furnace_gas", "volume", "高炉煤气", "blast furnace gas", fuel="高炉煤气"),
        Carrier("anthracite", "mass", "无烟煤", "anthracite", fuel="无烟煤", coal_equivalent="原煤"),
        Carrier("bituminous_coal", "mass", "烟煤", "bituminous coal", fuel="烟煤", coal_equivalent="原煤"),
        Carrier("lignite", "mass", "褐煤", "lignite", fuel="褐煤"),
        Carrier("coke", "mass", "焦炭", "coke", fuel="焦炭", coal_equivalent="焦炭(干全焦)"),
        Carrier("cleaned_coal", "mass", "洗精煤", "cleaned coal", fuel="洗精煤"),
        Carrier("diesel", "mass", "柴油", "diesel", fuel="柴油"),
        Carrier("gasoline", "mass", "汽油", "gasoline", fuel="汽油"),
        Carrier("fuel_oil", "mass", "燃料油", "fuel oil", fuel="燃料油"),
        Carrier("kerosene", "mass", "煤油", "kerosene", fuel="一般煤油", coal_equivalent="煤油"),
        Carrier("crude_oil", "mass", "原油", "crude oil", fuel="原油"),
        Carrier("lng", "mass", "液化天然气", "liquefied natural gas", fuel="液化天然气"),
        Carrier("lpg", "mass", "液化石油气", "liquefied petroleum gas", fuel="液化石油气"),
        Carrier("biomass", "mass", "生物质", "biomass", biogenic=True),
        Carrier("sludge", "mass", "污泥", "sludge", biogenic=True),
        Carrier("compressed_air", "volume", "压缩空气", "compressed air"),
        Carrier("water", "volume", "新水", "fresh water"),
        Carrier("fly_ash", "mass", "粉煤灰", "fly ash"),
        Carrier("co2", "mass", "二氧化碳", "carbon dioxide"),
        Carrier("limestone", "mass", "石灰石", "limestone", process="碳酸钙(石灰石)"),
        Carrier("dolomite", "mass", "白云石", "dolomite", process="白云石"),
        Carrier("soda_ash", "mass", "纯碱", "soda ash", process="碳酸钠(纯碱)"),
        Carrier("product", "mass", "产品", "product"),
    )
}


def unit_name(unit: str) -> str:
    """The unit as the tables know it.

    >>> unit_name("千瓦时"), unit_name(" Nm³ "), unit_name("吨/小时")
    ('kWh', 'Nm3', 't/h')
    """
    quantity, slash, time = unit.strip().partition("/")
    name = _ALIASES.get(quantity.strip(), quantity.strip())
    return f"{name}/{'h' if time.strip() == '小时' else time.strip()}" if slash else name


def to_base(unit: str, dimension: Dimension, *, enthalpy_kj_per_kg: Decimal | float | None = None) -> Fraction:
    """Base units per one ``unit`` of a quantity [base unit / unit], exact.

    For heat metered as steam mass, ``enthalpy_kj_per_kg`` [kJ/kg] is the enthalpy above feed water that the
    contract or the method pack names; without it a mass is refused. ``kW`` and ``MW`` are powers: their base
    is base units per hour.

    >>> to_base("kWh", "electricity"), to_base("kWh", "heat"), to_base("t", "heat", enthalpy_kj_per_kg=2700)
    (Fraction(1000, 1), Fraction(3600, 1), Fraction(2700000, 1))
    """
    name = unit_name(unit)
    if dimension == "electricity" and (name in _ENERGY_J or name in _POWER_W):
        return Fraction(_ENERGY_J.get(name, _POWER_W.get(name, 0) * 3600), 3_600)
    if dimension == "heat":
        if name in _ENERGY_J:
            return Fraction(_ENERGY_J[name], 1_000)
        if name in _POWER_W:
            return Fraction(_POWER_W[name] * 3_600, 1_000)
        if name in _MASS_G and enthalpy_kj_per_kg is not None:
            return Fraction(_MASS_G[name], 1_000) * Fraction(str(enthalpy_kj_per_kg))
    if dimension == "volume" and name in _VOLUME_L:
        return Fraction(_VOLUME_L[name])
    if dimension == "volume" and name.removesuffix("/h") in _VOLUME_L:
        return Fraction(_VOLUME_L[name.removesuffix("/h")])
    if dimension == "mass" and name in _MASS_G:
        return Fraction(_MASS_G[name])
    if dimension == "mass" and name.removesuffix("/h") in _MASS_G:
        return Fraction(_MASS_G[name.removesuffix("/h")])
    if dimension == "heat" and name.removesuffix("/h") in _MASS_G and enthalpy_kj_per_kg is not None:
        return Fraction(_MASS_G[name.removesuffix("/h")], 1_000) * Fraction(str(enthalpy_kj_per_kg))
    raise UnitError(
        Problem(
            N_("unit {unit} does not measure {dimension}"),
            {"unit": unit, "dimension": dimension, "known": ", ".join(units_of(dimension))},
            N_("use one of: {known}"),
        )
    )


def is_rate(unit: str) -> bool:
    """Whether a unit is a power or a rate per hour, as ``power`` meters state it.

    >>> is_rate("kW"), is_rate("Nm³/h"), is_rate("kWh")
    (True, True, False)
    """
    name = unit_name(unit)
    return name in _POWER_W or name.endswith("/h")


def fits(unit: str, dimension: Dimension, enthalpy_kj_per_kg: Decimal | float | None = None) -> bool:
    """Whether ``unit`` measures ``dimension``; see ``to_base``.

    >>> fits("GJ", "heat"), fits("t", "heat"), fits("t", "heat", 2700), fits("kWh", "volume")
    (True, False, True, False)
    """
    try:
        to_base(unit, dimension, enthalpy_kj_per_kg=enthalpy_kj_per_kg)
    except UnitError:
        return False
    return True


def units_of(dimension: Dimension) -> tuple[str, ...]:
    """Units that a meter of this dimension may state; powers and rates per hour belong to ``power`` meters."""
    match dimension:
        case "electricity":
            return (*_ENERGY_J, *_POWER_W)
        case "heat":
            return (*_ENERGY_J, *_POWER_W, "t", "kg", "t/h", "kg/h")
        case "volume":
            return (*_VOLUME_L, "m3/h", "Nm3/h")
        case "mass":
            return (*_MASS_G, "t/h", "kg/h")
