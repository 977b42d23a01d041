"""Carbon intensity hour by hour, kept under ``derived/`` as Parquet: recomputable, named by what it rests on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lujin.accounts import GwpSet, PinnedResolve, TraceState, posted_through, trace_month
from lujin.disk import write_whole
from lujin.errors import N_, InputError, Problem, Translate, as_written
from lujin.reference import Reference
from lujin.workspace.compute import input_digests
from lujin.workspace.progress import Progress
from lujin.workspace.reading import gwp_sets
from lujin.workspace.running import energy_of

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

_VERSION = 2


@dataclass(frozen=True, eq=False)
class MonthTrace:
    """``frame``: see ``accounts.hourly``; ``file`` holds it. ``balance`` [mg per gas]: emitted, used, imbalance.

    ``fresh``: whether it was computed now; what rests on the same facts is read back.
    """

    month: int
    frame: pl.DataFrame
    file: Path
    sha256: str
    balance: Mapping[str, Mapping[str, float]]
    gwp: GwpSet
    fresh: bool
    problems: tuple[Problem, ...] = ()

    def hours(self, enterprise: str = "") -> pl.DataFrame:
        """The hours of all enterprises or of one, with ``co2e`` [mg]."""
        own = self.frame.filter(pl.col("enterprise") == enterprise) if enterprise else self.frame
        return own.with_columns(self.co2e().alias("co2e"))

    def summary(self, enterprise: str = "") -> pl.DataFrame:
        """Per enterprise and carrier: ``amount`` [base unit], ``co2e`` [mg], and the ``mean``, ``least`` and
        ``greatest`` intensity of an hour [mg CO2e per base unit].
        """
        return (
            self.hours(enterprise)
            .with_columns((pl.col("co2e") / pl.col("amount")).alias("intensity"))
            .group_by("enterprise", "carrier", maintain_order=True)
            .agg(
                pl.col("amount").sum(),
                pl.col("co2e").sum(),
                (pl.col("co2e").sum() / pl.col("amount").sum()).alias("mean"),
                pl.col("intensity").min().alias("least"),
                pl.col("intensity").max().alias("greatest"),
            )
        )

    def day_profile(self, enterprise: str, timezone: str) -> pl.DataFrame:
        """Intensity by hour of the local day, mean over the month: ``carrier, hour, amount, co2e``."""
        return (
            self.hours(enterprise)
            .with_columns(pl.col("hour").dt.convert_time_zone(timezone).dt.hour().alias("of_day"))
            .group_by("carrier", "of_day")
            .agg(pl.col("amount").sum(), pl.col("co2e").sum())
            .sort("carrier", "of_day")
        )

    def co2e(self) -> pl.Expr:
        """Gases as CO2e [mg]; biogenic CO2 counts 0."""
        return pl.sum_horizontal(pl.col(gas) * float(value) for gas, value in self.gwp.values.items())

    def as_dict(self, translate: Translate = as_written, enterprise: str = "") -> dict[str, Any]:
        return {
            "month": self.month,
            "file": self.file.name,
            "sha256": self.sha256,
            "gwp": self.gwp.assessment,
            "balance_mg": {name: dict(gases) for name, gases in self.balance.items()},
            "enterprises": self.summary(enterprise).to_dicts(),
            "problems": [p.as_dict(translate) for p in self.problems],
        }


def trace(workspace: Workspace, month: int, progress: Progress) -> MonthTrace:
    """Trace from the first month posted to ``month``, since stores carry carbon along; months whose facts did
    not change are read back. InputError: the month is not posted, or the park keeps no book ``embodied``.
    """
    with workspace.engine.connect() as connection:
        posted = posted_through(connection)["month"].unique().sort().to_list()
    if month not in posted:
        raise InputError(
            Problem(N_("{month} is not posted"), {"month": month}, N_("post it first with: lujin run"))
        )
    wanted = [m for m in posted if m <= month]
    state, last = TraceState(), None
    folder = workspace.directory / "derived"
    folder.mkdir(exist_ok=True)
    for done, at in enumerate(wanted):
        progress(N_("tracing months"), done, len(wanted))
        last, state = _month(workspace, folder, at, state)
    progress(N_("tracing months"), len(wanted), len(wanted))
    assert last is not None
    return last


def _month(workspace: Workspace, folder: Path, month: int, before: TraceState) -> tuple[MonthTrace, TraceState]:
    energy = energy_of(workspace, month, workspace.park.enterprises(), workspace.clock())
    reference = Reference(workspace.reference_rows)
    with workspace.engine.connect() as connection:
        resolve = PinnedResolve.for_month(connection, month, reference)
    digests = input_digests(energy.subjects, workspace.park, workspace.park.enterprises())
    facts = [_VERSION, workspace.park_digest, digests, resolve.digest(), asdict(before)]
    inputs = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    gwp = gwp_sets(workspace, month)["embodied"]
    target, about = folder / f"trace-{month}.parquet", folder / f"trace-{month}.json"
    if (known := _known(about, target, inputs)) is not None:
        frame = pl.read_parquet(target)
        state = TraceState(**known["state"])
        said = tuple(Problem(**problem) for problem in known["problems"])
        return MonthTrace(month, frame, target, known["sha256"], known["balance"], gwp, False, said), state
    found = trace_month(workspace.park, energy.subjects, resolve, before)
    found.frame.write_parquet(target, compression="zstd", statistics=False)
    sha256 = hashlib.sha256(target.read_bytes()).hexdigest()
    balance = {"emitted": found.emitted, "used": found.used, "imbalance": found.imbalance}
    record = {
        "inputs": inputs,
        "sha256": sha256,
        "balance": balance,
        "state": asdict(found.state),
        "problems": [_plain(problem) for problem in found.problems],
    }
    write_whole(about, json.dumps(record, indent=1, sort_keys=True))
    return MonthTrace(month, found.frame, target, sha256, balance, gwp, True, found.problems), found.state


def _plain(problem: Problem) -> dict[str, Any]:
    """A problem as JSON holds it, to be said again when the month is read back."""
    params = {name: str(value) for name, value in problem.params.items()}
    return {
        "message": problem.message,
        "params": params,
        "remedy": problem.remedy,
        "severity": problem.severity,
    }


def _known(about: Path, target: Path, inputs: str) -> dict[str, Any] | None:
    """What was computed from the very same facts, if its file is whole."""
    try:
        record: dict[str, Any] = json.loads(about.read_text(encoding="utf-8"))
        whole = hashlib.sha256(target.read_bytes()).hexdigest() == record["sha256"]
    except (OSError, ValueError, KeyError):
        return None
    return record if whole and record.get("inputs") == inputs else None
