"""The first visit of a new park: the link that works once, then the first steps."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lujin.access import first_link

from ..served import serving
from .looking import Watched
from .test_looks import LOOKS

Open = Callable[..., Watched]
OWN = Path(__file__).parents[3] / "examples" / "own-park"


@pytest.mark.parametrize(("language", "width", "theme"), LOOKS[1:3])
def test_the_first_link_leads_to_the_first_steps(
    page_of: Open, tmp_path: Path, language: str, width: int, theme: str
) -> None:
    park = Path(shutil.copytree(OWN, tmp_path / "park"))
    with serving(park, {}) as served:
        link = first_link(served.engine, datetime.now(UTC))
        watched = page_of(None, language, width, theme, served=served).open(f"/link/{link}")
        watched.picture("first-link")
        assert watched.faults() == []
        page = watched.page
        page.fill("input[name=name]", "Lin 林")
        page.fill("input[name=email]", "lin@park.example")
        for field in page.locator("input[type=password]").all():
            field.fill("eine lange Wand aus Reis 47")
        page.locator("main button").click()
        page.wait_for_url("**/first-steps")
        watched.settle()
        watched.picture("first-steps-empty")
        assert watched.faults() == []
        assert page.locator("[aria-current=step]").count() == 1
