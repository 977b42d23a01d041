"""What the documents say is true: examples run, links lead somewhere, verbs and keys are all there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main
from packaging.requirements import Requirement
from typer.testing import CliRunner

import lujin
from lujin.access import Role
from lujin.accounts.pack import packs
from lujin.accounts.rules import RULES
from lujin.cli import app
from lujin.park import check
from lujin.park.columns import TABLES
from lujin.readings import mapping as mappings
from lujin.readings.flags import SUSPECT

from .serving import served

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + DOCS
PAGES += [ROOT / "benchmarks" / "README.md", *sorted((ROOT / "examples").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: ```language tag. Blocks tagged ``run`` are run, in order, in one directory per page."""

    page: Path
    line: int
    language: str
    tag: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, tag: str) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        if found[2] == tag:
            yield Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2], found[3])


def environment() -> dict[str, str]:
    """As a user has it after ``make demo``: the programs of this Python first, messages in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LUJIN_", "LC_", "COV"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**kept, "PATH": path, "LANG": "C.UTF-8", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(scope="session")
def posted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The park of the README after its first statement."""
    place = tmp_path_factory.mktemp("posted") / "mypark"
    shutil.copytree(ROOT / "examples" / "own-park", place)
    park = lujin.open(place, environment={})
    park.import_files([place / "exports"])
    park.run()
    park.engine.dispose()
    return place


def run(block: Block, place: Path, names: dict[str, Any], *, in_process: bool) -> None:
    if block.language == "python":
        exec(compile(block.text, str(block), "exec"), names)
        return
    assert block.language == "bash", f"{block}: only bash and python can be run"
    lines = block.text.splitlines()
    if in_process and all(line.startswith("lujin ") and ">" not in line for line in lines):
        for line in lines:  # saves a second per command
            told = CliRunner().invoke(app, shlex.split(line, comments=True)[1:], env={"LUJIN_LANG": "en"})
            assert told.exit_code == 0, f"{block}\n{line}\n{told.output}"
        return
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=place,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, f"{block}\n{done.stderr}"


WITH_EXAMPLES = [page for page in PAGES if any(blocks(page, "run"))]


@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(
    page: Path, posted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name == "README.md":
        shutil.copytree(ROOT / "examples" / "own-park", tmp_path / "examples" / "own-park")
    else:
        shutil.copytree(posted, tmp_path / "mypark")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with ExitStack() as stack:
        if page.name == "api.md":
            server = stack.enter_context(served(tmp_path / "mypark"))
            names |= {"URL": server.url, "TOKEN": server.token(Role.OPERATOR)}
        for block in blocks(page, "run"):
            run(block, tmp_path, names, in_process=page.name != "README.md")


def test_both_languages_of_the_readme_show_the_same_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    chinese, english = text.split("\n## English\n")

    def commands(part: str) -> list[str]:
        lines = [line for _, _, block in FENCE.findall(part) for line in block.splitlines()]
        return [line.partition("#")[0].strip() for line in lines]

    assert commands(chinese) == commands(english)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    for link in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            heads = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [head.strip().lower().replace(" ", "-") for head in heads], f"{page.name}: {link}"


def verbs() -> dict[str, Any]:
    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_every_verb_and_option_is_documented_and_none_that_is_not_there() -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    parts = dict(re.findall(r"^## lujin ([\w-]+)[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert list(parts) == list(verbs())
    for name, verb in verbs().items():
        options = {option for parameter in verb.params for option in parameter.opts if option.startswith("--")}
        assert set(re.findall(r"`(--[a-z-]+)", parts[name])) == options - {"--json", "--help"}, name
        assert "--json" in options, f"{name} takes no --json"


def test_commands_in_all_pages_name_verbs_that_exist() -> None:
    known = set(verbs())
    for page in PAGES:
        said = re.findall(r"`lujin ([a-z]+(?:-[a-z]+)*)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(said) <= known, page.name


def test_every_key_of_the_park_file_is_documented() -> None:
    page = ROOT / "docs" / "park-file.md"
    text = page.read_text(encoding="utf-8")
    assert script("park_tables").page(text) == text, "run: python scripts/park_tables.py --write"
    assert all(f"[{name}]" in text for name in TABLES)


def script(name: str) -> ModuleType:
    spec = spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_resource_of_the_api_is_documented() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert script("api_table").page(text) == text, "run: python scripts/api_table.py --write"


def test_the_smallest_park_of_the_page_is_a_park(tmp_path: Path) -> None:
    (block,) = blocks(ROOT / "docs" / "park-file.md", "park")
    (tmp_path / "park.toml").write_text(block.text, encoding="utf-8")
    assert check(tmp_path / "park.toml") == []


def test_fragments_of_park_files_use_keys_that_exist() -> None:
    for page in DOCS:
        for block in blocks(page, "fragment"):
            for table, rows in tomllib.loads(block.text).items():
                keys = {info.alias or name for name, info in TABLES[table].model_fields.items()}
                assert all(set(row) <= keys for row in rows), str(block)


def test_mappings_in_the_pages_can_be_loaded() -> None:
    text = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    (block,) = blocks(ROOT / "docs" / "import.md", "mapping")
    assert mappings.loads(block.text, "page").stamp == "end"
    for name in (field for field in mappings.Mapping.__dataclass_fields__ if field != "name"):
        assert f"`{name}`" in text, name


def test_every_suspect_flag_is_named() -> None:
    text = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    assert all(f"`{str(flag.name).lower()}`" in text for flag in SUSPECT)


def test_every_rule_and_pack_is_named() -> None:
    text = (ROOT / "docs" / "accounts.md").read_text(encoding="utf-8")
    assert [name for name in (*RULES, *packs()) if f"`{name}`" not in text] == []


def test_constraints_pin_every_dependency_by_version_alone() -> None:
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*", line) for line in lines)
    pinned = {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = map(Requirement, (*project["dependencies"], *project["optional-dependencies"]["test"]))
    assert [str(need) for need in wanted if not need.specifier.contains(pinned.get(need.name.lower(), "0"))] == []
