"""Bodies that carry many readings (批量读数), each into one frame that the import takes.

Rows or columns of JSON, NDJSON, CSV, an Arrow stream or file, Parquet. Columns: ``meter``, ``time``, ``value``,
perhaps ``unit`` and ``quality``. Times are ISO 8601 text or instants; a value that is no number stays text, so
that its row alone is refused later, with its reason. Whatever is wrong with the body as a whole is told here.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

from lujin.errors import N_, InputError, MediaError, Problem
from lujin.web.api.arrow import claims
from lujin.web.api.body import malformed, too_large, understood

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
ARROW_STREAM = "application/vnd.apache.arrow.stream"
ARROW_FILE = "application/vnd.apache.arrow.file"
PARQUET = "application/vnd.apache.parquet"
COLUMNS = ("meter", "time", "value", "unit", "quality")
NEEDED = COLUMNS[:3]
_TEXT = ("meter", "unit", "quality")


@dataclass(frozen=True, slots=True)
class Limits:
    """``unpacked``: bytes of the columns of a compressed Arrow or Parquet body, as it claims itself."""

    body: int = 128 * 1024**2
    rows: int = 5_000_000
    unpacked: int = 1024**3


LIMITS = Limits()


class Reading(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    meter: str
    time: str
    value: float | str | None = None
    unit: str | None = None
    quality: str | None = None


class Columns(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """Lists of one length; one ``meter``, ``unit`` or ``quality`` instead of a list holds for all rows."""

    meter: list[str] | str
    time: list[str]
    value: list[float | str | None]
    unit: list[str | None] | str | None = None
    quality: list[str | None] | str | None = None


class Body(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    readings: list[Reading] | None = None
    columns: Columns | None = None


_BODY = msgspec.json.Decoder(Body)
_LINE = msgspec.json.Decoder(Reading)


def decode(body: bytes, media: str, limits: Limits = LIMITS) -> pl.DataFrame:
    """The readings of a body of the content type ``media``, in the order in which they stand there.

    InputError: the body as a whole cannot be read, with the place. TooLargeError, MediaError.
    """
    kind = media.partition(";")[0].strip().lower()
    if kind not in _DECODERS:
        params = {"media": kind or "?", "known": ", ".join(_DECODERS)}
        raise MediaError(
            Problem(
                N_("readings do not come as {media}"), params, N_("send one of: {known}"), field="content-type"
            )
        )
    if len(body) > limits.body:
        raise too_large(N_("the body has more than {limit} bytes"), limits.body)
    frame = _DECODERS[kind](body, limits)
    if frame.height > limits.rows:
        raise too_large(N_("the body has more than {limit} readings"), limits.rows)
    return frame


# ------------------------------------------------------------------------------------------------- JSON


def _json(body: bytes, limits: Limits) -> pl.DataFrame:  # noqa: ARG001 (all decoders are called alike)
    found = understood(lambda: _BODY.decode(body))
    if (found.readings is None) == (found.columns is None):
        remedy = N_('send {{"readings": […]}} or {{"columns": {{…}}}}')
        raise InputError(Problem(N_("the body holds neither readings nor columns, or both"), {}, remedy))
    return _of_rows(found.readings) if found.columns is None else _of_columns(found.columns)


def _ndjson(body: bytes, limits: Limits) -> pl.DataFrame:  # noqa: ARG001
    return _of_rows(understood(lambda: _LINE.decode_lines(body)))


def _of_rows(rows: Sequence[Reading]) -> pl.DataFrame:
    columns = {
        "meter": pl.Series([row.meter for row in rows], dtype=pl.String),
        "time": pl.Series([row.time for row in rows], dtype=pl.String),
        "value": _values([row.value for row in rows]),
        "unit": pl.Series([row.unit for row in rows], dtype=pl.String),
        "quality": pl.Series([row.quality for row in rows], dtype=pl.String),
    }
    return _without_empty(pl.DataFrame(columns))


def _of_columns(columns: Columns) -> pl.DataFrame:
    rows = len(columns.time)
    lengths = {
        name: len(given)
        for name in COLUMNS
        if isinstance(given := getattr(columns, name), list) and len(given) != rows
    }
    if lengths:
        params = {"rows": rows, "lengths": ", ".join(f"{name} {length}" for name, length in lengths.items())}
        message = N_("the columns differ in length: time has {rows} rows, {lengths}")
        raise InputError(Problem(message, params, N_("give every column one entry per reading"), field="columns"))
    found = {"time": pl.Series(columns.time, dtype=pl.String), "value": _values(columns.value)}
    for name in _TEXT:
        given = getattr(columns, name)
        one = not isinstance(given, list)
        series = pl.Series([given] if one else given, dtype=pl.String)
        found[name] = series.new_from_index(0, rows) if one else series
    return _without_empty(pl.DataFrame({name: found[name] for name in COLUMNS}))


def _values(values: list[float | str | None]) -> pl.Series:
    try:
        return pl.Series(values, dtype=pl.Float64)
    except TypeError:
        return pl.Series([v if v is None or isinstance(v, str) else repr(v) for v in values], dtype=pl.String)


def _without_empty(frame: pl.DataFrame) -> pl.DataFrame:
    """Unit and quality only where some reading states them."""
    return frame.drop([name for name in ("unit", "quality") if frame[name].null_count() == frame.height])


# -------------------------------------------------------------------------------------------- tables


def _csv(body: bytes, limits: Limits) -> pl.DataFrame:
    def read() -> pl.DataFrame:
        return pl.read_csv(
            io.BytesIO(body), infer_schema=False, n_rows=limits.rows + 1, empty_string_is_null=False
        )

    frame = _table(read) if body.strip() else pl.DataFrame(schema=dict.fromkeys(NEEDED, pl.String))
    frame = _named(frame.rename(lambda name: name.strip().removeprefix("\ufeff")))
    value = frame["value"].cast(pl.Float64, strict=False)
    none = frame["value"].str.strip_chars() == ""
    if (value.is_null() & ~none).any():
        return frame
    return frame.with_columns(value)


def _arrow_stream(body: bytes, limits: Limits) -> pl.DataFrame:
    _within(claims(body, file=False), limits)
    return _typed(_named(_table(lambda: pl.read_ipc_stream(io.BytesIO(body)))))


def _arrow_file(body: bytes, limits: Limits) -> pl.DataFrame:
    _within(claims(body, file=True), limits)
    return _typed(_named(_table(lambda: pl.read_ipc(io.BytesIO(body)))))


def _parquet(body: bytes, limits: Limits) -> pl.DataFrame:
    lazy = _table(lambda: pl.scan_parquet(io.BytesIO(body)))
    schema = _table(lazy.collect_schema)
    _named(pl.DataFrame(schema=schema))
    rows = int(_table(lambda: lazy.select(pl.len()).collect()).item())
    _within((rows, 0), limits)
    return _typed(_table(lazy.collect))


def _within(claimed: tuple[int, int], limits: Limits) -> None:
    rows, unpacked = claimed
    if rows > limits.rows:
        raise too_large(N_("the body has more than {limit} readings"), limits.rows)
    if unpacked > limits.unpacked:
        raise too_large(N_("the body unpacks to more than {limit} bytes"), limits.unpacked)


def _table(call: Callable[[], Any]) -> Any:
    """Run a reader. Whatever it makes of a damaged body, even a panic, becomes an InputError."""
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, GeneratorExit, InputError):
        raise
    except BaseException as error:  # Panics of the Rust readers derive from BaseException.
        detail = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(malformed(detail, "")) from None


def _named(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with the columns of readings in their order; every column that is amiss is told."""
    problems = [
        Problem(
            N_("column {name} is missing"), {"name": name}, N_("readings have meter, time and value"), field=name
        )
        for name in NEEDED
        if name not in frame.columns
    ]
    params = {"known": ", ".join(COLUMNS)}
    problems += [
        Problem(N_("there is no column {name}"), {**params, "name": name}, N_("use: {known}"), field=name)
        for name in frame.columns
        if name not in COLUMNS
    ]
    if problems:
        raise InputError(*problems)
    return frame.select([name for name in COLUMNS if name in frame.columns])


