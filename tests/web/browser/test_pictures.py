"""The pictures that the documents show, taken of the pages as they are.

``make pictures`` takes them of the demo park that ``make demo`` left and puts them into docs/images.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lujin.access.viewer import Role

from ..served import Served, serving
from .looking import PICTURES, Watched

Open = Callable[..., Watched]
ROOT = Path(__file__).parents[3]
SHOWN = (
    ("overview-zh", "/overview", "zh"),
    ("overview-en", "/overview", "en"),
    ("account-zh", "/enterprises/E006", "zh"),
)


@pytest.fixture(scope="module")
def shown(demo_park: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    park = Path(os.environ.get("LUJIN_PICTURES_OF", demo_park))
    leave = shutil.ignore_patterns("arrivals", ".lock")
    with serving(
        Path(shutil.copytree(park, tmp_path_factory.mktemp("shown") / "park", ignore=leave)), {}
    ) as served:
        yield served


@pytest.mark.parametrize(("name", "path", "language"), SHOWN)
def test_a_picture_of_the_documents(shown: Served, page_of: Open, name: str, path: str, language: str) -> None:
    watched = page_of(Role.OPERATOR, language, 1280, "light", served=shown)
    watched.page.set_viewport_size({"width": 1280, "height": 1000})
    watched.open(path)
    folder = Path(os.environ.get("LUJIN_PICTURES_INTO", PICTURES))
    folder.mkdir(parents=True, exist_ok=True)
    watched.page.screenshot(path=folder / f"{name}.png", animations="disabled")
    assert watched.faults() == []


def test_every_picture_of_a_page_that_a_document_shows_is_taken_here() -> None:
    pages = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
    named = {name for page in pages for name in re.findall(r"images/([\w-]+)\.png", page.read_text("utf-8"))}
    assert named - {"statement-pdf"} <= {name for name, _, _ in SHOWN}  # that one is drawn by scripts/pictures.py
