"""Parks for tests of the whole way from files to statements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lujin import cli

from .small_park import Site, text_of

Lujin = Callable[..., tuple[int, str, str]]


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    """Makes parks in directories of their own: ``site("late", text)``."""

    def make(name: str = "park", text: str | None = None) -> Site:
        return Site(tmp_path / name).describe(text or text_of())

    return make


@pytest.fixture
def lujin(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command line in this process: ``lujin("import", park, file)`` → code, output, errors.

    Whatever is raised is a traceback for the user, so it is raised here too.
    """
    for name in ("LUJIN_DATABASE", "LUJIN_READINGS", "LUJIN_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LUJIN_LANG", "en")

    def call(*arguments: Any) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["lujin", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        said = capfd.readouterr()
        return code, said.out, said.err

    return call
