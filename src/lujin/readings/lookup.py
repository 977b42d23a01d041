"""What the border needs to know of every meter (表计档案), once per import, as columns to gather from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from fractions import Fraction

import polars as pl

from lujin.errors import N_, MappingError, Problem, UnitError
from lujin.park.carriers import is_rate, to_base, unit_name
from lujin.park.model import Meter, Park
from lujin.park.virtual import meter_chain, meter_dimensions, successors
from lujin.readings.guess import meter_in_name
from lujin.readings.mapping import name_key
from lujin.readings.sniff import FileShape

_FAR_PAST, _FAR_FUTURE = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_HINTS = 200  # a file of foreign meters gets this many did-you-means, not millions


class MeterLookup:
    """Names → positions, and facts by position in ``facts``.

    ``facts`` has one row per meter of the park: ``key`` (Int32, the stored key), ``kind``, ``interval_s``,
    ``end`` (stamped at interval end), ``timezone``, ``valid_from``, ``valid_to`` (UTC, unbounded filled in),
    ``id``. A meter id names that device; an alias names the measuring point (计量点), so that after a
    replacement it means the device in service. ``only``: no other meter has a name here.
    """

    def __init__(
        self, park: Park, keys: Mapping[str, int], timezone: str, only: Collection[str] | None = None
    ) -> None:
        self.unrestricted = only is None
        self._meters: tuple[Meter, ...] = tuple(park.meters.values())
        self._place = {meter.id: i for i, meter in enumerate(self._meters)}
        self._dimensions = meter_dimensions(park)
        self.names: dict[str, tuple[int, ...]] = {}  # name key → positions, newest device first
        named = [m for m in self._meters if only is None or m.id in only]
        for meter in named:
            self.names[name_key(meter.id)] = (self._place[meter.id],)
        newer = successors(park)
        for meter in named:
            devices = reversed(meter_chain(park, meter.id, newer))
            chain = tuple(self._place[m] for m in devices if only is None or m in only)
            for alias in meter.alias:
                self.names.setdefault(name_key(alias), chain)
        self.spelled = {name: meter.id for meter in named for name in (meter.id, *meter.alias)}
        self._hints = 0
        self.facts = pl.DataFrame(
            {
                "key": [keys.get(m.id) for m in self._meters],
                "id": [m.id for m in self._meters],
                "kind": [m.kind for m in self._meters],
                "interval_s": [m.interval_s for m in self._meters],
                "end": [m.stamp == "end" for m in self._meters],
                "timezone": [m.timezone or timezone for m in self._meters],
                "valid_from": [m.valid_from or _FAR_PAST for m in self._meters],
                "valid_to": [m.valid_to or _FAR_FUTURE for m in self._meters],
            },
            schema={
                "key": pl.Int32,
                "id": pl.String,
                "kind": pl.String,
                "interval_s": pl.Int64,
                "end": pl.Boolean,
                "timezone": pl.String,
                "valid_from": pl.Datetime("us", "UTC"),
                "valid_to": pl.Datetime("us", "UTC"),
            },
        )

    def resolve(self, labels: Iterable[str]) -> dict[str, tuple[int, ...]]:
        """Known labels → positions."""
        return {label: found for label in labels if (found := self.names.get(name_key(label))) is not None}

    def hint(self, label: str) -> str:
        """The nearest name, for an unknown label; empty if none is near or enough has been said."""
        self._hints += 1
        if self._hints > _HINTS:
            return ""
        near = get_close_matches(label.strip(), self.spelled, 1, 0.7)
        return near[0] if near else ""

    def in_name(self, shape: FileShape) -> str:
        """The meter that a file is named after; MappingError where none is."""
        if (name := meter_in_name(shape, {name_key(n): n for n in self.spelled})) is not None:
            return name
        raise MappingError(
            Problem(
                N_("the file is not named after a meter of the park, as the mapping expects"),
                {},
                N_("rename it, or name the meter under [meters] of the mapping"),
                file=shape.path,
                field="meters",
            )
        )

    def conversion(self, position: int, unit: str) -> Fraction | None:
        """Factor from a column's unit to the meter's own, exact; None where it does not fit.

        A power never becomes an energy here, nor a mass of steam a heat without the meter's enthalpy.
        """
        meter = self._meters[position]
        if not unit.strip() or unit_name(unit) == unit_name(meter.unit):
            return Fraction(1)
        if is_rate(unit) != is_rate(meter.unit):
            return None
        enthalpy = None if meter.enthalpy_kj_per_kg is None else float(meter.enthalpy_kj_per_kg)
        for dimension in sorted(self._dimensions.get(meter.id, ())):
            try:
                theirs = to_base(unit, dimension, enthalpy_kj_per_kg=enthalpy)
                return theirs / to_base(meter.unit, dimension, enthalpy_kj_per_kg=enthalpy)
            except UnitError:
                continue
        return None

    def unit(self, position: int) -> str:
        return self._meters[position].unit
