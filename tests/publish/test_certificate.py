"""A certificate holds as issued, and nothing else holds: each layer finds what it is there to find."""

import copy
import gzip
import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from issuing import GRID, KNOWN, NOW, RECORDED, Log, line, small_log
from rich.console import Console

from lujin.errors import InputError
from lujin.language import Speech
from lujin.publish import (
    FactorRow,
    Total,
    canonical_file,
    check,
    head_document,
    head_of,
    issue,
    public_did,
    sign_head,
    status_list,
    totals_of,
    witness,
)
from lujin.publish.integrity import sign, verify
from lujin.show.evidence import certificate


def states(report):
    return [layer.state for layer in report.layers]


def failing(report):
    assert not report.ok
    return report.failed.name, report.failed.problem.text()


def resigned(document, key, change):
    """The certificate of an issuer that lies: changed, and signed again."""
    changed = copy.deepcopy(document)
    change(changed["credentialSubject"])
    return canonical_file(sign(changed, key, NOW))


# ------------------------------------------------------------------------------------------------ as issued


def test_a_certificate_holds_and_says_that_its_status_is_unknown_without_a_list(file):
    report = check(file)
    assert report.ok
    assert states(report) == ["passed", "passed", "unknown", "passed", "passed"]
    assert "--status" in report.layers[2].problem.text()


def test_every_layer_holds_with_list_issuer_and_witness(log, key, document, file):
    older = sign_head(2, log.tree().root(2), RECORDED, key)
    kept = canonical_file(witness(older, log.tree().consistency(2)))
    status = canonical_file(status_list(9, [1, 4], key, NOW))
    report = check(file, status, trusted=document["issuer"]["id"], witness=kept)
    assert states(report) == ["passed"] * 5
    assert report.as_dict()["ok"] is True


def test_it_states_what_the_lines_add_up_to(document):
    totals = {(t["book"], t["scope"], t["gas"]): t["amount"] for t in document["credentialSubject"]["totals"]}
    assert totals == {
        ("location", "MEMO/biogenic", "CO2"): "9",
        ("location", "S1", "CH4"): "77",
        ("location", "S2", "CO2"): str(12_345 + 9_007_199_254_740_993 - 93),
        ("physical", "OWN", "electricity"): "1000",
    }


def test_it_says_in_both_languages_what_it_does_not_prove(document):
    said = {text["@language"]: text["@value"] for text in document["description"]}
    assert "does not prove that the metering was correct" in said["en"]
    assert "不证明计量正确" in said["zh"]


def test_equal_facts_give_equal_bytes(log, key, file):
    assert canonical_file(issue(log.certified(key), key, NOW, 3)) == file


def test_numbers_are_texts(document):
    def leaves(value):
        if isinstance(value, dict | list):
            for inner in value.values() if isinstance(value, dict) else value:
                yield from leaves(inner)
        else:
            yield value

    assert {type(leaf) for leaf in leaves(document)} == {str}


# ------------------------------------------------------------------------------------------- not to be issued


def test_totals_that_the_lines_do_not_give_are_not_certified(log, key):
    sound = log.certified(key)
    wrong = [replace(sound.totals[0], amount=8), *sound.totals[1:]]
    for totals in (wrong, sound.totals[1:], [*sound.totals, Total("location", "S3", "CO2", 1)]):
        with pytest.raises(InputError, match="disagree"):
            issue(log.certified(key, totals=totals), key, NOW, 0)


def test_a_factor_that_is_not_listed_is_not_certified(log, key):
    with pytest.raises(InputError, match="not listed"):
        issue(log.certified(key, factors=[]), key, NOW, 0)
    with pytest.raises(InputError, match="digest of another row"):
        issue(log.certified(key, factors=[FactorRow(GRID.id, "f" * 64, "verified")]), key, NOW, 0)


