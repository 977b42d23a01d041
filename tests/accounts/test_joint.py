"""Shares of power and heat: published examples and the laws that hold for every formula."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts.joint import (
    METHODS,
    Declared,
    allocate,
    checked_shares,
    entropy_mean_temperature,
    method_spread,
    water_mean_temperature,
)
from lujin.errors import InputError

ALL = Declared(
    power_reference=0.525,
    heat_reference=0.82,
    heat_temperature_k=450.0,
    ambient_temperature_k=298.15,
    boiler_heat=1e12,
    shares={"electricity": Decimal("0.4"), "steam": Decimal("0.6")},
)


@pytest.mark.parametrize(
    ("name", "carbon_of_power", "carbon_of_heat"),
    [
        ("energy@1", 75.0, 125.0),
        ("fuel_share@1", 125.0, 75.0),
        ("ghgp_efficiency@1", 96.7551622418879, 103.24483775811208),
    ],
)
def test_oemof_thermal_allocates_200_kg(name, carbon_of_power, carbon_of_heat):
    """oemof-thermal, tests/test_functions.py, test_allocate_emissions: 200 kg, η_el 0.3, η_th 0.5, references
    0.525 and 0.82; there the methods are called iea, efficiency and finnish (github.com/oemof/oemof-thermal)."""
    shares = allocate(name, 0.3, 0.5, ALL)
    assert float(shares.power) * 200 == pytest.approx(carbon_of_power, rel=1e-14)
    assert float(shares.heat) * 200 == pytest.approx(carbon_of_heat, rel=1e-14)


@pytest.mark.parametrize(
    ("name", "declared", "share"),
    [
        ("energy@1", Declared(), 0.375),
        ("fuel_share@1", Declared(), 0.625),
        ("ghgp_efficiency@1", Declared(power_reference=0.5, heat_reference=0.9), 0.519),
        # A Carnot factor of 0.3: 1 − 210/300
        ("exergy@1", Declared(heat_temperature_k=300.0, ambient_temperature_k=210.0), 0.667),
    ],
)
def test_deflex_allocation_factors(name, declared, share):
    """deflex, allocation of fuel to the outputs of CHP: the examples in its docstrings (Uwe Krien, MIT)."""
    assert round(float(allocate(name, 0.3, 0.5, declared).power), 3) == share


def test_deflex_contradicts_itself():
    """The formula printed for deflex' finnish_method, η_ref/η · (η/η_ref + η_th/η_th,ref), is the inverse of what
    its example computes: 1.926 against 0.519. The example is right, since a share cannot exceed one."""
    power, heat, power_reference, heat_reference = 0.3, 0.5, 0.5, 0.9
    printed = power_reference / power * (power / power_reference + heat / heat_reference)
    share = allocate("ghgp_efficiency@1", power, heat, Declared(power_reference, heat_reference)).power
    assert round(printed, 3) == 1.926
    assert float(share) == pytest.approx(1 / printed, rel=1e-14)


def test_two_formulas_called_efficiency_are_not_one():
    """oemof-thermal and deflex give 0.625 to the power where the GHG Protocol's method gives 0.48."""
    protocol = allocate("ghgp_efficiency@1", 0.3, 0.5, ALL).power
    libraries = allocate("fuel_share@1", 0.3, 0.5).power
    assert abs(float(protocol) - float(libraries)) > 0.14
    with pytest.raises(InputError) as error:
        allocate("efficiency", 0.3, 0.5, ALL)
    assert error.value.text() == (
        "two different formulas are called efficiency: ghgp_efficiency@1 is α_e = (P/e_P)/(P/e_P + H/e_H); "
        "fuel_share@1 is α_e = η_h/(η_e+η_h); name the one that is meant by its id"
    )
    with pytest.raises(InputError, match="two different formulas are called efficiency@1"):
        allocate("efficiency@1", 0.3, 0.5, ALL)


