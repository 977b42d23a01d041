"""Enterprises and their accounts."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from lujin.access.viewer import Right
from lujin.park import Node
from lujin.web.answers import csv_text
from lujin.web.api.common import (
    NOT_MODIFIED,
    USUAL,
    AsOfQuery,
    BookQuery,
    Cursor,
    EnterprisePath,
    Limit,
    MonthPath,
    SpeechOf,
    known_at,
    month_of,
    paged,
    posted_month,
    resource,
    tags,
)
from lujin.web.api.kept import KeptRoute, KeptWindow
from lujin.web.models.accounts import Statement, Uncertainty
from lujin.web.models.base import Page
from lujin.web.models.park import Enterprise
from lujin.web.models.quality import MonthQuality
from lujin.web.routes.account import statement_file

router = resource("enterprises", KeptRoute)
PDF = "application/pdf"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/enterprises", responses=NOT_MODIFIED)
def list_enterprises(
    window: KeptWindow,
    search: Annotated[str, Query(description="part of the id or of a name", max_length=100)] = "",
    sector: Annotated[str, Query(description="beginning of the class of GB/T 4754", max_length=10)] = "",
    limit: Limit = USUAL,
    cursor: Cursor = "",
) -> Page[Enterprise]:
    """Enterprises that you may see, by id."""
    wanted = search.casefold()
    nodes = [window.of(id).node for id in sorted(window.enterprises())]
    found = [
        of_node(node)
        for node in nodes
        if node.sector.startswith(sector)
        and any(wanted in name.casefold() for name in (node.id, node.name_zh, node.name_en))
    ]
    return paged(found, lambda e: e.id, limit, cursor)


@router.get("/enterprises/{enterprise}", responses=NOT_MODIFIED)
def show_enterprise(window: KeptWindow, enterprise: EnterprisePath) -> Enterprise:
    """One enterprise."""
    return of_node(window.of(enterprise).node)


@router.get("/enterprises/{enterprise}/statements/{month}", responses=NOT_MODIFIED)
def show_statement(
    window: KeptWindow,
    enterprise: EnterprisePath,
    month: MonthPath,
    book: BookQuery = "location",
    as_of: AsOfQuery = None,
) -> Statement:
    """The account of a month, like a bank statement. `as_of` gives it as it was known then, for ever."""
    return Statement.of(window.of(enterprise).statement(posted_month(window, month), book, known_at(as_of)))


def _file(media: str, description: str) -> dict[int | str, dict[str, object]]:
    return {**NOT_MODIFIED, 200: {"description": description, "content": {media: {}}}}


@router.get("/enterprises/{enterprise}/statements/{month}/pdf", responses=_file(PDF, "The statement to print"))
def print_statement(
    request: Request,
    window: KeptWindow,
    say: SpeechOf,
    enterprise: EnterprisePath,
    month: MonthPath,
    book: BookQuery = "location",
    as_of: AsOfQuery = None,
) -> Response:
    """PDF/A with embedded fonts, in the language that you accept."""
    made = statement_file("pdf", window.of(enterprise), posted_month(window, month), book, known_at(as_of), say)
    return Response(made, media_type=PDF, headers=tags(request, window))


@router.get(
    "/enterprises/{enterprise}/statements/{month}/xlsx", responses=_file(XLSX, "The statement as a workbook")
)
def statement_workbook(
    request: Request,
    window: KeptWindow,
    say: SpeechOf,
    enterprise: EnterprisePath,
    month: MonthPath,
    book: BookQuery = "location",
    as_of: AsOfQuery = None,
) -> Response:
    """The statement with its lines and charts as a workbook."""
    made = statement_file("xlsx", window.of(enterprise), posted_month(window, month), book, known_at(as_of), say)
    return Response(made, media_type=XLSX, headers=tags(request, window))


@router.get(
    "/enterprises/{enterprise}/statements/{month}/csv", responses=_file("text/csv", "The accounts as a table")
)
def statement_table(
    request: Request,
    window: KeptWindow,
    enterprise: EnterprisePath,
    month: MonthPath,
    book: BookQuery = "location",
    as_of: AsOfQuery = None,
) -> Response:
    """The accounts of the statement, one row each."""
    found = Statement.of(window.of(enterprise).statement(posted_month(window, month), book, known_at(as_of)))
    return Response(csv_text(*found.table()), media_type="text/csv; charset=utf-8", headers=tags(request, window))


@router.get("/enterprises/{enterprise}/uncertainty/{month}", responses=NOT_MODIFIED)
def enterprise_uncertainty(window: KeptWindow, enterprise: EnterprisePath, month: MonthPath) -> list[Uncertainty]:
    """How uncertain the totals of every carbon book are."""
    own = window.of(enterprise)
    return [Uncertainty.of(found) for found in own.uncertainty(posted_month(window, month))]


@router.get("/enterprises/{enterprise}/quality/{month}", responses=NOT_MODIFIED)
def enterprise_quality(window: KeptWindow, enterprise: EnterprisePath, month: MonthPath) -> MonthQuality:
    """Completeness of the enterprise's meters, and each gap, suspect value and event with its numbers."""
    return MonthQuality.of(window.of(enterprise, Right.SEE_READINGS).quality(month_of(month)))


def of_node(node: Node) -> Enterprise:
    return Enterprise.model_validate({name: getattr(node, name) for name in Enterprise.model_fields})
