"""Certificates of one enterprise: which were issued, their files, and issuing one for closed months."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from lujin.access.viewer import Right
from lujin.errors import N_, LujinError
from lujin.web.forms import again, done
from lujin.web.models.account import CertificatesAnswer
from lujin.web.page import page, tagged
from lujin.web.requests import WindowOf, month_number
from lujin.web.trail import record
from lujin.web.window import Window
from lujin.workspace.certifying import CARBON

router = APIRouter()
PATH = "/enterprises/{enterprise}/certificates"
TEMPLATE = "enterprise/certificates.html"
TITLE = N_("Certificates")


@page(router, PATH, template=TEMPLATE, title=TITLE)
def certificates(window: WindowOf, enterprise: str) -> CertificatesAnswer:
    return listed(window, enterprise)


def listed(window: Window, enterprise: str) -> CertificatesAnswer:
    own = window.of(enterprise)
    return CertificatesAnswer(
        enterprise=enterprise,
        may_issue=window.may(Right.CLOSE, enterprise),
        closed=tuple(p.month for p in window.periods() if p.closing is not None),
        certificates=own.certificates(),
    )


@router.post(PATH, include_in_schema=False)
def issue(
    request: Request,
    window: WindowOf,
    enterprise: str,
    first: Annotated[str, Form(max_length=7)],
    last: Annotated[str, Form(max_length=7)] = "",
    book: Annotated[list[str] | None, Form()] = None,
) -> Response:
    own = window.of(enterprise, Right.CLOSE)
    try:
        start = month_number(first)
        name = own.issue(start, month_number(last) if last else start, tuple(book or CARBON))
    except LujinError as error:
        return again(request, TEMPLATE, TITLE, error, answer=listed(window, enterprise))
    after = {"first": first, "last": last or first, "books": ", ".join(book or CARBON)}
    record(request, window, "certificate.issue", f"certificate/{name}", after, enterprise)
    return done(request, request.url.path, N_("certificate {id} was issued"), id=name)


@router.get(PATH + "/{name}/file", include_in_schema=False)
def file(request: Request, window: WindowOf, enterprise: str, name: str) -> Response:
    """The document as it was signed, byte by byte."""
    found = window.of(enterprise).certificate(name)
    short = name.rpartition(":")[2]
    headers = {"content-disposition": f'attachment; filename="{enterprise}-{short}.json"'}
    return tagged(request, Response(found.encode(), media_type="application/json", headers=headers))
