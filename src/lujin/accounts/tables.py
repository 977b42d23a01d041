"""Tables of the ledger and of the facts that postings rest on. All are append-only.

Days are integers 20250601, as months are 202506. Numbers (``number``) give the order of recording and nothing
else; no content hash contains them.
"""

from __future__ import annotations

import sqlalchemy as sa

from lujin.accounts.log import KEY
from lujin.database import Instant, Integer64, Json, append_only, metadata
from lujin.migrations.seal import seal_sql

BOOKS = ("physical", "embodied", "location", "market", "regulatory")
REASONS = ("initial", "late_reading", "correction", "park_change", "late_factor", "restatement")
QUALITIES = ("measured", "estimated")
PERIOD_STATES = ("closed", "verified", "restated")  # a month without an event is open


def _one_of(column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{v}'" for v in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=f"{column}_known")


def _month_valid() -> sa.CheckConstraint:
    return sa.CheckConstraint(
        "month BETWEEN 190001 AND 999912 AND month % 100 BETWEEN 1 AND 12", name="month_valid"
    )


def _number() -> sa.Column[int]:
    return sa.Column("number", sa.Integer, primary_key=True, autoincrement=True)


# Everything about a line but its day and amount. ``id`` is the first 63 bits of the SHA-256 of the content.
line_key = append_only(
    sa.Table(
        "line_key",
        metadata,
        sa.Column("id", Integer64, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in KEY),
        sa.CheckConstraint("debit <> credit", name="two_sides"),
        sa.CheckConstraint("debit <> '' AND credit <> '' AND commodity <> '' AND rule <> ''", name="named"),
        _one_of("quality", QUALITIES),
        sqlite_strict=True,
    )
)

entry = append_only(
    sa.Table(
        "entry",
        metadata,
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("enterprise", sa.Text, nullable=False),
        sa.Column("month", sa.Integer, nullable=False, index=True),
        sa.Column("book", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("pack", sa.Text, nullable=False),
        sa.Column("park_digest", sa.Text, nullable=False),
        sa.Column("input_digest", sa.Text, nullable=False),
        sa.Column("lines", sa.Integer, nullable=False),
        sa.Column("lines_digest", sa.Text, nullable=False),
        sa.Column("source", sa.Integer, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.UniqueConstraint("enterprise", "book", "month", "version"),
        sa.CheckConstraint("lines > 0", name="has_lines"),
        sa.CheckConstraint("length(id) = 64 AND length(lines_digest) = 64", name="digests"),
        sa.CheckConstraint("(reason = 'initial') = (version = 1) AND version > 0", name="first_is_initial"),
        _one_of("book", BOOKS),
        _one_of("reason", REASONS),
        _month_valid(),
        sqlite_strict=True,
    )
)

# A transfer: ``amount`` (base units) to the debit account from the credit account of its key.
line = append_only(
    sa.Table(
        "line",
        metadata,
        sa.Column(
            "entry",
            sa.ForeignKey("entry.number", deferrable=True, initially="DEFERRED"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.ForeignKey("line_key.id"), nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("amount", Integer64, nullable=False),
        sa.CheckConstraint("amount <> 0", name="amount_not_zero"),
        sa.CheckConstraint("no > 0", name="no_positive"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
)
for _dialect in ("sqlite", "postgresql"):
    for _statement in seal_sql(_dialect):
        _ddl: sa.DDL = sa.DDL(_statement.replace("%", "%%"))  # type: ignore[no-untyped-call]
        sa.event.listen(line, "after_create", _ddl.execute_if(dialect=_dialect))

# Up to which arrival, park and choice a month of an enterprise is posted, whether or not lines came of it.
# ``lacking``: lines were left out because a factor or price was missing.
posted = append_only(
    sa.Table(
        "posted",
        metadata,
        _number(),
        sa.Column("month", sa.Integer, nullable=False),
        sa.Column("enterprise", sa.Text, nullable=False),
        sa.Column("source", sa.Integer, nullable=False),
        sa.Column("park_digest", sa.Text, nullable=False),
        sa.Column("choices_digest", sa.Text, nullable=False),
        sa.Column("lacking", sa.Integer, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint("lacking IN (0, 1)", name="lacking_flag"),
        _month_valid(),
        sa.Index("ix_posted_month_enterprise_number", "month", "enterprise", "number"),
        sqlite_strict=True,
    )
)

completeness = append_only(
    sa.Table(
        "completeness",
        metadata,
        _number(),
        sa.Column("month", sa.Integer, nullable=False),
        sa.Column("meter", sa.Text, nullable=False),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("expected", "measured", "interpolated", "estimated", "suspect", "missing")
        ),
        sa.Column("source", sa.Integer, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        _month_valid(),
        sa.Index("ix_completeness_meter_month_number", "meter", "month", "number"),
        sqlite_strict=True,
    )
)

# How the basic charge (基本电费) of a connection came about: what the ledger's CNY line alone does not tell.
basic_charge = append_only(
    sa.Table(
        "basic_charge",
        metadata,
        _number(),
        sa.Column("month", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("enterprise", "connection", "max_demand_kw")),
        sa.Column("at", Instant, nullable=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("billed", "unit", "price")),
        sa.Column("amount", Integer64, nullable=False),
        sa.Column("source", sa.Integer, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        _month_valid(),
        sa.Index("ix_basic_charge_month_enterprise_number", "month", "enterprise", "number"),
        sqlite_strict=True,
    )
)

park_fact = append_only(
    sa.Table(
        "park_fact",
        metadata,
        _number(),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sqlite_strict=True,
    )
)

reference_row = append_only(
    sa.Table(
        "reference_row",
        metadata,
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("table", sa.Text, nullable=False),
        sa.Column("values", Json, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("line", sa.Integer, nullable=True),
        sa.Column("recorded_at", Instant, nullable=False),
        sqlite_strict=True,
    )
)

# A row comes into the reference or is withdrawn from it, possibly more than once.
reference_event = append_only(
    sa.Table(
        "reference_event",
        metadata,
        _number(),
        sa.Column("row", sa.ForeignKey("reference_row.id"), nullable=False),
        sa.Column("present", sa.Integer, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint("present IN (0, 1)", name="present_flag"),
        sqlite_strict=True,
    )
)

# ``rows``: ids of the rows that answered the selector on that day, one a line; empty: none (``many`` only).
choice = append_only(
    sa.Table(
        "choice",
        metadata,
        _number(),
        sa.Column("month", sa.Integer, nullable=False),
        sa.Column("selector", sa.Text, nullable=False),
        sa.Column("day", sa.Integer, nullable=False),
        sa.Column("many", sa.Integer, nullable=False),
        sa.Column("rows", sa.Text, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint("many IN (0, 1)", name="many_flag"),
        sa.CheckConstraint("many = 1 OR rows <> ''", name="one_is_some"),
        _month_valid(),
        sa.Index("ix_choice_month_number", "month", "number"),
        sqlite_strict=True,
    )
)

# What happened to a month's accounts after posting. ``known``: time of knowledge of the account that is closed,
# verified or restated. ``entries``: number of the last entry then. ``digest``: of the account as known then.
period_event = append_only(
    sa.Table(
        "period_event",
        metadata,
        _number(),
        sa.Column("month", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("known", Instant, nullable=False),
        sa.Column("entries", sa.Integer, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("author", "note", "verifier", "outcome", "opinion", "cause")
        ),
        *(sa.Column(name, Json, nullable=False) for name in ("disclosed", "arrived", "effect")),
        sa.Column("recorded_at", Instant, nullable=False),
        _one_of("state", PERIOD_STATES),
        _month_valid(),
        sa.CheckConstraint("length(digest) = 64 AND entries >= 0", name="digest_and_size"),
        sa.CheckConstraint(
            "(outcome <> '') = (verifier <> '') AND (outcome <> '') = (opinion <> '')", name="opinion_by_name"
        ),
        # Only an opinion without or with qualification verifies; the others leave the month closed.
        sa.CheckConstraint(
            "(state = 'verified') = (outcome IN ('unqualified', 'qualified'))"
            " AND (outcome IN ('', 'unqualified', 'qualified') OR state = 'closed')"
            " AND outcome IN ('', 'unqualified', 'qualified', 'adverse', 'disclaimer')",
            name="verified_by_outcome",
        ),
        sa.CheckConstraint("(state = 'restated') = (cause <> '')", name="restated_for_cause"),
        sa.Index("ix_period_event_month_number", "month", "number"),
        sqlite_strict=True,
    )
)

# Signed heads of the log of entries. ``frontier``: roots of its complete subtrees, hex, one a line.
tree_head = append_only(
    sa.Table(
        "tree_head",
        metadata,
        _number(),
        sa.Column("size", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("root", "frontier", "key", "signature")),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint("size > 0 AND length(root) = 64 AND signature <> ''", name="signed"),
        sqlite_strict=True,
    )
)

certificate = append_only(
    sa.Table(
        "certificate",
        metadata,
        _number(),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("enterprise", sa.Text, nullable=False),
        sa.Column("first_month", sa.Integer, nullable=False),
        sa.Column("last_month", sa.Integer, nullable=False),
        sa.Column("known", Instant, nullable=False),
        sa.Column("status_index", sa.Integer, nullable=False, unique=True),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint("first_month <= last_month AND status_index >= 0", name="ordered"),
        sqlite_strict=True,
    )
)

# A certificate is superseded when a month that it covers is restated; ``event`` is that restatement.
certificate_superseded = append_only(
    sa.Table(
        "certificate_superseded",
        metadata,
        sa.Column("certificate", sa.ForeignKey("certificate.number"), primary_key=True, autoincrement=False),
        sa.Column("event", sa.ForeignKey("period_event.number"), nullable=False),
        sa.Column("recorded_at", Instant, nullable=False),
        sqlite_strict=True,
    )
)

# Signed heads of the three tables above that tell of months: number of rows, digest of the chain over all.
event_head = append_only(
    sa.Table(
        "event_head",
        metadata,
        _number(),
        *(
            column
            for name in ("period_event", "certificate", "certificate_superseded")
            for column in (
                sa.Column(f"{name}_rows", sa.Integer, nullable=False),
                sa.Column(f"{name}_digest", sa.Text, nullable=False),
            )
        ),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("key", "signature")),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.CheckConstraint("length(period_event_digest) = 64 AND signature <> ''", name="signed"),
        sqlite_strict=True,
    )
)
