"""The line scanner sees the same keys as tomllib, at the lines where they stand."""

import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.park.lines import key_lines
from lujin.park.toml import _quoted


def test_lines_survive_comments_multi_line_strings_and_nested_arrays() -> None:
    text = '''# comment with [[meter]] in it
[[meter]]
id = "M1" # [x]
name = """
[[meter]]
id = 'no' \\""" still
"""
note = \'\'\'it''s = [
\'\'\'
alias = [
  "a", # one
  "b]",
]
terms = {M1 = 1, "M 2" = -1}
a.b."c.d" = 2025-01-01T00:00:00+08:00

[[meter]]
  "id" = "M2"
  [meter.terms]
  M3 = 1
[park]
id = "P"
'''
    tomllib.loads(text)
    lines = key_lines(text)
    assert lines["meter", 0] == 2
    assert lines["meter", 0, "name"] == 4
    assert lines["meter", 0, "note"] == 8
    assert lines["meter", 0, "alias", 1] == 12
    assert lines["meter", 0, "terms", "M 2"] == 14
    assert lines["meter", 0, "a", "b", "c.d"] == 15
    assert lines["meter", 1] == 17
    assert lines["meter", 1, "terms", "M3"] == 20
    assert lines["park", "id"] == 22


_keys = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=6)
_values = st.recursive(
    st.integers(-9, 9) | st.booleans() | st.text(max_size=8) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=6,
)


def _write(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list):
        return "[\n" + ",\n".join(_write(v) for v in value) + "\n]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quoted(k)} = {_write(v)}" for k, v in value.items()) + "}"
    return str(value)


def _paths(value: object, path: tuple[str | int, ...]) -> set[tuple[str | int, ...]]:
    items = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    return {path}.union(*(_paths(inner, (*path, key)) for key, inner in items))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(_keys, _values, max_size=3), max_size=3))
def test_scanner_finds_every_key_that_tomllib_reads(tables: list[dict[str, object]]) -> None:
    text, expected = "", {}
    for number, table in enumerate(tables):
        expected["t", number] = text.count("\n") + 1
        text += "[[t]] # here\n\n"
        for key, value in table.items():
            expected["t", number, key] = text.count("\n") + 1
            text += f"{_quoted(key)} = {_write(value)} # = [[t]]\n"
    lines = key_lines(text)
    document = tomllib.loads(text)
    assert {path: lines[path] for path in expected} == expected
    assert set(lines) == _paths(document.get("t", []), ("t",)) - {("t",)}
