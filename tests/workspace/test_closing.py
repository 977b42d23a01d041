"""Closing, restating and certifying a park, on both engines: what was closed stays what it was."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from lujin.accounts.amounts import COAL
from lujin.accounts.merkle import verify_consistency
from lujin.accounts.period_facts import account_digest
from lujin.cli import app
from lujin.database import open_database
from lujin.errors import InputError, IntegrityError, StoreError
from lujin.publish import canonical_file, check, signing_key
from lujin.workspace import Workspace, open_workspace

from .small_park import END, MONTH, Reading, Site, register, text_of
from .test_properties import MONTHS, Facts, described, edited_price, few, sites, told

Make = Callable[..., Site]
AUGUST = 202508


@dataclass
class On(Site):
    """A park on a database of one's choice."""

    environment: dict[str, str] = field(default_factory=dict)

    def open(self) -> Workspace:
        workspace = open_workspace(self.directory, clock=self.tick, environment=self.environment)
        self.opened.append(workspace)
        return workspace


@pytest.fixture(params=["sqlite", "postgresql"])
def park(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[On]:
    """Two customers, July posted."""
    environment = {}
    if request.param == "postgresql":
        server: sa.URL = request.getfixturevalue("postgresql_server")
        name = f"test_{uuid4().hex}"
        admin = open_database(server.render_as_string(hide_password=False))
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        admin.dispose()
        environment["LUJIN_DATABASE"] = server.set(database=name).render_as_string(hide_password=False)
    made = On(tmp_path / "park", environment=environment)
    yield posted(made)
    for workspace in made.opened:
        workspace.engine.dispose()


def posted(site: Any) -> Any:
    site.describe(text_of(2).replace('region = "广东"\n', 'region = "广东"\nbase_year = 2025\n', 1))
    site.take([*register("M1"), *register("M2")])
    site.run()
    return site


@pytest.fixture
def one(site: Make) -> Site:
    """The same on SQLite alone."""
    return posted(site())


def closed(park: Site, months: tuple[int, ...] = (MONTH,), **said: str) -> datetime:
    """Closes; the τ of the account."""
    park.later(minutes=1)
    period = park.open().close(months, **said)[0]
    assert period.closing is not None
    return period.closing.known


def seen(park: Site, known: datetime) -> bytes:
    """All statements of July as known then, and the digest that the closing states."""
    workspace = park.open()
    statements = [
        workspace.statement(enterprise, MONTH, book, as_of=known).as_dict()
        for enterprise, book in (("E1", "physical"), ("E1", "market"), ("E2", "location"))
    ]
    with workspace.engine.connect() as connection:
        digest = account_digest(connection, MONTH, known)
    return json.dumps([statements, digest], sort_keys=True, default=str).encode()


def late(park: Site, kwh: float = 10) -> None:
    """The last count of July was higher."""
    park.take([Reading("M1", END, register("M1")[-1].value + kwh)])


def restated(park: Site, cause: str = "meter 1 was read late") -> Any:
    park.later(minutes=1)
    return park.open().restate([MONTH], cause)


# Closing -----------------------------------------------------------------------------------------------------


def test_closed_month_takes_in_nothing_by_itself_and_says_what_waits(park: On) -> None:
    known = closed(park, note="checked", author="Li")
    before, net = seen(park, known), park.net()
    late(park)
    report = park.run()
    assert report.months == ()
    (held,) = report.held
    assert (held.month, held.state, dict(held.reasons), held.arrivals) == (
        MONTH,
        "closed",
        {"E1": "correction"},
        (2,),
    )
    assert park.net().equals(net)
    assert seen(park, known) == before
    (month,) = park.open().status().months
    assert (month.period, month.waiting) == ("closed", 1)
    park.verified()


def test_restatement_names_cause_and_effect_and_what_was_closed_stays(park: On) -> None:
    known = closed(park)
    before = seen(park, known)
    late(park)
    park.run()
    report = restated(park)
    (event,) = report.restated
    assert event.cause == "meter 1 was read late"
    assert [source["number"] for source in event.arrived["sources"]] == [2]
    moved = {(p["enterprise"], p["book"], p["account"], p["commodity"]): int(p["amount"]) for p in event.effect}
    assert moved["E1", "physical", "OWN/electricity", "electricity"] == 10_000
    assert moved["E1", "location", "S2/electricity", "CO2f"] == 10 * 440_300
    assert not any(enterprise == "E2" for enterprise, *_ in moved)
    assert seen(park, known) == before
    assert park.energy_kwh("E1") == 24_010
    assert park.open().statement("E1", MONTH).period.cause == "meter 1 was read late"
    again = closed(park)
    assert again > known and park.open().statement("E1", MONTH).period.state == "closed"
    assert park.verified()["period_events"] == 3


def test_factor_and_park_edits_wait_too_and_the_old_view_stays(park: On) -> None:
    known = closed(park)
    before = seen(park, known)
    park.reference("tariffs", edited_price("0.81000000"))
    text = (park.directory / "park.toml").read_text("utf-8")
    (park.directory / "park.toml").write_text(
        text.replace('kind = "enterprise"', 'kind = "enterprise"\nname_en = "Other"').replace(
            "digits = 6", "digits = 6\nmultiplier = 2"
        ),
        "utf-8",
    )
    report = park.run()
    assert [dict(held.reasons) for held in report.held] == [{"E1": "park_change", "E2": "park_change"}]
    assert seen(park, known) == before
    (event,) = restated(park, "transformer ratio was wrong").restated
    assert event.arrived["park"] == ["E1", "E2"] and event.arrived["factors"]
    assert seen(park, known) == before, "names, meters, prices of then"
    assert park.energy_kwh("E1") == 48_000
    park.verified()


def test_restated_month_equals_the_full_recomputation(one: Site, site: Make) -> None:
    closed(one)
    late(one)
    one.reference("tariffs", edited_price("0.81000000"))
    one.run()
    restated(one)
    full = site("full", (one.directory / "park.toml").read_text("utf-8"))
    full.reference("tariffs", edited_price("0.81000000"))
    full.take([*register("M1"), *register("M2")])
    late(full)
    full.run()
    assert_frame_equal(one.net(), full.net())


def test_restatement_that_moves_nothing_leaves_the_month_closed(one: Site) -> None:
    closed(one)
    assert restated(one).restated == ()
    assert one.open().periods()[0].state == "closed"


def test_closed_month_is_restated_only_with_a_cause(one: Site) -> None:
    closed(one)
    late(one)
    with pytest.raises(InputError, match="2025-07 was closed; a restatement must name its cause"):
        one.open().restate([MONTH])
    assert one.energy_kwh("E1") == 24_000


def test_open_months_go_on_as_before(one: Site) -> None:
    closed(one)
    one.take([*register("M1", END, END + timedelta(days=25), initial=register("M1")[-1].value)])
    report = one.run()
    assert [m.month for m in report.months] == [AUGUST]
    assert [held.month for held in report.held] == [MONTH]


def test_all_that_hinders_the_closing_is_told_at_once(one: Site) -> None:
    late(one)
    with pytest.raises(InputError) as refused:
        one.open().close([MONTH, AUGUST])
    said = [problem.text() for problem in refused.value.problems]
    assert any("2025-07: facts of 1 enterprises are not posted: E1" in text for text in said)
    assert any("2025-08 has not ended" in text for text in said)
    assert any("nothing is posted for 2025-08" in text for text in said)
    assert one.open().periods()[0].state == "open", "all or none"


def test_verified_months_carry_the_verifier_and_lose_him_when_restated(one: Site) -> None:
    with pytest.raises(InputError, match="only a closed month can be verified"):
        one.open().verified([MONTH], "CQC", "unqualified", "reasonable assurance")
    closed(one)
    one.later(minutes=1).open().verified([MONTH], "CQC", "unqualified", "reasonable assurance")
    period = one.open().statement("E1", MONTH).period
    assert (period.state, period.verifier, period.opinion) == ("verified", "CQC", "reasonable assurance")
    late(one)
    restated(one)
    assert one.open().statement("E1", MONTH).period.verifier == ""


@pytest.mark.parametrize("outcome", ["adverse", "disclaimer"])
def test_an_opinion_that_does_not_confirm_leaves_the_month_closed(park: On, outcome: str) -> None:
    known = closed(park, note="checked")
    park.later(minutes=1).open().verified([MONTH], "CQC", outcome, "materially misstated")
    view = park.open().statement("E1", MONTH).period
    assert (view.state, view.outcome, view.opinion) == ("closed", outcome, "materially misstated")
    assert view.known == known and view.note == "checked", "the closing stands"
    document = park.later(minutes=1).open().certificate("E1", MONTH)
    stated = document["credentialSubject"]["verification"]
    assert (stated["status"], stated["by"]) == ("unverified", "")
    (told,) = stated["opinions"]
    assert (told["by"], told["outcome"], told["opinion"]) == ("CQC", outcome, "materially misstated")
    assert check(canonical_file(document)).ok
    with pytest.raises(InputError, match="is closed already"):
        park.later(minutes=1).open().close([MONTH])
    park.later(minutes=1).open().verified([MONTH], "CQC", "qualified", "but for meter 1")
    assert park.open().periods()[0].state == "verified"
    park.verified()


def test_an_unknown_outcome_is_refused(one: Site) -> None:
    closed(one)
    with pytest.raises(InputError, match="fine is no outcome of a verification"):
        one.open().verified([MONTH], "CQC", "fine", "all good")


def test_clock_set_back_refuses_every_verb_of_periods(one: Site) -> None:
    closed(one)
    late(one)
    one.later(days=-1)
    for verb in (
        lambda: one.open().close([MONTH]),
        lambda: one.open().verified([MONTH], "CQC", "unqualified", "fine"),
        lambda: one.open().restate([MONTH], "late"),
        lambda: one.open().head(),
        lambda: one.open().certificate("E1", MONTH),
    ):
        with pytest.raises(StoreError, match="the clock says"):
            verb()


# Evidence ----------------------------------------------------------------------------------------------------


def test_certificate_is_checked_offline_and_superseded_by_a_restatement(park: On) -> None:
    closed(park)
    document = park.later(minutes=1).open().certificate("E1", MONTH)
    file, issuer = canonical_file(document), document["issuer"]["id"]
    before = canonical_file(park.open().status_list())
    assert check(file, before, trusted=issuer).ok
    late(park)
    restated(park)
    after = canonical_file(park.open().status_list())
    report = check(file, after, trusted=issuer)
    assert report.failed is not None and report.failed.name == "status"
    with pytest.raises(InputError, match="2025-07 is restated; only a closed month can be certified"):
        park.open().certificate("E1", MONTH)
    closed(park)
    newer = park.later(minutes=1).open().certificate("E1", MONTH)
    assert newer["credentialStatus"]["statusListIndex"] == "1"
    status = canonical_file(park.open().status_list())
    assert check(canonical_file(newer), status, trusted=issuer).ok
    assert newer["credentialSubject"]["totals"] != document["credentialSubject"]["totals"]


def test_certificate_says_what_the_statement_says(one: Site) -> None:
    closed(one)
    one.later(minutes=1).open().verified([MONTH], "CQC", "unqualified", "reasonable assurance")
    document = one.later(minutes=1).open().certificate("E1", MONTH)
    subject = document["credentialSubject"]
    stated = {(t["book"], t["scope"], t["gas"]): int(t["amount"]) for t in subject["totals"]}
    books = {book.book: book.scope2_co2.base for book in one.open().statement("E1", MONTH).books}
    assert {name: stated[name, "S2", "CO2f"] for name in books} == books
    opinion = {"month": "2025-07", "by": "CQC", "outcome": "unqualified", "opinion": "reasonable assurance"}
    assert subject["verification"] == {"status": "verified", "by": "CQC", "opinions": [opinion]}
    assert not any(entry["book"] == "physical" for entry in subject["entries"]), "production is told only if asked"
    summary = check(canonical_file(document)).summary
    assert summary is not None
    told = {book.book: {row.name: row.co2e for row in book.rows} for book in summary.books}
    statement = one.open().statement("E1", MONTH)
    for book in statement.books:
        assert book.co2e is not None and told[book.book]["total"] == book.co2e.base
    embodied = one.open().statement("E1", MONTH, "embodied").embodied
    if embodied is not None and embodied.own is not None:
        assert told["embodied"]["used"] == embodied.own.base
    assert statement.uncertainty is not None
    location = {u["total"]: u for u in subject["uncertainty"] if u["book"] == "location"}
    known = {t.total: (str(t.value.base), str(t.at_least.base)) for t in statement.uncertainty.totals}
    assert {name: (u["value"], u["atLeast"]) for name, u in location.items()} == known
    wide = one.later(minutes=1).open().certificate("E1", MONTH, books=("physical", "location"))
    used = {t["gas"]: int(t["amount"]) for t in wide["credentialSubject"]["totals"] if t["scope"] == "OWN"}
    assert {line.carrier: line.used.base for line in statement.energy} == {
        carrier: amount for carrier, amount in used.items() if carrier not in COAL
    }
    assert {e["book"] for e in wide["credentialSubject"]["entries"]} == {"physical", "location"}
    assert check(canonical_file(wide)).ok


def test_a_certificate_is_not_overwritten_unasked(one: Site, tmp_path: Path) -> None:
    closed(one)
    file = tmp_path / "certificate.json"
    arguments = ["certificate", str(one.directory), "-e", "E1", "-m", "2025-07", "--out", str(file)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    first = file.read_bytes()
    refused = CliRunner().invoke(app, arguments, env={"LUJIN_LANG": "en", "COLUMNS": "200"})
    assert (refused.exit_code, file.read_bytes()) == (1, first)
    assert "there is a file already" in refused.output
    assert CliRunner().invoke(app, [*arguments, "--overwrite"]).exit_code == 0
    assert json.loads(file.read_bytes())["credentialStatus"]["statusListIndex"] == "1", "none was used up"


def test_a_certificate_needs_every_month_closed_and_in_order(one: Site) -> None:
    closed(one)
    with pytest.raises(InputError, match="2025-08 is open; only a closed month"):
        one.open().certificate("E1", MONTH, AUGUST)
    with pytest.raises(InputError, match="from an earlier to a later month"):
        one.open().certificate("E1", AUGUST, MONTH)
    with pytest.raises(InputError, match="there is no enterprise E9"):
        one.open().certificate("E9", MONTH)


def heads(park: Site) -> int:
    return park.open().verify()["heads"]


def test_a_run_signs_one_head_a_local_day(one: Site) -> None:
    assert heads(one) == 1
    late(one)
    one.run()
    assert heads(one) == 1, "the same day"
    one.later(days=1).run()
    assert heads(one) == 2, "entries came since the last head"
    one.later(days=1).run()
    assert heads(one) == 2, "nothing came"


def test_later_heads_extend_a_kept_one(one: Site, tmp_path: Path) -> None:
    kept = tmp_path / "head.json"
    kept.write_bytes(canonical_file(one.later(minutes=1).open().head().document))
    late(one)
    one.run()
    closed(one)
    found = one.later(minutes=1).open().head(kept)
    assert found.grown == 4 and found.witness is not None
    old, new = found.witness["head"], found.document
    proof = [bytes.fromhex(node) for node in found.witness["consistency"]]
    sizes = int(old["size"]), int(new["size"])
    assert verify_consistency(*sizes, proof, bytes.fromhex(old["root"]), bytes.fromhex(new["root"]))
    certificate = one.later(minutes=1).open().certificate("E1", MONTH)
    assert check(canonical_file(certificate), witness=canonical_file(found.witness)).ok


def tampered(park: Site, *statements: str) -> None:
    """What somebody with the database file and without scruples can do."""
    for workspace in park.opened:
        workspace.engine.dispose()
    with sqlite3.connect(park.directory / "lujin.db") as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        kept = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for (statement,) in kept:
            connection.execute(statement)
    connection.close()


LAST = "(SELECT max(number) FROM entry)"


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (
            (f"DELETE FROM line WHERE entry = {LAST}", f"DELETE FROM entry WHERE number = {LAST}"),
            "the log has 7 entries, but 8 were there when the head of",
        ),
        (
            ("DELETE FROM line WHERE entry = 3", "DELETE FROM entry WHERE number = 3"),
            "entry number 3 is missing from the log",
        ),
        (
            ("UPDATE entry SET recorded_at = '2025-07-31T23:00:00.000000Z' WHERE number = 8",),
            "entries up to number 8 were changed since the head of",
        ),
        (("UPDATE tree_head SET signature = 'z' || substr(signature, 3)",), "the signature of the head of"),
        (("UPDATE completeness SET missing = 0",), "the account of 2025-07 as known on"),
    ],
)
def test_what_was_removed_or_changed_since_a_head_is_noticed(
    one: Site, statements: tuple[str, ...], said: str
) -> None:
    closed(one)
    one.open().verify()
    tampered(one, *statements)
    with pytest.raises(IntegrityError, match=said):
        one.open().verify()


