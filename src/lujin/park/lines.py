"""Where each table and key of a TOML text stands.

``tomllib`` reads values and forgets lines; this scanner finds lines and forgets values. It runs after
``tomllib`` accepted the text, so it may trust the syntax and only has to step over values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

Path = tuple[str | int, ...]

_BARE = r"[A-Za-z0-9_-]+"
# The common statement in one match: a bare key and a value that ends on its line.
_SIMPLE = re.compile(
    rf"""[ \t]*({_BARE})[ \t]*=[ \t]*
    (?:"[^"\\\n]*"(?!")|'[^'\n]*'(?!')|[^\s"'\[{{#][^\n"'#]*)
    [ \t]*(?:\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE,
)
_BLANK = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(rf'({_BARE})|"((?:[^"\\\n]|\\.)*)"|\'([^\'\n]*)\'')
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL
)
_SCALAR = re.compile(r"[^\n,\]}#]*")


def key_lines(text: str) -> Mapping[Path, int]:
    """Line (from 1) of every table header and key, by path; elements of arrays are counted from 0.

    Takes text that ``tomllib`` accepts, with ``\\n`` line ends.

    >>> key_lines('[[meter]]\\nid = "M1"\\n\\n[[meter]]\\nterms = {M1 = 1, M3 = -1}')[("meter", 1, "terms", "M3")]
    5
    """
    return _Scanner(text).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines: dict[Path, int] = {}
        self._arrays: dict[Path, int] = {}  # array of tables → index of its last element
        self._counted_to = 0
        self._line = 1

    def run(self) -> dict[Path, int]:
        text, position = self.text, 0
        base: Path = ()
        while True:
            position = self._end(_BLANK, position)
            if position >= len(text):
                return self.lines
            if text[position] == "[":
                base, position = self._header(position)
                continue
            simple = _SIMPLE.match(text, position)
            if simple:
                self._note((*base, simple[1]), position)
                position = simple.end()
            else:
                position = self._pair(base, position)

    def _end(self, pattern: re.Pattern[str], position: int) -> int:
        match = pattern.match(self.text, position)
        return match.end() if match else position

    def _note(self, path: Path, position: int) -> None:
        self._line += self.text.count("\n", self._counted_to, position)
        self._counted_to = position
        self.lines.setdefault(path, self._line)

    def _keys(self, position: int) -> tuple[list[str], int]:
        keys: list[str] = []
        while True:
            position = self._end(_SPACE, position)
            match = _KEY.match(self.text, position)
            if match is None:  # cannot happen in text that tomllib accepts
                return keys, position + 1
            bare, basic, literal = match.groups()
            keys.append(bare or (literal if basic is None else _unescape(basic)))
            position = self._end(_SPACE, match.end())
            if self.text[position : position + 1] != ".":
                return keys, position
            position += 1

    def _header(self, position: int) -> tuple[Path, int]:
        brackets = 2 if self.text.startswith("[[", position) else 1
        keys, end = self._keys(position + brackets)
        path: Path = ()
        for depth, key in enumerate(keys):
            path = (*path, key)
            last = depth == len(keys) - 1
            if last and brackets == 2:
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                path = (*path, self._arrays[path])
        self._note(path, position)
        return path, end + brackets

    def _pair(self, base: Path, position: int) -> int:
        keys, end = self._keys(position)
        for depth in range(1, len(keys) + 1):
            self._note((*base, *keys[:depth]), position)
        return self._value((*base, *keys), self._end(_SPACE, end + 1))

    def _value(self, path: Path, position: int) -> int:
        """Step over the value at ``position``; returns the position behind it."""
        first = self.text[position : position + 1]
        if first in ('"', "'"):
            return max(self._end(_STRING, position), position + 1)
        if first not in ("[", "{"):
            return self._end(_SCALAR, position)
        position, index = position + 1, 0
        while True:
            position = self._end(_BLANK, position)
            here = self.text[position : position + 1]
            if here in ("", "]", "}"):
                return position + 1
            if here == ",":
                position, index = position + 1, index + 1
            elif first == "{":
                position = self._pair(path, position)
            else:
                self._note((*path, index), position)
                position = self._value((*path, index), position)


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    simple = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}
    found = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})|(.))")
    return found.sub(lambda m: simple.get(m[4], m[4]) if m[4] else chr(int(m[1] or m[2] or m[3], 16)), text)
