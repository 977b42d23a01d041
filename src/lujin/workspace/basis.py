"""The facts that a preview rests on, by name, so that an act can be refused when they changed since."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import sqlalchemy as sa

from lujin.accounts.period_facts import log_size
from lujin.accounts.tables import period_event
from lujin.errors import N_, Problem, StaleError
from lujin.readings.sources import last_committed

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


def facts_stamp(workspace: Workspace, months: Sequence[int]) -> str:
    """Names all that a restatement of these months rests on: ledger, arrivals, periods, park and reference."""
    with workspace.engine.connect() as connection:
        events = connection.execute(sa.select(sa.func.max(period_event.c.number))).scalar() or 0
        size = log_size(connection)
    parts = [*sorted(set(months)), size, events, last_committed(workspace.engine), workspace.park_digest]
    rows = sorted(row.id for row in workspace.reference_rows)
    return hashlib.sha256("\n".join(map(str, [*parts, *rows])).encode()).hexdigest()[:32]


def refuse_stale(workspace: Workspace, months: Sequence[int], stamp: str) -> None:
    """StaleError: the facts are no longer those that the preview rested on."""
    if stamp and stamp != facts_stamp(workspace, months):
        message = N_("readings, factors, the park or the ledger changed since the preview was made")
        raise StaleError(Problem(message, {}, N_("look at the preview again, then confirm")))
