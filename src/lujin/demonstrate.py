"""The main job on the demo park: write it, import what arrives, post the year, take in what arrives late."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lujin.accounts import ParkTotals
from lujin.demo import DemoFiles, write_demo
from lujin.errors import N_, InputError, Problem, Translate, as_written
from lujin.workspace import Workspace, open_workspace
from lujin.workspace.importing import FileResult
from lujin.workspace.progress import Progress, silent
from lujin.workspace.running import RunReport


@dataclass(frozen=True, eq=False)
class Demonstration:
    """What the demo did: ``late`` and ``restated`` are what came after the year was posted."""

    directory: Path
    files: DemoFiles
    imported: tuple[FileResult, ...]
    posted: RunReport
    late: tuple[FileResult, ...]
    restated: RunReport
    totals: ParkTotals
    seconds: float

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        return {
            "directory": str(self.directory),
            "enterprises": self.files.enterprises,
            "meters": self.files.meters,
            "readings": self.files.readings,
            "imported": [r.as_dict(translate) for r in self.imported],
            "posted": self.posted.as_dict(translate),
            "late": [r.as_dict(translate) for r in self.late],
            "restated": self.restated.as_dict(translate),
            "totals": self.totals.as_dict(),
            "seconds": round(self.seconds, 1),
        }


def demonstrate(
    directory: Path, enterprises: int, months: int, *, overwrite: bool = False, progress: Progress = silent
) -> Demonstration:
    """Needs an empty or new directory, or ``overwrite`` and an earlier demo park in it."""
    started = time.perf_counter()
    if overwrite:
        _remove_demo(directory)
    progress(N_("writing the demo park"), 0, 1)
    files = write_demo(directory, enterprises=enterprises, months=months)
    progress(N_("writing the demo park"), 1, 1)
    workspace: Workspace = open_workspace(directory)
    imported = workspace.import_files(files.arrivals, progress=progress)
    posted = workspace.run(progress=progress)
    late = workspace.import_files(files.late, progress=progress)
    restated = workspace.run(progress=progress)
    return Demonstration(
        directory,
        files,
        tuple(imported),
        posted,
        tuple(late),
        restated,
        workspace.totals(),
        time.perf_counter() - started,
    )


def _remove_demo(directory: Path) -> None:
    """Remove an earlier demo park, and only that."""
    if not directory.exists():
        return
    park = directory / "park.toml"
    if any(directory.iterdir()) and not (
        park.is_file() and 'id = "dianlu"' in park.read_text(encoding="utf-8")[:2000]
    ):
        raise InputError(
            Problem(
                N_("{directory} does not hold a demo park"),
                {"directory": directory},
                N_("name an empty or new directory"),
            )
        )
    shutil.rmtree(directory)
