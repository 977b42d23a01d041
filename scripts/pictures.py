"""Renders the statements that the pages show, from examples/own-park: docs/images/statement-{zh,en}.svg as on a
terminal, and statement-pdf.png, the first page as printed.
"""

from __future__ import annotations

import io
import re
import shutil
import struct
import tempfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

import numpy as np
import pypdfium2
from numpy.typing import NDArray
from rich.console import Console
from rich.style import Style
from rich.text import Text

import lujin
from lujin.language import LANGUAGES, Language, Speech
from lujin.publish.letterhead import Paper
from lujin.publish.pdf import pdf
from lujin.show.paper import PaperNames
from lujin.show.statement import statement
from lujin.show.text import width_of
from lujin.show.words import Words
from lujin.workspace.publishing import letterhead

ROOT = Path(__file__).parents[1]
WIDTH = 100  # cells
LAST = ("Completeness", "完整率")  # what follows is in the terminal
SCALE = 1.4  # pixels per point of the printed page
CELL, LINE, EDGE = 7.8, 18, 16  # pixels
COMMAND = "$ lujin statement mypark --enterprise E001 --month 2025-06"


def main() -> None:
    now = [datetime(2025, 7, 2, 1, tzinfo=UTC)]

    def clock() -> datetime:
        now[0] += timedelta(seconds=1)
        return now[0]

    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "mypark"
        shutil.copytree(ROOT / "examples" / "own-park", place)
        park = lujin.open(place, clock=clock, environment={})
        park.import_files([place / "exports"])
        park.run()
        for language in LANGUAGES:
            target = ROOT / "docs" / "images" / f"statement-{language}.svg"
            target.write_text(drawn(printed(park, language)), encoding="utf-8")
        (ROOT / "docs" / "images" / "statement-pdf.png").write_bytes(png(first_page(park)))


def first_page(park: lujin.Workspace) -> NDArray[np.uint8]:
    """The first page of a statement: rows of pixels in red, green, blue."""
    found, physical = park.statement("E001", 202506), park.statement("E001", 202506, "physical")
    names = PaperNames(Words(Speech("en"), park.park))
    made, _ = pdf(Paper(found, physical, names, letterhead(park, found)))
    with pypdfium2.PdfDocument(made) as document:
        return document[0].render(scale=SCALE, rev_byteorder=True).to_numpy()[:, :, :3].copy()


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A picture as PNG (RFC 2083): 8 bits, true colour, each line unfiltered."""
    high, wide = pixels.shape[:2]
    lines = np.zeros((high, 1 + wide * 3), dtype=np.uint8)
    lines[:, 1:] = pixels.reshape(high, -1)
    parts = (
        (b"IHDR", struct.pack(">2L5B", wide, high, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">L", len(d)) + k + d + struct.pack(">L", zlib.crc32(k + d)) for k, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def printed(park: lujin.Workspace, language: Language) -> list[Text]:
    plain = io.StringIO()
    console = Console(file=plain, width=WIDTH, highlight=False, markup=False, emoji=False, force_terminal=True)
    found, physical = park.statement("E001", 202506), park.statement("E001", 202506, "physical")
    statement(console, found, physical, Words(Speech(language), park.park), "mypark")
    lines = [Text.from_ansi(line) for line in plain.getvalue().splitlines()]
    last = next(i for i, line in enumerate(lines) if any(word in line.plain for word in LAST))
    return [Text(COMMAND, "dim"), Text(), *lines[:last]]


def drawn(lines: list[Text]) -> str:
    """Each run of text stands in its own cell, so that columns hold whatever fonts the reader has."""
    width, height = WIDTH * CELL + 2 * EDGE, len(lines) * LINE + 2 * EDGE
    body = [element for i, line in enumerate(lines) for element in _line(line, EDGE + (i + 1) * LINE - 5)]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" font-size="13"',
            " font-family=\"Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans Mono CJK SC', monospace\">",
            "<style>text{fill:#d8dee4;white-space:pre}.b{font-weight:bold}.d{fill:#8b949e}</style>",
            f'<rect width="{width:.0f}" height="{height}" rx="8" fill="#161b22"/>',
            *body,
            "</svg>\n",
        ]
    )


def _line(line: Text, y: int) -> Iterator[str]:
    for run in re.finditer(r"\S+(?: \S+)*", line.plain):
        style = line.get_style_at_offset(Console(), run.start())
        first, size = width_of(line.plain[: run.start()]), width_of(run.group())
        number = re.fullmatch(r"[-+\d.,]+|—", run.group())
        x, anchor = (first + size, ' text-anchor="end"') if number else (first, "")
        yield (
            f'<text x="{EDGE + x * CELL:.1f}" y="{y}"{anchor} textLength="{size * CELL:.1f}"{_class(style)}'
            f' lengthAdjust="spacingAndGlyphs">{escape(run.group())}</text>'
        )


def _class(style: Style) -> str:
    names = [name for name, on in (("b", style.bold), ("d", style.dim)) if on]
    return f' class="{" ".join(names)}"' if names else ""


if __name__ == "__main__":
    main()
