"""What a loan officer reads first: CO2e recomputed from gases, what is uncertain, how old the status list is."""

import copy
import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from issuing import AR6, NOW, RECORDED, Log, line
from rich.console import Console
from typer.testing import CliRunner

from lujin.cli import app
from lujin.errors import InputError
from lujin.language import Speech
from lujin.publish import Doubt, Gwp, canonical_file, check, head_document, issue, sign_head, status_list, witness
from lujin.publish.integrity import sign
from lujin.show.evidence import certificate

EMBODIED = Gwp("embodied", "AR6", {"CO2": Decimal(1), "CH4": Decimal("29.8")})
TONNE = 10**9


def rows(report, book, month=""):
    books = report.summary.months[month] if month else report.summary.books
    return {row.name: row for found in books if found.book == book for row in found.rows}


def co2e(report, book, month=""):
    return {name: row.co2e for name, row in rows(report, book, month).items()}


def said(report, language="en", width=60, now=NOW):
    out = StringIO()
    console = Console(file=out, width=width)
    certificate(console, report, Speech(language), trusted=True, witnessed=False, now=now)
    return out.getvalue()


def doubt(total, value, known, share="0", month=202506, book="location"):
    return Doubt(month, book, total, "mgCO2e", value, known, Decimal("0.05"), Decimal(share))


def small(*months):
    log = Log()
    for month in months:
        day = 100 * month + 1
        log.post(
            [line("S1/natural_gas", "ATM/natural_gas", day, TONNE, "CH4", ""), line("S2/e", "EXT/g", day, TONNE)],
            month=month,
        )
    return log


def issued(log, key, months=(202506, 202506), **facts):
    return canonical_file(issue(log.certified(key, first=months[0], last=months[-1], **facts), key, NOW, 0))


# ------------------------------------------------------------------------------------------------------- CO2e


def test_co2e_is_gases_times_the_potentials_stated(key):
    found = co2e(check(issued(small(202506), key)), "location")
    assert found == {"S1": 29_800_000_000, "S2": TONNE, "total": 30_800_000_000}


@given(st.lists(st.tuples(st.integers(1, 10**14), st.integers(-(10**14), 10**14)), min_size=2, max_size=3))
@settings(max_examples=15, deadline=None)
def test_months_and_restatements_add_up(key, postings):
    log = Log()
    for month, (first, change) in zip((202506, 202507, 202508), postings, strict=False):
        log.post([line("S2/e", "EXT/g", 100 * month + 1, first)], month=month)
        if change:
            log.post([line("S2/e", "EXT/g", 100 * month + 1, change)], month=month)
    months = sorted({entry.month for entry in log.entries})
    report = check(issued(log, key, months))
    expected = sum(first + change for first, change in postings)
    assert co2e(report, "location")["total"] == expected
    per_month = [co2e(report, "location", f"{m // 100}-{m % 100:02}")["total"] for m in months]
    assert sum(per_month) == expected
    shown = [
        Decimal(text.split()[1].replace(",", ""))
        for text in said(report).splitlines()
        if text.startswith("2025-0")
    ]
    total = next(text for text in reversed(said(report).splitlines()) if text.startswith("total "))
    assert sum(shown) == Decimal(total.split()[1].replace(",", ""))