def test_a_kept_head_shows_what_the_database_no_longer_can(one: Site, tmp_path: Path) -> None:
    """Entries and heads cut off together leave a whole ledger; the head outside the park tells."""
    kept = tmp_path / "head.json"
    kept.write_bytes(canonical_file(one.later(minutes=1).open().head().document))
    cut = (f"DELETE FROM line WHERE entry = {LAST}", f"DELETE FROM entry WHERE number = {LAST}")
    tampered(one, *cut, "DELETE FROM tree_head", "DELETE FROM posted")
    one.open().verify()
    with pytest.raises(IntegrityError, match="the log does not extend the head of"):
        one.later(minutes=1).open().head(kept)


EVENT = "(SELECT max(number) FROM period_event)"


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (("UPDATE period_event SET opinion = 'no doubt' WHERE number = 2",), "events of periods were changed"),
        (("UPDATE period_event SET verifier = 'TÜV' WHERE number = 2",), "events of periods were changed"),
        (("UPDATE period_event SET cause = 'other' WHERE number = 3",), "events of periods were changed"),
        (("UPDATE period_event SET note = 'x' WHERE number = 1",), "events of periods were changed"),
        (("UPDATE certificate SET document = '{}'",), "certificates were changed"),
        (
            ("DELETE FROM certificate_superseded",),
            "records that a certificate was superseded: 0 are there, but 1 were when the head of",
        ),
        (
            ("DELETE FROM certificate_superseded", f"DELETE FROM period_event WHERE number = {EVENT}"),
            "events of periods: 2 are there, but 3 were when the head of",
        ),
        (
            ("DELETE FROM event_head WHERE number = (SELECT max(number) FROM event_head)",),
            "events of periods: 3 are there, but the newest signed head knows of 2",
        ),
        (("DELETE FROM event_head",), "certificates: 1 are there, but the newest signed head knows of 0"),
        (
            ("UPDATE event_head SET signature = 'z' || substr(signature, 3)",),
            "the signature of the head of events",
        ),
    ],
)
def test_what_was_done_to_months_cannot_be_changed_unseen(
    one: Site, statements: tuple[str, ...], said: str
) -> None:
    closed(one, note="checked")
    one.later(minutes=1).open().verified([MONTH], "CQC", "unqualified", "reasonable assurance")
    one.later(minutes=1).open().certificate("E1", MONTH)
    late(one)
    restated(one)
    assert one.open().verify()["period_events"] == 3
    tampered(one, *statements)
    with pytest.raises(IntegrityError) as noticed:
        one.open().verify()
    assert any(said in problem.text() for problem in noticed.value.problems)


