"""A park as one viewer may see it: the one place where enterprises are kept apart (租户隔离).

Handlers get a ``Window`` and never the workspace. Over the whole park it hands the workspace out for a right that
the viewer has over the whole park; for one enterprise it answers only what is that enterprise's own.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from typing import TypeVar

from lujin.access.policy import may, may_meter
from lujin.access.viewer import Right, Viewer
from lujin.accounts import Explanation, Statement, Uncertainty
from lujin.accounts.explanation_view import own_part, without_meters
from lujin.accounts.periods import Period
from lujin.accounts.statement import meters_of
from lujin.errors import N_, ForbiddenError, NotFoundError, Problem
from lujin.park import Node, Park
from lujin.publish.letterhead import Letterhead
from lujin.pulse import Keep, anew
from lujin.reference import Row, Selector
from lujin.web.alarm_window import AlarmWindow
from lujin.web.cache import Cache
from lujin.web.data_window import DataWindow
from lujin.web.import_window import ImportWindow
from lujin.web.jobs import Job, job_of
from lujin.workspace import Workspace, reference
from lujin.workspace.certificates import IssuedCertificate, certificates, document
from lujin.workspace.intensity import MonthIntensity, intensities
from lujin.workspace.listing import Listing
from lujin.workspace.load import Load, load_carriers
from lujin.workspace.meters import Device, ListedMeter, MeterYear, device, meter_list, meter_year, owners, years
from lujin.workspace.neighbours import Comparison, compare
from lujin.workspace.publishing import letterhead
from lujin.workspace.quality import MonthQuality
from lujin.workspace.registers import RegisterView, month_view
from lujin.workspace.sector import Points, SectorComparison, sector, sector_points
from lujin.workspace.series import Series
from lujin.workspace.tracing import traces_stamp
from lujin.workspace.trend import Trend

T = TypeVar("T")


@dataclass(frozen=True)
class Window:
    """What ``viewer`` may see and do in the park now."""

    _workspace: Workspace
    viewer: Viewer
    _cache: Cache = field(default_factory=Cache)
    _keep: Keep = anew
    _answers: Cache = field(default_factory=Cache)

    @cached_property
    def version(self) -> str:
        """Changes whenever an answer may change; key of caches, part of ETags."""
        return self._workspace.stamp(self._keep)

    @property
    def description(self) -> Park:
        """Names, carriers and time zone, for showing. Its nodes are for those who may see them: see ``of``."""
        return self._workspace.park

    @property
    def zone(self) -> str:
        return self._workspace.park.timezone

    def may(self, right: Right, enterprise: str | None = None) -> bool:
        return may(self.viewer, right, enterprise)

    def park(self, right: Right) -> Workspace:
        """The whole park. ForbiddenError: the viewer has not this right over all of it."""
        if not self.may(right):
            raise ForbiddenError(
                Problem(
                    N_("you have no right to see or do this"),
                    remedy=N_("ask the park's energy and carbon office"),
                )
            )
        return self._workspace

    def enterprises(self, right: Right = Right.SEE_ACCOUNT) -> tuple[str, ...]:
        """Ids of the enterprises over which the viewer has the right, in the order of the park file."""
        return tuple(e for e in self._workspace.park.enterprises() if self.may(right, e))

    def of(self, enterprise: str, right: Right = Right.SEE_ACCOUNT) -> EnterpriseWindow:
        """One enterprise. NotFoundError: there is none of this id, or the viewer may not know of it."""
        if enterprise not in self._workspace.park.enterprises() or not self._knows(enterprise):
            raise NotFoundError(
                Problem(
                    N_("there is no enterprise {enterprise}, or you may not see it"),
                    {"enterprise": enterprise},
                    N_("choose one from the list of enterprises"),
                )
            )
        found = EnterpriseWindow(self._workspace, self, enterprise)
        found.need(right)
        return found

    def meters(self, right: Right = Right.SEE_READINGS) -> tuple[str, ...]:
        """Ids of the meters over which the viewer has the right, in the order of the park file.

        A meter between two enterprises is seen by both; it is written by neither, for it moves both accounts.
        """
        whole, enough = self.may(right), all if right == Right.WRITE_READINGS else any
        return tuple(
            m
            for m, of in self.owners.items()
            if whole or (of and enough(self._may_meter(right, e, m) for e in of))
        )

    @property
    def owners(self) -> Mapping[str, frozenset[str]]:
        """Meter → enterprises whose readings it holds."""
        return self.cached("owners", (), lambda: owners(self._workspace.park))

    def meter(self, meter: str, right: Right = Right.SEE_READINGS) -> MeterWindow:
        """One meter. NotFoundError: there is none of this id, or the viewer may not know of it."""
        if meter not in self.meters(right):
            raise NotFoundError(
                Problem(
                    N_("there is no meter {meter}, or you may not see it"),
                    {"meter": meter[:200]},
                    N_("choose one from the list of meters"),
                )
            )
        return MeterWindow(self._workspace, self, meter)

    def meter_list(self, month: int) -> tuple[ListedMeter, ...]:
        """The meters that the viewer may see, with their completeness in the month."""
        every = self.cached("meter_list", month, lambda: meter_list(self._workspace, month))
        if self.may(Right.SEE_READINGS):
            return every
        return tuple(
            replace(m, device=MeterWindow(self._workspace, self, m.device.meter).only_own(m.device))
            for m in every
            if m.device.meter in self._visible
        )

    @cached_property
    def _visible(self) -> frozenset[str]:
        return frozenset(self.meters())

    def data(self) -> DataWindow:
        """What programs ask and bring."""
        return DataWindow(self._workspace, self)

    def imports(self) -> ImportWindow:
        """Bringing readings in. ForbiddenError: the viewer may write none."""
        if self.may(Right.WRITE_READINGS):
            return ImportWindow(self._workspace, self.viewer, None, None, self.may(Right.POST))
        own = self.enterprises(Right.WRITE_READINGS)
        if not own:
            self.park(Right.WRITE_READINGS)
        meters = frozenset(self.meters(Right.WRITE_READINGS))
        return ImportWindow(self._workspace, self.viewer, meters, "+".join(own), self.may(Right.POST))

    def job(self, number: int) -> Job:
        """Long work of the viewer; of everybody for whoever may post."""
        return job_of(self._workspace, self.viewer, number)

    def reference(self) -> ReferenceWindow:
        """Published facts and the park's own: for everybody who is signed in."""
        return ReferenceWindow(self._workspace, self)

    def intensity(self, enterprise: str) -> Callable[[Sequence[int]], Mapping[int, MonthIntensity]]:
        """How to ask for the hourly carbon intensity of one enterprise, or of the whole park if none is named."""
        if enterprise:
            workspace = self.of(enterprise, Right.SEE_READINGS).need(Right.SEE_READINGS)
        else:
            workspace = self.park(Right.SEE_PARK)
        traced = traces_stamp(workspace)

        def ask(months: Sequence[int]) -> Mapping[int, MonthIntensity]:
            key = (enterprise, tuple(months), traced)
            return self.cached("intensity", key, lambda: intensities(workspace, months, enterprise))

        return ask

    def months(self) -> tuple[int, ...]:
        """Months that have postings."""
        return self.cached("months", (), self._workspace.months)

    def latest_month(self) -> int:
        """The newest month with postings. NotFoundError: nothing is posted yet."""
        if not (months := self.months()):
            raise NotFoundError(
                Problem(N_("nothing is posted yet"), remedy=N_("import readings, then post them: Readings import"))
            )
        return months[-1]

    def listing(self, month: int | None = None, book: str = "location") -> Listing:
        """One line per enterprise whose account the viewer may see, and the total of these alone."""
        seen = self.enterprises()
        return self.cached("listing", (month, book, seen), lambda: self._workspace.listing(month, book, seen))

    def sector_points(self) -> Points:
        """What sectors are compared by: worked out for all at once, and told of no enterprise by itself."""
        return self.cached("sector_points", (), lambda: sector_points(self._workspace))

    def periods(self) -> tuple[Period, ...]:
        """State and history of every month that is posted or was closed."""
        return self.cached("periods", (), self._workspace.periods)

    def alarms(self) -> AlarmWindow:
        """Alarms that are a matter of this viewer: all of the park, or those of the own enterprises.

        ForbiddenError: there are none for the viewer.
        """
        if self.may(Right.ACKNOWLEDGE_ALARMS) or self.may(Right.SEE_PARK):
            return AlarmWindow(self._workspace, self.viewer, None, self._keep)
        own = self.enterprises(Right.ACKNOWLEDGE_ALARMS)
        if not own:
            self.park(Right.ACKNOWLEDGE_ALARMS)
        return AlarmWindow(self._workspace, self.viewer, frozenset(own), self._keep)

    def cached(self, name: str, arguments: Hashable, work_out: Callable[[], T]) -> T:
        """``work_out()`` once per version of the park's facts. The key must hold all that the answer depends on;
        who may see it is checked before, by ``park`` or ``of``.
        """
        return self._cache((self.version, name, arguments), work_out)

    def packed(self, name: str, arguments: Hashable, work_out: Callable[[], T]) -> T:
        """``cached`` for whole answers as they are sent. The key must hold the viewer's rights."""
        return self._answers((self.version, name, arguments), work_out)

    def _may_meter(self, right: Right, enterprise: str, meter: str) -> bool:
        return may_meter(self.viewer, right, enterprise, meter)

    def _knows(self, enterprise: str) -> bool:
        return any(self.may(right, enterprise) for right in Right)


