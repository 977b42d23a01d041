"""Writes the export files of this example: python build.py. All numbers are made up by plain formulas."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import pi, sin
from pathlib import Path

import openpyxl

HERE = Path(__file__).parent
START = datetime(2025, 6, 1)  # noqa: DTZ001 -- exports write wall clock
HOURS = [START + timedelta(hours=h) for h in range(30 * 24)]
Row = tuple[str, datetime, float]


def shift(hour: int, on: float, off: float) -> float:
    return on if 7 <= hour < 20 else off


def register(name: str, first: float, on: float, off: float) -> Iterator[Row]:
    """A six-digit counter, read at every full hour from 1 June to 1 July."""
    count = first
    for i, at in enumerate([*HOURS, HOURS[-1] + timedelta(hours=1)]):
        yield name, at, round(count % 1e6, 2)
        count += shift(at.hour, on, off) * (1 + 0.1 * sin(i / 5))


def table(rows: list[Row], head: list[str]) -> bytes:
    lines = [*head, "表计名称,抄表时间,正向有功总"]
    lines += [f"{name},{at:%Y/%m/%d %H:%M},{value:.2f}" for name, at, value in rows]
    return ("\r\n".join(lines) + "\r\n").encode("gbk")


def main() -> None:
    exports, late = HERE / "exports", HERE / "late"
    exports.mkdir(exist_ok=True)
    late.mkdir(exist_ok=True)

    food = list(register("食品总表", 12_034.50, 0.60, 0.21))
    hardware = list(register("五金总表", 999_910.20, 0.50, 0.18))
    hole = [row for row in food if row[1].day == 12 and row[1].month == 6 and 2 <= row[1].hour < 8]
    rows = [*(row for row in food if row not in hole), *hardware]
    (exports / "抄表_2025-06.csv").write_bytes(table(rows, ["蓝天产业园 抄表记录", "打印时间：2025-07-01 08:00"]))
    (late / "补抄_2025-06.csv").write_bytes(table(hole, []))

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "六月"
    sheet.append(["蓝天包装、食品厂 用能记录"])
    sheet.append(["日期时间", "包装车间(kWh)", "食品燃气(Nm3)"])
    for i, at in enumerate(HOURS):
        sheet.append(
            [at, round(shift(at.hour, 148, 31) * (1 + 0.06 * sin(i)), 1), round(shift(at.hour, 42, 6), 1)]
        )
    book.save(exports / "用能宽表_2025-06.xlsx")

    sun = [max(0.0, sin((at.hour - 5.5) / 13 * pi)) * (0.55 + 0.35 * sin(i / 24)) for i, at in enumerate(HOURS)]
    lines = [
        "时间,光伏逆变器(kW)",
        *(f"{at:%Y-%m-%d %H:%M},{300 * s:.1f}" for at, s in zip(HOURS, sun, strict=True)),
    ]
    (exports / "光伏功率_2025-06.csv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")


if __name__ == "__main__":
    main()
