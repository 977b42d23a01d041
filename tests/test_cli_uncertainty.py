"""``lujin uncertainty`` on a park that is posted: table, JSON, draws, and what is asked wrongly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import lujin
from lujin.cli import app

OWN_PARK = Path(__file__).parents[1] / "examples" / "own-park"
MONTH = "2025-06"
HEAD = (
    "kind,applies_to,medium,parameter,distribution,coverage,value,unit,valid_from,valid_to,source,confidence,"
    "lower,upper"
)


@pytest.fixture(scope="module")
def park(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("uncertain") / "mypark"
    shutil.copytree(OWN_PARK, place)
    rows = (
        "factor,grid_factors:*,,value,normal,k=2,6,%,2020-01-01,,supplier,unverified,,",
        "meter,*,,,normal,k=2,0.5,%,,,calibration,unverified,,",
    )
    (place / "reference" / "uncertainties.csv").write_text("\n".join([HEAD, *rows, ""]), encoding="utf-8")
    workspace = lujin.open(place, environment={})
    workspace.import_files([place / "exports"])
    workspace.run()
    workspace.engine.dispose()
    return place


def told(park: Path, *options: str, language: str = "en", code: int = 0) -> str:
    result = CliRunner().invoke(app, ["uncertainty", str(park), *options], env={"LUJIN_LANG": language})
    assert result.exit_code == code, result.output
    return result.output


def test_the_table_names_the_largest_contributors_and_what_is_unknown(park: Path) -> None:
    said = told(park, "-m", MONTH, "-b", "location")
    assert "all enterprises · 2025-06 · location-based" in said
    assert "Uncertainty (expanded, 95 %, k = 2)" in said
    assert "largest of the known contributions: Guangdong grid average" in said


def test_json_holds_every_carbon_book_that_is_posted(park: Path) -> None:
    found = json.loads(told(park, "-m", MONTH, "-e", "E001", "--json"))
    assert [one["book"] for one in found] == ["location", "market", "regulatory", "embodied"]
    total = next(t for t in found[0]["totals"] if t["total"] == "S2")
    assert total["relative"] is not None and 0.05 < total["relative"] < 0.08
    assert total["contributors"][0]["kind"] == "factor"
    assert total["interval"] is None and found[0]["draws"] == 0


def test_the_same_seed_draws_the_same_interval(park: Path) -> None:
    options = ("-m", MONTH, "-b", "location", "--draws", "2000", "--seed")
    one, two, other = (told(park, *options, seed) for seed in ("3", "3", "4"))
    assert one == two != other
    assert "lowest" in one and "2,000 draws, seed 3" in one


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("-m", "2024-01"), 1, "nothing is posted for 2024-01"),
        (("-m", MONTH, "-b", "physical"), 1, "there is no carbon book physical"),
        (("-m", MONTH, "--draws", "-1"), 2, "draws and seed are not negative"),
        (("-m", MONTH, "--draws", "5"), 1, "5 draws tell no interval"),
    ],
)
def test_what_is_asked_wrongly_is_said(park: Path, options: tuple[str, ...], code: int, said: str) -> None:
    result = CliRunner().invoke(app, ["uncertainty", str(park), *options], env={"LUJIN_LANG": "en"})
    text = result.output + (str(result.exception) if result.exception else "")
    assert said in text
    if isinstance(result.exception, SystemExit):
        assert result.exit_code == code


def test_the_statement_has_the_same_section(park: Path) -> None:
    arguments = ["statement", str(park), "-e", "E001", "-m", MONTH]
    said = CliRunner().invoke(app, arguments, env={"LUJIN_LANG": "en"}).output
    assert "Uncertainty (expanded, 95 %, k = 2)" in said and "Guangdong grid average" in said
