"""Names of the divisions (大类) of GB/T 4754-2017; the English ones are short names of our own."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from lujin.language import Speech

LENGTH = 3  # letter and two digits


def division(sector: str) -> str:
    """
    >>> division("C2231"), division("")
    ('C22', '')
    """
    return sector[:LENGTH]


def sector_name(sector: str, say: Speech) -> str:
    """Name of the division of a class; the code itself where it is none.

    >>> sector_name("C2231", Speech("en")), sector_name("C2231", Speech("zh")), sector_name("X", Speech("en"))
    ('Paper', '造纸和纸制品业', 'X')
    """
    found = _names().get(division(sector))
    return say.name(*found) if found else sector


@cache
def _names() -> Mapping[str, tuple[str, str]]:
    text = (files("lujin.show") / "sectors.csv").read_text(encoding="utf-8")
    return {row["code"]: (row["zh"], row["en"]) for row in csv.DictReader(text.splitlines())}
