"""What the kernel needs to know of a meter, taken from the park once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from lujin.errors import N_, ParkError, Problem
from lujin.park.carriers import to_base
from lujin.park.model import Meter, Park

SpecKind = Literal["interval", "register", "power"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSpec:
    """One physical meter.

    ``base_per_unit``: base units of the carrier per unit of the value, multiplier included (``power``: base
    units per hour). ``modulus``: the count at which a register starts again at zero [meter unit, without the
    multiplier]. ``interval_s``: expected spacing [s], 0 for one local calendar month.
    ``capacity_base_per_hour``: greatest plausible rate [base unit/h]. ``valid_from``, ``valid_to``: UTC epoch
    seconds, half-open, None for unbounded. ``initial``, ``final``: register at these times [meter unit].
    ``replaces``, ``replaced_by``: the devices before and after this one (换表).
    """

    key: int
    id: str
    kind: SpecKind = "interval"
    base_per_unit: Fraction = Fraction(1)
    modulus: Fraction | None = None
    interval_s: int = 900
    capacity_base_per_hour: int | None = None
    valid_from: int | None = None
    valid_to: int | None = None
    initial: Decimal | None = None
    final: Decimal | None = None
    replaces: str = ""
    replaced_by: str = ""


def meter_specs(park: Park, meter_ids: Iterable[str], keys: Mapping[str, int]) -> list[MeterSpec]:
    """Specs of physical meters, in the order given. ``keys``: meter id → stored key.

    Raises ParkError for a virtual meter or one that belongs to no flow, UnitError for a unit that does not fit.
    """
    carriers = carriers_of_meters(park)
    successors = {m.replaces: m.id for m in park.meters.values() if m.replaces}
    specs = []
    for meter_id in meter_ids:
        meter = park.meters[meter_id]
        if meter.kind == "virtual" or meter_id not in carriers:
            raise ParkError(
                Problem(
                    N_("meter {meter} has no readings of its own or belongs to no flow"),
                    {"meter": meter_id},
                    N_("give it a flow, or name it as a term of a virtual meter that has one"),
                    line=meter.line,
                    field="meters",
                )
            )
        specs.append(_spec(park, meter, keys[meter_id], carriers[meter_id], successors.get(meter_id, "")))
    return specs


def _spec(park: Park, meter: Meter, key: int, carrier: str, replaced_by: str) -> MeterSpec:
    enthalpy = None if meter.enthalpy_kj_per_kg is None else float(meter.enthalpy_kj_per_kg)
    unit = to_base(meter.unit, park.carriers[carrier].dimension, enthalpy_kj_per_kg=enthalpy)
    assert meter.kind != "virtual"
    return MeterSpec(
        key=key,
        id=meter.id,
        kind=meter.kind,
        base_per_unit=unit * Fraction(meter.multiplier),
        modulus=None if meter.digits is None else Fraction(10**meter.digits),
        interval_s=meter.interval_s,
        capacity_base_per_hour=None if meter.capacity is None else round(Fraction(meter.capacity) * unit),
        valid_from=_epoch(meter.valid_from),
        valid_to=_epoch(meter.valid_to),
        initial=meter.initial,
        final=meter.final,
        replaces=meter.replaces,
        replaced_by=replaced_by,
    )


def carriers_of_meters(park: Park) -> Mapping[str, str]:
    """Meter id → carrier: of its flow, of the flow it checks, or of the virtual meter that it is a term of."""
    found = {t.check_meter: park.flows[t.flow].carrier for t in park.transfers if t.check_meter}
    found |= {m.id: park.flows[m.flow].carrier for m in park.meters.values() if m.flow}
    # Virtual meters may be nested; the park check has refused loops, so each round settles one level.
    for _ in park.meters:
        inherited = {
            term: found[m.id]
            for m in park.meters.values()
            if m.id in found
            for term in m.terms
            if term not in found
        }
        if not inherited:
            break
        found |= inherited
    return found


def _epoch(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp())