def test_a_writing_verb_refuses_a_ledger_whose_events_were_cut(one: Site) -> None:
    closed(one)
    tampered(one, "DELETE FROM period_event")
    one.later(minutes=1)
    with pytest.raises(IntegrityError, match="events of periods: 0 are there, but 1 were"):
        one.open().head()


def test_a_head_signed_with_a_strange_key_is_noticed_until_the_park_signs_again(one: Site) -> None:
    closed(one)
    (one.directory / "keys" / "signing.pem").unlink()
    signing_key(one.directory / "keys")
    with pytest.raises(IntegrityError, match="the newest head of events is signed by did:key:"):
        one.open().verify()
    one.later(minutes=1).open().head()
    one.open().verify()


def test_a_kept_head_of_events_tells_that_they_were_cut_off_with_their_heads(park: On, tmp_path: Path) -> None:
    closed(park)
    park.later(minutes=1).open().certificate("E1", MONTH)
    kept = tmp_path / "head.json"
    kept.write_text(json.dumps(park.later(minutes=1).open().head().as_dict()), "utf-8")
    park.later(minutes=1).open().verified([MONTH], "CQC", "unqualified", "reasonable assurance")
    park.later(minutes=1).open().head(kept)
    park.open().verify()
    if "LUJIN_DATABASE" in park.environment:
        return
    tampered(park, "DELETE FROM event_head", "DELETE FROM certificate", "DELETE FROM period_event")
    park.open().verify()
    with pytest.raises(IntegrityError, match="certificates: 0 are there, but 1 were"):
        park.later(minutes=1).open().head(kept)


