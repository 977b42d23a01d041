"""``lujin verify FILE`` needs the file and nothing else: no park, no settings, no table libraries, no time."""

import json
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import pytest
from issuing import NOW, RECORDED, line, small_log
from typer.testing import CliRunner

import lujin.accounts
import lujin.publish
from lujin.cli import app
from lujin.publish import canonical_file, check, issue, public_did, sign_head, status_list, witness

SOURCE = Path(lujin.__file__).parents[1]
HEAVY = ("polars", "numpy", "scipy", "sqlalchemy", "pydantic", "deltalake", "openpyxl")


@pytest.fixture
def place(tmp_path, file):
    (tmp_path / "certificate.json").write_bytes(file)
    return tmp_path


def run(place, code, *arguments):
    """An isolated Python in an empty directory with an empty environment."""
    paths = [str(SOURCE), sysconfig.get_path("purelib")]
    start = f"import sys; sys.path[:0] = {paths!r}; sys.argv[1:] = {list(arguments)!r}\n"
    return subprocess.run(
        [sys.executable, "-I", "-c", start + code],
        cwd=place,
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_command_works_with_the_file_alone(place):
    done = run(place, "from lujin.cli import main; main()", "verify", "certificate.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "This certificate holds" in done.stdout
    assert [path.name for path in place.iterdir()] == ["certificate.json"]


def test_the_check_loads_no_table_library(place):
    code = f"""
from lujin.language import Speech
from lujin.publish import check
from lujin.show.evidence import certificate
from rich.console import Console
import io
report = check(open("certificate.json", "rb").read())
assert report.ok
certificate(Console(file=io.StringIO()), report, Speech("en"), trusted=True, witnessed=True)
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = run(place, code)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("face", [lujin.accounts, lujin.publish], ids=lambda face: face.__name__)
def test_every_name_of_a_face_is_found_where_it_is_said_to_be(face):
    assert sorted(face.__all__) == sorted(name for names in face._HOME.values() for name in names)
    assert [name for name in face.__all__ if getattr(face, name) is None] == []


def invoke(*arguments):
    return CliRunner().invoke(app, ["verify", *map(str, arguments)], env={"LUJIN_LANG": "en", "COLUMNS": "200"})


def test_json_tells_layers_and_content(place, document):
    told = json.loads(invoke(place / "certificate.json", "--json").stdout)
    assert told["ok"] is True
    assert [layer["layer"] for layer in told["layers"]] == ["form", "signature", "status", "proof", "sum"]
    assert told["certificate"]["totals"] == document["credentialSubject"]["totals"]


def test_a_failing_layer_is_named_and_ends_with_1(place, key, file):
    (place / "status.json").write_bytes(canonical_file(status_list(9, [3], key, NOW)))
    done = invoke(place / "certificate.json", "--status", place / "status.json")
    assert done.exit_code == 1
    assert "This certificate does not hold: layer status fails" in done.stdout
    (place / "certificate.json").write_bytes(file.replace(b"12345", b"12346"))
    done = invoke(place / "certificate.json", "--json")
    assert (done.exit_code, json.loads(done.stdout)["failed"]) == (1, "signature")


def test_issuer_and_witness_are_options(place, key, stranger, log):
    kept = witness(sign_head(1, log.tree().root(1), RECORDED, key), log.tree().consistency(1))
    (place / "witness.json").write_bytes(canonical_file(kept))
    options = ["--issuer", public_did(key), "--witness", place / "witness.json"]
    assert invoke(place / "certificate.json", *options).exit_code == 0
    done = invoke(place / "certificate.json", "--issuer", public_did(stranger))
    assert (done.exit_code, "signature fails" in done.stdout) == (1, True)
    done = invoke(place / "certificate.json", "--issuer", "did:key:nonsense")
    assert (done.exit_code, "names no Ed25519 key" in done.output or "base58btc" in done.output) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["certificate.json", "--replay"], 2, "belongs to a park"),
        ([".", "--status", "certificate.json"], 2, "belongs to a certificate"),
        (["missing.json"], 1, "cannot be read"),
        (["certificate.json", "--status", "missing.json"], 1, "cannot be read"),
        (["."], 1, "there is no park"),
    ],
)
def test_misuse_is_told(place, monkeypatch, arguments, code, said):
    monkeypatch.chdir(place)
    done = invoke(*arguments)
    assert (done.exit_code, said in done.output) == (code, True), done.output


def test_a_year_of_one_enterprise_is_checked_in_a_moment(key):
    """Twelve months, 120 keys a day: some 44,000 lines. The bound is loose, the benchmark measures."""
    log = small_log()
    for month in range(1, 13):
        lines = [
            line(f"S2/{k:03}", "EXT/grid", 20250000 + 100 * month + day, k + day, factor="")
            for k in range(120)
            for day in range(1, 29)
        ]
        log.post(lines, month=202500 + month, book="market")
    file = canonical_file(issue(log.certified(key, first=202501, last=202512), key, NOW, 0))
    start = time.process_time()
    assert check(file).ok
    assert time.process_time() - start < 3