def test_embodied_says_where_carbon_came_from_and_went(key):
    moves = [("WIP/E004", "ATM/gas", 5), ("WIP/E004", "EXT/GRID", 7), ("WIP/E004", "DUE/E001", 11)]
    moves += [("OWN/E004", "WIP/E004", 8), ("DUE/E002", "WIP/E004", 4), ("OUT/GRID", "WIP/E004", 9)]
    lines = [line(debit, credit, 20250601, n * TONNE, factor="") for debit, credit, n in moves]
    log = Log().post(lines, book="embodied")
    report = check(issued(log, key, gwp=[EMBODIED]))
    tonnes = {name: mg // TONNE for name, mg in co2e(report, "embodied").items()}
    assert tonnes == {"direct": 5, "taken_over": 18, "used": 8, "passed_on": 4, "sold_outside": 9, "other": 2}
    text = said(report, width=120)
    for words in ("own emissions", "taken over", "own use", "passed on", "sold outside", "in store, in progress"):
        assert words in text


def test_without_potentials_only_fossil_co2_counts_and_that_is_said(key):
    log = Log().post([line("S2/e", "EXT/g", 20250601, TONNE, "CO2f"), line("S1/g", "ATM/g", 20250601, 5, "CH4f")])
    report = check(issued(log, key, gwp=[]))
    assert co2e(report, "location") == {"S1": 0, "S2": TONNE, "total": TONNE}
    assert "CO2 alone" in said(report)


def test_a_gas_without_a_potential_is_not_certified(key):
    with pytest.raises(InputError, match="potential of CH4"):
        issued(small(202506), key, gwp=[Gwp("location", "AR6", {"CO2": Decimal(1)})])


@pytest.mark.parametrize(
    ("facts", "match"),
    [
        ({"gwp": [AR6, AR6]}, "named twice"),
        ({"gwp": [AR6, EMBODIED]}, "not certified"),
        ({"uncertainty": [doubt("S2", 1, 1), doubt("S2", 1, 1)]}, "named twice"),
        ({"uncertainty": [doubt("S2", 1, 1, month=202507)]}, "not certified"),
        ({"uncertainty": [doubt("S2", 1, 1, book="market")]}, "not certified"),
    ],
)
def test_potentials_and_uncertainties_speak_of_what_is_certified(key, facts, match):
    with pytest.raises(InputError, match=match):
        issued(small(202506), key, **facts)


def test_a_unit_that_is_not_stated_is_not_certified(log, key):
    with pytest.raises(InputError):
        issue(log.certified(key, commodities=[]), key, NOW, 0)
    document = issue(log.certified(key), key, NOW, 0)
    changed = copy.deepcopy(document)
    next(t for t in changed["credentialSubject"]["totals"] if t["book"] == "physical")["unit"] = "kJ"
    report = check(canonical_file(sign(changed, key, NOW)))
    assert report.failed.name == "sum" and "unit of electricity" in report.failed.problem.text()


# ------------------------------------------------------------------------------------------------- uncertainty


def test_uncertainty_is_told_where_all_is_known_and_unknown_where_not(key):
    stated = [doubt("S1", 29_800_000_000, 10**9), doubt("S2", TONNE, 10**8, "0.0000001")]
    report = check(issued(small(202506), key, uncertainty=stated))
    found = rows(report, "location")
    assert (found["S1"].doubt.known, found["S1"].doubt.unknown_share) == (10**9, 0)
    assert found["S2"].doubt.unknown_share == Decimal("0.000001"), "not quite nothing does not become nothing"
    assert found["total"].doubt is None
    lines = said(report).splitlines()
    assert any("scope 1" in text and "± 1.000" in text for text in lines)
    assert any("scope 2" in text and text.endswith("unknown") for text in lines)


def test_uncertainty_of_another_value_than_the_lines_give_is_not_believed(key):
    report = check(issued(small(202506), key, uncertainty=[doubt("S2", 2 * TONNE, 5)]))
    assert rows(report, "location")["S2"].doubt is None


def test_uncertainty_of_a_period_adds_the_months_and_needs_all_of_them(key):
    months = (202506, 202507)
    stated = [doubt("S2", TONNE, 10**8, month=month) for month in months]
    whole = check(issued(small(*months), key, months, uncertainty=stated))
    assert rows(whole, "location")["S2"].doubt.known == 2 * 10**8
    half = check(issued(small(*months), key, months, uncertainty=stated[:1]))
    assert rows(half, "location")["S2"].doubt is None
    assert rows(half, "location", "2025-06")["S2"].doubt.known == 10**8


# ------------------------------------------------------------------------------------------------ what is read


def test_who_when_and_whether_verified_stand_before_the_numbers_and_those_before_the_layers(file):
    text = said(check(file))
    places = [text.index(words) for words in ("enterprise:", "period:", "verification:", "scope 2", "layer form")]
    assert places == sorted(places)
    assert "electricity" in text and "1.000  kWh" in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_narrow_terminal_shows_every_line_whole(file, language):
    from lujin.show.text import width_of

    table = [text for text in said(check(file), language).splitlines() if "  " in text]
    assert table and max(width_of(text) for text in table) <= 60


def test_times_stand_in_one_form(document):
    text = said(check(canonical_file(document)))
    assert "issued: 2025-08-01 04:00:00 UTC" in text
    assert "as known on: 2025-07-31 16:00:00 UTC" in text
    assert "+00:00" not in text


# ------------------------------------------------------------------------------------------------- status list


def status(key, at, superseded=()):
    return canonical_file(status_list(9, superseded, key, at))


def test_date_and_age_of_the_status_list_are_always_shown(file, key):
    now = NOW + timedelta(days=35)
    report = check(file, status(key, NOW), now=now)
    assert "status list of 2025-08-01 04:00:00 UTC, 35 days old" in said(report, width=200, now=now)
    assert report.notices == ()


def test_an_old_list_gives_a_notice_with_its_date(file, key):
    now = NOW + timedelta(days=36)
    report = check(file, status(key, NOW), now=now)
    assert report.ok and report.layers[2].state == "passed"
    assert "2025-08-01 04:00:00 UTC is 36 days old" in report.notices[0].text()
    assert "note: the status list" in said(report, width=200, now=now)


def test_a_list_from_before_the_issue_gives_a_notice_with_its_date(file, key):
    report = check(file, status(key, RECORDED), now=NOW)
    assert report.ok and report.layers[2].state == "unknown"
    assert "2025-07-03 01:02:03 UTC is older than the certificate" in report.notices[0].text()


def test_a_list_that_names_it_counts_whatever_its_date(file, key):
    assert check(file, status(key, RECORDED, [3]), now=NOW).failed.name == "status"


def test_a_list_of_tomorrow_is_told(file, key):
    report = check(file, status(key, NOW + timedelta(days=1)), now=NOW)
    assert report.ok and "in the future" in report.notices[0].text()


# ---------------------------------------------------------------------------------------- witness, other files


def test_a_good_witness_is_said(file, log, key):
    kept = canonical_file(witness(sign_head(2, log.tree().root(2), RECORDED, key), log.tree().consistency(2)))
    report = check(file, witness=kept)
    assert "extends the head you kept, of 2 entries, signed 2025-07-03 01:02:03 UTC" in said(report, width=200)
    assert report.as_dict()["witnessed"] == {"size": "2", "timestamp": "2025-07-03T01:02:03Z"}


def test_a_file_of_another_kind_is_named(file, log, key):
    head = sign_head(2, log.tree().root(2), RECORDED, key)
    kept = canonical_file(witness(head, log.tree().consistency(2)))
    others = {
        status(key, NOW): "it is a status list",
        canonical_file(head_document(head)): "it is a head of the log",
        kept: "it is a witness",
        b"%PDF-1.7": "it is a PDF file",
    }
    for data, what in others.items():
        report = check(data)
        text = said(report, width=200)
        assert text.startswith("this is no certificate: ") and what in text and "layer" not in text
    assert "no status list: it is a certificate" in check(file, file).failed.problem.text()
    assert (
        "it is a head of the log" in check(file, witness=canonical_file(head_document(head))).failed.problem.text()
    )


def test_json_tells_summary_and_notices(tmp_path, file, key):
    (tmp_path / "c.json").write_bytes(file)
    (tmp_path / "s.json").write_bytes(status(key, NOW))
    arguments = ["verify", str(tmp_path / "c.json"), "--status", str(tmp_path / "s.json"), "--json"]
    done = CliRunner().invoke(app, arguments, env={"LUJIN_LANG": "en"})
    told = json.loads(done.stdout)
    assert (done.exit_code, told["status_list"]) == (0, "2025-08-01T04:00:00Z")
    assert "2025-08-01 04:00:00 UTC" in told["notices"][0]["text"]
    location = next(book for book in told["summary"]["books"] if book["book"] == "location")
    assert location["gwp"] == "AR6"
    assert location["rows"][-1]["co2e"] == "9007199254755540"
