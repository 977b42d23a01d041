"""Every flow of the park as integer amounts on a regular step: what physically happened, before any meter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lujin.demo.days import Horizon
from lujin.demo.inputs import Enterprise
from lujin.demo.loads import Shapes, hourly

Amounts = NDArray[np.int64]

QUARTER, HOUR, MONTH = 900, 3600, 0


@dataclass(frozen=True, eq=False)
class Stream:
    """One flow.

    ``amounts``: base units of the carrier (Wh, kJ, L, g) per step of ``step_s`` from the start of the horizon,
    per local month if 0. It flows in the slots [``first``, ``last``); amounts outside are 0.
    """

    id: str
    carrier: str
    source: str
    target: str
    step_s: int
    amounts: Amounts
    first: int = 0
    last: int | None = None


@dataclass(frozen=True)
class Story:
    """Who does what when. Slots of the horizon; enterprises by the role that ``enterprises.csv`` gives them."""

    horizon: Horizon
    enterprises: Sequence[Enterprise]
    by_role: Mapping[str, Enterprise] = field(default_factory=dict)

    @classmethod
    def of(cls, horizon: Horizon, enterprises: Sequence[Enterprise]) -> Story:
        return cls(horizon, enterprises, {e.role: e for e in reversed(enterprises) if e.role})

    @property
    def algae_starts(self) -> int:
        return self.horizon.midnight(90 / 365)

    @property
    def split(self) -> int:
        return self.horizon.midnight(181 / 365)

    @property
    def leaves(self) -> int:
        return self.horizon.midnight(243 / 365)

    @property
    def outage(self) -> tuple[int, int]:
        """48 hours without a gateway in substation 2."""
        first = self.horizon.midnight(284 / 365) + 37
        return first, first + 192

    @property
    def hole(self) -> tuple[int, int]:
        """Six hours that nobody will ever fill."""
        first = self.horizon.midnight(52 / 365) + 34
        return first, first + 24

    @property
    def stuck(self) -> tuple[int, int]:
        """One day on which a power transducer repeats its last value."""
        first = self.horizon.midnight(151 / 365)
        return first, first + 96

    @property
    def overhaul(self) -> tuple[int, int]:
        """Three days without turbines: steam goes through the reducing station, the plant buys power."""
        first = self.horizon.midnight(205 / 365) + 28
        return first, first + 288

    def replaced(self, enterprise: Enterprise) -> float:
        """The moment at which its meter is changed: on no quarter hour."""
        return self.horizon.midnight((132 + 11 * (enterprise.number % 7)) / 365) + 41 + 1 / 3

    def present(self, enterprise: Enterprise) -> tuple[int, int | None]:
        match enterprise.role:
            case "algae":
                return self.algae_starts, None
            case "split_child":
                return self.split, None
            case "leaves":
                return 0, self.leaves
        return 0, None


def whole(values: NDArray[np.floating[Any]]) -> Amounts:
    """Rounded so that every partial sum is right: differences of the rounded running total."""
    total: Amounts = np.rint(np.concatenate([[0.0], np.cumsum(values)])).astype(np.int64)
    return np.diff(total)


def within(amounts: Amounts, first: int, last: int | None, per: int = 1) -> Amounts:
    """Zero outside of the slots [first, last); ``per`` slots make one step."""
    out = amounts.copy()
    out[: first // per] = 0
    if last is not None:
        out[last // per :] = 0
    return out


def electricity(
    story: Story, shapes: Shapes, extra: Mapping[str, Amounts]
) -> tuple[list[Stream], dict[str, Amounts]]:
    """Grid import and export, PV and the battery of every enterprise, and the feeder that a split one shares.

    For each quarter hour: import − export = use − PV + charge − discharge. ``extra`` adds to an enterprise's use
    (negative: its own generation). Returns the streams and the whole load of every enterprise.
    """
    streams: list[Stream] = []
    loads: dict[str, Amounts] = {}
    sun = shapes.pv()[: story.horizon.slots]
    for e in story.enterprises:
        first, last = story.present(e)
        # The works of a later spin-off ran before the split too, on the parent's account.
        load = _load(e, shapes, story.horizon)
        loads[e.id] = load if e.role == "split_child" else within(load, first, last)
        need = loads[e.id] + extra.get(e.id, np.int64(0))
        pv = within(whole(sun * e.pv_kw * 250.0), first, last)
        charge, discharge = _battery(story.horizon) if e.role == "storage" else (np.zeros_like(need),) * 2
        if not e.pv_export:  # an anti-reverse-flow controller throttles the inverters
            pv = np.minimum(pv, (need + charge - discharge).clip(0)) if e.pv_kw else pv
        net = need - pv + charge - discharge
        streams += [
            Stream(f"GRID-{e.id}", "electricity", "GRID", e.id, QUARTER, net.clip(0), first, last),
            *_if(
                e.pv_export or e.role == "chp",
                Stream(f"{e.id}-GRID", "electricity", e.id, "GRID", QUARTER, (-net).clip(0), first, last),
            ),
            *_if(
                e.pv_kw > 0,
                Stream(f"PV-{e.id}", "electricity", f"{e.id}-PV", e.id, QUARTER, pv, first, last),
            ),
            *_if(
                e.role == "storage",
                Stream(f"CHARGE-{e.id}", "electricity", e.id, f"{e.id}-BAT", QUARTER, charge),
                Stream(f"DISCHARGE-{e.id}", "electricity", f"{e.id}-BAT", e.id, QUARTER, discharge),
            ),
        ]
    return _shared_feeder(story, streams), loads


def _if(condition: bool, *streams: Stream) -> tuple[Stream, ...]:
    return streams if condition else ()


def _load(e: Enterprise, shapes: Shapes, horizon: Horizon) -> Amounts:
    shape = shapes.of(
        e.profile, stream=(e.number, 0), base=e.base_share, shift=e.shift_quarters, variation=e.variation
    )
    return whole((shape * (e.annual_mwh * 1e6 / len(shape)))[: horizon.slots])


def _shared_feeder(story: Story, streams: list[Stream]) -> list[Stream]:
    """Until the split the parent draws for both; after it the child's part is its own."""
    child, parent = story.by_role["split_child"].id, story.by_role["split_parent"].id
    by_id = {s.id: s for s in streams}
    own, part = by_id[f"GRID-{parent}"], by_id[f"GRID-{child}"]
    feeder = own.amounts + part.amounts
    later = within(part.amounts, story.split, None)
    replaced = {
        own.id: Stream(own.id, own.carrier, own.source, own.target, QUARTER, feeder - later),
        part.id: Stream(part.id, part.carrier, part.source, part.target, QUARTER, later, story.split),
    }
    return [replaced.get(s.id, s) for s in streams]


