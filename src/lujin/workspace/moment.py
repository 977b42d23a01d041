"""The recorded time of new facts (登记时刻): later than that of every fact there is.

"As known on τ" takes what was recorded up to τ. A fact recorded with an earlier time than one that is there
would change old answers, and a correction would lose against the reading that it corrects.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from lujin.accounts.tables import certificate, park_fact, period_event, posted, tree_head
from lujin.errors import N_, Problem, StoreError
from lujin.readings.sources import source

CLOCK_STEP = timedelta(minutes=1)


def moment(engine: Engine, now: datetime) -> datetime:
    """``now``, or just after the last recorded fact if a clock was set back by at most CLOCK_STEP.

    StoreError: the clock was set back further.
    """
    with engine.connect() as connection:
        last = _last_recorded(connection)
    if last is None or now > last:
        return now
    if last - now > CLOCK_STEP:
        raise StoreError(
            Problem(
                N_("the clock says {now}, but facts recorded at {last} are stored already"),
                {"now": now.isoformat(timespec="seconds"), "last": last.isoformat(timespec="seconds")},
                N_("set the clock of this machine and repeat the command"),
            )
        )
    return last + timedelta(microseconds=1)


def _last_recorded(connection: Connection) -> datetime | None:
    """Recorded time of the newest fact. Each table grows in order of time."""
    newest = [
        connection.execute(sa.select(table.c.recorded_at).order_by(table.c.number.desc()).limit(1)).scalar()
        for table in (source, park_fact, posted, period_event, tree_head, certificate)
    ]
    return max((found for found in newest if found is not None), default=None)
