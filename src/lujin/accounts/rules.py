"""The closed set of posting rules (核算规则): named, versioned, pure functions on whole numbers.

A method pack selects a rule by its id and gives it parameters; there is no expression language. Amounts are
int64 arrays in base units (Wh, kJ, L, g) of any shape, results int64 arrays of that shape in mg of gas, mg of
coal equivalent, or 0.01 CNY. Parameters are Decimal: a rule multiplies exactly and rounds once, half to even,
per amount. A rule never changes: a new reading of a standard is a new version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lujin.errors import N_, InputError, Problem

Amounts = NDArray[np.int64]

MG_PER_T = 10**9
MG_PER_KG = 10**6
_LIMIT = 2**63 - 1


def scaled(amounts: ArrayLike, factor: Fraction) -> Amounts:
    """``amounts × factor``, exact, rounded half to even.

    A double gives the quotient to within a few thousand units; its error is then found exactly in wrapping
    64-bit arithmetic, where it cannot overflow, and removed. InputError: a result does not fit int64.

    >>> scaled([1, 3, 5, -1], Fraction(1, 2)).tolist()
    [0, 2, 2, 0]
    """
    values = np.asarray(amounts, dtype=np.int64)
    n, d = factor.numerator, factor.denominator
    if n == d == 1:
        return values
    largest = max(int(values.max()), -int(values.min())) if values.size else 0
    if largest * abs(n) // d >= 2**62 or d >= 2**50:
        return _scaled_slowly(values, n, d)
    quotient = np.rint(values.astype(np.float64) * (n / d)).astype(np.int64)
    with np.errstate(over="ignore"):
        rest = values * _wrapped(n) - quotient * np.int64(d)
    quotient += rest // d
    rest %= d
    up = (2 * rest > d) | ((2 * rest == d) & (quotient & 1 == 1))
    quotient += up
    return quotient


def _wrapped(number: int) -> np.int64:
    return np.int64((number + 2**63) % 2**64 - 2**63)


def _scaled_slowly(values: Amounts, n: int, d: int) -> Amounts:
    results = [round(Fraction(int(v) * n, d)) for v in values.ravel()]
    if any(abs(r) > _LIMIT for r in results):
        raise InputError(
            Problem(
                N_("an amount of {amount} units does not fit the ledger"),
                {"amount": max(results, key=abs)},
                N_("check the unit and the multiplier of the meters"),
            )
        )
    return np.array(results, dtype=np.int64).reshape(values.shape)


def combustion(
    fuel: ArrayLike,
    *,
    ncv: Decimal,
    carbon_content: Decimal,
    oxidation: Decimal,
    base_per_activity: Decimal | Fraction,
) -> Amounts:
    """combustion@1 · CO2 of burned fuel (化石燃料燃烧) [mg].

    E = FC · NCV · CC · OF · 44/12. ``fuel`` FC [base unit], ``ncv`` [GJ/activity unit], ``carbon_content``
    [tC/TJ, as the numbers of both Chinese tables are, whatever their head prints], ``oxidation`` [1],
    ``base_per_activity`` [base unit/activity unit], e.g. 10⁶ g/t, 10⁷ L/10⁴ Nm³.
    Sources: GB/T 32150-2015 5.2; 发改办气候〔2015〕1722号 chapter 5 (1); IPCC 2006 Vol. 2 eq. 2.1.
    """
    per_activity = Fraction(ncv) * Fraction(carbon_content) / 1000 * Fraction(oxidation) * Fraction(44, 12)
    return scaled(fuel, per_activity * MG_PER_T / Fraction(base_per_activity))


def combustion_gas(
    fuel: ArrayLike, *, ncv: Decimal, kg_per_tj: Decimal, base_per_activity: Decimal | Fraction
) -> Amounts:
    """combustion_gas@1 · CH4 or N2O of burned fuel [mg].

    E = FC · NCV · EF. ``ncv`` [GJ/activity unit], ``kg_per_tj`` [kg gas/TJ]. Source: IPCC 2006 Vol. 2 eq. 2.1.
    """
    per_activity = Fraction(ncv) / 1000 * Fraction(kg_per_tj) * MG_PER_KG
    return scaled(fuel, per_activity / Fraction(base_per_activity))


def process(material: ArrayLike, *, factor: Decimal, purity: Decimal = Decimal(1)) -> Amounts:
    """process@1 · CO2 of a carbonate that is decomposed (工业过程, 碳酸盐分解) [mg].

    E = AD · purity · EF. ``material`` [g], ``factor`` [tCO2/t pure carbonate], ``purity`` [1].
    Source: 发改办气候〔2015〕1722号 chapter 5 (2); IPCC 2006 Vol. 3 eq. 2.1.
    """
    return scaled(material, Fraction(factor) * Fraction(purity) * 1000)


def purchased_electricity_location(purchased: ArrayLike, *, factor: Decimal) -> Amounts:
    """purchased_electricity_location@1 · CO2 of purchased electricity, grid average (基于位置) [mg].

    E = Σ AD · EF of the region. ``purchased`` [Wh], ``factor`` [kgCO2/kWh].
    Source: GHG Protocol Scope 2 Guidance 6.3, table 6.2.
    """
    return scaled(purchased, Fraction(factor) * 1000)


def purchased_electricity_market(
    purchased: ArrayLike, *, claimed: ArrayLike, residual: Decimal, claimed_factor: Decimal = Decimal(0)
) -> Amounts:
    """purchased_electricity_market@1 · CO2 of purchased electricity by contract (基于市场) [mg].

    E = claimed · EF of the instrument + (AD − claimed) · residual mix. ``purchased``, ``claimed`` [Wh], with
    0 ≤ claimed ≤ purchased wherever there is a claim; factors [kgCO2/kWh].
    Source: GHG Protocol Scope 2 Guidance 6.5, table 6.3 and chapter 7 (scope 2 quality criteria).
    """
    covered = np.asarray(claimed, dtype=np.int64)
    rest = np.asarray(purchased, dtype=np.int64) - covered
    return scaled(rest, Fraction(residual) * 1000) + scaled(covered, Fraction(claimed_factor) * 1000)


def net_purchased_electricity(purchased: ArrayLike, *, exported: ArrayLike, factor: Decimal) -> Amounts:
    """net_purchased_electricity@1 · CO2 of purchased minus exported electricity (净购入电力) [mg].

    E = (AD_purchased − AD_exported) · EF. Amounts [Wh], ``factor`` [kgCO2/kWh]: the national average, also
    for green power, which is reported apart. In the ledger the two terms are lines of their own.
    Sources: GB/T 32150-2015 5.2.4; 发改办气候〔2015〕1722号 chapter 5 (6); 环办气候函〔2023〕332号.
    """
    gram = Fraction(factor) * 1000
    return scaled(purchased, gram) - scaled(exported, gram)


def purchased_heat(purchased: ArrayLike, *, factor: Decimal) -> Amounts:
    """purchased_heat@1 · CO2 of purchased steam and hot water (外购热力) [mg].

    E = AD · EF. ``purchased`` [kJ], ``factor`` [tCO2/GJ], nationally 0.11.
    Sources: GHG Protocol Scope 2 Guidance appendix A; GB/T 32151 series.
    """
    return scaled(purchased, Fraction(factor) * 1000)


def net_purchased_heat(purchased: ArrayLike, *, exported: ArrayLike, factor: Decimal) -> Amounts:
    """net_purchased_heat@1 · CO2 of purchased minus exported heat (净购入热力) [mg].

    E = (AD_purchased − AD_exported) · EF. Amounts [kJ], ``factor`` [tCO2/GJ].
    Source: 发改办气候〔2015〕1722号 chapter 5 (7); GB/T 32151 series.
    """
    gram = Fraction(factor) * 1000
    return scaled(purchased, gram) - scaled(exported, gram)


def own_factor(purchased: ArrayLike, *, intensity: Decimal | Fraction) -> Amounts:
    """own_factor@1 · emissions of energy bought from the plant that made it (自有因子, 直供) [mg].

    E = AD · q. ``purchased`` [Wh or kJ], ``intensity`` q [mg of a gas per Wh or kJ]: what the plant emits for
    what it gives out, shared among its products by the declared joint method.
    Source: GHG Protocol Scope 2 Guidance 6.11.2 (direct line), appendix A (supplier-specific factor of heat).
    """
    return scaled(purchased, Fraction(intensity))


def elimination(delivered: ArrayLike, *, deducted: ArrayLike, intensity: Decimal | Fraction) -> Amounts:
    """elimination@1 · scope 2 of a neighbour that the park's total must not hold (抵销) [mg].

    E = AD_delivered · q − AD_deducted · q: what the buyer books of a delivery inside the park, less what the
    seller itself deducts as sold on. Amounts [Wh or kJ], ``intensity`` q [mg per Wh or kJ]: the very factor of
    the buyer's line. In the ledger the two terms stand at their own factors.
    Source: GHG Protocol Corporate Standard chapter 3 (consolidation); Scope 2 Guidance 5.4.
    """
    factor = Fraction(intensity)
    return scaled(delivered, factor) - scaled(deducted, factor)


def sold_attribute(generated: ArrayLike, *, residual: Decimal) -> Amounts:
    """sold_attribute@1 · self-used renewable power whose certificate somebody claims (环境权益已售) [mg].

    E = AD · residual mix. ``generated`` [Wh]: own generation used on site beyond what its sold certificates
    leave. ``residual`` [kgCO2/kWh]. Source: GHG Protocol Scope 2 Guidance 6.11.2, 7.1 (unique claims).
    """
    return scaled(generated, Fraction(residual) * 1000)


def scope3_activity(activity: ArrayLike, *, factor: Decimal, base_per_unit: Decimal | Fraction) -> Amounts:
    """scope3_activity@1 · scope 3 by activity and factor (范围三, 活动数据法) [mg].

    E = AD · EF. ``activity`` [base unit], ``factor`` [kg of a gas per unit], ``base_per_unit`` [base unit per
    unit of the factor]. Source: GHG Protocol Scope 3 Standard chapter 7; Technical Guidance, categories 1, 3, 5.
    """
    return scaled(activity, Fraction(factor) * MG_PER_KG / Fraction(base_per_unit))


def scope3_transport(mass: ArrayLike, *, distance_km: Decimal, factor: Decimal) -> Amounts:
    """scope3_transport@1 · scope 3 of goods on their way (运输, 距离法) [mg].

    E = m · d · EF. ``mass`` [g], ``distance_km`` [km], ``factor`` [kg of a gas per t·km].
    Source: GHG Protocol Technical Guidance for Calculating Scope 3 Emissions, categories 4 and 9,
    distance-based method.
    """
    return scaled(mass, Fraction(distance_km) * Fraction(factor))


def coal_equivalent(energy: ArrayLike, *, coefficient: Decimal, base_per_unit: Decimal | Fraction) -> Amounts:
    """coal_equivalent@1 · standard coal on the equivalent basis (折标准煤, 当量值) [mgce].

    E = quantity · coefficient. ``coefficient`` [kgce/unit], ``base_per_unit`` [base unit/unit of the
    coefficient], e.g. 1000 Wh/kWh.
    Source: GB/T 2589-2020 5.3 and annex A.
    """
    return scaled(energy, Fraction(coefficient) * MG_PER_KG / Fraction(base_per_unit))


def coal_equal_value(energy: ArrayLike, *, coefficient: Decimal, base_per_unit: Decimal | Fraction) -> Amounts:
    """coal_equal_value@1 · standard coal on the equal-value basis (折标准煤, 等价值) [mgce].

    E = quantity · coefficient, as coal_equivalent@1 with the primary energy that the unit took: for electricity
    the year's net coal consumption for power supply (供电煤耗). Source: GB/T 2589-2020 3.7 and 5.3.
    """
    return scaled(energy, Fraction(coefficient) * MG_PER_KG / Fraction(base_per_unit))


def self_use(generated: ArrayLike, *, exported: ArrayLike) -> Amounts:
    """self_use@1 · own generation used on site (自发自用) [Wh].

    self-use = generation − export, per interval; in the ledger the two terms are lines of their own.
    Source: GB/T 2589-2020 5.2; 环办气候函〔2023〕332号 (self-used non-fossil power counts 0).
    """
    return np.asarray(generated, dtype=np.int64) - np.asarray(exported, dtype=np.int64)


def energy_cost(energy: ArrayLike, *, price: Decimal, base_per_unit: Decimal | Fraction) -> Amounts:
    """energy_cost@1 · what a period's energy costs (电度电费, 能源费用) [0.01 CNY].

    cost = total of the period × price, rounded once; price of a period = ratio × floating part, rounded as the
    notice says, + fixed part (funds). ``price`` [CNY/unit], ``base_per_unit`` [base unit/unit].
    Source: 国家发展改革委 发改价格〔2021〕1439号 and provincial notices (prices by period).
    """
    return scaled(energy, Fraction(price) * 100 / Fraction(base_per_unit))


def basic_charge(
    demand: ArrayLike, *, price: Decimal, floor: Decimal = Decimal(0), share: Decimal | Fraction = Decimal(1)
) -> Amounts:
    """basic_charge@1 · two-part tariff, demand or capacity part (基本电费) [0.01 CNY].

    charge = max(demand, floor) × price × share. ``demand`` [W or VA]: greatest mean power of a quarter hour in
    the month, or the transformer capacity; ``floor`` [kW], ``price`` [CNY/kW·month or CNY/kVA·month]; ``share``:
    1, or days of use / 30 in a month in which the connection begins or ends.
    Source: 发改办价格〔2016〕1583号 (basis; declared demand at least 40 % of capacity); 发改价格〔2023〕526号;
    供电营业规则 第八十四条 (part of a month).
    """
    watts = np.maximum(np.asarray(demand, dtype=np.int64), int(Fraction(floor) * 1000))
    return scaled(watts, Fraction(price) * Fraction(share) * 100 / 1000)


def feed_in(exported: ArrayLike, *, price: Decimal) -> Amounts:
    """feed_in@1 · income for electricity fed into the grid (上网电费) [0.01 CNY].

    ``exported`` [Wh], ``price`` [CNY/kWh]. Source: 发改价格〔2019〕761号; mechanism price 发改价格〔2025〕136号.
    """
    return scaled(exported, Fraction(price) / 10)


def metered(amount: ArrayLike) -> Amounts:
    """metered@1 · the quantity that the meters of a flow measured (计量值) [base unit], unchanged."""
    return np.asarray(amount, dtype=np.int64)


def pass_on(quantity: ArrayLike, *, intensity: Decimal | Fraction) -> Amounts:
    """pass_on@1 · carbon that goes on with what leaves a pool, or stays with what is used there (碳传递) [mg].

    E = quantity · q, with q = carbon of the pool / what leaves it and is used in it. ``quantity`` [base unit],
    ``intensity`` q [mg/base unit]. Source: W. Leontief (1936); Kaplan & Ramanna, Accounting for Climate Change,
    HBR 2021 (E-liability).
    """
    return scaled(quantity, Fraction(intensity))


def stock_change(closing: ArrayLike, *, opening: ArrayLike) -> Amounts:
    """stock_change@1 · what a store holds at the end of the month less what it held at its start (库存变化).

    change = closing − opening [mg, or base unit of what is stored]. Weighted pool: what is drawn takes its part
    of the carbon, losses stay in what comes out. Source: as X. Chen et al., Carbon-aware optimal power flow,
    arXiv 2308.03240.
    """
    return np.asarray(closing, dtype=np.int64) - np.asarray(opening, dtype=np.int64)


def captured_co2(captured: ArrayLike) -> Amounts:
    """captured_co2@1 · CO2 that is captured (碳捕集) [mg].

    E = captured, ``captured`` [g].

    Taken out only when stored geologically or bound in minerals for good; otherwise it stays with the emitter
    and is a memo. Source: Regulation (EU) 2018/2066 articles 48 and 49.
    """
    return np.asarray(captured, dtype=np.int64) * 1000


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    function: Callable[..., Amounts]

    @property
    def formula(self) -> str:
        """Meaning, formula, units and source, for a person who asks how a number came about."""
        return (self.function.__doc__ or "").strip()


RULES: Mapping[str, Rule] = {
    f"{f.__name__}@1": Rule(f"{f.__name__}@1", f)
    for f in (
        combustion,
        combustion_gas,
        process,
        purchased_electricity_location,
        purchased_electricity_market,
        net_purchased_electricity,
        purchased_heat,
        net_purchased_heat,
        own_factor,
        elimination,
        sold_attribute,
        scope3_activity,
        scope3_transport,
        coal_equivalent,
        coal_equal_value,
        self_use,
        energy_cost,
        basic_charge,
        feed_in,
        metered,
        pass_on,
        stock_change,
        captured_co2,
    )
}


def apply(rule: str, arguments: Mapping[str, Sequence[int] | Decimal]) -> Amounts:
    """Run a rule by its id on named arguments, as test vectors and explanations do. InputError: no such rule."""
    if (found := RULES.get(rule)) is None:
        params = {"rule": rule, "known": ", ".join(RULES)}
        raise InputError(Problem(N_("there is no rule {rule}"), params, N_("use one of: {known}")))
    names = list(arguments)
    return found.function(arguments[names[0]], **{name: arguments[name] for name in names[1:]})
