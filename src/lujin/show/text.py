"""Text in cells of a terminal: Chinese characters take two. Tables never break a number."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lujin.errors import N_

if TYPE_CHECKING:
    from rich.console import Console

    from lujin.language import Speech

GAP = 2  # cells between columns
LEAST = 8  # cells below which no text column is squeezed
HEAD = 10  # cells that the head of a number column may take before it wraps
NOTHING = "—"
_CJK = "⺀-〇〒〓〝-鿿豈-﫿＂-＇＊＋－．-９；-＞＠-［］-｛｝～-￯"
_OPEN, _CLOSE = "(（[〔《〈「『【“‘", "，。；：、！？）》〉〕】」』”’)\\]},.;:!?%"
# A run of spaces; one Chinese character with the marks that may not part from it; a word, or its part up to a
# hyphen, stroke or underscore between letters.
_TOKENS = re.compile(
    rf"\s+|[{re.escape(_OPEN)}]*[{_CJK}][{_CLOSE}]*|[^\s{_CJK}]+?[A-Za-z][-/_](?=[A-Za-z])|[^\s{_CJK}]+"
)


def width_of(text: str) -> int:
    """
    >>> width_of("kWh"), width_of("电量 kWh")
    (3, 8)
    """
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells. Breaks between words and Chinese characters, inside a word only where
    the word alone is too long.

    >>> wrapped("a posting 记账 of June", 9)
    ['a posting', '记账 of', 'June']
    """
    lines: list[str] = []
    line = ""
    for token in _TOKENS.findall(" ".join(text.split())):
        if width_of(line) + width_of(token) <= width:
            line += token
            continue
        if line.strip():
            lines.append(line.rstrip())
        line = token.lstrip()
        while width_of(line) > width:
            cut = _cut(line, width)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line.rstrip()] if line.strip() else lines


def _cut(text: str, width: int) -> int:
    used = 0
    for at, character in enumerate(text):
        used += width_of(character)
        if used > width:
            return max(at, 1)
    return len(text)


def padded(text: str, width: int, *, right: bool = False) -> str:
    space = " " * (width - width_of(text))
    return space + text if right else text + space


@dataclass(frozen=True, slots=True)
class Column:
    """``number``: right-aligned and never wrapped. ``keep``: shown although every cell is empty.
    ``spare``: left out, the last one first, rather than wrap a line; ``yields``: rather than break a word.
    """

    name: str
    number: bool = False
    keep: bool = False
    spare: bool = False
    yields: bool = False


def number_column(name: str, *, keep: bool = False, spare: bool = False, yields: bool = False) -> Column:
    return Column(name, True, keep, spare, yields)


@dataclass(frozen=True)
class Table:
    """Rows of texts under columns; ``total`` stands below a rule. Columns without content are left out."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    total: Sequence[str] = ()

    def natural_width(self) -> int:
        return self._wide(self._used())

    def lines(self, width: int) -> list[tuple[str, str]]:
        """(style, text) per line: header, body, total."""
        used = self._used()
        while (spare := [i for i in used if self.columns[i].spare]) and self._wide(used) > width:
            used.remove(spare[-1])
        while (yields := [i for i in used if self.columns[i].yields]) and self._narrow(used) > width:
            used.remove(yields[-1])
        widths = self._fitted(used, width)
        rule = "─" * (sum(widths) + GAP * (len(widths) - 1))
        out = [("bold", line) for line in self._row([c.name for c in self.columns], used, widths)]
        out.append(("dim", rule))
        for row in self.rows:
            out += [("", line) for line in self._row(row, used, widths)]
        if self.total:
            out.append(("dim", rule))
            out += [("bold", line) for line in self._row(self.total, used, widths)]
        return out

    def _used(self) -> list[int]:
        return [
            i
            for i, column in enumerate(self.columns)
            if column.keep or any(row[i].strip() not in ("", NOTHING) for row in (*self.rows, self.total) if row)
        ]

    def _cells(self, i: int) -> list[str]:
        return [row[i] for row in (*self.rows, self.total) if row]

    def _natural(self, i: int) -> int:
        cells = max((width_of(cell) for cell in self._cells(i)), default=0)
        return max(cells, self._head(i))

    def _head(self, i: int) -> int:
        """Heads of number columns may wrap to the width of their longest word."""
        name = self.columns[i].name
        if not self.columns[i].number:
            return width_of(name)
        return max(min(width_of(name), HEAD), *(width_of(token) for token in _TOKENS.findall(name)), 0)

    def _least(self, i: int) -> int:
        if self.columns[i].number:
            return self._natural(i)
        words = (width_of(t) for cell in self._cells(i) for t in _TOKENS.findall(cell))
        return min(self._natural(i), max(LEAST, self._head(i), *words, 0))

    def _wide(self, used: Sequence[int]) -> int:
        return sum(self._natural(i) for i in used) + GAP * (len(used) - 1)

    def _narrow(self, used: Sequence[int]) -> int:
        return sum(self._least(i) for i in used) + GAP * (len(used) - 1)

    def _fitted(self, used: Sequence[int], width: int) -> list[int]:
        """Text columns give way, the widest first, down to their longest word, then to LEAST."""
        widths = {i: self._natural(i) for i in used}
        room = width - GAP * (len(used) - 1)
        for least in (
            self._least,
            lambda i: widths[i] if self.columns[i].number else min(LEAST, self._natural(i)),
        ):
            while sum(widths.values()) > room:
                free = [i for i in used if widths[i] > least(i)]
                if not free:
                    break
                widths[max(free, key=lambda i: widths[i])] -= 1
        return [widths[i] for i in used]

    def _row(self, cells: Sequence[str], used: Sequence[int], widths: Sequence[int]) -> list[str]:
        parts = [wrapped(cells[i], w) or [""] for i, w in zip(used, widths, strict=True)]
        height = max(len(part) for part in parts)
        head = cells == [c.name for c in self.columns]
        out = []
        for at in range(height):
            said = []
            for i, part, w in zip(used, parts, widths, strict=True):
                # Heads stand on the rule, cells hang from the first line.
                k = at - (height - len(part)) if head else at
                said.append(padded(part[k] if 0 <= k < len(part) else "", w, right=self.columns[i].number))
            out.append((" " * GAP).join(said).rstrip())
        return out


def show_table(console: Console, title: str, table: Table) -> None:
    """Prints the table under its title; nothing where there are no rows."""
    if not table.rows:
        return
    if title:
        console.print()
        console.print(title, style="bold cyan", soft_wrap=True)
    for style, line in table.lines(console.width):
        console.print(line, style=style or None, soft_wrap=True)


def say_line(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    """A sentence: wrapped to a terminal, left whole in a pipe."""
    lead = " " * indent
    for part in text.split("\n"):
        lines = wrapped(part, console.width - indent) if console.is_terminal else [part]
        for line in lines or [""]:
            console.print(lead + line, style=style or None, soft_wrap=True)


def type_next(console: Console, say: Speech, commands: Sequence[tuple[str, str]]) -> None:
    """Commands with what they show, side by side where there is room."""
    console.print()
    console.print(say(N_("type next:")), style="bold", soft_wrap=True)
    short = [width_of(c) for c, what in commands if 2 + width_of(c) + 2 + width_of(what) <= console.width]
    left = max(short, default=0)
    for command, what in commands:
        beside = width_of(command) <= left and 2 + left + 2 + width_of(what) <= console.width
        console.print(f"  {padded(command, left) if beside else command}", end="", soft_wrap=True)
        console.print(f"  {what}" if beside else f"\n      {what}", style="dim", soft_wrap=True)
