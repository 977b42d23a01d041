"""Did you mean: the known name that is closest to a mistyped one."""

from __future__ import annotations

from collections.abc import Collection
from difflib import SequenceMatcher

_NEAR = 0.6
_MANY = 5_000


def closest(word: str, known: Collection[str]) -> str:
    """The nearest of ``known``, empty if none is near.

    >>> closest("natural_gaz", ["steam", "natural_gas"]), closest("e1", ["E1", "E2"]), closest("x", ["steam"])
    ('natural_gas', 'E1', '')
    """
    folded = word.casefold()
    matcher = SequenceMatcher(autojunk=False, b=folded)
    best, best_ratio = "", _NEAR
    for number, name in enumerate(known):
        if name.casefold() == folded:
            return name
        if number >= _MANY:  # enough looked at; only an equal name is still worth finding
            continue
        matcher.set_seq1(name.casefold())
        if matcher.real_quick_ratio() > best_ratio and matcher.quick_ratio() > best_ratio:
            ratio = matcher.ratio()
            if ratio > best_ratio:
                best, best_ratio = name, ratio
    return best
