"""Flows that no single device measures: a shared feeder, a group of boilers, two turbines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import numpy as np

from lujin.demo.metering import Bench, Device
from lujin.demo.streams import Stream
from lujin.park.model import Meter


def grouped(bench: Bench, streams: Mapping[str, Stream]) -> list[Device]:
    """All groups with their virtual meters; what ``Bench.devices`` must not meter again is in their ``stream``."""
    return [*_shared_feeder(bench, streams), *_boilers(bench, streams), *_turbines(bench, streams)]


def _shared_feeder(bench: Bench, streams: Mapping[str, Stream]) -> list[Device]:
    """The works that splits: one feeder meter, one sub-meter of the new firm, the parent by difference."""
    parent, child = (bench.story.by_role[role] for role in ("split_parent", "split_child"))
    own, part = streams[f"GRID-{parent.id}"], streams[f"GRID-{child.id}"]
    (main,) = bench.electric(replace(own, amounts=own.amounts + part.amounts))
    (below,) = bench.electric(part)
    main = _term(main, f"{parent.id}-FEEDER")
    at = bench.story.horizon.instant(bench.story.split)
    return [
        main,
        below,
        _virtual(Meter(id=f"{parent.id}-V1", valid_to=at), own, {main.meter.id: 1}),
        _virtual(Meter(id=f"{parent.id}-V2", valid_from=at), own, {main.meter.id: 1, below.meter.id: -1}),
    ]


def _boilers(bench: Bench, streams: Mapping[str, Stream]) -> list[Device]:
    """Three gas boilers behind one supply."""
    e = bench.story.by_role["boilers"]
    gas = streams[f"GAS-{e.id}"]
    names = [f"{e.id}-BOILER{n}" for n in (1, 2, 3)]
    parts = [
        bench.medium(replace(part, id=name))[0] for part, name in zip(_shared(gas, (5, 3, 2)), names, strict=True)
    ]
    devices = [_term(device, name) for device, name in zip(parts, names, strict=True)]
    return [*devices, _virtual(Meter(id=f"{gas.id}-V", unit="Nm3"), gas, dict.fromkeys(names, 1))]


def _turbines(bench: Bench, streams: Mapping[str, Stream]) -> list[Device]:
    """Two generators on one bus."""
    plant = bench.story.by_role["chp"]
    power = streams[f"CHP1-{plant.id}"]
    names = [f"{power.id}-G{n}" for n in (1, 2)]
    parts = _shared(power, (3, 2))
    devices = [
        _term(bench.sub_meter(part, name, plant.voltage), name) for part, name in zip(parts, names, strict=True)
    ]
    return [*devices, _virtual(Meter(id=f"{power.id}-V"), power, dict.fromkeys(names, 1))]


def _shared(stream: Stream, weights: Sequence[int]) -> list[Stream]:
    """Parts of a stream in whole units that sum to it."""
    edges = np.cumsum([0, *weights])
    cuts = [stream.amounts * int(edge) // int(edges[-1]) for edge in edges]
    return [replace(stream, amounts=high - low) for low, high in pairwise(cuts)]


def _term(device: Device, name: str) -> Device:
    """A meter that counts through a virtual meter only."""
    return replace(device, meter=replace(device.meter, id=name, flow=""))


def _virtual(meter: Meter, stream: Stream, terms: Mapping[str, int]) -> Device:
    nothing = np.empty(0, np.int64)
    named = {name: Decimal(coefficient) for name, coefficient in terms.items()}
    meter = replace(meter, flow=stream.id, kind="virtual", terms=named)
    return Device(meter, stream.id, "", nothing, nothing.astype(np.float64))
