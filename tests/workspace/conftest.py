"""Parks for tests of the whole way from files to statements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .small_park import Site, text_of


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    """Makes parks in directories of their own: ``site("late", text)``."""

    def make(name: str = "park", text: str | None = None) -> Site:
        return Site(tmp_path / name).describe(text or text_of())

    return make
