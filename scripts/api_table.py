"""Prints the table of resources of docs/api.md from the OpenAPI document; ``--write`` puts it into the page."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lujin.park import TEMPLATE
from lujin.web.app import create_app
from lujin.web.settings import Settings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
BEGIN, END = "<!-- begin: scripts/api_table.py -->", "<!-- end -->"


def document() -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "park.toml").write_text(TEMPLATE, encoding="utf-8")
        app = create_app(Settings(Path(place), environment={}))
        found: Mapping[str, Any] = app.openapi()
        app.state.open_park.workspace.engine.dispose()
        return found


def page(text: str) -> str:
    """The page with its generated part renewed."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def table() -> str:
    return "\n".join(["| | path below /api/v1 | what it does | filters |", "|---|---|---|---|", *_rows()])


def _rows() -> Iterator[str]:
    for path, methods in document()["paths"].items():
        for method, about in methods.items():
            said = " ".join(about.get("description", about["summary"]).split())
            first = said.partition(". ")[0].removesuffix(".")
            query = [p["name"] for p in about.get("parameters", ()) if p["in"] == "query"]
            filters = " ".join(f"`{name}`" for name in query if name not in ("limit", "cursor"))
            yield f"| {method.upper()} | `{path.removeprefix('/api/v1')}` | {first} | {filters} |"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(table() + "\n")