def _battery(horizon: Horizon) -> tuple[Amounts, Amounts]:
    """Charge and discharge of a 5 MW / 10 MWh battery [Wh per quarter hour], two cycles a day.

    It charges in the valley and at noon, discharges in both peaks, and returns 88 % of what it took.
    """
    charge, discharge = np.zeros(96), np.zeros(96)
    charge[4:16], charge[48:56] = 2.5e6 / 3, 1.25e6  # 01–04 h: 10 MWh, 12–14 h: 10 MWh
    discharge[40:48], discharge[60:76] = 1.1e6, 0.55e6  # 10–12 h and 15–19 h: 8.8 MWh each
    return whole(np.tile(charge, horizon.days)), whole(np.tile(discharge, horizon.days))


def heat_and_gas(story: Story, shapes: Shapes) -> list[Stream]:
    """Steam from the main and gas from the gas company, from the heat that each works needs.

    Gas boilers give 92 % of 38.931 MJ/Nm³ (NCV of the Chinese guides); steam is used as it comes.
    """
    streams = []
    for e in story.enterprises:
        if not e.heat_gj:
            continue
        shape = shapes.of(e.heat_profile, stream=(e.number, 1), base=0.2, shift=e.shift_quarters, variation=0.06)
        heat = whole(hourly(shape * (e.heat_gj * 1e6 / len(shape)))[: story.horizon.slots // 4])
        gas = whole(heat / (0.92 * 38.931))
        switch = story.horizon.midnight(e.switch_at)
        steam_from, gas_to = {"steam": (0, 0), "gas": (story.horizon.slots, None), "switch": (switch, switch)}[
            e.heat
        ]
        if gas_to != 0:
            amounts = within(gas, 0, gas_to, 4)
            streams.append(Stream(f"GAS-{e.id}", "natural_gas", "GASCO", e.id, HOUR, amounts, 0, gas_to))
        if steam_from < story.horizon.slots:
            amounts = within(heat, steam_from, None, 4)
            streams.append(Stream(f"STEAM-{e.id}", "steam", "STEAM", e.id, HOUR, amounts, steam_from))
    return streams


def water_and_air(story: Story, shapes: Shapes) -> list[Stream]:
    """Fresh water and compressed air, in the rhythm of the works, hourly."""
    streams = []
    for e in story.enterprises:
        first, last = story.present(e)
        for annual, carrier, source, purpose in (
            (e.water_m3, "water", "WATERCO", 2),
            (e.air_nm3, "compressed_air", "AIRNET", 3),
        ):
            if annual:
                shape = shapes.of(
                    e.profile, stream=(e.number, purpose), base=0.15, shift=e.shift_quarters, variation=0.1
                )
                amounts = whole(hourly(shape * (annual * 1e3 / len(shape)))[: story.horizon.slots // 4])
                id_ = f"{'WATER' if carrier == 'water' else 'AIR'}-{e.id}"
                streams.append(
                    Stream(id_, carrier, source, e.id, HOUR, within(amounts, first, last, 4), first, last)
                )
    return streams


def total(streams: Iterable[Stream], carrier: str) -> Amounts:
    """Sum of the streams of one carrier, step by step."""
    sums: Amounts = np.sum([s.amounts for s in streams if s.carrier == carrier], axis=0, dtype=np.int64)
    return sums
