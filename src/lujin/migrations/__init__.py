"""Schema revisions, run by ``lujin.database.migrate``.

A revision states its tables in full and never imports a room: what a room declares may change, a revision may
not. A new revision gets the next number, ``down_revision`` the one before, and ``HEAD`` moves with it
(`tests/test_database.py` compares the migrated schema with what the rooms declare).
"""

HEAD = "0006"
