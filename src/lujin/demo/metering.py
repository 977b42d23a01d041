"""What the park's meters showed: devices with their ratios and digits, and the readings that they gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lujin.demo.days import Horizon
from lujin.demo.streams import HOUR, MONTH, QUARTER, Amounts, Story, Stream
from lujin.park.carriers import CARRIERS, to_base
from lujin.park.model import Meter

# Ratios that switchgear is built with: current transformers 5 A at 400 V, with 10 kV and 110 kV voltage
# transformers in front of them.
_RATIOS_LOW = (10, 20, 30, 40, 60, 80, 120, 160, 200, 300)
_RATIOS_HIGH = (1000, 1500, 2000, 3000, 4000, 6000, 8000, 12000, 20000, 30000, 44000, 88000)
_SECONDARY_KW = {"<1kV": 3.0, "1-10(20)kV": 0.8, "110kV": 0.8}
_STEAM_KJ_PER_KG = Decimal("2684.6")  # 0.8 MPa saturated, 2768.3 kJ/kg, above 83.74 kJ/kg feed water
_HEADROOM = 1.5  # capacity limit above the greatest rate of the year


@dataclass(frozen=True, eq=False)
class Device:
    """A meter with everything that it showed.

    ``times``: UTC epoch seconds, ascending: instants of a register, starts of intervals. ``values`` in the
    meter's own unit. ``amounts``: what it truly measured, base units per step of its stream. ``channel``: the
    export that brings its readings.
    """

    meter: Meter
    stream: str
    channel: str
    times: NDArray[np.int64]
    values: NDArray[np.float64]

    def cut(self, first: int, last: int) -> tuple[Device, Device]:
        """Without and with the readings of [first, last), epoch seconds."""
        inside = (self.times >= first) & (self.times < last)
        return (
            replace(self, times=self.times[~inside], values=self.values[~inside]),
            replace(self, times=self.times[inside], values=self.values[inside]),
        )

    def during(self, first: int, last: int) -> Device:
        lo, hi = np.searchsorted(self.times, [first, last])
        return replace(self, times=self.times[lo:hi], values=self.values[lo:hi])


@dataclass(frozen=True, eq=False)
class Counter:
    """A stream as a device counts it.

    ``counts``: whole steps of 10^-``decimals`` of the meter's unit since the start of the horizon, at every
    step boundary, int64[steps + 1]: floor of the exact total, so that no rounding adds up.
    """

    horizon: Horizon
    step_s: int
    base_per_unit: Fraction
    decimals: int
    total: Amounts

    @classmethod
    def of(cls, stream: Stream, horizon: Horizon, base_per_unit: Fraction, decimals: int) -> Counter:
        total = np.concatenate([[0], np.cumsum(stream.amounts)]).astype(np.int64)
        return cls(horizon, stream.step_s, base_per_unit, decimals, total)

    def count(self, total: Amounts) -> Amounts:
        """floor(total / base_per_unit × 10^decimals), exact."""
        per = self.base_per_unit / 10**self.decimals
        # total × denominator stays below 2^63: 100 GWh in Wh times 10^4
        counts: Amounts = total * per.denominator // per.numerator
        return counts

    def at(self, slot: float) -> int:
        """Base units since the start up to a moment, on the line between step boundaries."""
        position = slot * QUARTER / self.step_s
        low = int(position)
        part = position - low
        if part == 0:
            return int(self.total[low])
        return int(self.total[low]) + int((int(self.total[low + 1]) - int(self.total[low])) * part)

    @property
    def boundaries(self) -> Amounts:
        return self.horizon.start + self.step_s * np.arange(len(self.total), dtype=np.int64)


def register(
    meter: Meter, stream: Stream, counter: Counter, channel: str, start: int, first: float, last: float | None
) -> Device:
    """A register that shows ``start`` (in its last decimal) when it is put up in slot ``first``."""
    origin = int(counter.count(np.array([counter.at(first)]))[0])
    limit = 10 ** ((meter.digits or 15) + counter.decimals)
    shown = (start + counter.count(counter.total) - origin) % limit
    opened, closed = counter.horizon.start + first * QUARTER, _end(counter.horizon, last)
    kept = (counter.boundaries >= opened) & (counter.boundaries < closed)
    final = None
    if last is not None:
        until = int(counter.count(np.array([counter.at(last)]))[0])
        final = decimal((start + until - origin) % limit, counter.decimals)
    dated = replace(
        meter,
        initial=decimal(start % limit, counter.decimals) if first > 0 else None,
        final=final,
        valid_from=_instant(counter.horizon, first) if first > 0 else None,
        valid_to=None if last is None else _instant(counter.horizon, last),
    )
    values = shown[kept] / 10**counter.decimals
    return Device(dated, stream.id, channel, counter.boundaries[kept], values)


def intervals(meter: Meter, stream: Stream, counter: Counter, channel: str) -> Device:
    """Quantity per interval, or mean power: differences of the count, so that their sum is exact."""
    factor = 3600 // counter.step_s if meter.kind == "power" else 1
    values = np.diff(counter.count(counter.total)) * factor / 10**counter.decimals
    times = counter.boundaries[:-1]
    opened = counter.horizon.start + stream.first * QUARTER
    kept = (times >= opened) & (times < _end(counter.horizon, stream.last))
    dated = replace(
        meter,
        valid_from=_instant(counter.horizon, stream.first) if stream.first > 0 else None,
        valid_to=None if stream.last is None else _instant(counter.horizon, stream.last),
    )
    return Device(dated, stream.id, channel, times[kept], values[kept])


def deliveries(meter: Meter, stream: Stream, horizon: Horizon) -> Device:
    """One weighed quantity per month, standing at its first instant."""
    times = np.array([grid.start for grid in horizon.grids], np.int64)
    return Device(meter, stream.id, "monthly", times, stream.amounts / 1e6)


def decimal(count: int, decimals: int) -> Decimal:
    return Decimal(count).scaleb(-decimals)


def _instant(horizon: Horizon, slot: float) -> datetime:
    return horizon.instant(slot)


def _end(horizon: Horizon, last: float | None) -> float:
    # Without an end, the reading at the end of the horizon still comes: it closes the last interval.
    return horizon.start + last * QUARTER if last is not None else horizon.end + 1


def ratio(peak_kw: float, voltage: str) -> int:
    """The smallest customary transformer ratio that carries the peak."""
    ratios = _RATIOS_LOW if voltage == "<1kV" else _RATIOS_HIGH
    return next((r for r in ratios if r * _SECONDARY_KW[voltage] >= peak_kw), ratios[-1])


def limit(stream: Stream, unit_base: Fraction) -> Decimal:
    """The greatest plausible rate [unit/h]: well above what the stream ever does, to two digits."""
    per_hour = int(stream.amounts.max(initial=0)) * (3600 // stream.step_s) / unit_base
    return two_digits(max(1.0, float(per_hour) * _HEADROOM))


def two_digits(value: float) -> Decimal:
    """Rounded up to two significant digits.

    >>> two_digits(1234.0), two_digits(12.0)
    (Decimal('1300'), Decimal('12'))
    """
    exponent = len(str(int(value))) - 2
    step = 10 ** max(exponent, 0)
    return Decimal(int(-(-value // step)) * step)


@dataclass(frozen=True, eq=False)
class Bench:
    """Puts meters on streams: which device, which ratio, which initial state."""

    story: Story
    seed: int

    def devices(self, streams: Sequence[Stream]) -> list[Device]:
        return [device for stream in streams for device in self._on(stream)]

    def _on(self, stream: Stream) -> list[Device]:
        if stream.step_s == MONTH:
            meter = Meter(id=f"{stream.id}-W", flow=stream.id, unit="t", interval_s=MONTH)
            return [deliveries(meter, stream, self.story.horizon)]
        return self.electric(stream) if stream.carrier == "electricity" else self.medium(stream)

    def medium(self, stream: Stream) -> list[Device]:
        """Steam in GJ or tonnes, gas, water and air in m³: hourly registers; captured CO2: kg per hour."""
        dimension = CARRIERS[stream.carrier].dimension
        plain = Meter(id=f"{stream.id}-1", flow=stream.id, kind="register", interval_s=HOUR, digits=8)
        number = _number(stream)
        channel = "bulk"
        enthalpy = None
        match stream.carrier:
            case "steam" if number % 3 == 0 and stream.source == "STEAM":
                enthalpy = _STEAM_KJ_PER_KG
                plain = replace(plain, unit="t", enthalpy_kj_per_kg=enthalpy, accuracy_class="2.0")
            case "steam":
                plain = replace(plain, unit="GJ", accuracy_class="1.5")
            case "co2":
                plain = replace(plain, kind="interval", unit="kg", digits=None, accuracy_class="1.0")
            case "water":
                plain = replace(plain, unit="m3", accuracy_class="2")
                channel = {0: "xlsx", 1: "water"}.get(number % 4, "bulk") if number < 30 else "bulk"
            case _:
                plain = replace(plain, unit="Nm3", accuracy_class="1.5")
        base = to_base(plain.unit, dimension, enthalpy_kj_per_kg=enthalpy)
        plain = replace(plain, capacity=limit(stream, base))
        counter = Counter.of(stream, self.story.horizon, base, 3 if stream.carrier == "water" else 2)
        if plain.kind == "interval":
            return [intervals(plain, stream, counter, channel)]
        return [register(plain, stream, counter, channel, self._start(stream.id), stream.first, stream.last)]

    def electric(self, stream: Stream) -> list[Device]:
        """The main meter as ``enterprises.csv`` says, sub-meters as interval meters."""
        e = next(e for e in self.story.enterprises if e.id in (stream.source, stream.target))
        if stream.source != "GRID":
            return [self.sub_meter(stream, f"{stream.id}-1", e.voltage)]
        kind, channel = e.meter, e.channel
        if kind != "register":
            meter = self._interval_meter(stream, e.voltage, f"{e.id}-EL1", power=kind == "power")
            if channel == "power":
                meter = replace(meter, stamp="end")
            counter = Counter.of(stream, self.story.horizon, to_base("kWh", "electricity"), 2)
            return [intervals(meter, stream, counter, channel)]
        return self._registers(stream, e.voltage, channel)

    def _interval_meter(self, stream: Stream, voltage: str, name: str, *, power: bool) -> Meter:
        return Meter(
            id=name,
            flow=stream.id,
            kind="power" if power else "interval",
            unit="kW" if power else "kWh",
            accuracy_class=_accuracy(voltage),
            capacity=limit(stream, Fraction(1000)),
        )

    def sub_meter(self, stream: Stream, name: str, voltage: str) -> Device:
        """An interval meter inside the fence: PV, battery, export, one of several machines."""
        meter = self._interval_meter(stream, voltage, name, power=False)
        counter = Counter.of(stream, self.story.horizon, to_base("kWh", "electricity"), 2)
        return intervals(meter, stream, counter, "bulk")

    def _registers(self, stream: Stream, voltage: str, channel: str) -> list[Device]:
        e = next(e for e in self.story.enterprises if e.id == stream.target)
        decimals = 2 if voltage == "<1kV" else 4
        peak_kw = int(stream.amounts.max(initial=0)) * 4 / 1000
        times = ratio(peak_kw, voltage)
        base = to_base("kWh", "electricity") * times
        counter = Counter.of(stream, self.story.horizon, base, decimals)
        meter = Meter(
            id=f"{e.id}-EL1",
            flow=stream.id,
            kind="register",
            multiplier=Decimal(times),
            digits=6,
            accuracy_class=_accuracy(voltage),
            capacity=limit(stream, Fraction(1000)),
            alias=(_asset_number(e.number),) if channel == "gbk" else (),
        )
        start = self._start(stream.id) * 10 ** (decimals - 2)
        if e.role == "operator":  # its register passes 999999 in the middle of the horizon
            half = counter.total[len(counter.total) // 2 : len(counter.total) // 2 + 1]
            start = 10 ** (6 + decimals) - int(counter.count(half)[0])
        if e.role != "replaced":
            return [register(meter, stream, counter, channel, start, stream.first, stream.last)]
        change = self.story.replaced(e)
        successor = replace(meter, id=f"{e.id}-EL2", replaces=meter.id)
        return [
            register(meter, stream, counter, channel, start, stream.first, change),
            register(successor, stream, counter, channel, 10**decimals // 2, change, stream.last),
        ]

    def _start(self, name: str) -> int:
        """What a register shows at first, in hundredths: some years of use."""
        numbers = np.random.default_rng([self.seed, *name.encode()])
        return int(numbers.integers(1_000_00, 60_000_00))


def _accuracy(voltage: str) -> str:
    return {"110kV": "0.2S", "1-10(20)kV": "0.5S"}.get(voltage, "1.0")


def _number(stream: Stream) -> int:
    """The number of the enterprise at the end of a stream, 0 if none."""
    digits = stream.target.removeprefix("E")
    return int(digits) if digits.isdigit() else 0


def _asset_number(number: int) -> str:
    """The asset number (资产编号) that the distribution room's export knows instead of the meter's id."""
    return f"4412{20190000 + number * 137:010d}"