def test_a_head_of_another_key_and_a_certificate_without_entries_are_refused(log, key, stranger):
    with pytest.raises(InputError, match="another key"):
        issue(log.certified(key), stranger, NOW, 0)
    with pytest.raises(InputError, match="no entries"):
        issue(log.certified(key, entries=[], totals=[]), key, NOW, 0)


def test_a_missing_version_is_not_certified(log, key):
    entries = log.proven()
    last = [e for e in entries if e.book == "physical" or e.version == 2]
    with pytest.raises(InputError, match="version"):
        issue(log.certified(key, entries=last, totals=totals_of(last)), key, NOW, 0)


def test_an_entry_outside_the_period_or_recorded_too_late_is_not_certified(log, key):
    with pytest.raises(InputError, match="outside the period"):
        issue(log.certified(key, first=202507, last=202507), key, NOW, 0)
    with pytest.raises(InputError, match="after the time of knowledge"):
        issue(log.certified(key, known_at=RECORDED.replace(year=2024)), key, NOW, 0)


# -------------------------------------------------------------------------------------------------- signature


def test_a_stranger_cannot_sign_for_the_issuer(document, stranger):
    name, text = failing(check(resigned(document, stranger, lambda _: None)))
    assert (name, "signed it" in text) == ("signature", True)


def test_an_issuer_that_is_not_the_trusted_one_is_named(file, document, stranger):
    name, text = failing(check(file, trusted=public_did(stranger)))
    assert name == "signature"
    assert document["issuer"]["id"] in text


# ----------------------------------------------------------------------------------------------------- status


def test_a_restated_certificate_is_superseded(file, key):
    assert check(file, canonical_file(status_list(4, [], key, NOW))).layers[2].state == "passed"
    name, text = failing(check(file, canonical_file(status_list(4, [3], key, NOW))))
    assert (name, "superseded by a restatement" in text) == ("status", True)


def test_a_list_that_is_older_than_the_certificate_leaves_the_status_unknown(file, key):
    for status in (status_list(3, [], key, NOW), status_list(9, [], key, RECORDED)):
        report = check(file, canonical_file(status))
        assert report.ok
        assert report.layers[2].state == "unknown"


def test_a_certificate_that_points_to_a_list_of_its_own_making_fails(document, key):
    changed = copy.deepcopy(document)
    changed["credentialStatus"]["statusListCredential"] = "urn:uuid:0"
    assert failing(check(canonical_file(sign(changed, key, NOW))))[0] == "status"


def test_a_list_of_another_issuer_or_with_a_changed_bit_fails(file, key, stranger):
    assert failing(check(file, canonical_file(status_list(4, [], stranger, NOW))))[0] == "status"
    changed = copy.deepcopy(status_list(4, [3], key, NOW))
    changed["credentialSubject"]["encodedList"] = status_list(4, [], key, NOW)["credentialSubject"]["encodedList"]
    assert failing(check(file, canonical_file(changed)))[0] == "status"


# ------------------------------------------------------------------------------------------------ proof and sum


def change_amount(subject):
    subject["entries"][0]["lines"][0]["amounts"] = {"2025-06-30": "8"}


def change_heading(subject):
    subject["entries"][0]["inputDigest"] = "another"


def change_recorded(subject):
    subject["entries"][0]["recordedAt"] = "2025-07-03T01:02:04+00:00"


def change_source(subject):
    subject["entries"][0]["source"] = "8"


def change_number(subject):
    subject["entries"][0]["number"] = "1"


def change_proof(subject):
    subject["entries"][0]["inclusion"].pop()


def change_root(subject):
    subject["treeHead"]["root"] = "0" * 64


def change_order(subject):
    subject["entries"][0]["lines"].reverse()


def huge_amount(subject):
    subject["entries"][0]["lines"][0]["amounts"] = {"2025-06-30": "9" * 19}


