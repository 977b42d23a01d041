"""One small demo park with a summer, posted by lujin and recomputed beside it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lujin.demo import write_demo
from lujin.workspace import open_workspace

sys.path.insert(0, str(Path(__file__).parent))

from oracle_ledger import Posted, read_lines
from oracle_recompute import Oracle

MONTHS = (202506, 202507, 202508, 202510)
TABLES = Path(__file__).parents[2] / "src" / "lujin" / "reference" / "tables"


@pytest.fixture(scope="session")
def posted(tmp_path_factory: pytest.TempPathFactory) -> Posted:
    directory = tmp_path_factory.mktemp("oracle") / "park"
    files = write_demo(directory, enterprises=12, months=10)
    workspace = open_workspace(directory)
    workspace.import_files(files.arrivals)
    for month in MONTHS:
        workspace.run(month)
    workspace.import_files(files.late)
    for month in MONTHS:
        workspace.run(month)
    return Posted(
        workspace, Oracle(directory, TABLES, MONTHS), read_lines(directory / "lujin.db"), truth=files.truth
    )
