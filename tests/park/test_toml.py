"""A park file is read exactly, and refused with every problem at once, each with line, field and remedy."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from lujin import park
from lujin.errors import ParkError, Problem
from lujin.park import Park

Problems = Callable[[str], list[Problem]]
Loaded = Callable[[str], Park]


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_template_has_no_problem(problems: Problems) -> None:
    assert problems(park.TEMPLATE) == []


def test_template_round_trips(loaded: Loaded) -> None:
    template = loaded(park.TEMPLATE)
    assert park.from_snapshot(park.dumps(template)) == template
    assert park.dumps(park.from_snapshot(park.dumps(template))) == park.dumps(template)


def test_human_forms_are_read_exactly(base: str, loaded: Loaded) -> None:
    text = f"""{base}
multiplier = 0.100000000000000005
interval = "1mo"
capacity = 1_000
valid_from = 2025-01-01
valid_to = 2025-06-01T08:30:00

[[node]]
id = "PV"
kind = "pv"
owner = "E1"
valid_from = 2025-01-01T00:00:00+08:00

[[output]]
enterprise = "E1"
product = "纸"
month = "2025-06"
quantity = 12.5
unit = "吨"
"""
    found = loaded(text)
    meter = found.meters["M1"]
    assert meter.multiplier == Decimal("0.100000000000000005")
    assert meter.interval_s == 0
    assert meter.valid_from == datetime(2024, 12, 31, 16, tzinfo=UTC)
    assert meter.valid_to == datetime(2025, 6, 1, 0, 30, tzinfo=UTC)
    assert meter.line == line_of(text, "[[meter]]")
    assert found.nodes["PV"].valid_from == meter.valid_from
    assert found.outputs[0].month == 202506
    assert park.from_snapshot(park.dumps(found)) == found


def test_all_problems_come_at_once_each_with_line_field_and_remedy(base: str, problems: Problems) -> None:
    text = f"""{base}
unti = "kWh"
multiplier = "two"

[[meter]]
id = "M2"
flow = "F11"
kind = "regster"

[[meters]]
id = "M3"

[[flow]]
id = "F2"
carrier = "electrcity"
source = "GRID"

