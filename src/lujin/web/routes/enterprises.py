"""The enterprises that a viewer may see: sorted, searched, filtered, and added up."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from lujin.errors import N_
from lujin.web.models.enterprises import Enterprises, Order, Sort, answer
from lujin.web.page import page
from lujin.web.requests import MonthText, WindowOf, month_number, speech

router = APIRouter()


@page(router, "/enterprises", template="enterprises.html", title=N_("Enterprises"), stable=True)
def enterprises(
    request: Request,
    window: WindowOf,
    month: MonthText | None = None,
    book: str = "location",
    q: Annotated[str, Query(max_length=100)] = "",
    sector: Annotated[str, Query(max_length=5)] = "",
    sort: Sort = "id",
    order: Order = "asc",
) -> Enterprises:
    found = window.listing(month_number(month) if month else None, book)
    say = speech(request)
    return answer(found, q.strip(), sector, sort, order, lambda line: say.name(line.name_zh, line.name_en))
