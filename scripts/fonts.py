"""Cuts the fonts of printed statements, src/lujin/publish/fonts, out of Source Han Sans SC and Noto Sans.

python scripts/fonts.py HAN NOTO    the unpacked npm packages that src/lujin/publish/fonts/README.md names

Needs fonttools, which nothing else of the project does. The licence of Source Han Sans reserves the name "Source",
so the cut fonts have names of their own. The same source gives the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "src" / "lujin" / "publish" / "fonts"
LATIN = (*range(0x20, 0x7F), *range(0xA0, 0x100))
WIDE = (*LATIN, *range(0x100, 0x250), *range(0x370, 0x400), *range(0x400, 0x460), *range(0x1E00, 0x1F00))
SIGNS = "‐‑‒–—―‘’“”„•…‰′″‹›€™−∆√∞∑∏≈≠≤≥①②③④⑤⑥⑦⑧⑨⑩℃Ω№←↑→↓■□▲△●○◆◇★☆✓₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻㎡㎥㎏㎞㎜㎝㏄\u200b"


def gb2312() -> Iterator[int]:
    for row in range(0xA1, 0xF8):
        for cell in range(0xA1, 0xFF):
            for character in bytes([row, cell]).decode("gb2312", errors="ignore"):
                yield ord(character)


def cut(source: Path, target: Path, family: str, style: str, wanted: Iterable[int]) -> None:
    options = subset.Options()
    options.hinting, options.notdef_outline, options.name_IDs = False, True, ["*"]
    options.layout_features, options.recalc_timestamp = ["kern"], False
    options.drop_tables += ["BASE", "VORG", "vhea", "vmtx", "GSUB", "GDEF", "STAT", "meta"]
    font = subset.load_font(str(source), options)
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=wanted)
    cutter.subset(font)
    rename(font, family, style)
    subset.save_font(font, str(target), options)
    print(f"{target.name}: {target.stat().st_size:,} bytes, {len(font.getBestCmap()):,} characters")


def rename(font: TTFont, family: str, style: str) -> None:
    """Family, full and PostScript names; who made it and under which licence stays."""
    table = font["name"]
    short = f"{family.replace(' ', '')}-{style}"
    table.names = [r for r in table.names if r.nameID in (0, 5, 9, 11, 13, 14) and r.langID == 0x409]
    for number, text in {1: family, 2: style, 3: short, 4: f"{family} {style}", 6: short}.items():
        table.setName(text, number, 3, 1, 0x409)
    if "CFF " in font:
        outlines = font["CFF "].cff
        outlines.fontNames = [short]
        outlines[0].FullName, outlines[0].FamilyName = f"{family} {style}", family


def main(han: Path, noto: Path) -> None:
    listed = "".join((ROOT / "scripts" / "characters.txt").read_text(encoding="utf-8").split())
    chinese = {*LATIN, *map(ord, SIGNS), *map(ord, listed), *gb2312()}
    TARGET.mkdir(parents=True, exist_ok=True)
    for weight, style in ((400, "Regular"), (700, "Bold")):
        source, target = han / f"SourceHanSansSC-{style}.otf", TARGET / f"LujinSansSC-{style}.otf"
        cut(source, target, "Lujin Sans SC", style, chinese)
        source, target = (
            noto / f"{weight}{style}" / f"NotoSans_{weight}{style}.ttf",
            TARGET / f"LujinSans-{style}.ttf",
        )
        cut(source, target, "Lujin Sans", style, {*WIDE, *map(ord, SIGNS)})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
