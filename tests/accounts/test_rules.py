from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts import rules
from lujin.accounts.rules import RULES, apply, scaled
from lujin.errors import InputError

amounts = st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=8)
factors = st.fractions(min_value=-(10**5), max_value=10**5, max_denominator=10**12)


@given(amounts, factors)
@settings(max_examples=300)
def test_scaling_is_exact_and_rounds_half_to_even(values, factor):
    assert scaled(values, factor).tolist() == [round(Fraction(v) * factor) for v in values]


@given(st.integers(-(10**17), 10**17), st.integers(1, 10**15), st.integers(1, 10**25))
def test_scaling_is_exact_where_a_product_leaves_64_bits(value, numerator, denominator):
    factor = Fraction(numerator, denominator)
    exact = round(value * factor)
    if abs(exact) < 2**63:
        assert scaled([value], factor).tolist() == [exact]
    else:
        with pytest.raises(InputError, match="does not fit"):
            scaled([value], factor)


def test_scaling_keeps_shape_and_takes_nothing():
    assert scaled(np.zeros((2, 3), dtype=np.int64), Fraction(1, 3)).shape == (2, 3)
    assert scaled(np.zeros((0, 3), dtype=np.int64), Fraction(1, 3)).shape == (0, 3)


def test_natural_gas_is_counted_per_ten_thousand_cubic_metres():
    """389.31 GJ/10⁴ Nm³ · 15.3 tC/TJ · 99 % · 44/12 = 21.6219 t (发改办气候〔2015〕1722号 table 2.1)."""
    mg = rules.combustion(
        [10_000_000],
        ncv=Decimal("389.31"),
        carbon_content=Decimal("15.3"),
        oxidation=Decimal("0.99"),
        base_per_activity=Decimal(10_000_000),
    )
    assert mg.tolist() == [21_621_888_090]


def test_market_counts_claims_at_their_factor_and_the_rest_at_the_residual():
    mg = rules.purchased_electricity_market([1_000, 1_000], claimed=[1_000, 400], residual=Decimal("0.6096"))
    assert mg.tolist() == [0, 365_760]


def test_net_purchases_may_be_negative():
    mg = rules.net_purchased_electricity([100], exported=[300], factor=Decimal("0.5366"))
    assert mg.tolist() == [-107_320]


def test_a_bill_is_rounded_once():
    assert rules.energy_cost([1_005], price=Decimal("1.00"), base_per_unit=Decimal(1000)).tolist() == [100]
    assert rules.basic_charge([2_000_000], price=Decimal("36.1")).tolist() == [7_220_000]
    assert rules.feed_in([1_000_000], price=Decimal("0.453")).tolist() == [45_300]


@given(amounts)
def test_unit_changes_leave_results_within_one_unit(wh):
    """The same heat in kJ and in kWh: 1 kWh = 3600 kJ."""
    coefficient = Decimal("0.03412")
    in_kj = rules.coal_equivalent([v * 3600 for v in wh], coefficient=coefficient, base_per_unit=Decimal(1000))
    in_kwh = rules.coal_equivalent(wh, coefficient=coefficient * Decimal("3.6"), base_per_unit=Decimal(1))
    assert np.abs(in_kj - in_kwh).max() <= 1


def test_every_rule_states_its_formula_unit_and_source():
    for name, rule in RULES.items():
        assert rule.formula.startswith(name)
        assert "[" in rule.formula
        assert "Source" in rule.formula or name == "metered@1"


def test_an_unknown_rule_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"no rule combustion@9; use one of: combustion@1"):
        apply("combustion@9", {"fuel": [1]})
