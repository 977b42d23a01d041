"""Carbon intensity hour by hour, kept under ``derived/`` as Parquet: recomputable, named by what it rests on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import sqlalchemy as sa

from lujin.accounts import GwpSet, PinnedResolve, TraceState, trace_month
from lujin.accounts.tables import choice, posted
from lujin.disk import write_whole
from lujin.errors import N_, InputError, Problem, Translate, as_written
from lujin.readings.sources import last_touching
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
    months = _posted(workspace)
    if month not in months:
        raise InputError(
            Problem(N_("{month} is not posted"), {"month": month}, N_("post it first with: lujin run"))
        )
    wanted = [m for m in months if m <= month]
    stamps = _stamps(workspace, wanted)
    state, last = TraceState(), None
    (workspace.directory / "derived").mkdir(exist_ok=True)
    for done, at in enumerate(wanted):
        progress(N_("tracing months"), done, len(wanted))
        last, state = _month(workspace, at, stamps[at], state)
    progress(N_("tracing months"), len(wanted), len(wanted))
    assert last is not None
    return last


@dataclass(frozen=True, slots=True)
class Kept:
    """A month as it was traced last. ``stale``: facts came since. ``known``: what its description holds."""

    month: int
    file: Path
    known: Mapping[str, Any]
    stale: bool

    @property
    def sha256(self) -> str:
        return str(self.known["sha256"])

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(Problem(**problem) for problem in self.known["problems"])


def kept_traces(workspace: Workspace, months: Collection[int]) -> Mapping[int, Kept]:
    """Those of ``months`` that were traced, fresh or not. Computes nothing."""
    stamps = _stamps(workspace, _posted(workspace))
    found = {}
    for month in months:
        about, target = _files(workspace, month)
        if (known := _known(about, target)) is not None:
            found[month] = Kept(month, target, known, known.get("stamp") != stamps.get(month))
    return found


def traces_stamp(workspace: Workspace) -> tuple[tuple[str, int], ...]:
    """Changes when a month is traced, for caches."""
    files = sorted((workspace.directory / "derived").glob("trace-*.json"))
    return tuple((file.name, file.stat().st_mtime_ns) for file in files)


def _posted(workspace: Workspace) -> list[int]:
    with workspace.engine.connect() as connection:
        return [
            int(m)
            for m in connection.execute(sa.select(posted.c.month).distinct().order_by(posted.c.month)).scalars()
        ]


def _stamps(workspace: Workspace, months: Sequence[int]) -> Mapping[int, str]:
    """Month → what its trace rests on: the park, the last arrival that touched it, the last factor chosen for it,
    and the months before it. Told without a look at the readings.
    """
    arrived = last_touching(workspace.engine)
    newest = sa.select(choice.c.month, sa.func.max(choice.c.number)).group_by(choice.c.month)
    with workspace.engine.connect() as connection:
        chosen = {int(month): int(number) for month, number in connection.execute(newest)}
    stamps, before = dict[int, str](), ""
    for month in months:
        facts = [_VERSION, workspace.park_digest, month, arrived.get(month, 0), chosen.get(month, 0), before]
        stamps[month] = before = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return stamps


def _files(workspace: Workspace, month: int) -> tuple[Path, Path]:
    folder = workspace.directory / "derived"
    return folder / f"trace-{month}.json", folder / f"trace-{month}.parquet"


def _month(workspace: Workspace, month: int, stamp: str, before: TraceState) -> tuple[MonthTrace, TraceState]:
    about, target = _files(workspace, month)
    known = _known(about, target)
    if known and known.get("stamp") == stamp:
        return _read_back(workspace, month, known), TraceState(**known["state"])
    energy = energy_of(workspace, month, workspace.park.enterprises(), workspace.clock())
    reference = Reference(workspace.reference_rows)
    with workspace.engine.connect() as connection:
        resolve = PinnedResolve.for_month(connection, month, reference)
    digests = input_digests(energy.subjects, workspace.park, workspace.park.enterprises())
    facts = [_VERSION, workspace.park_digest, digests, resolve.digest(), asdict(before)]
    inputs = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    if known and known.get("inputs") == inputs:
        _describe(about, {**known, "stamp": stamp})
        return _read_back(workspace, month, known), TraceState(**known["state"])
    found = trace_month(workspace.park, energy.subjects, resolve, before)
    held = BytesIO()
    found.frame.write_parquet(held, compression="zstd", statistics=False)
    write_whole(target, held.getvalue())
    record = {
        "stamp": stamp,
        "inputs": inputs,
        "sha256": hashlib.sha256(held.getvalue()).hexdigest(),
        "balance": {"emitted": found.emitted, "used": found.used, "imbalance": found.imbalance},
        "state": asdict(found.state),
        "problems": [_plain(problem) for problem in found.problems],
    }
    _describe(about, record)
    traced = _read_back(workspace, month, record)
    return replace(traced, frame=found.frame, fresh=True, problems=found.problems), found.state


def _describe(about: Path, record: Mapping[str, Any]) -> None:
    write_whole(about, json.dumps(record, indent=1, sort_keys=True))


def _read_back(workspace: Workspace, month: int, known: Mapping[str, Any]) -> MonthTrace:
    target = _files(workspace, month)[1]
    said = tuple(Problem(**problem) for problem in known["problems"])
    gwp = gwp_sets(workspace, month)["embodied"]
    frame = pl.read_parquet(target)
    return MonthTrace(month, frame, target, known["sha256"], known["balance"], gwp, False, said)


def _plain(problem: Problem) -> dict[str, Any]:
    """A problem as JSON holds it, to be said again when the month is read back."""
    params = {name: str(value) for name, value in problem.params.items()}
    return {
        "message": problem.message,
        "params": params,
        "remedy": problem.remedy,
        "severity": problem.severity,
    }


def _known(about: Path, target: Path) -> dict[str, Any] | None:
    """What was computed last, if its file is whole."""
    try:
        record: dict[str, Any] = json.loads(about.read_text(encoding="utf-8"))
        whole = hashlib.sha256(target.read_bytes()).hexdigest() == record["sha256"]
    except (OSError, ValueError, KeyError):
        return None
    return record if whole else None
