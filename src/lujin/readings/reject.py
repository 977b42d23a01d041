"""Rejected rows (退回的行): why a row could not be taken, in both languages, kept beside the park.

A rejection is a row of a frame, never an exception: 2,880,000 good rows are not held up by 3 broken ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

import polars as pl

from lujin.disk import said
from lujin.errors import N_, Problem

SCHEMA: Mapping[str, pl.DataType] = {
    "row": pl.Int32(),  # data row in the file, 1-based, header excluded
    "column": pl.String(),
    "value": pl.String(),  # the offending cell as written
    "reason": pl.String(),  # code, a key of REASONS
    "hint": pl.String(),  # what the reason adds: a likely name, a unit pair, a limit
    "raw": pl.String(),  # the whole row as written
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One way in which a row can fail. ``{value}`` and ``{hint}`` are filled per row."""

    message: str
    remedy: str
    zh: str


REASONS: Mapping[str, Reason] = {
    "broken_quotes": Reason(
        N_("quotation marks do not match"),
        N_("write one record per line and close every quotation mark"),
        "引号不成对；每条记录写在一行内，并闭合引号",
    ),
    "long_row": Reason(
        N_("the row has more cells than the header"),
        N_("quote values that contain the delimiter"),
        "单元格数多于表头；含分隔符的值须加引号",
    ),
    "short_row": Reason(
        N_("the row ends before the column"), N_("complete the row or remove it"), "该行缺少此列；请补全或删除该行"
    ),
    "meter_missing": Reason(N_("no meter is named"), N_("write the meter number"), "没有写明表号；请填写表号"),
    "unknown_meter": Reason(
        N_("the park has no meter {value}"),
        N_("correct the number, or add it as an alias of a meter in park.toml"),
        "园区没有此计量表 {value}；请更正表号，或在 park.toml 中写为别名",
    ),
    "virtual_meter": Reason(
        N_("{value} is a virtual meter and takes no readings"),
        N_("import the meters it is computed from"),
        "{value} 是虚拟表，不接收读数；请导入其组成表的读数",
    ),
    "not_a_time": Reason(
        N_("{value} is not a time of the stated form"),
        N_("correct the cell if there is no such day or hour, else state time_form in the mapping"),
        "{value} 不是约定格式的时间；若无此日期请更正，否则请在映射中写明 time_form",
    ),
    "absurd_year": Reason(
        N_("{value} lies outside the years 1990 to 2099"),
        N_("correct the date"),
        "{value} 不在 1990–2099 年内；请更正日期",
    ),
    "ambiguous_time": Reason(
        N_("{value} occurs twice when the clocks go back ({hint})"),
        N_('export with UTC offset, or state ambiguous = "order" in the mapping'),
        '{value} 在夏令时结束时出现两次（{hint}）；请导出带时区的时间，或在映射中写 ambiguous = "order"',
    ),
    "nonexistent_time": Reason(
        N_("{value} does not exist: the clocks go forward ({hint})"),
        N_("state the time zone of the file in the mapping"),
        "{value} 因夏令时开始而不存在（{hint}）；请在映射中写明文件所用时区",
    ),
    "not_a_month": Reason(
        N_("{value} names a month, but the meter is not read by the month"),
        N_('give the meter interval = "1mo" or export full times'),
        "{value} 是月份，而该表不是按月抄表；请改表的周期或导出完整时间",
    ),
    "outside_validity": Reason(
        N_("the meter is not in service at {value} ({hint})"),
        N_("correct the validity of the meter in park.toml"),
        "该表在 {value} 不在用（{hint}）；请更正 park.toml 中的有效期",
    ),
    "not_a_number": Reason(N_("{value} is not a number"), N_("correct the cell"), "{value} 不是数；请更正"),
    "not_finite": Reason(
        N_("{value} is not a finite number"), N_("correct the cell"), "{value} 不是有限数；请更正"
    ),
    "too_large": Reason(
        N_("{value} is beyond any meter's range"), N_("correct the cell"), "{value} 超出任何表计的量程；请更正"
    ),
    "unit_not_fitting": Reason(
        N_("the unit does not fit the meter ({hint})"),
        N_("correct the unit in the file, in the mapping or of the meter"),
        "单位与计量表不符（{hint}）；请更正文件、映射或计量表的单位",
    ),
    "unknown_quality": Reason(
        N_("{value} is not a known quality"),
        N_("list it under [quality_words] of the mapping"),
        "{value} 不是已知的数据质量；请写入映射的 [quality_words]",
    ),
}
# Said instead where a name of the park is near the one that is unknown.
NEAR: Mapping[str, Reason] = {
    "unknown_meter": Reason(
        N_("the park has no meter {value}, did you mean {hint}?"),
        N_("correct the number, or add it as an alias of a meter in park.toml"),
        "园区没有此计量表 {value}，是否为 {hint}？请更正表号，或在 park.toml 中写为别名",
    ),
}


