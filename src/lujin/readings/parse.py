"""Rows of a file to readings (解析): whole columns at a time, what fails set aside with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import polars as pl

from lujin.readings import numbers, reject, times
from lujin.readings.instants import Clock
from lujin.readings.lookup import MeterLookup
from lujin.readings.mapping import FILE, QUALITIES, Mapping, require
from lujin.readings.sniff import FileShape
from lujin.readings.text import Block

# Far above any meter in any unit; keeps amounts in base units inside 64 bits.
LARGEST = 1e15
ROWS = {
    "meter": pl.Int32(),
    "time": pl.Datetime("us", "UTC"),
    "value": pl.Float64(),
    "quality": pl.Int8(),
    "row": pl.Int32(),
}
_FACTS = ("key", "kind", "interval_s", "end", "timezone", "valid_from", "valid_to")


@dataclass(frozen=True, eq=False)
class ParsedBatch:
    """Some rows of a file. ``rows``: columns ROWS, in file order (``wide``: by column).

    ``rejected``: columns of ``reject.SCHEMA``. ``empty`` counts cells without a value, ``read`` all cells
    that could have held one.
    """

    rows: pl.DataFrame
    rejected: pl.DataFrame
    empty: int
    read: int


def read_rows(
    blocks: Iterable[Block], shape: FileShape, mapping: Mapping, lookup: MeterLookup
) -> Iterator[ParsedBatch]:
    """The readings of a file in batches, one per block.

    Values come out in the meter's own unit, multiplier not applied; times are instants of registers and
    starts of intervals. Raises MappingError when the mapping does not fit the file.
    """
    reader = _Reader(shape, require(mapping, shape), lookup)
    for block in blocks:
        yield reader.batch(block)


class _Reader:
    def __init__(self, shape: FileShape, mapping: Mapping, lookup: MeterLookup) -> None:
        self.shape, self.mapping, self.lookup = shape, mapping, lookup
        self.clock = Clock(mapping)
        self.place = {name: i for i, name in enumerate(shape.columns)}
        self.by_file = lookup.in_name(shape) if FILE in mapping.meters.values() else ""
        self.factors: dict[tuple[int, str], Fraction | None] = {}
        self.extra = f"c{len(shape.columns)}"

    def batch(self, block: Block) -> ParsedBatch:
        cells = self._cells(block.frame)
        read = len(cells) + (0 if block.broken is None else len(block.broken))
        cells = self._numbers(cells)
        cells = self._meters(cells)
        cells = self._times(cells)
        cells = self._units(cells)
        cells = cells.with_columns(reason=self._reason(cells))
        cells = self._short(cells, block)
        none = pl.col("value").is_null() & ~pl.col("failed") & pl.col("reason").is_null()
        empty = int(cells.select(none.sum()).item())
        good = cells.filter(pl.col("reason").is_null() & pl.col("value").is_not_null())
        bad = cells.filter(pl.col("reason").is_not_null())
        rows = good.select(
            pl.col("key").alias("meter"), "time", "value", self._quality().fill_null(0).alias("quality"), "row"
        )
        return ParsedBatch(rows.cast(ROWS), self._rejected(bad, block), empty, read)  # type: ignore[arg-type]

    # Cells: one row per value

    def _column(self, name: str) -> pl.Expr:
        return pl.col(f"c{self.place[name]}") if name else pl.lit(None, dtype=pl.String)

    def _cells(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns row, column, label, stamp, local, instant, text, exact, unit, quality, extra."""
        wide = self.mapping.layout != "long"
        common = [
            pl.col("row"),
            _as_text(frame, f"c{self.place[self.mapping.meter]}").alias("label")
            if self.mapping.meter
            else pl.lit(None, dtype=pl.String).alias("label"),
            pl.col(self.extra).alias("extra"),
        ]
        if wide:
            return self._unpivoted(frame, common)
        value = self.place[self.mapping.value]
        exact = pl.col(f"n{value}") if f"n{value}" in frame.columns else pl.lit(None, dtype=pl.Float64)
        cells = frame.select(
            *common,
            self._stamp().alias("stamp"),
            pl.col(f"c{value}").alias("text"),
            exact.alias("exact"),
            pl.lit(self.mapping.value).alias("column"),
            self._column(self.mapping.unit_column).cast(pl.String).alias("unit")
            if self.mapping.unit_column
            else pl.lit(self.mapping.unit or None, dtype=pl.String).alias("unit"),
            self._column(self.mapping.quality).cast(pl.String).alias("quality"),
        )
        return self._stamped(_without_blank(cells))

    def _unpivoted(self, frame: pl.DataFrame, common: list[pl.Expr]) -> pl.DataFrame:
        days = self.mapping.layout == "days"
        names = [c for c in self.shape.columns if _of_day(c)] if days else list(self.mapping.meters)
        on = [f"c{self.place[name]}" for name in names]
        head = frame.select(*common, self._stamp().alias("stamp"), *_alike(frame, on))
        if not days:
            head = self._stamped(head)
        index = [c for c in head.columns if c not in on]
        cells = head.unpivot(on=on, index=index, variable_name="column", value_name="text")
        exact = [f"n{self.place[name]}" for name in names]
        if exact[0] in frame.columns:
            twin = frame.select(exact).unpivot(on=exact, value_name="exact")["exact"]
        else:
            twin = pl.Series("exact", [None], dtype=pl.Float64).new_from_index(0, len(cells))
        cells = cells.with_columns(
            pl.col("column").replace_strict(on, names, return_dtype=pl.String), twin.alias("exact"),
            pl.lit(None, dtype=pl.String).alias("quality"),
        )  # fmt: skip
        if days:
            clock = pl.concat_str(pl.col("stamp"), pl.lit(" "), pl.col("column"))
            unit = pl.lit(self.mapping.unit or None, dtype=pl.String)
            return self._stamped(_without_blank(cells.with_columns(clock.alias("stamp"), unit.alias("unit"))))
        labels = [self.by_file if self.mapping.meters[n] == FILE else self.mapping.meters[n] for n in names]
        units = [self.mapping.units.get(name, self.mapping.unit) or None for name in names]
        return _without_blank(cells).with_columns(
            pl.col("column").replace_strict(names, labels, return_dtype=pl.String).alias("label"),
            pl.col("column").replace_strict(names, units, return_dtype=pl.String).alias("unit"),
        )

    def _stamp(self) -> pl.Expr:
        """The time as written; date and time of day put together where they stand apart."""
        if not self.mapping.date:
            return pl.col(f"c{self.place[self.mapping.time]}")
        date = self._column(self.mapping.date).cast(pl.String).str.strip_chars().str.extract(r"^(\S+)")
        if not self.mapping.time:
            return date
        name = f"c{self.place[self.mapping.time]}"
        clock = pl.col(name).cast(pl.String).str.strip_chars().str.replace(r"^1899-12-3[01][T ]", "")
        return pl.concat_str(date, pl.lit(" "), clock)

    def _stamped(self, cells: pl.DataFrame) -> pl.DataFrame:
        parsed = times.parse_times(cells["stamp"], self.mapping.time_form, self.mapping.midnight)
        return cells.hstack(parsed)

    # Columns

    def _numbers(self, cells: pl.DataFrame) -> pl.DataFrame:
        parsed = numbers.parse_numbers(cells["text"], self.mapping.decimal, self.mapping.nulls)
        if self.shape.format == "excel":
            # A workbook stores numbers in binary; their text is rounded. Dates and texts keep what the text says.
            plain = cells["text"].cast(pl.Float64, strict=False).is_not_null() & parsed["value"].is_not_null()
            exact = pl.when(plain).then(pl.coalesce(cells["exact"], "value")).otherwise("value")
            parsed = parsed.with_columns(exact.alias("value"))
        return cells.with_columns(parsed["value"], parsed["failed"])

    def _meters(self, cells: pl.DataFrame) -> pl.DataFrame:
        labels = cells["label"].unique().drop_nulls().to_list()
        known = self.lookup.resolve(labels)
        places = {label: found[0] for label, found in known.items()}
        at = cells["label"].replace_strict(places, default=None, return_dtype=pl.Int32)
        self.chains = {label: found for label, found in known.items() if len(found) > 1}
        return self._with_facts(cells.with_columns(at.alias("at")))

    def _with_facts(self, cells: pl.DataFrame) -> pl.DataFrame:
        facts = self.lookup.facts.select(pl.col(name).gather(cells["at"]) for name in _FACTS)
        return cells.with_columns(facts.get_columns())

    def _times(self, cells: pl.DataFrame) -> pl.DataFrame:
        cells = cells.hstack(self.clock.instants(cells))
        if not self.chains:
            return cells
        at = pl.col("at")
        start = self.lookup.facts["valid_from"]
        for chain in set(self.chains.values()):
            of_chain = pl.col("label").is_in([label for label, c in self.chains.items() if c == chain])
            for newer, older in pairwise(chain):
                at = pl.when(of_chain & (pl.col("time") < start[newer])).then(older).otherwise(at)
        return self._with_facts(cells.with_columns(at.cast(pl.Int32).alias("at")))

    def _units(self, cells: pl.DataFrame) -> pl.DataFrame:
        """Values into the meter's own unit; ``misfit`` where that can't be done."""
        if cells["unit"].null_count() == len(cells):
            return cells.with_columns(misfit=pl.lit(False))
        pairs = cells.select("at", "unit").drop_nulls().unique().rows()
        for at, unit in pairs:
            if (at, unit) not in self.factors:
                self.factors[at, unit] = self.lookup.conversion(at, unit)
        table = [(a, u, self.factors[a, u]) for a, u in pairs if self.factors[a, u] != 1]
        if not table:
            return cells.with_columns(misfit=pl.lit(False))
        scale = pl.DataFrame(
            {
                "at": [a for a, _, _ in table],
                "unit": [u for _, u, _ in table],
                "over": [float((f or Fraction(1)).numerator) for _, _, f in table],
                "under": [float((f or Fraction(1)).denominator) for _, _, f in table],
                "misfit": [f is None for _, _, f in table],
            },
            schema_overrides={"at": pl.Int32, "unit": pl.String},
        )
        joined = cells.join(scale, on=["at", "unit"], how="left", maintain_order="left")
        over, under = pl.col("over").fill_null(1.0), pl.col("under").fill_null(1.0)
        # Multiplied and divided by whole numbers: a factor of 1/1000 as a float would not be exact.
        return joined.with_columns(value=pl.col("value") * over / under, misfit=pl.col("misfit").fill_null(False))

    def _quality(self) -> pl.Expr:
        if not self.mapping.quality:
            return pl.lit(0, dtype=pl.Int8)
        codes = {word.lower(): QUALITIES[quality] for word, quality in self.mapping.quality_words.items()}
        word = pl.col("quality").str.strip_chars().str.to_lowercase()
        return word.replace_strict(codes, default=None, return_dtype=pl.Int8)

    # Reasons

    def _reason(self, cells: pl.DataFrame) -> pl.Expr:
        value, time = pl.col("value"), pl.col("time")
        virtual = pl.col("kind") == "virtual"
        upto = pl.when(pl.col("kind") == "register").then(time <= pl.col("valid_to"))
        inside = (time >= pl.col("valid_from")) & upto.otherwise(time < pl.col("valid_to"))
        quality = pl.col("quality").str.strip_chars().str.len_chars() > 0
        checks: list[tuple[pl.Expr, str]] = []
        if cells["extra"].null_count() < len(cells):
            checks.append((pl.col("extra").cast(pl.String).str.strip_chars() != "", "long_row"))
        # No value: nothing to take, nothing to refuse.
        checks += [
            (value.is_null() & ~pl.col("failed"), ""),
            (pl.col("label").is_null() | (pl.col("label").str.len_bytes() == 0), "meter_missing"),
            (pl.col("at").is_null(), "unknown_meter"),
            (virtual, "virtual_meter"),
            (time.is_null() & pl.col("late").is_null(), "not_a_time"),
            (~inside & pl.col("late").is_null(), "outside_validity"),
            (pl.col("failed"), "not_a_number"),
            (value.is_infinite(), "not_finite"),
            (value.abs() > LARGEST, "too_large"),
            (pl.col("misfit"), "unit_not_fitting"),
        ]
        if self.mapping.quality:
            checks.append((quality & self._quality().is_null(), "unknown_quality"))
        late = next(i for i, (_, code) in enumerate(checks) if code == "not_a_time")
        reason = pl.lit(None, dtype=pl.String)
        for i, (failing, code) in reversed(list(enumerate(checks))):
            reason = pl.when(failing).then(pl.lit(code or None, dtype=pl.String)).otherwise(reason)
            if i == late:
                reason = pl.when(pl.col("late").is_not_null() & (pl.col("at").is_not_null()) & ~virtual).then(
                    "late"
                ).otherwise(reason)  # fmt: skip
        return reason

    def _short(self, cells: pl.DataFrame, block: Block) -> pl.DataFrame:
        """A row that ends before the value is broken, not empty."""
        if self.shape.format != "text":
            return cells
        none = cells.select(pl.col("text").is_null() & pl.col("reason").is_null()).to_series()
        if not none.any():
            return cells
        first = int(block.frame["row"][0])
        raw = block.raw(cells["row"].filter(none) - first)
        found = raw.str.count_matches(self.shape.delimiter, literal=True)
        need = cells["column"].filter(none).replace_strict(self.place, return_dtype=pl.UInt32)
        code = pl.select(pl.when(found < need).then(pl.lit("short_row"))).to_series()
        return cells.with_columns(cells["reason"].scatter(none.arg_true(), code))

    def _rejected(self, bad: pl.DataFrame, block: Block) -> pl.DataFrame:
        out = []
        if block.broken is not None:
            none = pl.lit(None, dtype=pl.String)
            out.append(
                block.broken.select(
                    pl.col("row").cast(pl.Int32), none.alias("column"), none.alias("value"),
                    pl.lit("broken_quotes").alias("reason"), none.alias("hint"), "raw",
                )
            )  # fmt: skip
        if not bad.is_empty():
            raw = block.raw(bad["row"] - int(block.frame["row"][0]))
            parts = bad.with_columns(raw.alias("raw")).group_by("reason", maintain_order=True)
            out += [self._explained(part, str(code)) for (code,), part in parts]
        return pl.concat(out).sort("row", maintain_order=True) if out else reject.empty()

    def _explained(self, part: pl.DataFrame, code: str) -> pl.DataFrame:
        about, hint = "value", pl.lit(None, dtype=pl.String)
        if code in ("meter_missing", "unknown_meter", "virtual_meter"):
            about = "label"
        elif code in ("not_a_time", "absurd_year", "ambiguous_time", "nonexistent_time", "not_a_month",
                      "outside_validity"):  # fmt: skip
            about = "stamp"
        elif code in ("unit_not_fitting", "unknown_quality"):
            about = "unit" if code == "unit_not_fitting" else "quality"
        if code == "unknown_meter":
            near = {label: self.lookup.hint(label) for label in part["label"].unique().to_list()}
            hint = pl.col("label").replace_strict(
                {label: name for label, name in near.items() if name}, default=None, return_dtype=pl.String
            )
        elif code in ("ambiguous_time", "nonexistent_time"):
            hint = pl.lit(self.mapping.timezone) if self.mapping.timezone else pl.col("timezone")
        elif code == "outside_validity":
            ends = (pl.col(c).dt.strftime("%Y-%m-%d %H:%MZ") for c in ("valid_from", "valid_to"))
            hint = (
                pl.concat_str(*ends, separator=" – ")
                .str.replace("^0001-\\S+ \\S+", "…")
                .str.replace("9999-.*$", "…")
            )
        elif code == "unit_not_fitting":
            own = {at: self.lookup.unit(at) for at in part["at"].unique().to_list()}
            hint = pl.concat_str(
                pl.col("unit"), pl.lit(" → "), pl.col("at").replace_strict(own, return_dtype=pl.String)
            )
        column = {
            "label": pl.lit(self.mapping.meter) if self.mapping.meter else pl.col("column"),
            "stamp": pl.lit(self.mapping.time or self.mapping.date),
            "unit": pl.lit(self.mapping.unit_column) if self.mapping.unit_column else pl.col("column"),
            "quality": pl.lit(self.mapping.quality),
        }.get(about, pl.col("column"))
        return part.select(
            "row",
            column.alias("column"),
            pl.col("text" if about == "value" else about).cast(pl.String).alias("value"),
            pl.lit(code).alias("reason"),
            hint.alias("hint"),
            "raw",
        )


def _as_text(frame: pl.DataFrame, name: str) -> pl.Expr:
    dtype = frame.schema[name]
    if dtype.is_float():
        return pl.col(name).cast(pl.Int64, strict=False).cast(pl.String)
    return pl.col(name).cast(pl.String)


def _alike(frame: pl.DataFrame, columns: list[str]) -> list[pl.Expr]:
    """Value columns of one type, so that they can be put under each other."""
    types = {frame.schema[name] for name in columns}
    if len(types) == 1:
        return [pl.col(name) for name in columns]
    number = all(dtype.is_numeric() for dtype in types)
    return [pl.col(name).cast(pl.Float64 if number else pl.String) for name in columns]


def _of_day(name: str) -> bool:
    return pl.Series([name]).str.contains(times.TIME_OF_DAY)[0]  # type: ignore[no-any-return]


def _without_blank(cells: pl.DataFrame) -> pl.DataFrame:
    """Blank lines are no rows."""
    if cells["stamp"].null_count() == 0:
        return cells
    said = [c for c in ("label", "stamp", "text", "extra") if c in cells.columns]
    return cells.filter(~pl.all_horizontal(pl.col(c).is_null() for c in said))
