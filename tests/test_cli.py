"""The command line as a person meets it, in both languages, and as a program meets it, in JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lujin.cli import app
from lujin.language import Speech, _catalogue
from lujin.show.text import width_of

Result = Any  # Typer's, whose module differs between versions

E, MONTH = "E004", "2025-02"
LINE = f"{E}:{MONTH}:location:S2/electricity"


def lujin(*arguments: object, language: str = "en", width: int | None = None, **environment: str) -> Result:
    columns = {} if width is None else {"COLUMNS": str(width)}
    env = {"LANG": {"en": "en_US.UTF-8", "zh": "zh_CN.UTF-8"}[language], "LC_ALL": "", **columns, **environment}
    return CliRunner().invoke(app, [str(a) for a in arguments], env=env)


def answer(*arguments: object, code: int = 0) -> Any:
    result = lujin(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The demo park, its late files taken in; and what the verb printed."""
    directory = tmp_path_factory.mktemp("cli") / "park"
    return directory, lujin("demo", directory, "--enterprises", 12, "--months", 2, "--no-serve", language="zh")


@pytest.fixture(scope="module")
def park(made: tuple[Path, Result]) -> Path:
    directory, result = made
    assert result.exit_code == 0, result.output
    return directory


@pytest.fixture
def own(park: Path, tmp_path: Path) -> Path:
    """A copy to write to."""
    return Path(shutil.copytree(park, tmp_path / "park"))


