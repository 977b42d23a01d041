"""Auditing is running it again: every posting recomputed from the facts as they were known at its time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from lujin.accounts import (
    IDENTITY,
    MonthLines,
    PinnedResolve,
    carried,
    delta,
    may_hold,
    month_lines,
    net,
    year_to_date,
)
from lujin.accounts.facts import park_as_of, reference_as_of
from lujin.accounts.tables import posted
from lujin.errors import N_, IntegrityError, Problem
from lujin.park import Park, from_snapshot
from lujin.park.calendar import month_grid
from lujin.reference import Reference
from lujin.workspace.compute import month_energy
from lujin.workspace.plan import meters_of_enterprises
from lujin.workspace.progress import Progress

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


def replay(workspace: Workspace, progress: Progress) -> list[Problem]:
    """Compute every posting again; a problem per enterprise and month whose stored lines differ."""
    problems: list[Problem] = []
    with workspace.engine.connect() as connection:
        select = sa.select(posted.c.month, posted.c.recorded_at, posted.c.enterprise).order_by(posted.c.number)
        runs: dict[tuple[int, datetime], list[str]] = {}
        for month, recorded_at, enterprise in connection.execute(select):
            runs.setdefault((month, recorded_at), []).append(enterprise)
        for done, ((month, known), enterprises) in enumerate(runs.items()):
            progress(N_("computing postings again"), done, len(runs))
            problems += _differences(workspace, connection, month, known, enterprises)
        progress(N_("computing postings again"), len(runs), len(runs))
    return problems


def _differences(
    workspace: Workspace, connection: Connection, month: int, known: datetime, enterprises: list[str]
) -> list[Problem]:
    again = lines_as_known(workspace, connection, month, known, enterprises)
    stored = net(connection, month, enterprises, as_of=known)
    wrong = delta(again, stored)
    return [
        Problem(
            N_("{enterprise} {month}: {lines} stored lines differ from what the facts known at {known} give"),
            {"enterprise": enterprise, "month": month, "lines": count, "known": known.isoformat()},
            N_("restore the database from a backup, or restate the month"),
        )
        for enterprise, count in wrong.group_by("enterprise").len().sort("enterprise").iter_rows()
    ]


def lines_as_known(
    workspace: Workspace, connection: Connection, month: int, known: datetime, enterprises: list[str]
) -> pl.DataFrame:
    """The lines frame of a month from the park, readings, choices and reference as known at ``known``."""
    lines = month_as_known(workspace, connection, month, known, enterprises).lines
    return lines.select(*IDENTITY, "day", "amount")


def month_as_known(
    workspace: Workspace, connection: Connection, month: int, known: datetime, enterprises: list[str]
) -> MonthLines:
    """The month computed again, with all that is worth saying about it."""
    park = _park(connection, known)
    meters = meters_of_enterprises(park, enterprises)
    grid = month_grid(month, park.timezone)
    until = int(known.timestamp())
    energy = month_energy(park, workspace.store, workspace.meter_keys(park), meters, grid, until, as_of=known)
    reference = Reference(reference_as_of(connection, known))
    resolve = PinnedResolve.for_month(connection, month, reference, as_of=known)
    opening = carried(connection, month, may_hold(park, enterprises), as_of=known)
    year = year_to_date(connection, park, month, enterprises, as_of=known)
    return month_lines(park, energy.subjects, resolve, enterprises, opening, year=year)


def _park(connection: Connection, known: datetime) -> Park:
    found = park_as_of(connection, known)
    if found is None:
        raise IntegrityError(
            Problem(
                N_("no park description is stored for {known}"),
                {"known": known.isoformat()},
                N_("restore a backup"),
            )
        )
    return from_snapshot(found[1])
