"""How well a datum is known: the row that says so, or nothing."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import pytest

from lujin.reference import SCHEMAS, Reference, Uncertainties, check_reference, load_reference, make_row

COLUMNS = SCHEMAS["uncertainties"].columns
DAY = date(2025, 6, 1)
GAS = "fuel_factors:IPCC2006|fuel|天然气|tCO2/t|2006-01-01"


def line(**changed: str) -> dict[str, str]:
    values = dict.fromkeys(COLUMNS, "") | {
        "kind": "factor",
        "applies_to": "grid_factors:grid_avg_guangdong_2023",
        "distribution": "normal",
        "coverage": "k=2",
        "value": "5",
        "unit": "%",
        "source": "own study",
        "confidence": "unverified",
    }
    return values | changed


def table(*rows: dict[str, str]) -> Uncertainties:
    return Uncertainties([*load_reference(), *(make_row("uncertainties", row, "park") for row in rows)], DAY)


def test_a_limit_of_error_is_the_half_width_of_a_uniform_distribution() -> None:
    found = table().meter("M1", "0.5S", "electricity")
    assert found is not None and (found.distribution, found.relative) == ("uniform", 0.005 / math.sqrt(3))


def test_the_same_class_means_another_limit_for_heat_than_for_electricity() -> None:
    limits = {medium: table().meter("M", "2.0", medium) for medium in ("electricity", "heat")}
    values = {medium: found.row.values["value"] for medium, found in limits.items() if found is not None}
    assert values == {"electricity": "2", "heat": "3.42"}


@pytest.mark.parametrize(("given", "medium"), [("", "electricity"), ("7", "electricity"), ("III", "mass")])
def test_no_class_or_one_that_no_table_knows_is_unknown(given: str, medium: str) -> None:
    assert table().meter("M1", given, medium) is None


def test_a_certificate_of_the_meter_goes_before_its_class() -> None:
    found = table(line(kind="meter", applies_to="M1", value="0.3")).meter("M1", "2", "electricity")
    assert found is not None and found.relative == pytest.approx(0.0015)


def test_published_ranges_of_a_fuel_and_none_for_a_chinese_grid_factor() -> None:
    published = table()
    ncv, carbon = published.factor(GAS, "ncv"), published.factor(GAS, "carbon_content")
    assert ncv is not None and ncv.relative == pytest.approx((50.4 - 46.5) / 2 / 48.0 / 1.96, rel=0.02)
    assert carbon is not None and carbon.relative == pytest.approx((15.9 - 14.8) / 2 / 15.3 / 1.96, rel=0.02)
    unknown = [row.key for row in load_reference() if row.table == "grid_factors" or "GBT32151-C1" in row.key]
    assert unknown and not any(published.factor(key, p) for key in unknown for p in ("value", "ncv"))


def test_every_shipped_range_names_a_factor_that_is_shipped_and_is_half_its_limits() -> None:
    rows = load_reference()
    shipped = {row.key: row for row in rows if row.table == "fuel_factors"}
    found = Uncertainties(rows, DAY)
    stated = [row for row in rows if row.table == "uncertainties" and row.values["kind"] == "factor"]
    for row in stated:
        keys = [key for key in shipped if found.factor(key, row.values["parameter"]) is not None]
        assert [key for key in keys if key.startswith(row.values["applies_to"].rstrip("*"))], row.id
        half = (row.number("upper") - row.number("lower")) / 2
        (key,) = (key for key in keys if key.startswith(row.values["applies_to"].rstrip("*")))
        column = {"ncv": "ncv", "carbon_content": "carbon_content_tC_per_TJ", "value": "value"}
        default = shipped[key].number(column[row.values["parameter"]])
        assert float(row.value) == pytest.approx(float(half / default * 100), rel=0.01, abs=0.06), row.id
        assert row.values["distribution"] == ("lognormal" if row.value > 30 else "normal"), row.id


def test_two_patterns_that_both_answer_are_no_answer_but_the_name_itself_is() -> None:
    key = "grid_factors:grid_avg_guangdong_2023"
    patterns = [line(applies_to="grid_factors:grid_avg_*"), line(applies_to="grid_factors:*guangdong*")]
    assert table(*patterns).factor(key) is None
    named = table(*patterns, line(value="8")).factor(key)
    assert named is not None and named.relative == pytest.approx(0.04)


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"value": "0"}, "value", "the uncertainty 0 of grid_factors:grid_avg_guangdong_2023 is not above zero"),
        ({"value": "-5"}, "value", "the uncertainty -5 of grid_factors:grid_avg_guangdong_2023"),
        ({"value": ""}, "value", "the uncertainty ∅ of grid_factors:grid_avg_guangdong_2023"),
        ({"coverage": "limit"}, "coverage", "normal does not go with limit"),
        ({"kind": "weather"}, "kind", "'weather' is not known here"),
        ({"applies_to": ""}, "applies_to", "the row does not say what it applies to"),
        ({"unit": "kg"}, "unit", "unit 'kg' is not used in this table"),
    ],
)
def test_a_broken_row_of_the_park_is_told_with_place_and_datum(
    tmp_path: Path, changed: dict[str, str], field: str, said: str
) -> None:
    folder = tmp_path / "reference"
    folder.mkdir()
    text = ",".join(COLUMNS) + "\n" + ",".join((line() | changed).values()) + "\n"
    (folder / "uncertainties.csv").write_text(text, encoding="utf-8")
    found = [p for p in check_reference(folder) if p.field == field]
    assert len(found) == 1 and said in found[0].text()
    assert found[0].place.startswith("reference/uncertainties.csv:2")


def test_a_park_row_takes_the_place_of_the_shipped_one(tmp_path: Path) -> None:
    folder = tmp_path / "reference"
    folder.mkdir()
    row = next(r for r in load_reference() if r.table == "uncertainties" and r.values["kind"] == "factor")
    values = dict(row.values) | {"value": "1.5", "source": "laboratory"}
    text = ",".join(COLUMNS) + "\n" + ",".join(f'"{v}"' for v in values.values()) + "\n"
    (folder / "uncertainties.csv").write_text(text, encoding="utf-8")
    rows = Reference(load_reference(folder)).table("uncertainties")
    assert [r.values["value"] for r in rows if r.key == row.key] == ["1.5"]
