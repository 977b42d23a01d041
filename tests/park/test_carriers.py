"""Units convert exactly, and only within what a carrier is measured in."""

from decimal import Decimal
from fractions import Fraction

import pytest

from lujin.errors import UnitError
from lujin.park.carriers import CARRIERS, Dimension, fits, is_rate, to_base, units_of


@pytest.mark.parametrize(
    ("unit", "dimension", "base"),
    [
        ("度", "electricity", Fraction(1_000)),
        ("万kWh", "electricity", Fraction(10_000_000)),
        ("kW", "electricity", Fraction(1_000)),
        ("kWh", "heat", Fraction(3_600)),
        ("GJ", "heat", Fraction(1_000_000)),
        ("J", "heat", Fraction(1, 1_000)),
        ("万m3", "volume", Fraction(10_000_000)),
        ("Nm³/h", "volume", Fraction(1_000)),
        ("mg", "mass", Fraction(1, 1_000)),
        ("吨/小时", "mass", Fraction(1_000_000)),
    ],
)
def test_a_unit_is_so_many_base_units(unit: str, dimension: Dimension, base: Fraction) -> None:
    assert to_base(unit, dimension) == base


def test_steam_by_mass_takes_the_enthalpy_exactly() -> None:
    assert to_base("kg", "heat", enthalpy_kj_per_kg=Decimal("2706.3")) == Fraction("2706.3")
    with pytest.raises(UnitError, match="use one of"):
        to_base("kg", "heat")


@pytest.mark.parametrize("dimension", ["electricity", "heat", "volume", "mass"])
def test_every_unit_on_offer_converts(dimension: Dimension) -> None:
    for unit in units_of(dimension):
        assert to_base(unit, dimension, enthalpy_kj_per_kg=2700) > 0


def test_an_unknown_unit_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnitError, match=r"unit kWk does not measure electricity; use one of: Wh, kWh"):
        to_base("kWk", "electricity")
    assert not fits("kWk", "electricity")


def test_rates_are_told_from_amounts() -> None:
    assert {unit for unit in units_of("mass") if is_rate(unit)} == {"t/h", "kg/h"}


def test_every_built_in_carrier_has_two_names_and_a_base_unit() -> None:
    assert all(c.name_zh and c.name_en and c.base_unit and c.id == key for key, c in CARRIERS.items())
