"""The account of one enterprise like a bank statement, on the page and on paper."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from lujin.errors import N_, NotFoundError, Problem
from lujin.language import Speech
from lujin.publish.compose import compose
from lujin.publish.letterhead import Paper
from lujin.show.paper import PaperNames
from lujin.show.words import Words
from lujin.web.models.account import Account
from lujin.web.page import page, tagged
from lujin.web.requests import MonthText, WindowOf, instant, month_number, speech
from lujin.web.window import EnterpriseWindow

router = APIRouter()
KINDS = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


@page(router, "/enterprises/{enterprise}", template="enterprise/account.html", title=N_("Account"), stable=True)
def account(
    request: Request,
    window: WindowOf,
    enterprise: str,
    month: MonthText | None = None,
    book: str = "location",
    as_of: str | None = None,
) -> Account:
    own = window.of(enterprise)
    chosen = month_number(month) if month else window.latest_month()
    then = instant(as_of) if as_of else None
    say = speech(request)
    found = own.statement(chosen, book, then)
    key = (enterprise, chosen, book, then, say.language)
    content = window.cached("content", key, lambda: compose(paper(own, chosen, book, then, say)))
    return Account(months=window.months(), statement=found, trend=own.trend(chosen), content=content)


@router.get("/enterprises/{enterprise}/statement.{kind}", include_in_schema=False)
def printed(
    request: Request,
    window: WindowOf,
    enterprise: str,
    kind: str,
    month: MonthText | None = None,
    book: str = "location",
    as_of: str | None = None,
) -> Response:
    """The statement as PDF or workbook, in the language of the page."""
    own = window.of(enterprise)
    if kind not in KINDS:
        params = {"value": kind, "known": ", ".join(KINDS)}
        raise NotFoundError(Problem(N_("there is no {value}"), params, N_("use one of: {known}")))
    chosen = month_number(month) if month else window.latest_month()
    then = instant(as_of) if as_of else None
    say = speech(request)
    made = statement_file(kind, own, chosen, book, then, say)
    name = f"{enterprise}-{chosen // 100}-{chosen % 100:02}-{book}.{kind}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return tagged(request, Response(made, media_type=KINDS[kind], headers=headers))


def statement_file(
    kind: str, own: EnterpriseWindow, month: int, book: str, as_of: datetime | None, say: Speech
) -> bytes:
    """The statement as a file, pdf or xlsx; the viewer may see the account."""
    own.statement(month, book, as_of)
    key = (own.id, month, book, as_of, say.language)
    return own.window.cached(kind, key, lambda: _made(kind, paper(own, month, book, as_of, say)))


def _made(kind: str, found: Paper) -> bytes:
    if kind == "pdf":
        from lujin.publish.pdf import pdf

        return pdf(found)[0]
    from lujin.publish.xlsx import xlsx

    return xlsx(found)


def paper(own: EnterpriseWindow, month: int, book: str, as_of: datetime | None, say: Speech) -> Paper:
    found = own.statement(month, book, as_of)
    physical = found if book == "physical" else own.statement(month, "physical", as_of)
    names = PaperNames(Words(say, own.window.description))
    return Paper(found, physical, names, own.letterhead(found))
