"""What energy, money and carbon did each flow move, in which book? (账户) From interval energy to statements.

``SubjectSum`` sums meters into posting subjects, ``month_lines`` turns a month of them into ledger lines,
``post`` stores the difference, ``verify`` checks what is stored. Statements and explanations are read back in
the modules ``statement`` and ``explain``; what postings rest on is kept by ``facts``.
"""

from lujin.accounts.amounts import Amount, GwpSet, gwp_set
from lujin.accounts.audit import canonical_bytes, verify
from lujin.accounts.explanation import Explanation
from lujin.accounts.facts import PinnedResolve
from lujin.accounts.ledger import (
    IDENTITY,
    delta,
    entries_by_month,
    ledger_size,
    net,
    post,
    posted_through,
)
from lujin.accounts.posting import MonthLines, books_of, month_lines
from lujin.accounts.statement import Statement
from lujin.accounts.subjects import Subject, SubjectEnergy, SubjectSum
from lujin.accounts.totals import ParkTotals, park_totals
from lujin.accounts.uncertainty_parts import Uncertainty

__all__ = [
    "IDENTITY",
    "Amount",
    "Explanation",
    "GwpSet",
    "MonthLines",
    "ParkTotals",
    "PinnedResolve",
    "Statement",
    "Subject",
    "SubjectEnergy",
    "SubjectSum",
    "Uncertainty",
    "books_of",
    "canonical_bytes",
    "delta",
    "entries_by_month",
    "gwp_set",
    "ledger_size",
    "month_lines",
    "net",
    "park_totals",
    "post",
    "posted_through",
    "verify",
]