[[price]]
carrier = "natural_gas"
value = 3
unit = "USD/m3"
"""
    found = [p for p in problems(text) if p.severity == "error"]
    assert {(p.line, p.field) for p in found} == {
        (line_of(text, "unti"), "meter.unti"),
        (line_of(text, 'multiplier = "two"'), "meter.multiplier"),
        (line_of(text, 'kind = "regster"'), "meter.kind"),
        (line_of(text, "[[meters]]"), ""),
        (line_of(text, 'flow = "F11"'), "meter.flow"),
        (line_of(text, 'carrier = "electrcity"'), "flow.carrier"),
        (line_of(text, 'id = "F2"') - 1, "flow.target"),
        (line_of(text, 'unit = "USD/m3"'), "price.unit"),
    }
    sentences = "\n".join(p.text() for p in found)
    assert "did you mean unit?" in sentences
    assert "did you mean register?" in sentences
    assert "did you mean meter?" in sentences
    assert all(p.remedy and p.file == "park.toml" for p in found)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("multiplier = inf", "out of range"),
        ("multiplier = nan", "out of range"),
        ("multiplier = 1e999999999", "out of range"),
        ("multiplier = true", "not a number"),
        ("multiplier = 0", "not above zero"),
        ("digits = 6.5", "not a whole number"),
        ("digits = 99", "digits does not exist"),
        ('interval = "15m"', "not an interval"),
        ("valid_from = 08:00:00", "not a date or time"),
        ('valid_from = "2025-01-01"', "not a date or time"),
        ("valid_from = 0001-01-01", "not a date or time"),
        ('alias = "x"', "not a list"),
        ("terms = 5", "which meters add up"),
        ("terms = {M2 = 0}", "coefficient of M2 is 0"),
        ('timezone = "Asia/Beijing"', 'did you mean "Asia/Shanghai"?'),
        ('timezone = "../etc/passwd"', "is unknown"),
        ('accuracy_class = "a\\u0007b"', "control character"),
    ],
)
def test_a_bad_value_is_named_with_its_place(base: str, problems: Problems, written: str, said: str) -> None:
    text = f"{base}{written}\n"
    found = problems(text)
    assert any(said in p.text() and p.line == line_of(text, written) for p in found), found


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('id = "a/b"', "cannot be an id"),
        ('id = "=1"', "cannot be an id"),
        ("id = 7", "not text"),
        ('sector = "C99"', "not a sector"),
        ('sector = "D2231"', "did you mean C2231?"),
        ("employees = -1", "below zero"),
    ],
)
def test_a_bad_node_is_named(base: str, problems: Problems, written: str, said: str) -> None:
    lines = written if written.startswith("id") else f'id = "N"\n{written}'
    assert any(said in p.text() for p in problems(f'{base}[[node]]\nkind = "enterprise"\n{lines}\n'))


def test_a_local_time_that_happens_twice_needs_its_offset(base: str, problems: Problems) -> None:
    berlin = base.replace("Asia/Shanghai", "Europe/Berlin")
    assert any("twice or never" in p.text() for p in problems(f"{berlin}valid_from = 2025-10-26T02:30:00\n"))
    assert any("twice or never" in p.text() for p in problems(f"{berlin}valid_from = 2025-03-30T02:30:00\n"))
    assert not any(p.severity == "error" for p in problems(f"{berlin}valid_from = 2025-10-26T02:30:00+01:00\n"))


def test_single_brackets_are_explained(problems: Problems) -> None:
    found = problems('[park]\nid="P"\ntimezone="UTC"\nregion="广东"\n\n[node]\nid = "A"\n')
    assert any(p.line == 6 and "[[node]]" in p.text() for p in found)


def test_a_syntax_error_names_its_line(problems: Problems) -> None:
    (found,) = problems('[park]\nid = "P"\nname = "unfinished\n')
    assert found.line == 3


def test_a_file_in_another_encoding_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "park.toml").write_bytes('[park]\nid = "P"\nname_zh = "园区"\n'.encode("gb18030"))
    (found,) = park.check(tmp_path)
    assert found.line == 3
    assert "UTF-8" in found.text()


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ParkError, match="lujin init"):
        park.load(tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path, base: str) -> None:
    (tmp_path / "park.toml").write_bytes(b"\xef\xbb\xbf" + base.replace("\n", "\r\n").encode())
    assert park.load(tmp_path).meters["M1"].line == base[: base.index("[[meter]]")].count("\n") + 1


def test_days_are_read_from_the_file_beside(tmp_path: Path, base: str) -> None:
    (tmp_path / "park.toml").write_text(base, encoding="utf-8")
    (tmp_path / "days.csv").write_text(
        "date,temperature_max_c,holiday\n2025-10-01,35.2,1\n2025-10-02,,\n", "utf-8"
    )
    days = park.load(tmp_path).days
    assert days[date(2025, 10, 1)].temperature_max_c == Decimal("35.2")
    assert days[date(2025, 10, 1)].holiday
    assert days[date(2025, 10, 2)].temperature_max_c is None
    (tmp_path / "days.csv").write_text(
        "date,temperature_max_c\n2025-10-01,hot\n2025-13-01,1\n2025-10-01,1\n", "utf-8"
    )
    found = park.check(tmp_path)
    assert {(p.file, p.line) for p in found if p.file == "days.csv"} == {("days.csv", 2), ("days.csv", 3)}
    (tmp_path / "days.csv").write_text("day,temp\n2025-10-01,1\n", "utf-8")
    assert any("is not a column" in p.text() for p in park.check(tmp_path))
    (tmp_path / "days.csv").write_text("", "utf-8")
    assert any("empty" in p.text() for p in park.check(tmp_path))


def test_a_broken_row_does_not_make_references_to_it_wrong(base: str, problems: Problems) -> None:
    text = base.replace('id = "E1"\nkind = "enterprise"', 'id = "E1"\nkind = "entrprise"')
    (found,) = [p for p in problems(text) if p.severity == "error"]
    assert found.field == "node.kind"