@dataclass(frozen=True)
class EnterpriseWindow:
    """One enterprise, for a viewer who may see it. Every answer is bound to this enterprise."""

    _workspace: Workspace
    window: Window
    id: str

    def need(self, right: Right) -> Workspace:
        """The workspace, to ask about this enterprise alone. ForbiddenError: the viewer has not the right."""
        if not self.window.may(right, self.id):
            raise ForbiddenError(
                Problem(
                    N_("you have no right to see or do this for {enterprise}"),
                    {"enterprise": self.id},
                    N_("ask the enterprise or the park's energy and carbon office"),
                )
            )
        return self._workspace

    @property
    def node(self) -> Node:
        return self._workspace.park.nodes[self.id]

    @property
    def _own_meters(self) -> frozenset[str]:
        """Those whose readings are the enterprise's to see."""
        return frozenset(m for m, of in self.window.owners.items() if self.id in of)

    def statement(self, month: int, book: str = "location", as_of: datetime | None = None) -> Statement:
        ask = self.need(Right.SEE_ACCOUNT).statement
        return self._cached("statement", (month, book, as_of), lambda: ask(self.id, month, book, as_of))

    def uncertainty(self, month: int, book: str | None = None) -> tuple[Uncertainty, ...]:
        ask = self.need(Right.SEE_ACCOUNT).uncertainty
        return self._cached("uncertainty", (month, book), lambda: ask(month, book, self.id))

    def quality(self, month: int) -> MonthQuality:
        """Of its own meters; for who may see all readings, also of neighbours that move its account."""
        ask = self.need(Right.SEE_READINGS).quality
        found = self._cached("quality", (month,), lambda: ask(month, self.id))
        return found if self.window.may(Right.SEE_READINGS) else found.only(self._own_meters, self.id)

    def series(self, meters: Sequence[str], first: date | int, last: date | int, step: str = "hour") -> Series:
        """Curves of the enterprise's own meters; of all of them where none is named. NotFoundError: another's."""
        workspace = self.need(Right.SEE_READINGS)
        own = meters_of(workspace.park, self.id)
        if not self.window.may(Right.SEE_READINGS):
            own = tuple(m for m in own if m in self._own_meters)
        for meter in meters:
            if meter not in own:
                raise NotFoundError(
                    Problem(
                        N_("{meter} is not a meter of {enterprise}"),
                        {"meter": meter, "enterprise": self.id},
                        N_("choose one from the list of meters"),
                        field="meter",
                    )
                )
        return workspace.series(tuple(meters) or own, first, last, step)

    def explain(self, reference: str) -> Explanation:
        """Where a number of this enterprise comes from, as far as the viewer may see it: who may not see the park
        gets no neighbour's meters and pools, who may not see readings no meters at all. NotFoundError: the
        reference is another's.
        """
        if reference.partition(":")[0] != self.id:
            raise NotFoundError(
                Problem(
                    N_("{reference} is not a line of {enterprise}"),
                    {"reference": reference, "enterprise": self.id},
                    N_("follow a number on the enterprise's statement"),
                )
            )
        ask = self.need(Right.SEE_ACCOUNT).explain
        found = self._cached("explain", (reference,), lambda: ask(reference))
        if not self.window.may(Right.SEE_PARK):
            found = own_part(found, self._workspace.park, self.id)
        return found if self.window.may(Right.SEE_READINGS, self.id) else without_meters(found)

    def letterhead(self, found: Statement) -> Letterhead:
        """What a printed statement says beside the account."""
        workspace = self.need(Right.SEE_ACCOUNT)
        key = (found.month, found.book, found.as_of)
        return self._cached("letterhead", key, lambda: letterhead(workspace, found))

    def trend(self, last: int | None = None, months: int = 24) -> Trend:
        ask = self.need(Right.SEE_ACCOUNT).trend
        return self._cached("trend", (last, months), lambda: ask(self.id, last, months))

    def sector(self) -> SectorComparison:
        """Quartiles of the sector, of no enterprise by itself."""
        workspace = self.need(Right.SEE_ACCOUNT)
        return self._cached("sector", (), lambda: sector(workspace, self.id, known=self.window.sector_points()))

    def load(self, first: int, carrier: str = "electricity", last: int | None = None) -> Load:
        ask = self.need(Right.SEE_READINGS).load
        return self._cached("load", (first, carrier, last), lambda: ask(self.id, first, carrier, last))

    def load_carriers(self) -> tuple[str, ...]:
        return load_carriers(self.need(Right.SEE_READINGS).park, self.id)

    def certificates(self) -> tuple[IssuedCertificate, ...]:
        workspace = self.need(Right.SEE_ACCOUNT)
        return self._cached("certificates", (), lambda: certificates(workspace, self.id))

    def certificate(self, name: str) -> str:
        """The signed document. NotFoundError: this enterprise has none of that id."""
        return document(self.need(Right.SEE_ACCOUNT), self.id, name)

    def issue(self, first: int, last: int, books: Sequence[str]) -> str:
        """Issue a certificate of closed months; its id. InputError: a month is not closed."""
        found = self.need(Right.CLOSE).certificate(self.id, first, last, books=books or None)
        return str(found["id"])

    def _cached(self, name: str, arguments: tuple[Hashable, ...], work_out: Callable[[], T]) -> T:
        return self.window.cached(name, (self.id, *arguments), work_out)


