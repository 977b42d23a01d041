"""Telling a person how far long work has come; the caller decides how to show it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with a task (an English template is not translated here: task names are nouns), done and total."""

    def __call__(self, task: str, done: int, total: int) -> None: ...


def silent(task: str, done: int, total: int) -> None:
    """No one is watching."""
