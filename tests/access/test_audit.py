"""The trail: written with the change, chained, and told when it was cut."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lujin.access import audit, audit_head, audit_trail, verify_audit
from lujin.access.tables import audit_entry
from lujin.database import writing
from lujin.errors import IntegrityError


def record(office: Any, action: str, **more: Any) -> None:
    with writing(office.engine) as connection:
        audit(connection, office.operator, action, "month/2025-06", now=office.now, address="192.0.2.1", **more)


def test_change_that_fails_leaves_no_trail(office: Any) -> None:
    def fail() -> None:
        with writing(office.engine) as connection:
            audit(connection, office.operator, "close", "month/2025-06", now=office.now)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with office.engine.connect() as connection:
        assert not audit_trail(connection, action="close")


def test_only_what_differs_is_kept(office: Any) -> None:
    record(office, "factor", before={"value": "0.5", "unit": "kg"}, after={"value": "0.6", "unit": "kg"})
    with office.engine.connect() as connection:
        entry = audit_trail(connection, action="factor")[0]
    assert (entry.before, entry.after) == ({"value": "0.5"}, {"value": "0.6"})
    assert (entry.who, entry.role, entry.address) == ("程岚", "operator", "192.0.2.1")


def test_filters_and_pages(office: Any) -> None:
    for number in range(5):
        office.wait(hours=1)
        record(office, "close" if number % 2 else "import.file", enterprise=f"E00{number}")
    with office.engine.connect() as connection:
        first = audit_trail(connection, subject="month/", limit=2)
        second = audit_trail(connection, subject="month/", limit=2, before=first[-1].number)
        assert [entry.enterprise for entry in (*first, *second)] == ["E004", "E003", "E002", "E001"]
        assert len(audit_trail(connection, action="import")) == 3
        assert len(audit_trail(connection, enterprise="E002")) == 1
        since = office.now - timedelta(hours=1)
        assert [entry.enterprise for entry in audit_trail(connection, since=since, until=office.now)] == ["E003"]
        assert len(audit_trail(connection, person=office.operator.person, subject="month")) == 5
        assert not audit_trail(connection, action="%")


def _without_guard(office: Any, *statements: sa.Executable) -> None:
    """What someone with the database in hand can do."""
    sqlite = office.engine.dialect.name == "sqlite"
    with writing(office.engine) as connection:
        if sqlite:
            connection.exec_driver_sql("DROP TRIGGER audit_entry_no_update")
            connection.exec_driver_sql("DROP TRIGGER audit_entry_no_delete")
        else:
            connection.exec_driver_sql("DROP TRIGGER audit_entry_append_only ON audit_entry")
        for statement in statements:
            connection.execute(statement)


def test_row_cut_out_is_noticed(office: Any) -> None:
    for action in ("a", "b", "c"):
        record(office, action)
    with office.engine.connect() as connection:
        head = verify_audit(connection)
        assert head == audit_head(connection)
    _without_guard(office, audit_entry.delete().where(audit_entry.c.action == "b"))
    with office.engine.connect() as connection, pytest.raises(IntegrityError, match=r"lacks row"):
        verify_audit(connection)


def test_row_changed_is_noticed(office: Any) -> None:
    record(office, "close", after={"month": "2025-06"})
    _without_guard(office, audit_entry.update().where(audit_entry.c.action == "close").values(who="nobody"))
    with office.engine.connect() as connection, pytest.raises(IntegrityError, match=r"was changed"):
        verify_audit(connection)


def test_cut_at_the_end_is_noticed_by_who_kept_a_head(office: Any) -> None:
    record(office, "close")
    with office.engine.connect() as connection:
        kept = audit_head(connection)
    _without_guard(office, audit_entry.delete().where(audit_entry.c.action == "close"))
    with office.engine.connect() as connection:
        verify_audit(connection)
        with pytest.raises(IntegrityError, match=r"ends before"):
            verify_audit(connection, kept)


@pytest.mark.parametrize("statement", [audit_entry.delete(), audit_entry.update().values(who="x")])
def test_database_refuses_to_change_the_trail(office: Any, statement: sa.Executable) -> None:
    with pytest.raises(IntegrityError), writing(office.engine) as connection:
        connection.execute(statement)