@dataclass(frozen=True)
class MeterWindow:
    """One meter, for a viewer who may see its readings. What it tells of others has no names."""

    _workspace: Workspace
    window: Window
    id: str

    @property
    def device(self) -> Device:
        return self.only_own(device(self._workspace.park, self.id))

    def year(self, year: int) -> MeterYear:
        found = self._cached("meter_year", year, lambda: meter_year(self._workspace, self.id, year))
        return replace(found, device=self.only_own(found.device))

    def years(self) -> tuple[int, ...]:
        return years(self._workspace)

    def register(self, month: int) -> RegisterView:
        found = self._cached("register", month, lambda: month_view(self._workspace, self.id, month))
        return replace(found, device=self.only_own(found.device))

    def comparison(self, month: int) -> Comparison:
        whole = self.window.may(Right.SEE_READINGS)
        found = self._cached(
            "comparison", (month, whole), lambda: compare(self._workspace, self.id, month, anonymous=not whole)
        )
        return replace(found, device=self.only_own(found.device))

    def only_own(self, found: Device) -> Device:
        """Without other enterprises, meters and flows that the viewer need not know of."""
        if self.window.may(Right.SEE_READINGS):
            return found
        park, meters = self._workspace.park, self.window._visible
        mine = self.window.enterprises(Right.SEE_READINGS)
        ends = {f: (park.owner(park.flows[f].source), park.owner(park.flows[f].target)) for f in found.flows}
        return replace(
            found,
            enterprises=tuple(e for e in found.enterprises if e in mine),
            flows=tuple(f for f, owning in ends.items() if any(e in mine for e in owning)),
            chain=tuple(m for m in found.chain if m in meters),
            terms={m: factor for m, factor in found.terms.items() if m in meters},
        )

    def _cached(self, name: str, arguments: Hashable, work_out: Callable[[], T]) -> T:
        """Until a fact or the hour changes: what is not there by then is missing."""
        hour = int(self._workspace.clock().timestamp()) // 3600
        return self.window.cached(name, (self.id, arguments, hour), work_out)


@dataclass(frozen=True)
class ReferenceWindow:
    """The reference, to be read. Who changes it needs the right over the park: see ``Window.park``."""

    _workspace: Workspace
    window: Window

    def rows(self) -> tuple[Row, ...]:
        return self.window.cached("reference", (), lambda: self._workspace.reference_rows)

    def row(self, row_id: str) -> Row:
        return reference.find_row(self._workspace, row_id)

    def timeline(self, row: Row, fact: Selector) -> tuple[reference.Stated, ...]:
        key = (row.id, str(fact))
        return self.window.cached("timeline", key, lambda: reference.timeline(self._workspace, row, fact))

    def which(self, selector: Selector, day: date) -> reference.Chosen:
        return reference.which(self._workspace, selector, day)

    def version(self) -> str:
        return reference.version(self._workspace)
