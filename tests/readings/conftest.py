"""A park of electricity meters, and files taken into it without a store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lujin.park.carriers import CARRIERS
from lujin.park.model import Flow, Meter, Node, Park
from lujin.readings.intake import ImportReport, Intake, Reconcile, Tally, fresh, parse_file
from lujin.readings.parse import ParsedBatch

NOTHING = pl.DataFrame(
    schema={"meter": pl.Int32, "time": pl.Datetime("us", "UTC"), "value": pl.Float64, "quality": pl.Int8}
)


@dataclass(frozen=True)
class Taken:
    """A file after import: what would be stored, and the report."""

    intake: Intake
    report: ImportReport
    rows: pl.DataFrame
    rejected: pl.DataFrame
    batches: list[ParsedBatch]

    def told(self) -> list[tuple[str, str, float]]:
        """(meter, UTC time as text, value), sorted."""
        names = dict(self.intake.lookup.facts.select("key", "id").iter_rows())
        return sorted(
            (names[m], t.strftime("%Y-%m-%d %H:%M"), v)
            for m, t, v in self.rows.select("meter", "time", "value").iter_rows()
        )


def park_of(*meters: Meter, timezone: str = "Asia/Shanghai") -> Park:
    nodes = {"GRID": Node(id="GRID", kind="grid"), "E1": Node(id="E1", kind="enterprise")}
    flows = {
        carrier: Flow(id=carrier, carrier=carrier, source="GRID", target="E1")
        for carrier in ("electricity", "steam", "natural_gas")
    }
    return Park(
        id="P", name_zh="园区", name_en="park", timezone=timezone, region="广东", packs={}, nodes=nodes,
        flows=flows, meters={m.id: m for m in meters}, carriers=CARRIERS,
    )  # fmt: skip


def meter(name: str, **facts: Any) -> Meter:
    return Meter(id=name, **{"flow": "electricity", **facts})


def keys_of(park: Park) -> dict[str, int]:
    return {name: key for key, name in enumerate((m for m, d in park.meters.items() if d.kind != "virtual"), 1)}


def take_in(
    path: Path, park: Park, current: pl.DataFrame = NOTHING, block_bytes: int = 1 << 24, **how: Any
) -> Taken:
    intake = parse_file(path, park, keys_of(park), **how)
    tally, reconcile = Tally(intake), Reconcile()
    batches, kept = [], []
    for batch in intake.batches(block_bytes):
        judged = reconcile(batch.rows, current)
        tally.add(batch, judged)
        batches.append(batch)
        kept.append(fresh(judged))
    rows = pl.concat(kept) if kept else pl.DataFrame()
    rejected = pl.concat([b.rejected for b in batches]) if batches else pl.DataFrame()
    return Taken(intake, tally.report(), rows, rejected, batches)


@pytest.fixture
def border() -> Border:
    return Border()


class Border:
    """What border tests build with."""

    park = staticmethod(park_of)
    meter = staticmethod(meter)
    keys = staticmethod(keys_of)
    take: Callable[..., Taken] = staticmethod(take_in)
    nothing = NOTHING