@pytest.mark.parametrize(
    "change",
    [
        change_amount,
        change_heading,
        change_recorded,
        change_source,
        change_number,
        change_proof,
        change_root,
        change_order,
        huge_amount,
    ],
)
def test_an_issuer_that_lies_about_an_entry_fails_at_the_proof(document, key, change):
    assert failing(check(resigned(document, key, change)))[0] == "proof"


def test_a_head_that_another_signed_fails_at_the_proof(document, log, key, stranger):
    theirs = head_document(sign_head(4, log.tree().root(), KNOWN, stranger))
    for head in (theirs, {**theirs, "issuer": document["issuer"]["id"]}):
        changed = resigned(document, key, lambda subject, head=head: subject.update(treeHead=head))
        name, text = failing(check(changed))
        assert name == "proof"
        assert "signed by another" in text or "does not fit" in text


def change_total(subject):
    subject["totals"][0]["amount"] = "8"


def drop_total(subject):
    subject["totals"].pop()


def drop_version(subject):
    subject["entries"] = [e for e in subject["entries"] if e["version"] != "1" or e["book"] == "physical"]


def change_subject(subject):
    subject["identifier"] = "E005"


def change_period(subject):
    subject["period"] = {"from": "2025-07", "to": "2025-07"}


def change_factor(subject):
    subject["factors"] = []


def add_entry_twice(subject):
    subject["entries"].append(subject["entries"][0])


@pytest.mark.parametrize(
    "change",
    [change_total, drop_total, drop_version, change_subject, change_period, change_factor, add_entry_twice],
)
def test_an_issuer_that_lies_about_the_whole_fails_at_the_sum(document, key, change):
    assert failing(check(resigned(document, key, change)))[0] == "sum"


def test_lines_of_another_enterprise_fail_at_the_sum(key):
    log = Log().post([line("S1/coal", "ATM/coal", 20250601, 5, enterprise="E001")])
    with pytest.raises(InputError, match="accounts of another enterprise"):
        issue(log.certified(key), key, NOW, 0)


# ---------------------------------------------------------------------------------------------------- witness


def test_a_log_that_was_rewritten_since_the_witness_saw_it_fails_at_the_proof(file, key):
    other = small_log()
    other.entries[0] = replace(other.entries[0], source=8)
    kept = witness(sign_head(2, other.tree().root(2), RECORDED, key), other.tree().consistency(2))
    name, text = failing(check(file, witness=canonical_file(kept)))
    assert (name, "does not extend" in text) == ("proof", True)


def test_a_witness_counts_only_if_the_issuer_signed_its_head(file, log, key, stranger):
    proof = log.tree().consistency(2)
    theirs = witness(sign_head(2, log.tree().root(2), RECORDED, stranger), proof)
    assert failing(check(file, witness=canonical_file(theirs)))[0] == "proof"
    changed = witness(sign_head(2, log.tree().root(2), RECORDED, key), proof)
    changed["head"]["size"] = "1"
    assert failing(check(file, witness=canonical_file(changed)))[0] == "proof"
    empty = witness(sign_head(0, log.tree().root(0), RECORDED, key), ())
    assert "empty log" in failing(check(file, witness=canonical_file(empty)))[1]


def test_a_head_is_a_signed_document_of_its_own(log, key):
    head = sign_head(4, log.tree().root(), KNOWN, key)
    document = head_document(head)
    assert verify(document) == public_did(key)
    assert head_of(json.loads(canonical_file(document))) == head


# ------------------------------------------------------------------------------------------------- any change


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_anywhere_fails(file, data):
    at = data.draw(st.integers(0, len(file) - 1))
    changed = bytearray(file)
    changed[at] ^= data.draw(st.integers(1, 255))
    report = check(bytes(changed))
    assert not report.ok
    assert report.failed.problem.text()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_byte_more_or_less_fails(file, data):
    at = data.draw(st.integers(0, len(file)))
    if data.draw(st.booleans()):
        changed = file[:at] + data.draw(st.binary(min_size=1, max_size=3)) + file[at:]
    else:
        changed = file[:at] + file[at + data.draw(st.integers(1, 50)) :]
    assert changed == file or not check(changed).ok


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_changed_byte_of_the_status_list_fails(file, key, data):
    status = canonical_file(status_list(9, [4], key, NOW))
    at = data.draw(st.integers(0, len(status) - 1))
    changed = bytearray(status)
    changed[at] ^= data.draw(st.integers(1, 255))
    assert failing(check(file, bytes(changed)))[0] == "status"


