"""The ledger seals with arrays, the check unseals with the standard library: they must agree to the bit."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from issuing import KNOWN, NOW, RECORDED, Log

from lujin.accounts import ledger
from lujin.accounts.log import KEY, SORTED_KEY, digest_of_lines, key_digest
from lujin.accounts.tables import entry, line, line_key
from lujin.database import migrate, open_database, writing
from lujin.publish import Certified, Entry, Line, Party, canonical_file, check, issue, sign_head, totals_of

texts = st.sampled_from(["", "a", "绿金", "é", "\U0001f600", '"\\', "z" * 40])
rows = st.tuples(st.sampled_from(["S1", "S2"]), texts, st.integers(1, 30), st.integers(-(2**40), 2**40))
days = st.integers(19000101, 99991231)
amounts = st.integers(-(2**63), 2**63 - 1)


@given(
    st.lists(
        st.tuples(st.lists(texts, min_size=8, max_size=8), st.integers(19000101, 99991231), amounts), max_size=9
    )
)
@settings(deadline=None)
def test_both_digests_of_lines_are_the_same(lines):
    digests = [key_digest(key) for key, _, _ in lines]
    table = ledger.records(
        np.array(digests, dtype="V32"),
        np.array([day for _, day, _ in lines], dtype=np.int64),
        np.array([amount for _, _, amount in lines], dtype=np.int64),
    )
    plain = digest_of_lines((d, day, amount) for d, (_, day, amount) in zip(digests, lines, strict=True))
    assert ledger.lines_digest(table) == plain


def stored(connection):
    """The entries of a ledger as records, read as whoever issues a certificate reads them."""
    for head in connection.execute(sa.select(entry).order_by(entry.c.number)).mappings():
        columns = [*(line_key.c[name] for name in KEY), line.c.day, line.c.amount]
        lines = (
            sa.select(*columns).join(line_key, line_key.c.id == line.c.key).where(line.c.entry == head["number"])
        )
        facts = {name: head[name] for name in Entry.__slots__ if name not in ("lines", "inclusion")}
        yield Entry(
            **facts, lines=[Line(*row) for row in connection.execute(lines.order_by(line.c.no))], inclusion=()
        )


@given(st.lists(st.lists(rows, min_size=1, max_size=6), min_size=1, max_size=3))
@settings(max_examples=15, deadline=None)
def test_what_the_ledger_posts_can_be_certified(tmp_path_factory, key, postings):
    engine = open_database(tmp_path_factory.mktemp("ledger") / "lujin.db")
    migrate(engine)
    with writing(engine) as connection:
        for posting in postings:
            post(connection, posting)
    log = Log()
    with engine.connect() as connection:
        log.entries = list(stored(connection))
    engine.dispose()
    entries = log.proven("A")
    if not entries:
        return
    certified = Certified(
        issuer=Party("p"),
        subject=Party("A"),
        boundary="A",
        first=202506,
        last=202506,
        known_at=KNOWN,
        head=sign_head(len(log.entries), log.tree().root(), KNOWN, key),
        entries=entries,
        totals=totals_of(entries),
        factors=[],
    )
    assert check(canonical_file(issue(certified, key, NOW, 0))).ok
    broken = replace(entries[0], lines=[entries[0].lines[0]._replace(amount=1 << 50), *entries[0].lines[1:]])
    assert digest_of_lines(digests(broken)) != broken.lines_digest


def digests(entry):
    return [(key_digest([getattr(x, name) for name in SORTED_KEY]), x.day, x.amount) for x in entry.lines]


def post(connection, posting):
    lines = [
        {
            "enterprise": "A",
            "book": "location",
            "debit": f"A/{scope}/{label}x",
            "credit": "A/ATM/x",
            "commodity": "CO2",
            "period": label,
            "quality": "measured",
            "rule": "r@1",
            "factor": "",
            "subject": label,
            "day": date(2025, 6, day),
            "amount": amount,
        }
        for scope, label, day, amount in posting
    ]
    ledger.post(
        connection,
        202506,
        pl.DataFrame(lines, schema=ledger.LINES_SCHEMA),
        enterprises=["A"],
        recorded_at=RECORDED,
        source=3,
        reason="late_reading",
        packs={"location": "p@1"},
        park_digest={"A": "park"},
        input_digest={"A": "input"},
    )
