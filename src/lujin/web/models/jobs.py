"""Long work: what runs, how far it is, what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from lujin.web.models.base import Answer, Instant, Told, shown


class Job(Answer):
    """``task`` is what it is at, ``done`` of ``total`` steps. ``result``: the report, once it is done;
    ``problems``: why it failed.
    """

    model_config = shown(
        number=12, kind="post", state="running", task="posting months", done=3, total=12, author="Lin",
        started_at="2025-07-01T08:00:00Z", ended_at=None, result=None, problems=[],
    )  # fmt: skip

    number: int
    kind: str = Field(examples=["run"])
    state: str = Field(description="waiting, running, done, failed or interrupted")
    task: str
    done: int
    total: int
    author: str
    started_at: Instant
    ended_at: Instant | None
    result: Mapping[str, Any] | None
    problems: list[Told]

    @property
    def ended(self) -> bool:
        return self.state not in ("waiting", "running")
