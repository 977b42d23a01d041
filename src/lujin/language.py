"""Chinese and English: messages are English templates, translated from ``locale/<lang>.po`` where shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from babel.messages.pofile import read_po

Language = Literal["zh", "en"]


def language_of(environment: Mapping[str, str] = os.environ) -> Language:
    """The user's language: LUJIN_LANG, else the POSIX locale variables in their order, else English.

    >>> language_of({"LANG": "zh_CN.UTF-8"}), language_of({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"})
    ('zh', 'en')
    """
    for name in ("LUJIN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


@cache
def _catalogue(language: Language) -> Mapping[str, str]:
    source = files("lujin") / "locale" / f"{language}.po"
    if not source.is_file():
        return {}
    with source.open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id and m.string}


def translator(language: Language) -> Callable[[str], str]:
    """A function from message template to its text in ``language``; unknown messages stay English."""
    catalogue = _catalogue(language)
    return lambda message: catalogue.get(message, message)
