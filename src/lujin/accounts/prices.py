"""What carriers without a tariff cost between two parties, by the prices that the park itself states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np

from lujin.accounts.billing import Bill, Priced, pay, shared
from lujin.accounts.choose import listed
from lujin.accounts.poster import Poster
from lujin.accounts.rules import energy_cost
from lujin.accounts.subjects import Subject
from lujin.errors import N_, LujinError, Problem
from lujin.park import Park, Price
from lujin.park.carriers import to_base, unit_name


def post_priced(poster: Poster, billed: Collection[int]) -> None:
    """energy_cost@1 for every subject between two parties, except ``billed`` rows: month total × price per price.

    The price that names both parties goes before one that names one, and this before one that names none.
    """
    flows = poster.flows
    park = flows.park
    unpriced: dict[str, set[str]] = defaultdict(set)
    for row, subject in enumerate(flows.subjects):
        payer = park.owner(subject.target) or subject.target
        payee = park.owner(subject.source) or subject.source
        values = flows.days.at(row)
        if row in billed or payer == payee or not {payer, payee} & poster.wanted or not values.total.any():
            continue
        side = flows.energy.sides.get(row)
        bill = Bill(payer, payee, subject, subject.carrier, f"{subject.carrier}_sold", side)
        prices, ambiguous = _prices(poster, subject)
        poster.problems.extend(ambiguous)
        if not prices and not ambiguous and payer in poster.wanted:
            unpriced[subject.carrier].add(payer)
        for priced, base in prices:
            measured = int(values.measured[priced.days].sum())
            estimated = int(values.estimated[priced.days].sum())
            cost = int(energy_cost([measured + estimated], price=priced.price, base_per_unit=base)[0])
            pay(poster, bill, shared(cost, measured, estimated), "energy_cost@1")
    poster.problems.extend(_unpriced(carrier, payers) for carrier, payers in sorted(unpriced.items()))


def _prices(poster: Poster, subject: Subject) -> tuple[list[tuple[Priced, Fraction]], list[Problem]]:
    """Prices of a subject over the month, each with base units per unit of the price."""
    park, grid = poster.flows.park, poster.flows.energy.grid
    candidates = [(rank, price) for price in park.prices if (rank := _rank(park, price, subject)) >= 0]
    first_slots = np.flatnonzero(np.diff(grid.day, prepend=-1))
    days: dict[int, list[int]] = defaultdict(list)
    problems: list[Problem] = []
    for i, slot in enumerate(first_slots.tolist() if candidates else []):
        start = grid.slot_start(slot)
        holding = [(rank, n) for n, (rank, price) in enumerate(candidates) if _holds(price, start)]
        best = [n for rank, n in holding if rank == max(holding)[0]]
        if len(best) == 1:
            days[best[0]].append(i)
        elif best and not problems:
            problems.append(_ambiguous(subject, [candidates[n][1] for n in best], start))
    found = []
    for n, index in days.items():
        price = candidates[n][1]
        try:
            base = _base_per_unit(park, price, subject)
        except LujinError as error:
            problems.extend(error.problems)
            continue
        found.append((Priced(np.array(index), price.value, ()), base))
    return found, problems


def _rank(park: Park, price: Price, subject: Subject) -> int:
    """How closely a price names the parties: 0 to 2, −1 if it is for others."""
    if price.carrier != subject.carrier:
        return -1
    if price.source not in ("", subject.source, park.owner(subject.source)):
        return -1
    if price.target not in ("", subject.target, park.owner(subject.target)):
        return -1
    return bool(price.source) + bool(price.target)


def _holds(price: Price, start: datetime) -> bool:
    return (price.valid_from is None or price.valid_from <= start) and (
        price.valid_to is None or start < price.valid_to
    )


def _base_per_unit(park: Park, price: Price, subject: Subject) -> Fraction:
    """Base units per unit of the price. A price per t of steam takes the enthalpy that the flow's meters state."""
    unit, dimension = price.unit.partition("/")[2], park.carriers[price.carrier].dimension
    if dimension == "heat" and unit_name(unit) in ("t", "kg"):
        stated = _enthalpies(park, subject)
        enthalpy = float(stated.pop()) if len(stated) == 1 else None
        return to_base(unit, dimension, enthalpy_kj_per_kg=enthalpy)
    return to_base(unit, dimension)


def _enthalpies(park: Park, subject: Subject) -> set[Decimal]:
    flows = {
        flow.id
        for flow in park.flows.values()
        if (flow.source, flow.target, flow.carrier) == (subject.source, subject.target, subject.carrier)
    }
    meters = [meter for meter in park.meters.values() if meter.flow in flows]
    return {m.enthalpy_kj_per_kg for m in meters if m.enthalpy_kj_per_kg is not None}


def _ambiguous(subject: Subject, prices: Sequence[Price], start: datetime) -> Problem:
    return Problem(
        N_("{subject}: several prices hold on {date} ({lines}), this cost is not posted"),
        {
            "subject": subject.label,
            "date": start.date(),
            "lines": ", ".join(str(price.line or price.value) for price in prices),
        },
        N_("name source and target of the prices, or end one of them"),
        file="park.toml",
        line=prices[0].line,
        field="prices",
    )


def _unpriced(carrier: str, payers: Collection[str]) -> Problem:
    return Problem(
        N_("{enterprise}: no price for {carrier}, its cost is not posted"),
        {"enterprise": listed(payers), "carrier": carrier},
        N_("name the connection on its flow, so that the tariff counts, or add a [[price]] to park.toml")
        if carrier == "electricity"
        else N_("add a [[price]] for the carrier to park.toml, with value 0 if it is free"),
        file="park.toml",
        field="prices",
        severity="warning",
    )