# Base year ---------------------------------------------------------------------------------------------------


def test_base_year_tells_restatements_with_size_cause_and_decision(one: Site) -> None:
    closed(one)
    late(one, 1_000)
    restated(one)
    found = one.open().base_year()
    assert (found.by_addition, found.eliminated.base) == (False, 0), "its pack posts no eliminations"
    assert not found.established and len(found.open_months) == 11
    (judged,) = found.assessment.changes
    assert judged.change.kind == "error" and judged.change.amount is not None
    assert judged.change.amount.base == 1_000 * 440_300
    assert (judged.decision, f"{judged.share:.4f}") == ("memo", "0.0208")
    assert "meter 1 was read late" in judged.change.reason.text()
    late(one, 3_000)
    restated(one, "meter 1 was read again")
    found = one.open().base_year()
    assert [j.decision for j in found.assessment.changes] == ["recalculated", "recalculated"]
    assert found.assessment.current.base == 51_000 * 440_300
    one.verified()


def test_base_year_asks_whether_a_leaver_closed_down_or_moved(one: Site) -> None:
    closed(one)
    file, text = one.directory / "park.toml", (one.directory / "park.toml").read_text("utf-8")
    for name in ("E2", "F2", "C2", "M2"):
        text = text.replace(f'\nid = "{name}"\n', f'\nid = "{name}"\nvalid_to = 2026-01-01\n', 1)
    file.write_text(text, "utf-8")

    def decided(**told: Any) -> tuple[str, str, float]:
        found = one.open().base_year(**told).assessment
        (judged,) = found.changes
        return judged.change.kind, judged.decision, float(found.current.value)

    assert decided() == ("undecided", "undecided", 21.1344)
    assert decided(organic=["E2"]) == ("organic", "never", 21.1344)
    assert decided(structural=["E2"]) == ("structural", "recalculated", 10.5672)


