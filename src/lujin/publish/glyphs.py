"""Which characters the paper's fonts can draw. What they lack is printed as its code point and named."""

from __future__ import annotations

import re
import struct
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from lujin.errors import N_, Problem

FONTS = ("LujinSansSC-Regular.otf", "LujinSans-Regular.ttf")  # the bold ones hold the same characters
_LONG = re.compile(r"[^\s\u200b\u2e80-\uffef]{19,}")
_ENDLESS = re.compile(r"[^\s\u200b\u2e80-\uffef]{64}(?=[^\s\u200b\u2e80-\uffef])")  # a digest is 64 long
_BREAK = re.compile(r"(?<=[/_.:+@-])(?=\w)")


def characters(font: bytes) -> Iterator[int]:
    """Code points of an OpenType font, from the format 12 or format 4 tables of its cmap (OpenType 1.9, cmap)."""
    count = struct.unpack_from(">H", font, 4)[0]
    tables = (struct.unpack_from(">4sLLL", font, 12 + 16 * i) for i in range(count))
    start = next(offset for tag, _, offset, _ in tables if tag == b"cmap")
    for i in range(struct.unpack_from(">H", font, start + 2)[0]):
        at = start + struct.unpack_from(">L", font, start + 8 + 8 * i)[0]
        kind = struct.unpack_from(">H", font, at)[0]
        if kind == 12:
            for group in range(struct.unpack_from(">L", font, at + 12)[0]):
                first, last, _ = struct.unpack_from(">LLL", font, at + 16 + 12 * group)
                yield from range(first, last + 1)
        elif kind == 4:
            double = struct.unpack_from(">H", font, at + 6)[0]
            ends = struct.unpack_from(f">{double // 2}H", font, at + 14)
            starts = struct.unpack_from(f">{double // 2}H", font, at + 16 + double)
            yield from (code for a, b in zip(starts, ends, strict=True) if b != 0xFFFF for code in range(a, b + 1))


@cache
def covered() -> frozenset[int]:
    """What at least one of the fonts draws."""
    folder = files("lujin.publish") / "fonts"
    return frozenset(code for name in FONTS for code in characters((folder / name).read_bytes()))


@dataclass
class Glyphs:
    """Makes texts printable and remembers what could not be drawn."""

    lacking: set[str] = field(default_factory=set)

    def text(self, text: str) -> str:
        """Words longer than a line may break.

        >>> Glyphs().text("𠮷 A\\tB")
        '[U+20BB7] A B'
        """
        return _ENDLESS.sub("\\g<0>\u200b", self._drawn(text))

    def cell(self, text: str) -> str:
        """The same for a narrow column: long names without spaces may break (zero-width space).

        >>> Glyphs().cell("M1"), Glyphs().cell("meter/of_the_east/hall-2").replace("\\u200b", "|")
        ('M1', 'meter/|of_|the_|east/|hall-|2')
        """
        return _LONG.sub(lambda found: _breakable(found[0]), self._drawn(text))

    def _drawn(self, text: str) -> str:
        return "".join(self._one(c) for c in unicodedata.normalize("NFC", text))

    def _one(self, character: str) -> str:
        if ord(character) in covered() or character == "\u200b":
            return character
        if unicodedata.category(character) in ("Cc", "Zs", "Zl", "Zp"):
            return " "
        self.lacking.add(character)
        return f"[U+{ord(character):04X}]"

    def problems(self) -> tuple[Problem, ...]:
        """One warning that names every character the fonts lack."""
        if not self.lacking:
            return ()
        listed = ", ".join(f"{c} U+{ord(c):04X}" for c in sorted(self.lacking))
        message = N_("the fonts of the paper lack {characters}; each is printed as its code point in brackets")
        remedy = N_("write the name in other characters if the paper is to show it")
        return (Problem(message, {"characters": listed}, remedy, severity="warning"),)


def _breakable(word: str) -> str:
    parts = _BREAK.sub("\u200b", word).split("\u200b")
    return "\u200b".join("\u200b".join(p[at : at + 16] for at in range(0, len(p), 16)) for p in parts)
