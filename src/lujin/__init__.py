"""lujin 绿金: from meter readings to energy and carbon accounts for every enterprise of a park.

>>> import lujin
>>> park = lujin.open("mypark")                             # doctest: +SKIP
>>> park.import_files(["arrivals/"])                        # doctest: +SKIP
>>> park.run()                                              # doctest: +SKIP
>>> print(park.statement("E012", 202506).as_dict())         # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lujin.errors import InputError, LujinError, Problem, StoreError

if TYPE_CHECKING:
    from lujin.workspace import Workspace
    from lujin.workspace import open_workspace as open
    from lujin.workspace.restore import restore

__version__ = "0.1.0"
__all__ = ["InputError", "LujinError", "Problem", "StoreError", "Workspace", "open", "restore"]


def __getattr__(name: str) -> Any:
    """The workspace is imported when it is first asked for: `lujin --help` needs none of it."""
    if name in ("Workspace", "open"):
        from lujin import workspace

        return workspace.Workspace if name == "Workspace" else workspace.open_workspace
    if name == "restore":
        from lujin.workspace.restore import restore

        return restore
    raise AttributeError(f"module 'lujin' has no attribute {name!r}")