def test_heat_twice_as_easy_as_power_bears_half_as_much():
    """DEFRA's conversion factors assume that heat is made twice as efficiently as power, so that a kWh of power
    bears twice the carbon of a kWh of heat (as described for AMEE, discover.amee.com)."""
    power, heat = 40.0, 70.0
    shares = allocate("ghgp_efficiency@1", power, heat, Declared(power_reference=0.4, heat_reference=0.8))
    assert float(shares.power) / power == pytest.approx(2 * float(shares.heat) / heat, rel=1e-14)
    assert float(shares.power) == pytest.approx(2 * power / (2 * power + heat), rel=1e-14)


def test_egrid_as_the_environmental_protection_agency_writes_it():
    """github.com/USEPA/egrid, scripts/plant_file_create.R: 3.413 g / (0.75 u + 3.413 g), 1 where u is 0; g in MWh,
    u in MMBtu. The figures are made up; the formula and its edge are theirs."""
    generation, thermal = np.array([100_000.0, 5_000.0, 80.0]), np.array([400_000.0, 0.0, 1.0])
    theirs = np.where(thermal == 0, 1, 3.413 * generation / (0.75 * thermal + 3.413 * generation))
    assert allocate("egrid@1", 3.413 * generation, thermal).power == pytest.approx(theirs, rel=1e-14)


def test_mean_temperature_of_steam_is_not_that_of_saturation():
    """Saturated steam of 1 MPa against condensate of 100 °C: enthalpies and entropies by IAPWS-IF97 (iapws 1.5.5),
    saturation at 453.04 K."""
    mean = float(entropy_mean_temperature(2777.1195 - 419.7742, 6.584979 - 1.306311))
    assert mean == pytest.approx(446.58, abs=0.01)
    declared = Declared(heat_temperature_k=mean, ambient_temperature_k=298.15)
    assert float(allocate("exergy@1", 20, 60, declared).heat) == pytest.approx(0.4992, abs=1e-4)
    assert float(water_mean_temperature(350.0, 350.0)) == 350.0
    assert 333.15 < float(water_mean_temperature(363.15, 333.15)) < 348.15


energies = st.one_of(st.just(0.0), st.floats(1e-9, 1e9))


@settings(max_examples=100)
@given(
    st.sampled_from(sorted(METHODS)),
    st.lists(st.tuples(energies, energies), min_size=1, max_size=8),
    st.floats(1e-6, 1e6),
)
def test_shares_sum_to_one_lie_between_and_know_no_unit(name, outputs, scale):
    power, heat = np.array(outputs).T
    shares = allocate(name, power, heat, ALL)
    made = (power > 0) | (heat > 0)
    assert (shares.defined == made).all()
    assert np.all((shares.power >= 0) & (shares.power <= 1) & (shares.heat >= 0) & (shares.heat <= 1))
    assert np.all((shares.power + shares.heat)[made] == 1)
    assert np.all(shares.power[~made] + shares.heat[~made] == 0)
    assert np.all(shares.heat[heat == 0] == 0)
    assert np.all(shares.power[power == 0] == 0)
    bigger = replace(ALL, boiler_heat=1e12 * scale)
    again = allocate(name, power * scale, heat * scale, bigger)
    np.testing.assert_allclose(again.power, shares.power, rtol=1e-12, atol=1e-15)


@given(st.sampled_from(sorted(METHODS)), st.floats(1e-300, 1e300), st.floats(1e-300, 1e300))
def test_huge_and_tiny_energies_give_numbers(name, power, heat):
    declared = Declared(0.4, 0.9, 400.0, 290.0, heat * 2, ALL.shares)
    assert 0 <= float(allocate(name, power, heat, declared).power) <= 1


@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(1.01, 10))
def test_more_heat_never_lowers_its_share_but_by_fuel_share(power, heat, more):
    declared = Declared(0.4, 0.9, 400.0, 290.0, 1e8, ALL.shares)
    for name in METHODS:
        before = float(allocate(name, power, heat, declared).heat)
        after = float(allocate(name, power, heat * more, declared).heat)
        assert after <= before if name == "fuel_share@1" else after >= before


