"""``lujin statement … --pdf FILE --xlsx FILE``."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import load_workbook
from typer.testing import CliRunner

from lujin import open as open_park
from lujin.cli import app
from lujin.workspace import Workspace

from .conftest import pages_of


def lujin(*arguments: object, language: str = "en") -> tuple[int, str]:
    told = CliRunner().invoke(app, list(map(str, arguments)), env={"LUJIN_LANG": language})
    return told.exit_code, told.output


@pytest.mark.parametrize(("language", "holder"), [("zh", "name_zh"), ("en", "name_en")])
def test_both_files_are_written_in_the_language_of_the_face(
    workspace: Workspace, tmp_path: Path, language: str, holder: str
) -> None:
    pdf, xlsx = tmp_path / "s.pdf", tmp_path / "s.xlsx"
    asked = ("statement", workspace.directory, "-e", "E001", "-m", "2025-06", "--pdf", pdf, "--xlsx", xlsx)
    code, told = lujin(*asked, language=language)
    assert code == 0 and str(pdf) in told.replace("\n", "") and str(xlsx) in told.replace("\n", "")
    node = workspace.park.nodes["E001"]
    name = getattr(node, holder) or node.name_zh or node.name_en
    assert name in pages_of(pdf.read_bytes())[0]
    assert load_workbook(xlsx).worksheets[0]["A2"].value == name
    first = pdf.read_bytes(), xlsx.read_bytes()
    assert lujin(*asked, language=language)[0] == 0
    assert first == (pdf.read_bytes(), xlsx.read_bytes())


def test_json_tells_what_was_written_beside_the_statement(workspace: Workspace, tmp_path: Path) -> None:
    pdf = tmp_path / "s.pdf"
    code, told = lujin("statement", workspace.directory, "-e", "E001", "-m", "2025-06", "--pdf", pdf, "--json")
    found = json.loads(told)
    assert code == 0 and found["written"] == [str(pdf)] and found["warnings"] == []
    assert found["enterprise"] == "E001" and pdf.read_bytes().startswith(b"%PDF-")


def test_a_place_that_cannot_be_written_is_named(workspace: Workspace, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere" / "s.pdf"
    code, told = lujin("statement", workspace.directory, "-e", "E001", "-m", "2025-06", "--pdf", missing)
    assert code == 1 and "nowhere" in told and "Traceback" not in told


def test_a_month_without_postings_makes_a_paper_that_says_so(workspace: Workspace, tmp_path: Path) -> None:
    pdf, xlsx = tmp_path / "s.pdf", tmp_path / "s.xlsx"
    code, _ = lujin("statement", workspace.directory, "-e", "E001", "-m", "2030-01", "--pdf", pdf, "--xlsx", xlsx)
    assert code == 0
    assert "Nothing is posted" in pages_of(pdf.read_bytes())[0]


def test_a_closed_month_is_printed_with_its_closing_and_certificate_until_it_is_restated(
    workspace: Workspace, tmp_path: Path
) -> None:
    place = tmp_path / "closed"
    shutil.copytree(workspace.directory, place)
    park = open_park(place, environment={})
    (closed,) = park.close([202506], note="known gap")
    asked, pdf = (
        ("statement", place, "-e", "E001", "-m", "2025-06", "--pdf", tmp_path / "s.pdf"),
        tmp_path / "s.pdf",
    )
    assert closed.closing is not None
    assert lujin(*asked)[0] == 0
    text = "".join(pages_of(pdf.read_bytes()))
    assert "State of the period closed" in text and closed.closing.digest in text
    assert "ask the park for a certificate" in text

    issued = park.certificate("E001", 202506)["id"]
    before = datetime.now(UTC).isoformat()
    assert lujin(*asked)[0] == 0
    assert f"Certificate {issued}" in pages_of(pdf.read_bytes())[0]

    park.import_files([place / "late"])
    assert park.restate([202506], "late reading").restated
    park.engine.dispose()
    assert lujin(*asked)[0] == 0
    assert f"Certificate, superseded {issued}" in pages_of(pdf.read_bytes())[0]
    assert lujin(*asked, "--as-of", before)[0] == 0
    assert f"Certificate {issued}" in pages_of(pdf.read_bytes())[0]
