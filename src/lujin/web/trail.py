"""What a page changed, in the audit trail: for changes whose room keeps its transaction to itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request

from lujin.access import audit
from lujin.database import writing
from lujin.web.identity import address_of, clock, engine_of
from lujin.web.window import Window


def record(
    request: Request,
    window: Window,
    action: str,
    subject: str,
    after: Mapping[str, Any] | None = None,
    enterprise: str = "",
) -> None:
    now, address = clock(request), address_of(request)
    with writing(engine_of(request)) as connection:
        audit(
            connection,
            window.viewer,
            action,
            subject,
            None,
            after,
            now=now,
            address=address,
            enterprise=enterprise,
        )
