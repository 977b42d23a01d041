"""Text on a terminal: widths, wrapping, tables; every code of the program has a name."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from lujin.accounts.amounts import COAL, GASES, Amount
from lujin.accounts.rules import RULES as POSTING_RULES
from lujin.accounts.tables import BOOKS, QUALITIES, REASONS
from lujin.errors import Problem
from lujin.language import Speech
from lujin.park import CARRIERS, Node, Park
from lujin.park.model import MeterKind
from lujin.readings.flags import Flag
from lujin.readings.intervals import EventKind
from lujin.reference import SCHEMAS, load_reference
from lujin.reference.tariff import PERIODS
from lujin.show import factors, words
from lujin.show.amounts import grouped, number
from lujin.show.text import (
    Column,
    Table,
    number_column,
    padded,
    say_line,
    show_table,
    type_next,
    width_of,
    wrapped,
)
from lujin.show.words import Words


def park_of(*nodes: Node) -> Park:
    return Park(
        id="p",
        name_zh="园区",
        name_en="park",
        timezone="Asia/Shanghai",
        region="广东",
        packs={},
        nodes={node.id: node for node in nodes},
        carriers=CARRIERS,
    )


NODES = (
    Node(id="E1", kind="enterprise", name_zh="岭砾建材", name_en="Lingli"),
    Node(id="GRID", kind="grid", name_zh="公共电网", name_en="Public grid"),
)


@pytest.fixture
def zh() -> Words:
    return Words(Speech("zh"), park_of(*NODES))


@pytest.fixture
def en() -> Words:
    return Words(Speech("en"), park_of(*NODES))


# ------------------------------------------------------------------------------------------------------- text

TEXTS = st.text(st.sampled_from("abc 电量（）、，。-/1234567890.,"), max_size=60)


@settings(max_examples=60)
@given(TEXTS, st.integers(2, 40))
def test_wrapping_keeps_every_character_and_the_width(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(width_of(line) <= width for line in lines)


def test_lines_begin_with_no_closing_and_end_with_no_opening_mark() -> None:
    for width in range(8, 30):
        for line in wrapped("基本电费（按容量）（广东、东西两翼(肇庆)、工商业两部制）", width):
            assert line[0] not in "）、" and line[-1] != "（"


def test_columns_line_up_whatever_the_script() -> None:
    table = Table([Column("项目"), number_column("kWh")], [["电力", "1,234"], ["steam", "5"]], ["合计", "1,239"])
    ends = {width_of(line) for _, line in table.lines(80)}
    assert ends == {width_of("steam") + 2 + width_of("1,234")}


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.text("ab 电量", min_size=1, max_size=40), st.integers(-(10**12), 10**12)),
        min_size=1,
        max_size=5,
    ),
    st.integers(30, 90),
)
def test_a_number_is_never_broken(rows: list[tuple[str, int]], width: int) -> None:
    table = Table(
        [Column("what"), number_column("first"), number_column("a long heading of words")],
        [[text, f"{n:,}", f"{n / 7:,.3f}"] for text, n in rows],
    )
    said = "\n".join(line for _, line in table.lines(width))
    for _, n in rows:
        assert f"{n:,}" in said and f"{n / 7:,.3f}" in said


def test_columns_without_content_are_left_out_and_spare_ones_where_room_is_short() -> None:
    columns = [
        Column("name"),
        number_column("empty"),
        number_column("zero", keep=True),
        Column("spare", spare=True),
    ]
    table = Table(columns, [["a long name indeed", "—", "", "S2/electricity"]])
    wide, narrow = (table.lines(width)[0][1] for width in (80, 35))
    assert "empty" not in wide and "zero" in wide and "spare" in wide
    assert "spare" not in narrow and "zero" in narrow


def test_columns_that_yield_go_rather_than_break_a_word_of_those_that_stay() -> None:
    columns = [Column("name"), number_column("first", yields=True), number_column("second", yields=True)]
    table = Table(columns, [["Cogeneration Company", "1,000", "2,000"]])
    found = {width: [line for _, line in table.lines(width)] for width in (30, 24, 16)}
    heads = {width: lines[0].split() for width, lines in found.items()}
    assert heads == {30: ["name", "first", "second"], 24: ["name", "first"], 16: ["name"]}
    for width, lines in found.items():
        assert max(map(width_of, lines)) <= width
        assert any("Cogeneration" in line for line in lines)


def shown(width: int = 80, *, terminal: bool = False) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, width=width, force_terminal=terminal, color_system=None, markup=False), out


def test_sentences_wrap_on_a_terminal_and_stay_whole_in_a_pipe() -> None:
    text = "one two three four five six"
    pipe, said = shown(10)
    say_line(pipe, text)
    assert said.getvalue() == text + "\n"
    terminal, said = shown(10, terminal=True)
    say_line(terminal, text)
    assert said.getvalue().splitlines() == ["one two", "three four", "five six"]


def test_brackets_in_names_are_text_not_markup() -> None:
    console, said = shown()
    show_table(console, "[bold]", Table([Column("[x]")], [["[red]park.toml[/]"]]))
    type_next(console, Speech("en"), [("lujin run [park]", "[what]")])
    assert all(text in said.getvalue() for text in ("[bold]", "[x]", "[red]park.toml[/]", "lujin run [park]"))


def test_small_amounts_are_not_shown_as_zero() -> None:
    assert number(Amount(400, "Wh")) == "0.4"
    assert number(Amount(1, "mg")) == "1e-9"
    assert grouped(Decimal("-1234.5"), 2) == "-1,234.50"
    assert padded("电", 4, right=True) == "  电"


# ------------------------------------------------------------------------------------------------------ words


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        (words.BOOKS, BOOKS),
        (words.REASONS, REASONS),
        (words.QUALITIES, QUALITIES),
        (words.PERIODS, PERIODS),
        (words.COMMODITIES, (*GASES, *COAL, "CNY")),
        (words.FLAGS, tuple(str(flag.name) for flag in Flag)),
        (words.EVENTS, get_args(EventKind)),
        (words.METER_KINDS, get_args(MeterKind)),
        (words.RULES, tuple(rule.partition("@")[0] for rule in POSTING_RULES)),
        (factors.TABLES, tuple(SCHEMAS)),
    ],
)
def test_every_code_has_a_name(table: dict[str, str], codes: tuple[str, ...]) -> None:
    assert set(codes) <= set(table)


def test_every_published_row_has_a_readable_name_in_both_languages(zh: Words, en: Words) -> None:
    for row in load_reference():
        for language in (zh, en):
            name = factors.factor_name(language, row.table, row.values)
            assert name.strip() and "|" not in name and "@" not in name
        if row.table == "grid_factors":
            assert row.values["basis"] in factors.BASIS and row.values["purpose"] in factors.PURPOSES
        if row.table == "tariffs":
            assert row.values["item"] in factors.ITEMS


def test_accounts_are_called_by_what_they_are(zh: Words, en: Words) -> None:
    assert zh.account("S2/electricity") == "范围二：购入电力"
    assert zh.account("COST/demand_charge") == "基本电费（按需量）费用"
    assert zh.account("EXT/GRID") == "园区外：公共电网"
    assert zh.account("OWN/natural_gas") == "自用天然气"
    assert en.account("DUE/E1") == "settlement with Lingli"
    assert en.account("MEMO/green_power/GP-1") == "memo: green power GP-1"
    assert en.item("steam_sold") == "sale of steam"


def test_units_are_printed_as_people_write_them(zh: Words, en: Words) -> None:
    assert [zh.unit(u) for u in ("CNY/kVA.month", "m3", "kWh", "CNY")] == ["元/kVA·月", "m³", "kWh", "元"]
    assert en.unit("CNY/kW.month") == "CNY/kW·month"


def test_problems_name_what_they_know_by_code(zh: Words) -> None:
    problem = Problem("{enterprise} {carrier} {period} {month}", {
        "enterprise": "E1", "carrier": "sludge", "period": "deep_valley", "month": 202506,
    })  # fmt: skip
    assert zh.named(problem).text() == "岭砾建材 (E1) 污泥 深谷 2025-06"


def test_a_fact_in_words_stands_in_its_name_not_in_the_number_column(zh: Words) -> None:
    values = {
        "region": "广东", "applies_to": "价区划分", "customer_class": "", "voltage": "", "item": "price_zone",
        "period": "东西两翼地区", "months": "", "start": "", "end": "", "operator": "=", "value": "肇庆、汕头",
        "unit": "list",
    }  # fmt: skip
    assert factors.factor_value(zh, values) == ("", "")
    assert factors.factor_text(zh, "tariffs", values).endswith("：肇庆、汕头")
    limit = {**values, "operator": ">=", "value": "40", "unit": "kVA"}
    assert factors.factor_value(zh, limit) == ("≥ 40", "kVA")