READ_ONLY: dict[str, tuple[object, ...]] = {
    "check": (),
    "statement": ("-e", E, "-m", MONTH),
    "statement market": ("-e", E, "-m", MONTH, "--book", "market"),
    "statement regulatory": ("-e", "E002", "-m", "2025-01", "--book", "regulatory"),
    "statement physical": ("-e", "E002", "-m", "2025-01", "--book", "physical"),
    "explain": (LINE,),
    "explain day": (f"{LINE}:2025-02-05",),
    "status": (),
    "status month": ("--month", "2025-01"),
    "status one": ("--month", "2025-01", "-e", E),
    "reference": (),
    "reference rows": ("--table", "grid_factors", "--region", "广东", "--date", "2025-06-30"),
    "reference words": ("天然气",),
    "verify": (),
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("case", READ_ONLY)
def test_every_question_is_answered_in_both_languages(park: Path, case: str, language: str) -> None:
    result = lujin(case.split()[0], park, *READ_ONLY[case], language=language)
    assert result.exit_code == 0, result.output
    assert "Traceback" not in result.output
    assert bool(re.search("[一-鿿]{2}", result.stdout)) or language == "en"


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("case", ["statement", "statement regulatory", "status", "status month", "reference rows"])
def test_tables_fit_the_terminal(park: Path, case: str, width: int) -> None:
    for language in ("en", "zh"):
        said = lujin(case.split()[0], park, *READ_ONLY[case], language=language, width=width).stdout
        # Sentences and commands stay whole in a pipe; tables have two spaces between columns.
        tables = [line for line in said.splitlines() if re.search(r"\S {2,}\S", line) and "lujin" not in line]
        assert tables and max(map(width_of, tables)) <= width


@pytest.mark.parametrize("case", READ_ONLY)
def test_every_question_is_answered_as_json(park: Path, case: str) -> None:
    found = answer(case.split()[0], park, *READ_ONLY[case])
    assert found
    for amount in amounts(found):
        assert all(isinstance(value, str) for value in amount.values())
        assert Decimal(amount["base"]) == int(amount["base"])


def amounts(value: Any) -> Iterator[dict[str, Any]]:
    """Every amount in an answer: a number with its unit, and the ledger's integer behind it."""
    if isinstance(value, dict):
        if {"value", "unit", "base", "base_unit"} <= value.keys():
            yield value
        for item in value.values():
            yield from amounts(item)
    elif isinstance(value, list):
        for item in value:
            yield from amounts(item)


# ------------------------------------------------------------------------------------------------ no mixture

# File headers, ids, units, sources and commands are what they are in any language.
KEPT = re.compile(
    r"^\s*(lujin .*|列：.*|\[\d+\].*)$|\S*\.(csv|parquet|xlsx)\S*( \[\w+\])?|\S*/\S*|[\w.-]+@\d+|（[^）]*）"
    r"|：lujin .*$",
    re.MULTILINE,
)


def english_words() -> set[str]:
    """Short messages of lujin itself: heads of columns, states, kinds."""
    return {m for m in _catalogue("zh") if re.fullmatch(r"[a-zA-Z]{4,}( [a-z]+){0,2}", m)}


def leftovers(text: str) -> list[str]:
    left = KEPT.sub(" ", text)
    return sorted(w for w in english_words() if re.search(rf"(?<![\w-]){re.escape(w)}(?![\w-])", left))


@pytest.mark.parametrize("case", READ_ONLY)
def test_chinese_output_holds_no_english_of_ours(park: Path, case: str) -> None:
    assert leftovers(lujin(case.split()[0], park, *READ_ONLY[case], language="zh").stdout) == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("case", [case for case in READ_ONLY if case != "reference"])
def test_nobody_reads_codes(park: Path, case: str, language: str) -> None:
    """Names of items, reasons, periods …, not what the ledger calls them; accounts of lines and rules aside."""
    said = KEPT.sub(" ", lujin(case.split()[0], park, *READ_ONLY[case], language=language).stdout)
    assert re.findall(r"(?<![\w/])[a-z]+_[a-z_]+(?![\w@])", said) == []


def test_the_demo_speaks_chinese_from_imports_to_totals(made: tuple[Path, Result]) -> None:
    assert leftovers(made[1].stdout) == []
    assert "Co., Ltd." not in made[1].stdout


def test_help_is_in_the_language_of_the_user() -> None:
    assert "企业某月的能碳账户" in lujin("--help", language="zh").stdout
    assert "The account of an enterprise for a month" in lujin("--help").stdout
    for verb in (
        "demo",
        "init",
        "import",
        "run",
        "restate",
        "statement",
        "explain",
        "status",
        "reference",
        "verify",
    ):
        said = lujin(verb, "--help", language="zh").stdout
        assert set(leftovers(said)) <= {"regulatory"} and "用法" in said  # a value of --book
        assert lujin(verb, "--help").exit_code == 0


def test_the_language_can_be_chosen_anywhere_on_the_line(park: Path) -> None:
    assert "月份" in lujin("--lang", "zh", "status", park).stdout
    assert "月份" in lujin("status", park, "--lang=zh_CN").stdout
    assert "month" in lujin("status", "--lang", "en", park, language="zh").stdout
    assert "month" in lujin("status", park, language="zh", LUJIN_LANG="en").stdout
    wrong = lujin("--lang", "fr", "status", park)
    assert wrong.exit_code == 2 and "use one of: zh, en" in wrong.stderr


# --------------------------------------------------------------------------------------------- what it must say


def test_the_statement_reads_like_a_bank_statement(park: Path) -> None:
    said = lujin("statement", park, "-e", E, "-m", MONTH, language="zh").stdout
    for text in (
        "岭砾建材有限公司 (E004)", "能碳对账单 2025-02", "2025-02-01 至 2025-02-28", "期初", "本期", "期末",
        "峰", "平", "谷", "基本电费（按容量）", "最大需量", "范围二", "各碳账簿对照", "完整率", "重述", "迟到读数",
        "广东 电网平均因子 2023", "0.4419", "未核实", f"lujin explain {park} {LINE}",
    ):  # fmt: skip
        assert text in said, text
    assert "grid_factors:" not in said and "|" not in said


def test_numbers_of_the_table_are_those_of_the_json(park: Path) -> None:
    found = answer("statement", park, "-e", E, "-m", MONTH)
    said = lujin("statement", park, "-e", E, "-m", MONTH).stdout
    assert f"{Decimal(found['cost_total']['value']):,.2f}" in said
    for line in found["carbon"]:
        assert f"{Decimal(line['co2e']['value']):,.3f}" in said
    for book in found["books"]:
        assert f"{Decimal(book['co2']['value']):,.3f}" in said
    assert found["factors"][0]["id"].partition(":")[0] in ("coal_equivalents", "grid_factors")


def test_opening_and_movement_make_the_closing(park: Path) -> None:
    for book in ("physical", "location", "market", "regulatory"):
        for line in answer("statement", park, "-e", "E002", "-m", MONTH, "-b", book)["accounts"]:
            opening, movement, closing = (
                Decimal(line[name]["value"]) for name in ("opening", "movement", "closing")
            )
            assert opening + movement == closing


def test_an_enterprise_may_be_named(park: Path) -> None:
    assert answer("statement", park, "-e", "岭砾", "-m", MONTH)["enterprise"] == E
    assert answer("statement", park, "-e", "lingli building", "-m", MONTH)["enterprise"] == E
    many = lujin("statement", park, "-e", "Co., Ltd.", "-m", MONTH)
    assert many.exit_code == 1 and "E002" in many.stderr and "E004" in many.stderr


def test_status_of_a_month_tells_what_was_odd_with_its_numbers(park: Path) -> None:
    found = answer("status", park, "--month", "2025-01")
    kinds = {f["kind"] for f in found["findings"]}
    assert {"rollover", "replacement", "estimated", "spike"} <= kinds
    rollover = next(f for f in found["findings"] if f["kind"] == "rollover")
    assert rollover["start"].startswith("2025-01-") and Decimal(rollover["detail"]["modulus"]["value"]) > 0
    said = lujin("status", park, "--month", "2025-01", language="zh").stdout
    for text in ("翻转", "换表", "估算", "尖峰值", "kWh", "全部 59 块表"):
        assert text in said


def test_months_and_meters_add_up(park: Path) -> None:
    months = {m["month"]: m for m in answer("status", park)["months"]}
    total = answer("status", park, "--month", "2025-01")["total"]
    assert {n: months[202501][n] for n in ("expected", "estimated", "missing", "suspect")} == {
        n: total[n] for n in ("expected", "estimated", "missing", "suspect")
    }


def test_as_known_before_the_late_file_the_gap_is_still_there(park: Path) -> None:
    entries = answer("explain", park, LINE)["children"][1]["children"]
    first = next(e for line in entries if line["kind"] == "line" for e in line["children"] if e["version"] == 1)
    early = answer("status", park, "-m", MONTH, "-e", E, "--as-of", first["recorded_at"])
    late = answer("status", park, "-m", MONTH, "-e", E)
    assert early["total"]["estimated"] > late["total"]["estimated"]
    then = answer("statement", park, "-e", E, "-m", MONTH, "--as-of", first["recorded_at"])
    assert then["version"] == 1 and answer("statement", park, "-e", E, "-m", MONTH)["version"] == 2


def test_explain_reaches_rule_factor_entries_and_readings(park: Path) -> None:
    day = lujin("explain", park, f"{LINE}:2025-02-05", language="zh").stdout
    for text in (
        "规则：购入电力的 CO2",
        "E = Σ AD",
        "因子：广东",
        "分录",
        "首次记账",
        "公共电网",
        "计量表 E004-EL1",
    ):
        assert text in day, text
    assert "2025-02.parquet" in day and "按小时 [kWh]" in day
    whole = lujin("explain", park, f"{LINE}:2025-02-05", "--all", language="zh").stdout
    assert whole.count("2025-02.parquet") == 97 > day.count("2025-02.parquet")


def test_reference_tells_which_factor_holds_when(park: Path) -> None:
    asked = ("--table", "grid_factors", "--region", "广东")
    before = answer("reference", park, *asked, "--date", "2025-06-30")
    after = answer("reference", park, *asked, "--date", "2026-01-01")
    in_force = [{r["value"] for r in rows if r["values"]["data_year"] > "2020"} for rows in (before, after)]
    assert in_force == [{"0.4403"}, {"0.4419"}]
    assert all(r["source"] and r["confidence"] and r["unit"] == "kgCO2/kWh" for r in before)
    own = answer("reference", park, "--table", "tariffs", "--region", "东西两翼")
    assert {r["origin"] for r in own} >= {"reference/tariffs.csv"} and all(r["line"] for r in own if r["line"])
    assert "leave out a word" in lujin("reference", park, "no such thing").stdout


def test_imports_tell_place_reason_and_remedy(own: Path, tmp_path: Path) -> None:
    file = tmp_path / "读数.csv"
    file.write_text("time,meter,value\n2025-03-01 00:00,E004-EL1,12\n2025-03-01 00:15,E004-EL9,13\n")
    dry = lujin("import", own, file, "--dry-run", language="zh")
    assert "将会导入" in dry.stdout
    said = lujin("import", own, file, language="zh")
    assert said.exit_code == 0
    assert "读数.csv:3 [meter]：园区没有此计量表 E004-EL9（是否为 E004-EL1？）；更正表号" in said.stdout
    assert leftovers(said.stdout) == [] and f"lujin run {own}" in said.stdout
    assert "did you mean E004-EL1?" in lujin("import", own, file, "--lang", "en", LUJIN_LANG="zh").stdout
    ran = lujin("run", own, language="zh")
    assert ran.exit_code == 0 and leftovers(ran.stdout) == [] and "已记账" in ran.stdout
    assert "无需记账" in lujin("run", own, language="zh").stdout
    again = answer("restate", own, "--month", "2025-01")
    assert again["entries"] == 0


def test_bad_files_do_not_stop_good_ones(own: Path, tmp_path: Path) -> None:
    folder = tmp_path / "arrivals"
    folder.mkdir()
    (folder / "empty.csv").touch()
    (folder / "page.csv").write_text("<html><body>no</body></html>")
    (folder / "good.csv").write_text("time,meter,value\n2025-03-01 00:00,E004-EL1,12\n")
    result = lujin("import", own, folder)
    assert result.exit_code == 1
    assert "empty.csv: the file is empty (0 bytes); export it again" in result.stdout
    found = json.loads(lujin("import", own, folder, "--json").stdout)
    assert [bool(r["problems"]) for r in found] == [True, False, True]


def test_init_check_and_workbook_lead_to_a_park(tmp_path: Path) -> None:
    directory = tmp_path / "mine"
    said = lujin("init", directory)
    assert said.exit_code == 0 and f"lujin check {directory}" in said.stdout
    assert lujin("check", directory).exit_code == 0
    assert lujin("workbook", directory, tmp_path / "mine.xlsx").exit_code == 0
    assert answer("init", tmp_path / "again", "--from", tmp_path / "mine.xlsx")["written"]
    (directory / "park.toml").write_text("[park]\nid = 1\n", encoding="utf-8")
    refused = lujin("check", directory, language="zh")
    assert refused.exit_code == 1 and "错误：park.toml" in refused.stdout and "个错误" in refused.stdout
    assert answer("check", directory, code=1)["ok"] is False


# -------------------------------------------------------------------------------------------------- exit codes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("statement",), "PARK is missing; see: lujin statement --help"),
        (("statement", "PARK", "-m", MONTH), "--enterprise is missing"),
        (("statement", "PARK", "-e", E, "-m", "2025-13"), "2025-13 is not a month; write it as 2025-06"),
        (("statement", "PARK", "-e", E, "-m", MONTH, "--as-of", "yesterday"), "yesterday is not an instant"),
        (("status", "PARK", "--mont", MONTH), "there is no option --mont; did you mean --month"),
        (("status", "PARK", "--month"), "option --month needs a value"),
        (("status", "PARK", "-e", E), "needs a month"),
        (("status", "PARK", "more"), "too many arguments: more"),
        (("statemnt", "PARK"), "there is no verb statemnt; did you mean statement"),
        (("reference", "PARK", "--date", "June"), "June is not a day; write it as 2025-06-30"),
        (("demo", "PARK", "--months", "many"), "the value of --months does not fit"),
    ],
)
def test_wrong_usage_is_2_and_says_what_to_do(park: Path, arguments: Sequence[str], said: str) -> None:
    spelled = [str(park) if a == "PARK" else a for a in arguments]
    result = lujin(*spelled)
    assert result.exit_code == 2 and said in result.stderr and not result.stdout
    chinese = lujin(*spelled, language="zh")
    assert chinese.exit_code == 2 and chinese.stderr.startswith("错误：")
    as_json = lujin(*spelled, "--json")
    if arguments[-1] != "--month":
        assert as_json.exit_code == 2 and said in json.loads(as_json.stdout)["error"][0]["text"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("statement", "PARK", "-e", "E999", "-m", MONTH), "there is no enterprise E999; did you mean: E"),
        (("statement", "PARK", "-e", E, "-m", MONTH, "-b", "cash"), "there is no book cash; use one of: physical"),
        (("explain", "PARK", "S2"), "'S2' is not a line reference; write enterprise:month:book:account"),
        (("explain", "PARK", f"{E}:{MONTH}:location:S9"), "accounts of this month and book: "),
        (("reference", "PARK", "-t", "tarifs"), "there is no reference table tarifs; use one of: tariffs"),
        (("restate", "PARK", "-m", "2024-01"), "2024-01 is not posted; post it first"),
        (("import", "PARK", "/no/such/file.csv"), "there is no file /no/such/file.csv; check the path"),
        (("init", "PARK"), "park.toml exists already; choose another directory"),
        (("run", "/no/such/park"), "there is no park in /no/such/park; name the directory"),
        (("workbook", "PARK", "/no/such/place.xlsx"), "cannot be written"),
    ],
)
def test_input_at_fault_is_1_with_place_and_remedy(park: Path, arguments: Sequence[str], said: str) -> None:
    spelled = [str(park) if a == "PARK" else a for a in arguments]
    result = lujin(*spelled)
    assert result.exit_code == 1 and said in result.stderr and "Traceback" not in result.output
    assert lujin(*spelled, language="zh").stderr.startswith("错误：")
    assert said in json.loads(lujin(*spelled, "--json").stdout)["error"][0]["text"]


