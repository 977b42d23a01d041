"""Where a number comes from: a tree that unfolds, down to the readings of a day."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from lujin.accounts.explain import parse_reference
from lujin.accounts.explain_day import days_in
from lujin.accounts.explanation_levels import find, level, root_of
from lujin.errors import N_
from lujin.show.words import METER_KINDS, QUALITIES
from lujin.web.models.explain import Explained, branch, hours
from lujin.web.page import page
from lujin.web.render import environment
from lujin.web.requests import WindowOf, speech

router = APIRouter()
environment().globals |= {"branch": branch, "hours_of": hours, "METER_KINDS": METER_KINDS, "QUALITIES": QUALITIES}


@page(
    router,
    "/explain/{reference:path}",
    template="explain.html",
    title=N_("Where a number comes from"),
    stable=True,
)
def explain(
    request: Request,
    window: WindowOf,
    reference: str,
    node: Annotated[str, Query(max_length=12)] = "",
    depth: Annotated[int, Query(ge=0, le=20)] = 2,
) -> Explained:
    """``node``: id of a part; empty, the whole. ``depth``: how many levels the JSON tells below it."""
    asked = parse_reference(reference)
    found = window.of(asked.enterprise).explain(str(asked))
    return Explained(
        reference=str(asked),
        part=level(found, node, depth, speech(request)),
        days=days_in(found),
        asked=asked,
        root=find(found, node) if node else root_of(found),
    )