def test_base_year_must_be_named(site: Make) -> None:
    with pytest.raises(InputError, match="the park has no base year"):
        site().open().base_year()


# Any history -------------------------------------------------------------------------------------------------


@settings(few, max_examples=2)
@given(seed=st.integers(0, 10**6))
def test_any_history_of_late_facts_and_closings_keeps_every_closed_view(seed: int) -> None:
    """The view at τ is byte-identical for ever, and once all is restated it equals the full computation."""
    dice, facts = random.Random(seed), Facts.drawn(seed)
    with sites() as make:
        site, hands, arrivals = make(), facts.dealt(dice, 4), []
        multiplier, price = 40, "0.72766875"
        views: list[tuple[datetime, bytes]] = []

        def arrive(readings: list[Reading]) -> None:
            arrivals.append(readings)
            site.take(readings)

        def view(known: datetime) -> bytes:
            return json.dumps(told(site, known), sort_keys=True).encode()

        arrive(hands.pop())
        for deed in ["run", "close", *dice.choices(["arrive", "correct", "park", "price", "close"], k=5)]:
            site.later(hours=1)
            if deed == "arrive" and hands:
                arrive(hands.pop())
            elif deed == "correct":
                arrive([Reading(r.meter, r.time, r.value + 3.0) for r in dice.sample(facts.readings, 4)])
            elif deed == "park":
                multiplier = dice.choice([40, 60, 80])
                (site.directory / "park.toml").write_text(described(multiplier), encoding="utf-8")
            elif deed == "price":
                price = dice.choice(["0.72766875", "0.70000000", "0.81000000"])
                site.reference("tariffs", edited_price(price))
            elif deed == "run":
                site.run()
            else:
                views += _closed_somehow(site, dice, view)
        for hand in hands:
            arrive(hand)
        site.run()
        site.later(minutes=1).open().restate([m.month for m in site.open().status().months], "all again")
        assert views and all(view(known) == seen for known, seen in views)
        site.verified()
        full = make(described(multiplier))
        full.reference("tariffs", edited_price(price))
        for readings in arrivals:
            full.take(readings)
        full.run()
        assert_frame_equal(site.net(MONTHS), full.net(MONTHS))


def _closed_somehow(
    site: Site, dice: random.Random, view: Callable[[datetime], bytes]
) -> Iterator[tuple[datetime, bytes]]:
    """Brings a month up to date as its state allows, and closes it."""
    site.run()
    period = dice.choice(site.open().periods())
    if period.held:
        site.later(minutes=1).open().restate([period.month], "facts came after closing")
        period = next(p for p in site.open().periods() if p.month == period.month)
    if period.closing is None:
        (done,) = site.later(minutes=1).open().close([period.month])
        assert done.closing is not None
        yield done.closing.known, view(done.closing.known)
