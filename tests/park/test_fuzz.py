"""Whatever stands in the file: a park or a ParkError, never another exception."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin import park
from lujin.errors import ParkError

_modest = settings(max_examples=150, deadline=None)
TEMPLATE = park.TEMPLATE.encode()
_tables = st.sampled_from(["park", "node", "flow", "meter", "price", "claim", "day", "carrier", "connection", "x"])
_KEYS = """id kind flow terms unit valid_from valid_to value month carrier source target timezone packs owner
    replaces date alias digits interval sector multiplier"""
_WORDS = """"A" "B" "" 1 -1 0.5 1e400 -inf nan true 2025-01-01 2025-01-01T00:00:00 9999-12-31T23:59:59-23:59
    0001-01-01 07:32:00 [] {A=1} {B=-1,A=2} ["A",1] [[1]] "virtual" "enterprise" "pv" "electricity" "steam" "kWh"
    "CNY/kWh" "2025-02" "1mo" "Asia/Shanghai" "Asia" "C22" 9999999999999999999999 "=1+1" "{}" "%s{0}" """
_keys = st.sampled_from(_KEYS.split())
_words = st.sampled_from(_WORDS.split())
_values = _words | st.just("'''\n\n'''")


def survives(content: bytes, days: bytes | None = None) -> None:
    with TemporaryDirectory() as folder:
        (Path(folder) / "park.toml").write_bytes(content)
        if days is not None:
            (Path(folder) / "days.csv").write_bytes(days)
        for problem in park.check(Path(folder)):
            assert problem.text()
        try:
            loaded = park.load(Path(folder))
        except ParkError as error:
            assert error.problems
        else:
            assert park.from_snapshot(park.dumps(loaded)) == loaded
            assert park.digest(loaded)
            park.flow_terms(loaded), park.meter_names(loaded), park.meter_dimensions(loaded)


@_modest
@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes(content: bytes, days: bytes) -> None:
    survives(content, days)


@_modest
@given(st.lists(st.tuples(_tables, st.booleans(), st.dictionaries(_keys, _values, max_size=6)), max_size=6))
def test_any_tables(tables: list[tuple[str, bool, dict[str, str]]]) -> None:
    text = '[park]\nid = "P"\ntimezone = "Asia/Shanghai"\nregion = "广东"\n'
    for table, double, values in tables:
        text += f"[[{table}]]\n" if double else f"[{table}]\n"
        text += "".join(f"{key} = {value}\n" for key, value in values.items())
    survives(text.encode())


@_modest
@given(st.integers(0, len(TEMPLATE) - 1), st.integers(0, 40), st.binary(max_size=8))
def test_a_damaged_template(start: int, length: int, put: bytes) -> None:
    survives(TEMPLATE[:start] + put + TEMPLATE[start + length :])


@_modest
@given(st.text(st.sampled_from("date,temperature_max_c,holiday\n2025-01-01,3.5\"'\x00\r\ufeff是1"), max_size=80))
def test_any_days(days: str) -> None:
    survives(TEMPLATE, days.encode())


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 20_000,
        "a = " + "1" * 10_000,
        "a = 1e99999999999999999999",
        "[park]\nfactor_date = 2025-02-30",
        "park = 1",
        "node = [1, 2]",
        "[park]\nid = 'P'\n[park.packs]\nlocation = 3",
        "[[park]]\nid = 'P'",
        "a" * 100_000,
        "[park]\n" + "".join(f"k{n}.a.b.c = {n}\n" for n in range(500)),
    ],
)
def test_known_traps(text: str) -> None:
    survives(text.encode())


def test_a_directory_where_the_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "park.toml").mkdir()
    with pytest.raises(ParkError):
        park.load(tmp_path)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=6))
def test_a_damaged_workbook(position: int, put: bytes) -> None:
    content = bytearray(WORKBOOK())
    position = position * len(content) // 10_000
    content[position : position + len(put)] = put
    with TemporaryDirectory() as folder:
        path = Path(folder) / "park.xlsx"
        path.write_bytes(content)
        assert all(problem.text() for problem in park.check(path))


def _once(make: Callable[[], bytes]) -> Callable[[], bytes]:
    kept: list[bytes] = []

    def get() -> bytes:
        if not kept:
            kept.append(make())
        return kept[0]

    return get


@_once
def WORKBOOK() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "park.xlsx"
        park.write_workbook(park.from_snapshot(park.TEMPLATE), path)
        return path.read_bytes()
