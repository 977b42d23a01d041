"""Time as meter exports write it (时标), turned into wall clock or UTC instants, whole columns at a time.

The first value of a block tells how the column is written and the column is parsed in one pass; only what
that pass leaves over is looked at again, each distinct text once: unpadded and Chinese dates, am/pm, 24:00,
a midnight without a clock, UTC offsets.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, get_args

import polars as pl

TimeForm = Literal[
    "ymd",  # 2025-01-05 00:15, 2025/1/5 0:15, 2025年1月5日 0时15分, with fraction, offset, Z
    "dmy",  # 05-01-2025 00:15, 5.1.2025
    "mdy",  # 1/5/2025 0:15
    "compact",  # 20250105, 202501050015, 20250105001500
    "month",  # 2025-06, 202506, 2025年6月: a whole local month
    "excel",  # 45662.0104: days since 1899-12-30 (ECMA-376 part 1, 18.17.4.1)
    "epoch_s",
    "epoch_ms",
]
FORMS: tuple[str, ...] = get_args(TimeForm)
Midnight = Literal["start_of_day", "end_of_day"]

_CLOCK = (
    r"(?:[t\s_]\s*(?P<ap>am|pm)?\s*(?P<H>\d{1,2})(?::(?P<M>\d{1,2}))?(?::(?P<S>\d{1,2})(?:[.,]\d+)?)?"
    r"\s*(?P<pa>am|pm)?\s*(?P<z>z|[+-]\d{2}:?(?:\d{2})?)?)?$"
)
_DATE = {
    "ymd": r"^(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})",
    "dmy": r"^(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4})",
    "mdy": r"^(?P<m>\d{1,2})[-/.](?P<d>\d{1,2})[-/.](?P<y>\d{4})",
}
_WHOLE = {form: date + _CLOCK for form, date in _DATE.items()}
_WHOLE["compact"] = (
    r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"
    r"(?:[t\s_]?(?P<H>\d{1,2}):?(?P<M>\d{2})(?::?(?P<S>\d{2}))?)?(?P<z>z|[+-]\d{2}:?(?:\d{2})?)?$"
)
_WHOLE["month"] = r"^(?P<y>\d{4})[-/.]?(?P<m>\d{1,2})-?$"
TIME_OF_DAY = r"^(?:1899-12-3[01][t\s])?(\d{1,2}:\d{2}(?::\d{2})?)$"
_WRITTEN = re.compile(
    r"^(?P<a>\d{1,4})(?P<s>[-/.年])(?P<b>\d{1,2})(?P<t>[-/.月])(?P<c>\d{1,4})(?P<u>日?)"
    r"(?:(?P<sep>[T ])\d{1,2}:\d{2}(?P<sec>:\d{2})?(?P<frac>\.\d+)?(?P<z>Z|[+-]\d{2}:?\d{2})?)?$"
)
# Numbers that can be times: 1990 to 2100 as serial days, seconds and milliseconds.
NUMERIC = {"excel": (32_874.0, 73_050.0), "epoch_s": (6.3e8, 4.1e9), "epoch_ms": (6.3e11, 4.1e12)}
_SIGNS = (("上午", " am "), ("下午", " pm "), ("年", "-"), ("月", "-"), ("日", " "))
_ORDER = {"ymd": "Ymd", "dmy": "dmY", "mdy": "mdY"}
_US = 1_000_000
_YEARS_1_TO_9999 = (-62_135_596_800 * _US, 253_402_300_799 * _US)


def written_as(text: str, form: str) -> str | None:
    """The strptime pattern of one value, or None where only the long way reads it.

    >>> written_as("2025/1/5 0:15", "ymd"), written_as("2018-01-01T00:00:00Z", "ymd"), written_as("上午", "ymd")
    ('%Y/%m/%d %H:%M', '%Y-%m-%dT%H:%M:%S%#z', None)
    """
    if form == "compact":
        return {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}.get(len(text))
    found = _WRITTEN.match(text)
    if form not in _ORDER or found is None:
        return None
    order = _ORDER[form]
    date = f"%{order[0]}{found['s']}%{order[1]}{found['t']}%{order[2]}{found['u']}"
    if found["sep"] is None:
        return date
    clock = f"{found['sep']}%H:%M" + (":%S" if found["sec"] else "")
    return date + clock + ("%.f" if found["frac"] else "") + ("%#z" if found["z"] else "")


def reads(text: str, form: str) -> bool:
    """Whether one value is a time of this form.

    >>> reads("2025年1月5日 24:00", "ymd"), reads("13/1/2025", "mdy"), reads("45662.25", "excel")
    (True, False, True)
    """
    if form in NUMERIC:
        low, high = NUMERIC[form]
        try:
            return low <= float(text) < high
        except ValueError:
            return False
    found = re.match(_WHOLE[form], _plain(text))
    if found is None:
        return False
    parts = found.groupdict()
    day, month = int(parts.get("d") or 1), int(parts["m"])
    return 1 <= month <= 12 and 1 <= day <= 31 and int(parts.get("H") or 0) <= 24


def parse_times(column: pl.Series, form: str, midnight: str = "start_of_day") -> pl.DataFrame:
    """Columns ``local`` (wall clock, Datetime us) and ``instant`` (UTC); one of them, or neither: not a time.

    ``column`` is text, or already a date, a datetime or a number from a typed file. ``midnight``
    ``end_of_day``: 00:00 closes the day whose date it carries.
    """
    frame = _typed(column)
    if frame is None:
        text = column if column.dtype == pl.String else column.cast(pl.String, strict=False)
        frame = _numeric(text, form) if form in ("excel", "epoch_s", "epoch_ms") else _text(text, form, midnight)
    elif midnight == "end_of_day":
        frame = frame.with_columns(_closing("local"))
    # strptime reads "-2025-01-01" as a year before Christ, which no calendar of Python can show.
    sane = (pl.col(name).to_physical().is_between(*_YEARS_1_TO_9999) for name in ("local", "instant"))
    return frame.with_columns(
        pl.when(ok).then(name).alias(name) for name, ok in zip(frame.columns, sane, strict=True)
    )


def _typed(column: pl.Series) -> pl.DataFrame | None:
    dtype = column.dtype
    nothing = pl.lit(None, dtype=pl.Datetime("us"))
    if isinstance(dtype, pl.Datetime):
        name = "instant" if dtype.time_zone else "local"
        whole = pl.Series(name, column.dt.cast_time_unit("us")).to_frame()
        if dtype.time_zone:
            whole = whole.with_columns(pl.col(name).dt.convert_time_zone("UTC"))
    elif dtype == pl.Date:
        whole = pl.Series("local", column.cast(pl.Datetime("us"))).to_frame()
    else:
        return None
    if "local" in whole.columns:
        return whole.with_columns(nothing.dt.replace_time_zone("UTC").alias("instant"))
    return whole.select(nothing.alias("local"), "instant")


def _numeric(text: pl.Series, form: str) -> pl.DataFrame:
    number = pl.col("n")
    seconds = {"excel": (number - 25_569) * 86_400, "epoch_s": number, "epoch_ms": number / 1_000}[form]
    # Beyond the year 9999 nothing is meant as a time, and the cast would wrap.
    sane = pl.when(seconds.abs() < 253_402_300_800).then(seconds)
    whole = sane.round() if form == "excel" else sane.floor()
    frame = pl.DataFrame({"n": text.str.strip_chars().cast(pl.Float64, strict=False)})
    time = (whole.cast(pl.Int64, strict=False) * _US).cast(pl.Datetime("us"))
    nothing = pl.lit(None, dtype=pl.Datetime("us"))
    if form == "excel":
        return frame.select(time.alias("local"), nothing.dt.replace_time_zone("UTC").alias("instant"))
    return frame.select(nothing.alias("local"), time.dt.replace_time_zone("UTC").alias("instant"))


def _text(text: pl.Series, form: str, midnight: str) -> pl.DataFrame:
    first = _first(text)
    pattern = written_as(first.strip(), form) if first else None
    if pattern is None:
        return _distinct(text, form, midnight)
    source = text.str.strip_chars() if first != first.strip() else text
    parsed = source.str.to_datetime(pattern, strict=False, time_unit="us")
    if parsed.dtype.time_zone:  # type: ignore[attr-defined]
        frame = pl.DataFrame(
            {"local": pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, len(text)), "instant": parsed}
        )
    else:
        frame = pl.DataFrame({"local": parsed}).with_columns(
            pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("instant")
        )
        if midnight == "end_of_day":
            frame = frame.with_columns(_closing("local"))
    if parsed.null_count() == text.null_count():
        return frame
    left = (parsed.is_null() & text.is_not_null()).arg_true()
    rest = _distinct(text.gather(left), form, midnight)
    return frame.with_columns(frame[name].scatter(left, rest[name]).alias(name) for name in ("local", "instant"))


def _first(text: pl.Series) -> str:
    at = text.is_not_null().arg_max()
    return "" if at is None else str(text[at] or "")


def _closing(name: str) -> pl.Expr:
    """Midnight belongs to the day it closes."""
    time = pl.col(name)
    return pl.when(time.dt.truncate("1d") == time).then(time.dt.offset_by("1d")).otherwise(time).alias(name)


def _distinct(text: pl.Series, form: str, midnight: str) -> pl.DataFrame:
    """The long way, each distinct text once."""
    known = _long_way(text.unique().drop_nulls(), form, midnight)
    return pl.DataFrame({"text": text}).join(known, on="text", how="left", maintain_order="left").drop("text")


def _long_way(text: pl.Series, form: str, midnight: str) -> pl.DataFrame:
    parts = pl.DataFrame({"text": text.cast(pl.String)}).with_columns(plain("text").alias("plain"))
    groups = pl.col("plain").str.extract_groups(_WHOLE[form]).alias("g")
    wanted = ("y", "m", "d", "H", "M", "S", "ap", "pa", "z")
    have = re.compile(_WHOLE[form]).groupindex
    parts = parts.with_columns(groups).with_columns(
        (pl.col("g").struct.field(k) if k in have else pl.lit(None, dtype=pl.String)).alias(k) for k in wanted
    )
    hour, minute, second = (pl.col(k).cast(pl.Int64).fill_null(0) for k in "HMS")
    half = pl.coalesce("ap", "pa")
    clock = (
        pl.when(half.is_null())
        .then(hour)
        .when((hour < 1) | (hour > 12))
        .then(99)
        .otherwise(hour % 12 + pl.when(half == "pm").then(12).otherwise(0))
    )
    within = ((clock < 24) & (minute < 60) & (second < 60)) | ((clock == 24) & (minute == 0) & (second == 0))
    of_day = clock * 3_600 + minute * 60 + second
    if midnight == "end_of_day":
        of_day = pl.when(of_day == 0).then(86_400).otherwise(of_day)
    day = pl.concat_str(
        "y", pl.col("m").str.zfill(2), pl.col("d").fill_null("01").str.zfill(2), separator="-"
    ).str.to_date("%Y-%m-%d", strict=False)
    local = pl.when(within).then(day.cast(pl.Datetime("us")) + pl.duration(seconds=of_day))
    zone = pl.col("z").str.extract_groups(r"([+-])(\d{2}):?(\d{2})?")
    hours, minutes = (zone.struct.field(k).cast(pl.Int64).fill_null(0) for k in ("2", "3"))
    sign = pl.when(zone.struct.field("1") == "-").then(-1).otherwise(1)
    # Offsets in use lie between -12:00 and +14:00.
    ahead = pl.when((hours <= 14) & (minutes < 60)).then(sign * (hours * 3_600 + minutes * 60))
    bare = pl.col("z").is_null()
    return parts.select(
        "text",
        pl.when(bare).then(local).alias("local"),
        pl.when(~bare).then(local - pl.duration(seconds=ahead)).dt.replace_time_zone("UTC").alias("instant"),
    )


def plain(name: str) -> pl.Expr:
    """Full-width and Chinese writing brought to the signs the patterns know."""
    text = pl.col(name).str.normalize("NFKC").str.strip_chars(" \t\r\n'\"=").str.to_lowercase()
    for written, sign in _SIGNS:
        text = text.str.replace_all(written, sign, literal=True)
    text = text.str.replace_all(r"[时点分]", ":").str.replace_all("秒", "", literal=True)
    return text.str.strip_chars(" :").str.replace_all(r"\s+", " ")


def _plain(cell: str) -> str:
    """What ``plain`` does, for one cell."""
    text = unicodedata.normalize("NFKC", cell).strip(" \t\r\n'\"=").lower()
    for written, sign in _SIGNS:
        text = text.replace(written, sign)
    return re.sub(r"\s+", " ", re.sub("[时点分]", ":", text).replace("秒", "").strip(" :"))
