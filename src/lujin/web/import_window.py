"""Bringing readings in, as far as one viewer may: own meters, own uploads, own arrivals. Part of the window."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from lujin.access.audit import audit
from lujin.access.viewer import Viewer
from lujin.database import writing
from lujin.errors import N_, InputError, NotFoundError, Problem
from lujin.readings.mapping import Mapping as ColumnMapping
from lujin.readings.sources import Origin
from lujin.readings.unpacking import check_unpacked
from lujin.web import uploads
from lujin.web.api.arrow import claims
from lujin.web.jobs import Work
from lujin.web.uploads import Upload
from lujin.workspace import Workspace
from lujin.workspace.arrivals import ArrivalRecord, arrival, refused
from lujin.workspace.looking import FilePreview
from lujin.workspace.moved import moved, totals_of_months
from lujin.workspace.plan import enterprises_of_meters
from lujin.workspace.progress import Progress
from lujin.workspace.undoing import Undoing

UNPACKED_TIMES = 8  # what an upload may unpack to, as a multiple of what may be uploaded
MOVED_LISTED = 500


@dataclass(frozen=True)
class ImportWindow:
    """``meters``: those the viewer may write; None is all of them. ``party``: the enterprise whose arrivals these
    are; None is everybody's. ``posts``: whether the viewer may post what came in.
    """

    _workspace: Workspace
    viewer: Viewer
    meters: frozenset[str] | None
    party: str | None
    posts: bool

    @property
    def origin(self) -> Origin:
        return Origin(self.viewer.name, self.party or "")

    @property
    def folder(self) -> Path:
        return self._workspace.inbox / "uploads"

    @property
    def writable(self) -> tuple[str, ...]:
        """Ids of the meters that may be written, in the order of the park file."""
        every = (m.id for m in self._workspace.park.meters.values() if m.kind != "virtual")
        return tuple(m for m in every if self.meters is None or m in self.meters)

    # Files that wait

    async def receive(self, chunks: AsyncIterator[bytes], name: str, limit: int) -> Upload:
        now = self._workspace.clock()
        return await uploads.receive(chunks, self.folder, name, self.viewer.person, self.party or "", now, limit)

    def check(self, found: Upload, limit: int) -> None:
        """InputError, and the file is gone: it unpacks to more than a machine should be asked for."""
        try:
            check_unpacked(found.file(self.folder), limit * UNPACKED_TIMES)
            _check_arrow(found.file(self.folder), limit * UNPACKED_TIMES)
        except InputError as error:
            uploads.discard(self.folder, found)
            raise InputError(*(replace(p, file=found.name) for p in error.problems)) from error

    def waiting(self) -> list[Upload]:
        return [u for u in uploads.uploads(self.folder) if self._own(u)]

    def upload(self, token: str) -> Upload:
        """NotFoundError: it is gone, or somebody else's."""
        found = uploads.upload(self.folder, token)
        if found is None or not self._own(found):
            message = N_("this file is no longer here: it was imported, put aside, or a day has passed")
            raise NotFoundError(Problem(message, {}, N_("send it again")))
        return found

    def _own(self, found: Upload) -> bool:
        return found.person == self.viewer.person and found.party == (self.party or "")

    def discard(self, token: str) -> None:
        uploads.discard(self.folder, self.upload(token))

    def look(self, token: str, mapping: ColumnMapping | None, sheet: str = "", guess: bool = False) -> FilePreview:
        path = self.upload(token).file(self.folder)
        found = self._workspace.look(path, mapping, sheet=sheet, guess=guess, meters=self.meters)
        return replace(found, problems=tuple(_placeless(p, path) for p in found.problems))

    # Long work

    def trial(self, token: str, mapping: ColumnMapping) -> Work:
        """Say what an import would do; the refused rows are listed beside the upload."""
        found, folder, meters = self.upload(token), self.folder, self.meters

        def work(workspace: Workspace, progress: Progress) -> Mapping[str, Any]:
            kept = found.refused(folder)
            kept.unlink(missing_ok=True)
            (result,) = workspace.import_files(
                [found.file(folder)], mapping, meters=meters, dry_run=True, rejects=kept, progress=progress
            )
            return _plain(result.as_dict())

        return work

    def take(self, token: str, mapping: ColumnMapping, *, post: bool, save_as: str = "") -> Work:
        """Import; ``post``: then post what waits and tell how totals moved. The upload is gone afterwards."""
        found, me = self.upload(token), self

        def work(workspace: Workspace, progress: Progress) -> Mapping[str, Any]:
            kept = workspace.save_mapping(mapping, save_as) if save_as else mapping
            (result,) = workspace.import_files(
                [found.file(me.folder)], kept, meters=me.meters, origin=me.origin, progress=progress
            )
            plain = _plain(result.as_dict())
            if result.report is not None:
                me._record(workspace, "readings.import", result.source or result.same_as or 0, plain)
                uploads.discard(me.folder, found)
            meters = result.report.meters if result.report is not None else ()
            return {**plain, **me._posted(workspace, result.source, meters, post, progress)}

        return work

    def undo(self, number: int, reason: str, *, post: bool) -> Work:
        """Take an arrival back; ``post``: then post what waits and tell how totals moved."""
        self.arrival(number)
        me = self

        def work(workspace: Workspace, progress: Progress) -> Mapping[str, Any]:
            found = workspace.undo(number, reason, me.viewer.name, party=me.party, progress=progress)
            plain = found.as_dict()
            me._record(workspace, "readings.undo", number, plain)
            return {"undone": plain, **me._posted(workspace, found.number, found.meters, post, progress)}

        return work

    def post(self) -> Work:
        me = self

        def work(workspace: Workspace, progress: Progress) -> Mapping[str, Any]:
            return me._posted(workspace, 0, (), True, progress)

        return work

    def _posted(
        self, workspace: Workspace, source: int, meters: Collection[str], post: bool, progress: Progress
    ) -> Mapping[str, Any]:
        """What moved: of the enterprises whose meters these are, or of all where none is named; others counted."""
        months = arrival(workspace, source).months if source else ()
        found: dict[str, Any] = {"touched": list(months)}
        if not (post and self.posts):
            return found
        due = {m.month for m in workspace.status().months if m.waiting} | set(months)
        before = totals_of_months(workspace, due)
        report = workspace.run(progress=progress)
        found["run"] = report.as_dict()
        changed = list(moved(before, totals_of_months(workspace, due)))
        whose = enterprises_of_meters(workspace.park)
        own = {enterprise for meter in meters for enterprise in whose.get(meter, ())}
        shown = [m for m in changed if m.enterprise in own or not meters]
        found["moved"] = [m.as_dict() for m in shown[:MOVED_LISTED]]
        found["moved_elsewhere"] = len({m.enterprise for m in changed} - {m.enterprise for m in shown})
        with writing(workspace.engine) as connection:
            told = {"entries": found["run"]["entries"], "months": [m.month for m in report.months]}
            audit(connection, self.viewer, "accounts.post", "ledger", None, told, now=workspace.clock())
        return found

    def _record(self, workspace: Workspace, action: str, number: int, plain: Mapping[str, Any]) -> None:
        report = plain.get("report") or plain
        names = ("file", "accepted", "corrects", "rejected", "withdrawn", "restated", "number")
        told = {name: report[name] for name in names if name in report}
        with writing(workspace.engine) as connection:
            now, enterprise = workspace.clock(), self.party or ""
            audit(connection, self.viewer, action, f"import/{number}", None, told, now=now, enterprise=enterprise)

    # What arrived

    def arrivals(self, limit: int, before: int | None) -> tuple[ArrivalRecord, ...]:
        return self._workspace.arrivals(limit, before, self.party)

    def arrival(self, number: int) -> ArrivalRecord:
        return arrival(self._workspace, number, self.party)

    def refused(self, number: int) -> Path:
        return refused(self._workspace, number, self.party)

    def undoing(self, number: int) -> Undoing:
        """What taking the arrival back would change."""
        return self._workspace.undo(number, party=self.party, dry_run=True)


def _placeless(problem: Problem, path: Path) -> Problem:
    """Without the place on the server; the page says which file it is about."""
    return replace(problem, file="") if problem.file == str(path) else problem


def _check_arrow(path: Path, limit: int) -> None:
    """An Arrow file says itself what its compressed buffers unpack to."""
    with path.open("rb") as file:
        if file.read(6) != b"ARROW1":
            return
        with mmap(file.fileno(), 0, access=ACCESS_READ) as body:
            _, unpacked = claims(body, file=True)
    if unpacked > limit:
        message, params = N_("the file unpacks to more than {limit} MiB"), {"limit": limit // uploads.MIB}
        raise InputError(Problem(message, params, N_("split it, or send it uncompressed in parts")))


def _plain(result: dict[str, Any]) -> dict[str, Any]:
    """Of a result what a page shows: no paths of the server."""
    result["file"] = Path(result["file"]).name
    if result["report"]:
        result["report"]["rejected_file"] = ""
    return result
