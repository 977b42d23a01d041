"""What a view answers: a record that becomes a page, JSON, or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, InstanceOf, PlainSerializer

BOM = "\ufeff"  # else Excel reads UTF-8 as the local code page
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

T = TypeVar("T")
# A record of the rooms below inside an answer: templates use it as it is, JSON gets its own ``as_dict``.
Shown = Annotated[InstanceOf[T], PlainSerializer(lambda record: record.as_dict(), return_type=dict[str, Any])]


class Answer(BaseModel):
    """Base of the answers. Amounts are decimal strings, missing is null."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        """Header and rows of the CSV of this page: its main table, with units in the header."""
        raise NotImplementedError


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    r"""
    >>> csv_text(["a", "b"], [["=1+1", -1.5], [None, "x"]])
    "\ufeffa,b\r\n'=1+1,-1.5\r\n,x\r\n"
    """
    out = io.StringIO()
    out.write(BOM)
    writer = csv.writer(out)
    writer.writerow([safe_cell(cell) for cell in header])
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


def safe_cell(cell: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe; numbers stay numbers."""
    if not isinstance(cell, str) or not cell.lstrip().startswith(_FORMULA) or _is_number(cell):
        return cell
    return "'" + cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
