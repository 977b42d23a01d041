"""A certificate dropped on a page: what it states, what holds, what does not. For anybody; nothing is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message

from lujin.errors import N_, InputError, LujinError, NotFoundError, Problem, TooLargeError
from lujin.language import Speech
from lujin.publish import Report, check
from lujin.publish.integrity import key_of
from lujin.publish.kinds import NO_CERTIFICATE
from lujin.show import evidence as show
from lujin.web.answers import Answer
from lujin.web.page import html, page, tagged
from lujin.web.problems import status_of, wants_html
from lujin.web.public import PublicPark, public_park
from lujin.web.requests import speech
from lujin.web.settings import MIB

router = APIRouter(include_in_schema=False)
MOST = 16 * MIB  # a year of an enterprise with a hundred line keys a day takes about 3 MB
TITLE = N_("Verify a certificate")
Public = Annotated[PublicPark, Depends(public_park)]


class Issuer(Answer):
    """The name this park signs with, to compare with what a certificate names; null while it signed nothing."""

    issuer: str | None
    most_bytes: int = MOST

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        return ("issuer",), [(self.issuer,)]


@page(router, "/verify", template="verify.html", title=TITLE)
def verify(park: Public) -> Issuer:
    return Issuer(issuer=park.did or None)


@router.get("/status-list.json")
def status_list(request: Request, park: Public) -> Response:
    """The newest list of superseded certificates, as a bank keeps it for checks without a network."""
    found = park.status_list()
    if found is None:
        message = N_("this park has signed nothing yet")
        raise NotFoundError(Problem(message, remedy=N_("close a month and issue a certificate first")))
    name = {"content-disposition": 'attachment; filename="status-list.json"'}
    return tagged(request, Response(found, media_type="application/json", headers=name))


@router.post("/verify")
async def verify_file(request: Request, park: Public) -> Response:
    """The certificate as a form's file; perhaps a status list, a head that was kept, the issuer's name."""
    answer = Issuer(issuer=park.did or None)
    try:
        given = await _form(request)
    except LujinError as error:
        if not wants_html(request):
            raise
        return html(request, "verify.html", TITLE, status_of(error), answer=answer, problems=error.problems)
    shown, report = await run_in_threadpool(_checked, given, park, speech(request))
    if not wants_html(request):
        return JSONResponse({"file": given.name, **report.as_dict(speech(request))})
    return html(request, "verify.html", TITLE, answer=answer, shown=shown)


# ------------------------------------------------------------------------------------------------- the files


@dataclass(frozen=True, slots=True)
class Given:
    name: str
    document: bytes
    status: bytes | None
    witness: bytes | None
    issuer: str | None


async def _form(request: Request) -> Given:
    """InputError: no certificate was chosen, or the issuer's name is none. TooLargeError: more than MOST."""
    if int(request.headers.get("content-length") or 0) > MOST:
        raise _too_large()
    # What a signed-in person sends was read already, to find the token of our own form in it.
    signed_in = bool(getattr(request.state, "session_token", ""))
    reading = request if signed_in else Request(request.scope, _counted(request))
    async with reading.form(max_files=3, max_fields=5) as form:
        document = await _file(form, "certificate")
        if not document:
            message = N_("no certificate was chosen")
            raise InputError(Problem(message, remedy=N_("choose its file, or drop it here"), field="certificate"))
        issuer = str(form.get("issuer") or "").strip()
        if issuer:
            key_of(issuer)
        name = getattr(form.get("certificate"), "filename", "") or ""
        return Given(
            name[:200], document, await _file(form, "status"), await _file(form, "witness"), issuer or None
        )


def _counted(request: Request) -> Any:
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken > MOST:
            raise _too_large()
        return message

    return receive


async def _file(form: FormData, name: str) -> bytes | None:
    found = form.get(name)
    return (await found.read() or None) if isinstance(found, UploadFile) else None


def _too_large() -> TooLargeError:
    message, remedy = N_("more than {most} MB are not taken here"), N_("check it with: lujin verify FILE")
    return TooLargeError(Problem(message, {"most": MOST // MIB}, remedy, field="certificate"))


# ------------------------------------------------------------------------------------------------- what is shown


@dataclass(frozen=True, slots=True)
class LayerLine:
    name: str
    state: str
    label: str
    word: str
    reason: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A report in the reader's language. ``stated`` None: it does not hold, so nothing in it counts."""

    file: str
    headline: str
    ok: bool
    layers: tuple[LayerLine, ...]
    notices: tuple[str, ...]
    stated: Mapping[str, Any] | None
    own: bool
    limits: tuple[str, ...]


def _checked(given: Given, park: PublicPark, say: Speech) -> tuple[Shown, Report]:
    """Against this park's own status list where this park is the issuer and none was given."""
    now = datetime.now(UTC)
    found = check(given.document, given.status, trusted=given.issuer, witness=given.witness, now=now)
    own = bool(park.did) and found.certificate is not None and found.certificate["issuer"]["id"] == park.did
    if own and given.status is None and (listed := park.status_list()) is not None:
        found = check(given.document, listed, trusted=given.issuer, witness=given.witness, now=now)
    return _shown(given, found, own, say, now), found


def _shown(given: Given, report: Report, own: bool, say: Speech, now: datetime) -> Shown:
    failed = report.failed
    if failed is not None and failed.problem is not None and failed.problem.message == NO_CERTIFICATE:
        headline = failed.problem.text(say)
    elif failed is not None:
        headline = say.fill(show.DOES_NOT_HOLD, layer=say(show.LAYERS[failed.name]))
    else:
        headline = say(show.HOLDS)
    told = [layer.problem for layer in report.layers]
    notices = [notice.text(say) for notice in report.notices if notice not in told]
    if report.status_time:
        notices.insert(0, show.listed(report.status_time, say, now))
    return Shown(
        given.name,
        headline,
        report.ok,
        tuple(_line(layer, given, say) for layer in report.layers),
        tuple(notices),
        _stated(report, say) if report.ok else None,
        own,
        tuple(_limits(given, own, say)),
    )


def _line(layer: Any, given: Given, say: Speech) -> LayerLine:
    why = show.reason(layer, say)
    if layer.name == "status" and layer.state == "unknown" and given.status is None:
        why = say(N_("no status list was given: it may have been superseded; ask the issuer for the newest list"))
    return LayerLine(layer.name, layer.state, say(show.LAYERS[layer.name]), say(show.STATES[layer.state]), why)


def _stated(report: Report, say: Speech) -> Mapping[str, Any]:
    assert report.certificate is not None
    subject = report.certificate["credentialSubject"]
    found = report.summary
    return {
        "first": [(say(label), value) for label, value in show.first(report.certificate, say)],
        "issued": [(say(label), value) for label, value in show.issued(report.certificate, say)],
        "emissions": show.emission_rows(found, say) if found else [],
        "emission_notes": show.emission_notes(found, say) if found else [],
        "books": show.book_names(found, say) if found else [],
        "months": show.month_rows(found, say) if found and found.months else [],
        "energy": show.energy_rows(subject, say),
        "gases": show.gas_rows(subject, say),
        "gas_notes": show.gas_notes(subject, say),
        "head": subject["treeHead"],
    }


def _limits(given: Given, own: bool, say: Speech) -> Iterable[str]:
    yield say(show.INTEGRITY_ONLY)
    if given.issuer is None and not own:
        yield say(
            N_("Anyone can sign: compare the name above with the one that the park told you by another way.")
        )
