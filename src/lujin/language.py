"""Chinese and English: messages are English templates, translated from ``locale/<lang>.po`` where shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


def language_of(environment: Mapping[str, str] = os.environ) -> Language:
    """The user's language: LUJIN_LANG, else the POSIX locale variables in their order, else English.

    >>> language_of({"LANG": "zh_CN.UTF-8"}), language_of({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"})
    ('zh', 'en')
    """
    for name in ("LUJIN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"


@dataclass(frozen=True, slots=True)
class Speech:
    """One language. Called with a template it gives the template in that language, as ``Translate`` asks.

    >>> Speech("en")("{count} rows"), Speech("en").fill("{count} rows", count=3)
    ('{count} rows', '3 rows')
    """

    language: Language

    def __call__(self, message: str) -> str:
        return _catalogue(self.language).get(message, message)

    def fill(self, message: str, **values: Any) -> str:
        return self(message).format(**values)

    def name(self, zh: str, en: str) -> str:
        """The name in this language; the other one where this one is not given.

        >>> Speech("en").name("电力", "electricity"), Speech("en").name("岭砾建材", "")
        ('electricity', '岭砾建材')
        """
        return (zh or en) if self.language == "zh" else (en or zh)


def translator(language: Language) -> Speech:
    return Speech(language)


@cache
def _catalogue(language: Language) -> Mapping[str, str]:
    source = files("lujin") / "locale" / f"{language}.po"
    if language == "en" or not source.is_file():
        return {}
    return parse_catalogue(source.read_text(encoding="utf-8"))


_ESCAPES = {"\\n": "\n", "\\t": "\t", '\\"': '"', "\\\\": "\\"}


def parse_catalogue(text: str) -> Mapping[str, str]:
    r"""Message → translation of a PO file. Reads what our catalogues hold (no plurals, no contexts), in a few
    milliseconds; fuzzy and untranslated messages are left out, so that they are shown in English.

    >>> parse_catalogue('msgid "a"\nmsgstr ""\n"甲"\n\n#, fuzzy\nmsgid "b"\nmsgstr "乙"\n')
    {'a': '甲'}
    """
    found: dict[str, str] = {}
    for block in text.split("\n\n"):
        parts: dict[str, list[str]] = {}
        into: list[str] = []
        fuzzy = False
        for line in block.splitlines():
            if line.startswith("#"):
                fuzzy = fuzzy or (line.startswith("#,") and "fuzzy" in line)
                continue
            keyword, _, rest = line.partition(" ")
            if keyword in ("msgid", "msgstr"):
                into = parts.setdefault(keyword, [])
                line = rest
            into.append(_unquoted(line))
        message, said = ("".join(parts.get(name, ())) for name in ("msgid", "msgstr"))
        if message and said and not fuzzy:
            found[message] = said
    return found


def _unquoted(text: str) -> str:
    inner = text.strip()[1:-1]
    if "\\" not in inner:
        return inner
    out, at = [], 0
    while at < len(inner):
        pair = inner[at : at + 2]
        out.append(_ESCAPES.get(pair, inner[at]))
        at += 2 if pair in _ESCAPES else 1
    return "".join(out)
