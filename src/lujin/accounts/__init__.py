"""What energy, money and carbon did each flow move, in which book? (账户) From interval energy to statements.

``SubjectSum`` sums meters into posting subjects, ``month_lines`` turns a month of them into ledger lines,
``post`` stores the difference, ``verify`` checks what is stored. Statements and explanations are read back in
the modules ``statement`` and ``explain``; what postings rest on is kept by ``facts``.

Each name is imported when it is first asked for: whoever checks a certificate needs ``jcs``, ``merkle`` and
``log``, and none of the table libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lujin.accounts.amounts import Amount, GwpSet, gwp_set
    from lujin.accounts.audit import canonical_bytes, verify
    from lujin.accounts.explanation import Explanation
    from lujin.accounts.facts import PinnedResolve
    from lujin.accounts.hourly import HourlyTrace, TraceState
    from lujin.accounts.ledger import (
        IDENTITY,
        carried,
        delta,
        entries_by_month,
        ledger_size,
        net,
        post,
        posted_through,
    )
    from lujin.accounts.matching import profiled
    from lujin.accounts.pools import components, may_hold, with_neighbours
    from lujin.accounts.posting import MonthLines, books_of, methods_compared, month_lines, trace_month
    from lujin.accounts.provenance import as_prov
    from lujin.accounts.statement import Statement
    from lujin.accounts.subjects import Subject, SubjectEnergy, SubjectSum
    from lujin.accounts.totals import Consolidated, ParkTotals, park_totals
    from lujin.accounts.uncertainty_parts import Uncertainty
    from lujin.accounts.yearend import matches_by_year, year_to_date

_HOME = {
    "amounts": ("Amount", "GwpSet", "gwp_set"),
    "audit": ("canonical_bytes", "verify"),
    "explanation": ("Explanation",),
    "facts": ("PinnedResolve",),
    "hourly": ("HourlyTrace", "TraceState"),
    "ledger": ("IDENTITY", "carried", "delta", "entries_by_month", "ledger_size", "net", "post", "posted_through"),
    "matching": ("profiled",),
    "pools": ("components", "may_hold", "with_neighbours"),
    "posting": ("MonthLines", "books_of", "methods_compared", "month_lines", "trace_month"),
    "provenance": ("as_prov",),
    "statement": ("Statement",),
    "subjects": ("Subject", "SubjectEnergy", "SubjectSum"),
    "totals": ("Consolidated", "ParkTotals", "park_totals"),
    "uncertainty_parts": ("Uncertainty",),
    "yearend": ("matches_by_year", "year_to_date"),
}

__all__ = [
    "IDENTITY",
    "Amount",
    "Consolidated",
    "Explanation",
    "GwpSet",
    "HourlyTrace",
    "MonthLines",
    "ParkTotals",
    "PinnedResolve",
    "Statement",
    "Subject",
    "SubjectEnergy",
    "SubjectSum",
    "TraceState",
    "Uncertainty",
    "as_prov",
    "books_of",
    "canonical_bytes",
    "carried",
    "components",
    "delta",
    "entries_by_month",
    "gwp_set",
    "ledger_size",
    "matches_by_year",
    "may_hold",
    "methods_compared",
    "month_lines",
    "net",
    "park_totals",
    "post",
    "posted_through",
    "profiled",
    "trace_month",
    "verify",
    "with_neighbours",
    "year_to_date",
]


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOME.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