def _typed(frame: pl.DataFrame) -> pl.DataFrame:
    """Text columns as text, values as floats, times as UTC microseconds or text."""
    casts, problems = [], []
    for name, dtype in frame.schema.items():
        fits, expression, wanted = _fitting(name, dtype)
        casts.append(expression)
        if not fits:
            params = {"name": name, "dtype": str(dtype), "wanted": Problem(wanted)}
            message = N_("column {name} has the type {dtype}")
            problems.append(Problem(message, params, N_("send it as: {wanted}"), field=name))
    if problems:
        raise InputError(*problems)
    found: pl.DataFrame = _table(lambda: frame.with_columns(casts))
    return found


def _fitting(name: str, dtype: pl.DataType) -> tuple[bool, pl.Expr, str]:
    """Whether the type of a column fits, how it is cast, and which types do."""
    column = pl.col(name)
    if name == "time":
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            return True, column.dt.convert_time_zone("UTC").dt.cast_time_unit("us"), ""
        return dtype == pl.String, column, N_("timestamp with time zone, or ISO 8601 text")
    if name == "value":
        number = dtype.is_numeric() or dtype == pl.Null
        return number or dtype == pl.String, column.cast(pl.Float64) if number else column, "float64"
    text = dtype in (pl.String, pl.Categorical, pl.Enum, pl.Null)
    return text, column.cast(pl.String), "utf8"


_DECODERS: Mapping[str, Callable[[bytes, Limits], pl.DataFrame]] = {
    JSON: _json,
    NDJSON: _ndjson,
    CSV: _csv,
    ARROW_STREAM: _arrow_stream,
    ARROW_FILE: _arrow_file,
    PARQUET: _parquet,
}
MEDIA = tuple(_DECODERS)
