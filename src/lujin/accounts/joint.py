"""Sharing the carbon of a plant that makes power and heat together, by formulas that are named exactly.

Each formula is a function of the energies of a step, [T] arrays in one unit, and gives the share of the power,
α_e; the heat has α_h = 1 − α_e. All are free of scale. In a step without heat all goes to the power, without
power all to the heat, and without both there is no share: the carbon stays work in progress.

Two formulas are called "efficiency method" and give nearly opposite results: that of the GHG Protocol, and
η_h/(η_e+η_h) in several libraries. So a method is chosen by its id; the bare word is refused.

Heat is net: what the condensate brings back is subtracted before it comes here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lujin.accounts.elimination import Array
from lujin.accounts.network import EXCESS
from lujin.errors import N_, InputError, Problem

# The weight of useful heat in eGRID: heat made from what the power generation leaves (topping cycle)
EGRID_HEAT = 0.75


@dataclass(frozen=True)
class Declared:
    """What a park declares about a plant; each method says which of these it needs.

    power_reference, heat_reference: efficiency [1] of separate generation, e_P and e_H.
    heat_temperature_k: T_m, entropy mean between supply and return [K]; ambient_temperature_k: T_0 [K].
    boiler_heat [T]: heat that the boilers gave to steam [unit of the heat].
    shares: share per output, summing to one; power_output: which of them is the power.
    """

    power_reference: float | None = None
    heat_reference: float | None = None
    heat_temperature_k: float | None = None
    ambient_temperature_k: float | None = None
    boiler_heat: ArrayLike | None = None
    shares: Mapping[str, Decimal] | None = None
    power_output: str = "electricity"


@dataclass(frozen=True)
class Shares:
    """power, heat [T]: α_e and α_h, in [0, 1], with sum 1 where ``defined`` [T]. Elsewhere nothing was made,
    both are 0 and the carbon has nowhere to go yet."""

    power: Array
    heat: Array
    defined: NDArray[np.bool_]


Formula = Callable[[Array, Array, Declared], Array]


@dataclass(frozen=True)
class Method:
    """id: name and version. needs: the declared values it uses. share: the function. formula: for people."""

    id: str
    formula: str
    needs: tuple[str, ...]
    share: Formula


def energy(power: Array, heat: Array, _: Declared) -> Array:
    """α_e = P/(P+H): a unit of heat counts as a unit of power.

    Source: GHG Protocol CHP guide v1.0 (2006), appendix II, energy content method; called the method of the IEA
    in oemof-thermal and deflex.
    """
    return power / (power + heat)


def ghgp_efficiency(power: Array, heat: Array, declared: Declared) -> Array:
    """α_e = (P/e_P) / (P/e_P + H/e_H): by the fuel that separate generation would take.

    Source: GHG Protocol, Allocation of GHG Emissions from a Combined Heat and Power (CHP) Plant, Guide to
    calculation worksheets v1.0 (2006), part III, efficiency method; the same as the Finnish method and
    alternative generation elsewhere. The reference efficiencies are the park's to declare.
    """
    by_power = power / _known(declared.power_reference)
    return by_power / (by_power + heat / _known(declared.heat_reference))


def fuel_share(power: Array, heat: Array, _: Declared) -> Array:
    """α_e = η_h/(η_e+η_h) = H/(P+H): power bears the more, the more heat there is.

    Source: called "efficiency" in oemof-thermal (``cogeneration.allocate_emissions``) and deflex
    (``allocate_fuel``), after W. Mauch, R. Corradini, K. Wiesmeyer, M. Schwentzek (2010).
    """
    return heat / (power + heat)


def exergy(power: Array, heat: Array, declared: Declared) -> Array:
    """α_e = P / (P + (1 − T₀/T_m) H): heat counts with the work that it could do.

    T_m is the entropy mean temperature between supply and return, for steam Δh/Δs and not that of saturation.
    Source: GHG Protocol CHP guide v1.0 (2006), appendix I, work potential method; Carnot method.
    """
    work = 1.0 - _known(declared.ambient_temperature_k) / _known(declared.heat_temperature_k)
    return power / (power + work * heat)


def egrid(power: Array, heat: Array, _: Declared) -> Array:
    """α_e = E / (E + 0.75 H), H the gross thermal output in the unit of the power.

    Source: US EPA, eGRID, electric allocation factor; ``scripts/plant_file_create.R`` of github.com/USEPA/egrid.
    """
    return power / (power + EGRID_HEAT * heat)


def mee_heat_ratio(_: Array, heat: Array, declared: Declared) -> Array:
    """α_h = heat supplied / heat that the boilers gave (供热比); α_e = 1 − α_h.

    Source: Ministry of Ecology and Environment, guideline for power generation enterprises (供热比); from memory,
    not read again.
    """
    boiler = np.broadcast_to(np.asarray(declared.boiler_heat, dtype=np.float64), heat.shape)
    return 1.0 - np.divide(heat, boiler, out=np.zeros_like(heat), where=boiler > 0)


def declared_share(power: Array, _: Array, declared: Declared) -> Array:
    """α_e as the park declares it, for instance in a contract; the other outputs are the heat."""
    return np.full(power.shape, float((declared.shares or {})[declared.power_output]))


def _known(value: float | None) -> float:
    assert value is not None, "checked before the formula is used"
    return float(value)


METHODS: Mapping[str, Method] = {
    m.id: m
    for m in (
        Method("energy@1", "P/(P+H)", (), energy),
        Method(
            "ghgp_efficiency@1",
            "(P/e_P)/(P/e_P + H/e_H)",
            ("power_reference", "heat_reference"),
            ghgp_efficiency,
        ),
        Method("fuel_share@1", "η_h/(η_e+η_h)", (), fuel_share),
        Method(
            "exergy@1",
            "P/(P + (1 − T₀/T_m)·H)",
            ("heat_temperature_k", "ambient_temperature_k"),
            exergy,
        ),
        Method("egrid@1", "P/(P + 0.75·H)", (), egrid),
        Method("mee_heat_ratio@1", "1 − H/Q_boiler", ("boiler_heat",), mee_heat_ratio),
        Method("declared@1", "α_e", ("shares",), declared_share),
    )
}


def method(name: str) -> Method:
    """The method of this id. InputError, with the candidates: unknown, or the word that two formulas share."""
    found = METHODS.get(name)
    if found:
        return found
    candidates = ", ".join(f"{m.id}: {m.formula}" for m in METHODS.values())
    if name.split("@")[0] == "efficiency":
        two = (METHODS["ghgp_efficiency@1"], METHODS["fuel_share@1"])
        raise InputError(
            Problem(
                N_("two different formulas are called {name}: {candidates}"),
                {"name": name, "candidates": "; ".join(f"{m.id} is α_e = {m.formula}" for m in two)},
                N_("name the one that is meant by its id"),
            )
        )
    raise InputError(
        Problem(
            N_("no method of allocation is called {name}"),
            {"name": name, "candidates": candidates},
            N_("choose one of {candidates}"),
        )
    )


def allocate(name: str, power: ArrayLike, heat: ArrayLike, declared: Declared | None = None) -> Shares:
    """Shares of power and heat in each step by the method ``name``. power, heat ≥ 0 [T], in one unit of energy.

    InputError: the method is unknown or ambiguous, a value it needs is missing or impossible, an output is
    negative or no number, shares do not sum to one.

    >>> allocate("energy@1", [30.0, 30.0, 0.0, 0.0], [50.0, 0.0, 50.0, 0.0]).power.tolist()
    [0.375, 1.0, 0.0, 0.0]
    """
    chosen, given = method(name), declared or Declared()
    p, h = np.broadcast_arrays(np.asarray(power, dtype=np.float64), np.asarray(heat, dtype=np.float64))
    problems = [*_outputs(p, h), *_parameters(chosen, given, h)]
    if problems:
        raise InputError(*problems)
    both = (p > 0) & (h > 0)
    share = np.where(p > 0, 1.0, 0.0)
    if both.any() and "boiler_heat" in chosen.needs:
        boiler = np.broadcast_to(np.asarray(given.boiler_heat, dtype=np.float64), both.shape)
        share[both] = chosen.share(p[both], h[both], replace(given, boiler_heat=boiler[both]))
    elif both.any():
        # Scaled by a power of two, so that neither huge nor tiny energies overflow, and nothing is rounded
        scale = -np.frexp(np.maximum(p[both], h[both]))[1]
        share[both] = chosen.share(np.ldexp(p[both], scale), np.ldexp(h[both], scale), given)
    share = np.clip(share, 0.0, 1.0)
    defined = (p > 0) | (h > 0)
    return Shares(share, np.where(defined, 1.0 - share, 0.0), defined)


def method_spread(power: float, heat: float, declared: Declared | None = None) -> dict[str, float]:
    """Share of the heat under every method whose values are declared, for totals of a period.

    To be shown beside the uncertainty of the parameters: the choice of method is often the larger of the two.
    Without power and heat there is no spread.

    >>> {k: round(v, 3) for k, v in method_spread(30, 50).items()}
    {'energy@1': 0.625, 'fuel_share@1': 0.375, 'egrid@1': 0.556}
    """
    given = declared or Declared()
    known = [m.id for m in METHODS.values() if all(getattr(given, need) is not None for need in m.needs)]
    shares = {name: allocate(name, power, heat, given) for name in known}
    return {name: float(s.heat) for name, s in shares.items() if s.defined}


def checked_shares(shares: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
    """Declared shares, each in [0, 1], that sum to one exactly. InputError names them with their sum."""
    if not all(share.is_finite() and 0 <= share <= 1 for share in shares.values()):
        raise InputError(
            Problem(
                N_("a share is not between 0 and 1: {shares}"),
                {"shares": _listed(shares)},
                N_("correct the shares"),
            )
        )
    # Fractions, since the context of decimals rounds
    whole = sum((Fraction(share) for share in shares.values()), Fraction(0))
    if whole != 1:
        raise InputError(
            Problem(
                N_("shares do not sum to one: {shares} sum to {sum}"),
                {"shares": _listed(shares), "sum": f"{float(whole):.12g}"},
                N_("write shares that sum to exactly 1"),
            )
        )
    return shares


def entropy_mean_temperature(enthalpy: ArrayLike, entropy: ArrayLike) -> Array:
    """T_m = Δh/Δs [K] of steam between supply and return: enthalpy [kJ/kg], entropy [kJ/(kg·K)].

    >>> round(float(entropy_mean_temperature(2777.12 - 419.77, 6.58498 - 1.30631)), 1)
    446.6
    """
    return np.asarray(enthalpy, dtype=np.float64) / np.asarray(entropy, dtype=np.float64)


def water_mean_temperature(supply_k: ArrayLike, return_k: ArrayLike) -> Array:
    """T_m = (T_s − T_r)/ln(T_s/T_r) [K] of water, or any carrier of constant heat capacity.

    >>> round(float(water_mean_temperature(363.15, 333.15)), 2)
    347.93
    """
    supply, back = np.asarray(supply_k, dtype=np.float64), np.asarray(return_k, dtype=np.float64)
    ratio = np.log(supply / back)
    same = ratio == 0
    mean: Array = np.where(same, supply, (supply - back) / np.where(same, 1.0, ratio))
    return mean


def _outputs(power: Array, heat: Array) -> list[Problem]:
    problems = []
    for name, values in ((N_("power"), power), (N_("heat"), heat)):
        bad = np.flatnonzero(~np.isfinite(values) | (values < 0))
        if len(bad):
            problems.append(
                Problem(
                    N_("{output} is negative or no number in step {step} ({count} in all)"),
                    {"output": Problem(name), "step": int(bad[0]), "count": len(bad)},
                    N_("correct the reading, or estimate it and flag it"),
                )
            )
    return problems


def _parameters(chosen: Method, declared: Declared, heat: Array) -> list[Problem]:
    missing = [need for need in chosen.needs if getattr(declared, need) is None]
    if missing:
        return [
            Problem(
                N_("{method} needs {missing}"),
                {"method": chosen.id, "missing": ", ".join(missing)},
                N_("declare it for the plant, or choose another method"),
            )
        ]
    numbers = [need for need in chosen.needs if need not in ("boiler_heat", "shares")]
    wrong = {need: getattr(declared, need) for need in numbers if not 0 < getattr(declared, need) < float("inf")}
    if wrong:
        return [
            Problem(
                N_("{method}: {name} is {value}"),
                {"method": chosen.id, "name": need, "value": str(value)},
                N_("declare a value above zero"),
            )
            for need, value in wrong.items()
        ]
    checks = {"exergy@1": _temperatures, "mee_heat_ratio@1": _boiler, "declared@1": _shares}
    return checks[chosen.id](declared, heat) if chosen.id in checks else []


def _temperatures(declared: Declared, _: Array) -> list[Problem]:
    hot, ambient = _known(declared.heat_temperature_k), _known(declared.ambient_temperature_k)
    if hot > ambient:
        return []
    return [
        Problem(
            N_("heat of {hot} K is not hotter than its surroundings of {ambient} K"),
            {"hot": f"{hot:g}", "ambient": f"{ambient:g}"},
            N_("declare both in kelvin, the heat as the mean between supply and return"),
        )
    ]


def _boiler(declared: Declared, heat: Array) -> list[Problem]:
    boiler = np.broadcast_to(np.asarray(declared.boiler_heat, dtype=np.float64), heat.shape)
    # Not "less than", so that a value that is no number is caught too
    bad = np.flatnonzero(~(boiler >= heat * (1 - EXCESS)) | np.isinf(boiler))
    if not len(bad):
        return []
    return [
        Problem(
            N_("more heat is supplied than the boilers gave in step {step} ({count} in all)"),
            {"step": int(bad[0]), "count": len(bad)},
            N_("check the heat meters and the efficiency of the boilers"),
        )
    ]


def _shares(declared: Declared, _: Array) -> list[Problem]:
    shares = declared.shares or {}
    try:
        checked_shares(shares)
    except InputError as error:
        return list(error.problems)
    if declared.power_output in shares:
        return []
    return [
        Problem(
            N_("no share is declared for {output}: {shares}"),
            {"output": declared.power_output, "shares": _listed(shares)},
            N_("declare a share for each output, 0 where it bears nothing"),
        )
    ]


def _listed(shares: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{output} {share}" for output, share in shares.items())