# ------------------------------------------------------------------------------------------------ hostile files


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b"null", "something else"),
        (b"[]", "something else"),
        (b'"text"', "something else"),
        (b"1e999", "something else"),
        (b"NaN", "no JSON number"),
        (b'{"a":NaN}', "no JSON number"),
        (b'{"a":-Infinity}', "no JSON number"),
        (b'{"a":1,"a":2}', "stands twice"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"1" * 10_000, "no JSON number"),
        (b" " * (64 * 2**20 + 1), "none that lujin writes"),
        (b"PK\x03\x04", "this is no certificate: it is an Excel workbook"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_is_no_certificate_is_told_as_such(data, said):
    name, text = failing(check(data))
    assert (name, said in text) == ("form", True), text


def test_a_reformatted_file_is_refused_as_such(document, file):
    for text in (json.dumps(document, indent=2), json.dumps(document, ensure_ascii=False), file.decode() + "\n"):
        name, said = failing(check(text.encode()))
        assert (name, "reformatted" in said) == ("form", True)


def paths(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*path, name))


ODD = [None, True, 0, 1.5, "", "x", "\u202e", "\x1b[2J", [], {}, [[]], {"a": {}}, "9" * 400, "0x10", "-0", "１２"]


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_anything_in_any_place_is_a_clear_problem_never_a_crash(document, key, data):
    """Signed again, so that the layers behind the signature meet it too."""
    path = data.draw(st.sampled_from(list(paths(document))[1:]))
    changed = copy.deepcopy(document)
    place = changed
    for name in path[:-1]:
        place = place[name]
    odd = data.draw(st.sampled_from(ODD))
    how = data.draw(st.sampled_from(["set", "delete", "add"]))
    if how == "delete":
        del place[path[-1]]
    elif how == "add" and isinstance(place, dict):
        place["another"] = odd
    else:
        place[path[-1]] = odd
    if path[0] != "proof":
        changed = sign(changed, key, NOW)
    report = check(canonical_file(changed))
    if not report.ok:
        assert report.failed.problem.text()
    assert json.dumps(report.as_dict())
    out = StringIO()
    for language in ("zh", "en"):
        certificate(Console(file=out), report, Speech(language), trusted=False, witnessed=False, now=NOW)
    assert "\x1b" not in out.getvalue()


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_anything_in_a_status_list_or_witness_is_a_clear_problem(file, log, key, data):
    status = status_list(9, [4], key, NOW)
    kept = witness(sign_head(2, log.tree().root(2), RECORDED, key), log.tree().consistency(2))
    target = data.draw(st.sampled_from([status, kept]))
    changed = copy.deepcopy(target)
    path = data.draw(st.sampled_from(list(paths(changed))[1:]))
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = data.draw(st.sampled_from(ODD))
    if target is status and path[0] != "proof":
        changed = sign(changed, key, NOW)
    given_files = {"status": canonical_file(changed)} if target is status else {"witness": canonical_file(changed)}
    report = check(file, **given_files)
    assert report.ok or report.failed.name in ("status", "proof")


def test_a_status_list_that_unpacks_to_gigabytes_is_refused(file, key):
    bomb = "u" + urlsafe_b64encode(gzip.compress(bytes(200 * 2**20))).rstrip(b"=").decode()
    status = status_list(9, [], key, NOW)
    status["credentialSubject"]["encodedList"] = bomb
    name, text = failing(check(file, canonical_file(sign(status, key, NOW))))
    assert (name, "cannot be unpacked" in text) == ("status", True)
