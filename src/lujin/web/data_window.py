"""What programs ask of a park and bring to it, as far as one viewer may. Part of the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Engine

from lujin.access.audit import AuditEntry, audit, audit_trail
from lujin.access.consents import Consent, consents
from lujin.access.viewer import Right, Role
from lujin.database import writing
from lujin.web.jobs import Job, jobs_of
from lujin.workspace import Workspace
from lujin.workspace.arrivals import ArrivalRecord, arrival
from lujin.workspace.importing import FileResult
from lujin.workspace.series import Series
from lujin.workspace.stored import Place, StoredPage

if TYPE_CHECKING:
    from lujin.web.window import Window


@dataclass(frozen=True)
class DataWindow:
    _workspace: Workspace
    window: Window

    @property
    def database(self) -> Engine:
        """For tables of the web itself. What stands in the others is asked for with a right."""
        return self._workspace.engine

    def now(self) -> datetime:
        return self._workspace.clock()

    def today(self) -> int:
        """The local day of the park, 20250601."""
        return int(self.now().astimezone(ZoneInfo(self.window.zone)).strftime("%Y%m%d"))

    def may_see_readings(self, enterprise: str = "", right: Right = Right.SEE_READINGS) -> None:
        """ForbiddenError: the viewer has the right over no meter, or not over those of the enterprise."""
        if enterprise:
            self.window.of(enterprise, right)
        elif not (self.window.may(right) or self.window.enterprises(right)):
            self.window.park(right)

    def meters(self, right: Right = Right.SEE_READINGS, enterprise: str = "") -> tuple[str, ...]:
        """Meters over which the viewer has the right; of one enterprise, or of all."""
        self.may_see_readings(enterprise, right)
        found = self.window.meters(right)
        return tuple(m for m in found if not enterprise or enterprise in self.window.owners[m])

    def readings(
        self,
        meters: Sequence[str],
        start: datetime,
        end: datetime,
        *,
        limit: int,
        after: Place | None = None,
        as_of: datetime | None = None,
    ) -> StoredPage:
        """Stored readings. NotFoundError: a meter that the viewer may not see."""
        seen = frozenset(self.window.meters())
        for meter in meters:
            if meter not in seen:
                self.window.meter(meter)
        return self._workspace.readings(meters, start, end, limit=limit, after=after, as_of=as_of)

    def series(self, meters: Sequence[str], first: date, last: date, step: str) -> Series:
        """Curves of meters that the viewer may see; NotFoundError: of another."""
        self.may_see_readings()
        for meter in meters:
            self.window.meter(meter)
        key = (tuple(meters), first, last, step)
        return self.window.cached("series", key, lambda: self._workspace.series(*key))

    def ingest(
        self, columns: Any, name: str, *, digest: str = "", dry_run: bool = False, listed: int = 100
    ) -> FileResult:
        """Readings as columns, only to meters that the viewer may write; to the import no other meter exists."""
        own = self.window.imports()
        found = self._workspace.ingest(
            columns, name, digest=digest, meters=own.meters, origin=own.origin, dry_run=dry_run, listed=listed
        )
        if found.source:
            counts = {n: getattr(found.report, n) for n in ("accepted", "corrects", "rejected")}
            self.record("readings.import", f"import/{found.source}", {"file": name, **counts}, own.origin.party)
        return found

    def jobs(self, limit: int) -> Sequence[Job]:
        return jobs_of(self._workspace, self.window.viewer, limit)

    def record(
        self, action: str, subject: str, after: Mapping[str, Any] | None = None, enterprise: str = ""
    ) -> None:
        """Into the audit trail: what the viewer did."""
        with writing(self._workspace.engine) as connection:
            viewer, now = self.window.viewer, self.now()
            audit(connection, viewer, action, subject, None, after, now=now, enterprise=enterprise)

    def arrivals(self, limit: int, before: int | None) -> tuple[ArrivalRecord, ...]:
        """What arrived, newest first: everything for whoever sees all readings, else what the viewer brought."""
        if self.window.may(Right.SEE_READINGS):
            return self._workspace.arrivals(limit, before)
        return self.window.imports().arrivals(limit, before)

    def arrival(self, number: int) -> ArrivalRecord:
        if self.window.may(Right.SEE_READINGS):
            return arrival(self._workspace, number)
        return self.window.imports().arrival(number)

    def consents(self) -> Sequence[Consent]:
        """Consents of the viewer's own enterprises; all of them for whoever may see the audit trail."""
        if self.window.viewer.role is Role.ENTERPRISE:
            return consents(self.database, enterprises=frozenset(self.window.enterprises()))
        return consents(self.window.park(Right.SEE_AUDIT).engine)

    def audit_trail(self, **wanted: Any) -> Sequence[AuditEntry]:
        """See ``access.audit.audit_trail``."""
        with self.window.park(Right.SEE_AUDIT).engine.connect() as connection:
            return audit_trail(connection, **wanted)
