"""Triggers that seal an entry: its lines come first, the entry last, and then no line can be added.

Lines point at their entry by a deferred foreign key, so a transaction that ends without the entry fails whole.
"""

from __future__ import annotations

from lujin.migrations.triggers import REFUSAL

_COMPLETE = """(SELECT count(*) FROM line WHERE entry = NEW.number) <> NEW.lines
OR EXISTS (SELECT 1 FROM line WHERE entry = NEW.number AND day / 100 <> NEW.month)"""

_SQLITE = (
    f"""CREATE TRIGGER line_sealed BEFORE INSERT ON line
WHEN EXISTS (SELECT 1 FROM entry WHERE number = NEW.entry)
BEGIN SELECT RAISE(ABORT, 'line {REFUSAL}: its entry is complete'); END""",
    f"""CREATE TRIGGER entry_complete BEFORE INSERT ON entry
WHEN {_COMPLETE}
BEGIN SELECT RAISE(ABORT, 'entry does not hold the lines that it states'); END""",
)

_POSTGRESQL = (
    f"""CREATE OR REPLACE FUNCTION lujin_line_sealed() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
IF EXISTS (SELECT 1 FROM entry WHERE number = NEW.entry) THEN
RAISE EXCEPTION 'line {REFUSAL}: its entry is complete' USING ERRCODE = 'restrict_violation';
END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER line_sealed BEFORE INSERT ON line
FOR EACH ROW EXECUTE FUNCTION lujin_line_sealed()""",
    f"""CREATE OR REPLACE FUNCTION lujin_entry_complete() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
IF {_COMPLETE} THEN
RAISE EXCEPTION 'entry does not hold the lines that it states' USING ERRCODE = 'check_violation';
END IF; RETURN NEW; END $$""",
    """CREATE TRIGGER entry_complete BEFORE INSERT ON entry
FOR EACH ROW EXECUTE FUNCTION lujin_entry_complete()""",
)


def seal_sql(dialect: str) -> tuple[str, ...]:
    """Statements for ``dialect`` ``sqlite`` or ``postgresql``; the tables ``entry`` and ``line`` must exist."""
    return _SQLITE if dialect == "sqlite" else _POSTGRESQL
