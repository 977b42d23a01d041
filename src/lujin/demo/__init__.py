"""The demo park (示例园区): a composite high-tech zone made of measured load and PV series.

Nothing of it exists; every shape in it was measured. ``examples/dianlu/README.md`` says what is real and what
is composed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl

from lujin.demo.cogeneration import diesel, plant
from lujin.demo.days import Horizon, temperatures
from lujin.demo.exports import truth, write_arrivals
from lujin.demo.graph import park as make_park
from lujin.demo.groups import grouped
from lujin.demo.inputs import Profiles, folder
from lujin.demo.inputs import enterprises as read_enterprises
from lujin.demo.loads import Shapes
from lujin.demo.metering import Bench, Device
from lujin.demo.streams import Amounts, Story, Stream, electricity, heat_and_gas, water_and_air
from lujin.demo.tables import write_days, write_reference
from lujin.errors import N_, InputError, Problem
from lujin.park import Park, dumps

__all__ = ["SEED", "DemoFiles", "write_demo"]

SEED = 2025
SMALLEST = 12  # the enterprises that the story needs stand first in the table


@dataclass(frozen=True, eq=False)
class DemoFiles:
    """What was written.

    ``arrivals`` in the order in which to import them, ``late`` what comes after the first run. ``meters`` are
    physical ones; ``readings`` counts both folders. ``truth`` (flow, month, amount in base units) is what flowed,
    known only because the park is composed; it is not written.
    """

    directory: Path
    park: Path
    arrivals: tuple[Path, ...]
    late: tuple[Path, ...]
    enterprises: int
    meters: int
    readings: int
    truth: pl.DataFrame = field(repr=False)


def write_demo(directory: str | Path, *, enterprises: int = 200, months: int = 12, seed: int = SEED) -> DemoFiles:
    """Write a park directory: ``park.toml``, ``days.csv``, ``reference/`` and the files in ``arrivals/``.

    ``enterprises`` (12–200) takes the first of the table, ``months`` (1–12) begins in January 2025; every
    special case is in the smallest park too. The same arguments give the same bytes. InputError: arguments out
    of range, or the directory already holds a park.
    """
    target = Path(directory)
    known = read_enterprises(folder())
    _check(target, enterprises, months, len(known))
    horizon = Horizon(months)
    story = Story.of(horizon, known[:enterprises])
    streams, loads = _streams(story, seed)
    devices = _devices(story, streams, seed)
    park = make_park(story, streams, devices, loads, temperatures(np.random.default_rng([seed, 4])))
    _write_facts(target, park)
    files, late = write_arrivals(target / "arrivals", story, devices)
    physical = [device for device in devices if device.meter.kind != "virtual"]
    return DemoFiles(
        directory=target,
        park=target / "park.toml",
        arrivals=tuple(files),
        late=tuple(late),
        enterprises=enterprises,
        meters=len(physical),
        readings=sum(len(device.times) for device in physical),
        truth=truth(horizon, streams),
    )


def _streams(story: Story, seed: int) -> tuple[list[Stream], dict[str, Amounts]]:
    shapes = Shapes(Profiles(folder() / "profiles"), seed)
    users = [*heat_and_gas(story, shapes), *water_and_air(story, shapes)]
    cogeneration = plant(story, users)
    power, loads = electricity(story, shapes, cogeneration.use)
    return [*power, *cogeneration.streams, *users, *diesel(story, seed)], loads


def _devices(story: Story, streams: list[Stream], seed: int) -> list[Device]:
    bench = Bench(story, seed)
    groups = grouped(bench, {stream.id: stream for stream in streams})
    done = {device.stream for device in groups}
    return [*bench.devices([stream for stream in streams if stream.id not in done]), *groups]


def _write_facts(target: Path, park: Park) -> None:
    (target / "reference").mkdir(parents=True, exist_ok=True)
    (target / "park.toml").write_text(dumps(replace(park, days={})), encoding="utf-8", newline="\n")
    (target / "days.csv").write_text(write_days(park), encoding="utf-8", newline="\n")
    for name, text in write_reference().items():
        (target / "reference" / name).write_text(text, encoding="utf-8", newline="\n")


def _check(target: Path, enterprises: int, months: int, known: int) -> None:
    problems = []
    if not SMALLEST <= enterprises <= known:
        problems.append(
            Problem(
                N_("a demo park of {count} enterprises cannot be made"),
                {"count": enterprises, "least": SMALLEST, "most": known},
                N_("choose from {least} to {most}"),
                field="enterprises",
            )
        )
    if not 1 <= months <= 12:
        problems.append(
            Problem(
                N_("a demo park of {count} months cannot be made"),
                {"count": months},
                N_("choose from 1 to 12"),
                field="months",
            )
        )
    taken = [name for name in ("park.toml", "arrivals") if (target / name).exists()]
    if taken:
        problems.append(
            Problem(
                N_("{directory} already holds {name}"),
                {"directory": str(target), "name": taken[0]},
                N_("name a new directory"),
                file=str(target),
            )
        )
    if problems:
        raise InputError(*problems)
