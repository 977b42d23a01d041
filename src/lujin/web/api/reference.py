"""Published facts: which factor or price holds when."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Query

from lujin.reference import SCHEMAS, search
from lujin.show.reference import as_dict
from lujin.web.api.common import NOT_MODIFIED, USUAL, Cursor, Day, Limit, paged, resource
from lujin.web.api.kept import KeptRoute, KeptWindow
from lujin.web.models.base import Page
from lujin.web.models.reference import ReferenceRow

router = resource("reference", KeptRoute)
TABLES = "|".join(sorted(SCHEMAS))


@router.get("/reference", responses=NOT_MODIFIED)
def list_rows(
    window: KeptWindow,
    table: Annotated[
        str, Query(description="one table", pattern=f"^({TABLES})?$", examples=["grid_factors"])
    ] = "",
    region: Annotated[str, Query(description="province, region or price zone", max_length=100)] = "",
    on: Annotated[Day | None, Query(description="only rows in force on this day", examples=["2025-06-30"])] = None,
    word: Annotated[list[str] | None, Query(description="stands in the row; may be repeated")] = None,
    limit: Limit = USUAL,
    cursor: Cursor = "",
) -> Page[ReferenceRow]:
    """Rows of the shipped tables and the park's own, by table and key, each with source and confidence."""
    rows = window.reference().rows()
    found = search(rows, table=table, region=region, on=on, words=word or ())
    page = paged(found, lambda row: [row.table, row.key, row.id], limit, cursor)
    return Page(items=[ReferenceRow.model_validate(as_dict(row)) for row in page.items], next=page.next)


@router.get("/reference/tables", responses=NOT_MODIFIED)
def list_tables(window: KeptWindow) -> Mapping[str, int]:
    """Table → how many rows it has."""
    rows = window.reference().rows()
    counts = dict.fromkeys(sorted(SCHEMAS), 0)
    for row in rows:
        counts[row.table] += 1
    return counts