def test_a_fault_of_our_own_is_told_without_a_traceback(park: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("lujin.workspace.Workspace.status", fails)
    result = lujin("status", park)
    assert result.exit_code == 70 and "ZeroDivisionError" in result.stderr and "Traceback" not in result.output
    assert "LUJIN_DEBUG=1" in result.stderr
    assert "Traceback" in lujin("status", park, LUJIN_DEBUG="1").output


def test_stopping_is_said_and_130(park: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lujin.workspace.Workspace.run", stopped)
    result = lujin("run", park, language="zh")
    assert result.exit_code == 130 and "已停止；完成的部分已存下" in result.stderr


# ------------------------------------------------------------------------------------------------- the process


def process(*arguments: object, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "from lujin.cli import main; main()", *map(str, arguments)]
    env = {**os.environ, "LC_ALL": "", "LANG": "zh_CN.UTF-8", "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)


def test_a_real_process_says_its_version_and_help() -> None:
    from lujin import __version__

    out, err = process("--version").communicate(timeout=60)
    assert out.decode().strip() == f"lujin {__version__}" and not err
    started = process()
    out, _ = started.communicate(timeout=60)
    assert started.returncode == 0 and "用法：lujin 命令 园区" in out.decode()


def test_help_does_not_load_what_only_work_needs() -> None:
    heavy = "('polars', 'sqlalchemy', 'numpy', 'openpyxl')"
    code = f"import sys; from lujin.cli import app; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_reader_who_has_seen_enough_is_no_error(park: Path) -> None:
    started = process("reference", park, "--all")
    assert started.stdout is not None and started.stderr is not None
    started.stdout.read(10)
    started.stdout.close()
    assert started.stderr.read() == b"" and started.wait(timeout=60) == 0


@pytest.mark.parametrize("encoding", ["gbk", "ascii"])
def test_a_terminal_without_all_characters_is_no_error(park: Path, encoding: str) -> None:
    out, err = process("statement", park, "-e", E, "-m", MONTH, PYTHONIOENCODING=encoding).communicate(timeout=60)
    assert not err and b"kWh" in out
    if encoding == "gbk":
        assert "岭砾建材有限公司" in out.decode("gbk")


def test_no_colours_in_a_pipe_or_with_no_color(park: Path) -> None:
    out, _ = process("status", park).communicate(timeout=60)
    assert b"\x1b[" not in out
    out, _ = process("status", park, FORCE_COLOR="1", NO_COLOR="1").communicate(timeout=60)
    assert not re.search(rb"\x1b\[[0-9;]*3[0-9]m", out)


def test_english_and_chinese_name_the_same_things() -> None:
    for message in ("total", "opening", "closing"):
        assert Speech("zh")(message) != message == Speech("en")(message)


@pytest.mark.parametrize(("language", "name"), [("en", "Lingli"), ("zh", "岭砾建材")])
def test_a_mistyped_enterprise_is_answered_in_the_language_of_the_reader(
    park: Path, language: str, name: str
) -> None:
    said = lujin("statement", park, "-e", "E044", "-m", MONTH, language=language).stderr
    assert f"E004 {name}" in said
    assert any("一" <= c <= "鿿" for c in said) == (language == "zh")


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize(("language", "name"), [("en", "Cogeneration"), ("zh", "点绿热电")])
def test_every_row_of_a_narrow_terminal_has_its_name(park: Path, language: str, name: str, width: int) -> None:
    for verb in ("trace", "balance"):
        lines = lujin(verb, park, "-m", MONTH, language=language, width=width).stdout.splitlines()
        rule = next(n for n, line in enumerate(lines) if line.startswith("──"))
        assert width_of(lines[rule]) <= width
        table = lines[rule + 1 : lines.index("", rule) if "" in lines[rule:] else None]
        rows = [line for line in table if not line.startswith(" ") and "SHA-256" not in line]
        assert max(map(width_of, rows[:20])) <= width
        assert any(name in line for line in rows), rows


def test_the_program_runs_as_a_module() -> None:
    said = subprocess.run([sys.executable, "-m", "lujin", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("lujin ")


def test_the_demo_battery_gives_no_more_than_it_took(park: Path) -> None:
    found = answer("trace", park, "-m", MONTH)
    assert [p["text"] for p in found["problems"] if "more than it holds" in p["message"]] == []
