"""Numbers as exports write them (数值): thousands separators, decimal commas, marks for "none"."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

# What exports write where there is no value. Zero is not among them.
NULLS: tuple[str, ...] = (
    "", "-", "--", "—", "——", "–", "/", "null", "none", "nan", "na", "n/a", "#n/a", "#n/a n/a", "#value!",
    "#div/0!", "#ref!", "无", "空", "缺", "缺失",
)  # fmt: skip
_POINT = r"^[+-]?\d{1,3}([, \u{a0}\u{202f}']\d{3})+(\.\d+)?$"
_COMMA = r"^[+-]?(\d{1,3}([. \u{a0}\u{202f}']\d{3})+|\d+)(,\d+)?$"
_GROUPING = "[, \u00a0\u202f']"


def parse_numbers(column: pl.Series, decimal: str, nulls: Sequence[str]) -> pl.DataFrame:
    """Columns ``value`` (Float64) and ``failed`` (Boolean). Null and not failed: there is no value.

    ``decimal`` is "." or ","; the other one separates thousands and only in groups of three, so that
    "1,70" fails instead of becoming 170.
    """
    if column.dtype.is_numeric():
        value = column.cast(pl.Float64)
        failed = pl.repeat(False, len(value), dtype=pl.Boolean, eager=True)
        return _without(value.fill_nan(None), failed, nulls)
    if column.dtype != pl.String:
        text = column.cast(pl.String, strict=False)
        return pl.DataFrame(
            {
                "value": pl.Series([None], dtype=pl.Float64).new_from_index(0, len(text)),
                "failed": column.is_not_null(),
            }
        )
    if decimal == ".":
        value = column.cast(pl.Float64, strict=False)
    else:
        value = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(column))
    failed = value.is_null() & column.is_not_null()
    if failed.any():
        left = failed.arg_true()
        rest = _distinct(column.gather(left), decimal, nulls)
        value = value.scatter(left, rest["value"])
        failed = failed.scatter(left, rest["failed"])
    return _without(value.fill_nan(None), failed, nulls)


def _without(value: pl.Series, failed: pl.Series, nulls: Sequence[str]) -> pl.DataFrame:
    """Sentinels such as -99 count as "none" where the mapping names them."""
    sentinels = [number for mark in nulls if (number := _number(mark)) is not None]
    frame = pl.DataFrame({"value": value, "failed": failed})
    if sentinels:
        frame = frame.with_columns(pl.when(~pl.col("value").is_in(sentinels)).then("value").alias("value"))
    return frame


def _number(mark: str) -> float | None:
    try:
        number = float(mark)
    except ValueError:
        return None
    return number if number == number else None


def _distinct(text: pl.Series, decimal: str, nulls: Sequence[str]) -> pl.DataFrame:
    known = pl.DataFrame({"text": text.unique()}).with_columns(
        pl.col("text").str.normalize("NFKC").str.strip_chars(" \t\r\n=\"'").alias("plain")
    )
    plain = pl.col("plain")
    if decimal == ".":
        grouped = plain.str.contains(_POINT)
        number = pl.when(grouped).then(plain.str.replace_all(_GROUPING, "")).otherwise(plain)
    else:
        points = plain.str.replace_all("[. \u00a0\u202f']", "").str.replace(",", ".", literal=True)
        exponent = plain.str.contains(r"^[+-]?\d+(,\d+)?[eE][+-]?\d+$")
        number = pl.when(plain.str.contains(_COMMA)).then(points)
        number = number.when(exponent).then(plain.str.replace(",", ".", literal=True))
        number = number.when(plain.str.to_lowercase().is_in(["inf", "-inf", "+inf", "infinity"])).then(plain)
    none = plain.str.to_lowercase().is_in([mark.strip().lower() for mark in nulls])
    known = known.select(
        "text", pl.when(~none).then(number.cast(pl.Float64, strict=False)).alias("value"), none=none
    )
    known = known.with_columns((pl.col("value").is_null() & ~pl.col("none")).alias("failed"))
    frame = pl.DataFrame({"text": text})
    return frame.join(known, on="text", how="left", maintain_order="left").select("value", "failed")
