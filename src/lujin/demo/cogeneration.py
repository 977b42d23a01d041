"""The cogeneration plant: what it must burn and gives off to deliver the steam and air that its neighbours took.

Two circulating-fluidised-bed boilers fire bituminous coal and the paper mill's sludge; back-pressure turbines
make power in step with the steam. All ratios are composed, of a size that such plants report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lujin.demo.inputs import quarters
from lujin.demo.loads import Floats
from lujin.demo.streams import HOUR, MONTH, QUARTER, Amounts, Story, Stream, total, whole, within

_PIPE_LOSS = (0.03, 0.012)  # constant part of mean flow (heat), part of the flow (leaks, traps)
_POWER_TO_STEAM = 0.19
_HOUSE_LOAD = 0.09  # of the power made
_AIR_KWH_PER_NM3 = 0.11
_BOILER = 0.88
_COAL_GJ_PER_T, _SLUDGE_GJ_PER_T = 23.2, 2.6  # as fired
_SLUDGE_PER_PAPER = 0.11  # t dewatered sludge per t of paper
_ASH = (0.16, 0.12)  # of coal, of sludge
_FLY_ASH, _TO_BUILDER = 0.8, 0.88
_LIMESTONE_PER_COAL = 0.025
_CO2_KG_PER_H = 900.0  # captured while the ponds have light


@dataclass(frozen=True, eq=False)
class Plant:
    streams: Sequence[Stream]
    use: Mapping[str, Amounts]  # Wh per quarter hour that it adds to its owner's use; negative: its generation


def plant(story: Story, users: Sequence[Stream]) -> Plant:
    owner = story.by_role["chp"].id
    steam_used, air = total(users, "steam"), total(users, "compressed_air")
    constant = round(_PIPE_LOSS[0] * float(steam_used.mean()))
    steam = steam_used + constant + np.rint(steam_used * _PIPE_LOSS[1]).astype(np.int64)
    power = whole(quarters(steam * (_POWER_TO_STEAM / 3.6 / 4)))  # kJ → Wh
    first, last = story.overhaul
    power[first:last] = 0
    house = whole(power * _HOUSE_LOAD)
    compressors = whole(np.repeat(air * (_AIR_KWH_PER_NM3 / 4), 4))
    streams = [
        Stream("CHP1-STEAM", "steam", "CHP1", "STEAM", HOUR, steam),
        Stream(f"CHP1-{owner}", "electricity", "CHP1", owner, QUARTER, power),
        Stream(f"{owner}-CHP1", "electricity", owner, "CHP1", QUARTER, house),
        Stream(f"{owner}-AIR1", "electricity", owner, "AIR1", QUARTER, compressors),
        Stream("AIR1-AIRNET", "compressed_air", "AIR1", "AIRNET", HOUR, air + air // 50),
        *_materials(story, steam, power),
    ]
    return Plant(streams, {owner: house + compressors - power})


def _materials(story: Story, steam: Amounts, power: Amounts) -> list[Stream]:
    """Monthly deliveries, weighed to 10 kg, and the captured CO2."""
    paper, builder, algae = (story.by_role[role] for role in ("paper", "ash", "algae"))
    edges = np.cumsum([0, *(grid.slots for grid in story.horizon.grids)])
    fired_gj = (_monthly(steam, edges // 4) / 1e6 + _monthly(power, edges) * 3.6e-6 / 0.97) / _BOILER
    days = np.diff(edges) / 96
    sludge = paper.output_t * _SLUDGE_PER_PAPER * days / 365
    coal = (fired_gj - sludge * _SLUDGE_GJ_PER_T) / _COAL_GJ_PER_T
    fly_ash = (coal * _ASH[0] + sludge * _ASH[1]) * _FLY_ASH
    light = (np.arange(story.horizon.slots // 4) % 24 >= 8) & (np.arange(story.horizon.slots // 4) % 24 < 18)
    co2 = within(whole(light * _CO2_KG_PER_H * 1e3), story.algae_starts, None, 4)
    return [
        Stream("COAL-CHP1", "bituminous_coal", "COALCO", "CHP1", MONTH, weighed(coal)),
        Stream("LIME-CHP1", "limestone", "LIMECO", "CHP1", MONTH, weighed(coal * _LIMESTONE_PER_COAL)),
        Stream(f"{paper.id}-CHP1", "sludge", paper.id, "CHP1", MONTH, weighed(sludge)),
        Stream(f"CHP1-{builder.id}", "fly_ash", "CHP1", builder.id, MONTH, weighed(fly_ash * _TO_BUILDER)),
        Stream("CHP1-LANDFILL", "fly_ash", "CHP1", "LANDFILL", MONTH, weighed(fly_ash * (1 - _TO_BUILDER))),
        Stream(f"CHP1-{algae.id}", "co2", "CHP1", algae.id, HOUR, co2, story.algae_starts),
    ]


def diesel(story: Story, seed: int) -> list[Stream]:
    """Monthly deliveries to those who run vehicles."""
    days = np.array([len(grid.days) for grid in story.horizon.grids])
    streams = []
    for e in story.enterprises:
        if e.diesel_t:
            wobble = np.random.default_rng([seed, e.number, 4]).uniform(0.85, 1.15, 12)[: len(days)]
            amounts = weighed(e.diesel_t * days / 365 * wobble)
            streams.append(Stream(f"DIESEL-{e.id}", "diesel", "FUELCO", e.id, MONTH, amounts))
    return streams


def weighed(tonnes: Floats) -> Amounts:
    """To the 10 kg of a weighbridge, in g."""
    return np.rint(tonnes * 100).astype(np.int64) * 10_000


def _monthly(amounts: Amounts, edges: Amounts) -> Floats:
    return np.add.reduceat(amounts, edges[:-1]).astype(np.float64)
