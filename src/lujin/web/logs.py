"""The server's log on standard error: one JSON object a line, or for a person at a terminal what is wrong.

A request is told by its route, never by its path or query: those may hold a one-time link. Bodies, cookies and
tokens are not told at all.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal, TextIO

import structlog

LogForm = Literal["json", "text", "off"]
LOG_FORMS: tuple[LogForm, ...] = ("json", "text", "off")


def configure(form: LogForm, stream: TextIO | None = None) -> None:
    """Everything that logs (the pages, uvicorn, libraries) speaks through one handler."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    last: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if form == "json":
        last += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        last += [structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, pad_level=False)]
    handler: logging.Handler = (
        logging.NullHandler() if form == "off" else logging.StreamHandler(stream or sys.stderr)
    )
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("lujin").setLevel(logging.INFO if form == "json" else logging.WARNING)


def told(**values: Any) -> dict[str, Any]:
    """What a line says: nothing that is empty.

    >>> told(id="4f", person=None, status=200)
    {'id': '4f', 'status': 200}
    """
    return {name: value for name, value in values.items() if value not in (None, "")}