def empty() -> pl.DataFrame:
    return pl.DataFrame(schema=SCHEMA)


def problem(row: Mapping[str, object], file: str, first_line: int) -> Problem:
    """One rejected row as a problem. ``first_line`` is the line of data row 1 in the file."""
    code = str(row["reason"])
    reason = NEAR[code] if row["hint"] and code in NEAR else REASONS[code]
    return Problem(
        reason.message,
        {"value": row["value"], "hint": row["hint"] or "", "row": row["row"]},
        reason.remedy,
        file=file,
        line=int(str(row["row"])) - 1 + first_line,
        field=str(row["column"]),
    )


def readable(rejected: pl.DataFrame) -> pl.DataFrame:
    """Columns as kept in the inbox: row, column, value, reason, 原因, raw."""
    parts = [_worded(part, str(code)) for (code,), part in rejected.group_by("reason", maintain_order=True)]
    columns = ("row", "column", "value", "reason", "原因", "raw")
    if not parts:
        return pl.DataFrame(schema={c: SCHEMA.get(c, pl.String()) for c in columns})
    return pl.concat(parts).sort("row", maintain_order=True).select(columns)


def _worded(part: pl.DataFrame, code: str) -> pl.DataFrame:
    english, chinese = _sentences(REASONS[code])
    if code in NEAR:
        near = pl.col("hint").is_not_null() & (pl.col("hint") != "")
        likely = _sentences(NEAR[code])
        english = pl.when(near).then(likely[0]).otherwise(english)
        chinese = pl.when(near).then(likely[1]).otherwise(chinese)
    return part.with_columns(english.alias("reason"), chinese.alias("原因"))


def _sentences(reason: Reason) -> tuple[pl.Expr, pl.Expr]:
    return _filled(f"{reason.message}; {reason.remedy}"), _filled(reason.zh)


def _filled(template: str) -> pl.Expr:
    text = pl.lit(template)
    for name in ("value", "hint"):
        if f"{{{name}}}" in template:
            before, after = template.split(f"{{{name}}}", 1)
            return pl.concat_str(_filled(before), pl.col(name).fill_null(""), _filled(after))
    return text


class RejectFile:
    """``inbox/rejected/<source>-<file>.csv``: written as rows are refused, absent when none is.

    UTF-8 with byte order mark, so that Excel shows the Chinese columns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._file: IO[bytes] | None = None

    def write(self, rejected: pl.DataFrame) -> None:
        if rejected.is_empty():
            return
        with said(self.path):
            if self._file is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self.path.open("wb")
                self._file.write(b"\xef\xbb\xbf")
            self._file.write(readable(rejected).write_csv(include_header=self.rows == 0).encode())
        self.rows += len(rejected)

    def finish(self) -> None:
        """Have all of it on disk before the readings beside it are stored. StoreError: there is no room."""
        if self._file is not None:
            with said(self.path):
                self._file.flush()

    def __enter__(self) -> RejectFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