def test_heat_ratio_of_the_ministry():
    """α_h = heat supplied / heat of the boilers: 60 of 240 GJ. Without power all is for the heat."""
    shares = allocate(
        "mee_heat_ratio@1", [30.0, 30.0, 0.0], [60.0, 0.0, 60.0], Declared(boiler_heat=[240.0, 100, 70])
    )
    assert shares.heat.tolist() == [0.25, 0.0, 1.0]
    with pytest.raises(InputError, match=r"more heat is supplied than the boilers gave in step 1 \(1 in all\)"):
        allocate("mee_heat_ratio@1", [30.0, 30.0], [60.0, 60.0], Declared(boiler_heat=[240.0, 50.0]))


def test_declared_shares():
    shares = allocate("declared@1", [30.0, 0.0], [50.0, 50.0], ALL)
    assert shares.power.tolist() == [0.4, 0.0]
    with pytest.raises(InputError, match=r"no share is declared for electricity: power 0\.4"):
        allocate("declared@1", 1, 1, Declared(shares={"power": Decimal("0.4"), "steam": Decimal("0.6")}))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"electricity": "0.5", "steam": "0.6"},
            "shares do not sum to one: electricity 0.5, steam 0.6 sum to 1.1",
        ),
        ({"electricity": "0.3333333333", "steam": "0.6666666666"}, "shares do not sum to one"),
        ({"electricity": "1.2", "steam": "-0.2"}, "a share is not between 0 and 1: electricity 1.2, steam -0.2"),
        ({"electricity": "NaN", "steam": "1"}, "a share is not between 0 and 1"),
        ({}, "shares do not sum to one"),
    ],
)
def test_shares_that_are_no_shares_are_refused_by_name(values, said):
    shares = {output: Decimal(value) for output, value in values.items()}
    with pytest.raises(InputError, match=said):
        checked_shares(shares)
    with pytest.raises(InputError, match=said):
        allocate("declared@1", 1, 1, Declared(shares=shares))


@pytest.mark.parametrize(
    ("name", "declared", "said"),
    [
        ("ghgp_efficiency@1", Declared(), "ghgp_efficiency@1 needs power_reference, heat_reference"),
        ("ghgp_efficiency@1", Declared(0.0, 0.9), "ghgp_efficiency@1: power_reference is 0.0"),
        ("ghgp_efficiency@1", Declared(float("nan"), 0.9), "power_reference is nan"),
        ("exergy@1", Declared(heat_temperature_k=290.0, ambient_temperature_k=298.0), "290 K is not hotter than"),
        ("mee_heat_ratio@1", Declared(), "mee_heat_ratio@1 needs boiler_heat"),
        ("declared@1", Declared(), "declared@1 needs shares"),
        ("work", Declared(), "no method of allocation is called work; choose one of energy@1"),
        ("exergy", Declared(), "no method of allocation is called exergy"),
    ],
)
def test_what_is_missing_or_impossible_is_told(name, declared, said):
    with pytest.raises(InputError, match=said):
        allocate(name, 1.0, 1.0, declared)


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_outputs_that_are_no_energies_are_refused(bad):
    with pytest.raises(InputError, match=r"heat is negative or no number in step 1 \(1 in all\)"):
        allocate("energy@1", [1.0, 1.0], [1.0, bad])


def test_spread_over_the_methods_whose_values_are_known():
    spread = method_spread(30, 50, Declared(power_reference=0.525, heat_reference=0.82))
    assert list(spread) == ["energy@1", "ghgp_efficiency@1", "fuel_share@1", "egrid@1"]
    assert spread["ghgp_efficiency@1"] == pytest.approx(103.24483775811208 / 200)
    assert set(method_spread(30, 50, ALL)) == set(METHODS)
    assert method_spread(0, 0) == {}
