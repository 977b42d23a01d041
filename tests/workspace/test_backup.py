"""A park is backed up while others write to it, and comes back on either engine with every byte of its ledger."""

from __future__ import annotations

import io
import json
import random
import stat
import tarfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

import lujin as library
from lujin.access import (
    PersonForm,
    Role,
    Viewer,
    Visit,
    add_person,
    first_link,
    give_consent,
    people,
    revoke_consent,
    sign_in,
    signed_in,
    use_link,
    verify_audit,
)
from lujin.accounts.audit import canonical_bytes
from lujin.database import open_database
from lujin.errors import InputError
from lujin.readings import sources
from lujin.workspace import Workspace, dump, open_workspace
from lujin.workspace import backup as backing
from lujin.workspace.archive import members

from .small_park import START, Reading, Site, register, text_of, within, without
from .test_reliability import finish, start

Make = Callable[..., Site]
Lujin = Callable[..., tuple[int, str, str]]
Place = dict[str, str]  # the environment that says where the database lies

HOURLY = text_of(2).replace('interval = "15min"', 'interval = "1h"')
WHOLE = [r for n in (1, 2) for r in register(f"M{n}", step=timedelta(hours=1))]
HOLE = (START + timedelta(days=3), START + timedelta(days=5))
FIXED = [Reading("M2", START + timedelta(days=7, hours=h), 17_803.0 + 100 * h) for h in range(6)]
ENGINES = ("sqlite", "postgresql")


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Place]]:
    """Where a database of an engine lies; each call a new one."""

    def make(engine: str) -> Place:
        if engine == "sqlite":
            return {}
        server: sa.URL = request.getfixturevalue("postgresql_server")
        name = f"backup_{uuid4().hex}"
        admin = open_database(server.render_as_string(hide_password=False))
        with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name}"))
        admin.dispose()
        return {"LUJIN_DATABASE": server.set(database=name).render_as_string(hide_password=False)}

    yield make


@pytest.fixture
def posted(site: Make) -> Site:
    """A month with a hole, the hole filled late, a correction."""
    park = site(text=HOURLY)
    for readings in (without(WHOLE, *HOLE), within(WHOLE, *HOLE), FIXED):
        park.take(readings)
        park.run()
    return park


def ledger(workspace: Workspace) -> bytes:
    with workspace.engine.connect() as connection:
        return b"".join(canonical_bytes(connection, recorded=True))


def restored(file: Path, directory: Path, environment: Place | None = None) -> Workspace:
    library.restore(file, directory, replay=True, environment=environment or {}, clock=lambda: datetime.now(UTC))
    return open_workspace(directory, environment=environment or {})


@pytest.mark.parametrize("target", ENGINES)
@pytest.mark.parametrize("origin", ENGINES)
def test_a_park_comes_back_on_either_engine(
    tmp_path: Path, place: Callable[[str], Place], origin: str, target: str
) -> None:
    site = Site(tmp_path / "park").describe(HOURLY)
    first, second = place(origin), place(target)
    park = open_workspace(site.directory, clock=site.tick, environment=first)
    for readings in (without(WHOLE, *HOLE), within(WHOLE, *HOLE), FIXED):
        park.import_files([site.write(readings)])
        park.run()
    report = park.backup(tmp_path / "park.tar.gz")
    assert report.manifest.tables["line"] > 100

    again = restored(tmp_path / "park.tar.gz", tmp_path / "again", second)
    assert again.engine.dialect.name == target
    assert ledger(again) == ledger(park)
    assert not again.run().months
    more = register("M1", START + timedelta(days=10), START + timedelta(days=11), initial=25_000.0)
    assert again.import_files([site.write(more)])[0].source == 4
    assert again.run().months
    again.verify(replay=True)
    for workspace in (park, again):
        workspace.engine.dispose()


@pytest.mark.parametrize("origin", ENGINES)
def test_backups_during_imports_and_runs_verify_and_go_on_to_the_same_ledger(
    tmp_path: Path, place: Callable[[str], Place], monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    site = Site(tmp_path / "park").describe(HOURLY)
    environment = place(origin)
    days = [within(WHOLE, START + timedelta(days=n), START + timedelta(days=n + 1)) for n in range(10)]
    files = [site.write(day) for day in days]
    steps = [step for file in files for step in (f"import:{file}", "run")]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    park = open_workspace(site.directory, environment=environment)
    writer = start(site.directory, "environment", *steps)
    made: list[Path] = []
    dice = random.Random(7)
    while writer.poll() is None and len(made) < 4:
        time.sleep(dice.uniform(0.1, 0.5))
        made.append(tmp_path / f"{len(made)}.tar")
        park.backup(made[-1])
    code, said = finish(writer)
    assert code == 0, said
    assert len(made) > 1
    whole = open_workspace(site.directory, environment=environment).totals()
    for number, file in enumerate(made):
        again = restored(file, tmp_path / f"again{number}")
        again.run()
        again.verify(replay=True)
        assert not any(result.failed for result in again.import_files(files))
        again.run()
        assert again.totals() == whole
        again.engine.dispose()
    park.engine.dispose()


def test_an_arrival_that_lands_during_the_backup_is_left_out_whole(
    posted: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = posted.write(register("M1", START + timedelta(days=10), START + timedelta(days=12), initial=25_000.0))
    copy = backing.copy_of

    def meanwhile(*arguments: object) -> object:
        posted.take_file(late)
        posted.open().store.compact(202507)
        return copy(*arguments)  # type: ignore[arg-type]

    before = posted.bytes(recorded=True)
    monkeypatch.setattr(backing, "copy_of", meanwhile)
    posted.open().backup(tmp_path / "park.tar")
    again = restored(tmp_path / "park.tar", tmp_path / "again")
    assert ledger(again) == before
    assert not again.store.has_source(4)
    assert again.import_files([late])[0].source == 4
    again.run()
    again.verify(replay=True)


def test_an_arrival_under_way_is_settled_after_the_restore(site: Make, tmp_path: Path) -> None:
    park = site(text=HOURLY)
    file = park.write(WHOLE)
    code, _ = finish(start(park.directory, "before:lujin.readings.sources:commit:1", f"import:{file}"))
    assert code < 0
    open_workspace(park.directory, environment={}).backup(tmp_path / "park.tar")
    again = restored(tmp_path / "park.tar", tmp_path / "again")
    assert [s.number for s in sources.pending(again.engine)] == [1]
    assert again.run().months
    again.verify(replay=True)


def test_a_park_without_readings_is_backed_up(site: Make, tmp_path: Path) -> None:
    site(text=HOURLY).open().backup(tmp_path / "park.tar")
    again = restored(tmp_path / "park.tar", tmp_path / "again")
    assert again.status().months == ()


def test_every_table_is_in_the_backup_and_comes_after_what_it_points_to(posted: Site) -> None:
    with dump.snapshot(posted.open().engine) as connection:
        order = [table.name for table in dump.loading_order(connection)]
        known = set(sa.inspect(connection).get_table_names()) - {dump.SCHEMA_TABLE}
    assert set(order) == known
    assert order.index("line") < order.index("entry")  # deferred: an entry counts its lines
    assert order.index("line_key") < order.index("line")
    assert order.index("source") < order.index("source_event")


@pytest.mark.parametrize(("origin", "target"), [ENGINES, ENGINES[::-1]])
def test_people_consents_and_their_trail_come_back_but_nobody_is_signed_in(
    tmp_path: Path, place: Callable[[str], Place], origin: str, target: str
) -> None:
    site = Site(tmp_path / "park").describe(HOURLY)
    park = open_workspace(site.directory, clock=site.tick, environment=place(origin))
    now, day = site.now, site.now.date()
    visit = Visit(now, 20250801)
    link = first_link(park.engine, now)
    assert link is not None
    cookie = use_link(park.engine, link, "kettle marsh violin", visit, name="Lin", email="lin@park.example")
    signed = signed_in(park.engine, cookie, visit)
    assert signed is not None
    bank = PersonForm("Huang", Role.BANK, "huang@bank.example", bank="Bank of Zhaoqing")
    officer = add_person(park.engine, signed.viewer, bank, now=now)
    owner = Viewer(1, "Chen", Role.ENTERPRISE, frozenset({"E1"}))
    given = give_consent(park.engine, owner, "E1", 1, day, day + timedelta(days=30), today=day, now=now)
    revoke_consent(park.engine, owner, given, now=now)
    park.backup(tmp_path / "park.tar")

    again = restored(tmp_path / "park.tar", tmp_path / "again", place(target))
    assert [p.email for p in people(again.engine)] == [p.email for p in people(park.engine)]
    assert signed_in(again.engine, cookie, visit) is None
    with again.engine.connect() as connection, park.engine.connect() as before:
        assert verify_audit(connection) == verify_audit(before)
    back = sign_in(again.engine, "lin@park.example", "kettle marsh violin", visit)
    new = signed_in(again.engine, back, visit)
    assert new is not None
    form = PersonForm("Wu", Role.VERIFIER, "wu@verifier.example")
    assert add_person(again.engine, new.viewer, form, now=now) == officer + 1
    for workspace in (park, again):
        workspace.engine.dispose()


# The signing key ---------------------------------------------------------------------------------------------


def test_the_signing_key_stays_out_unless_it_is_asked_for(posted: Site, tmp_path: Path) -> None:
    posted.open().head()
    key = (posted.directory / "keys" / "signing.pem").read_bytes()
    posted.open().backup(tmp_path / "without.tar")
    posted.open().backup(tmp_path / "with.tar", with_keys=True)
    assert not [name for name, _, _ in members(tmp_path / "without.tar") if name.startswith("keys")]
    assert stat.S_IMODE((tmp_path / "with.tar").stat().st_mode) == 0o600
    restored(tmp_path / "without.tar", tmp_path / "one")
    assert not (tmp_path / "one" / "keys").exists()
    again = restored(tmp_path / "with.tar", tmp_path / "two")
    kept = tmp_path / "two" / "keys" / "signing.pem"
    assert kept.read_bytes() == key
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert again.head()


# Refusals ----------------------------------------------------------------------------------------------------


def refused(file: Path, target: Path, said: str) -> None:
    """Restoring says so, and nothing at all is written."""
    before = sorted(target.parent.iterdir())
    with pytest.raises(InputError, match=said):
        library.restore(file, target, environment={})
    assert sorted(target.parent.iterdir()) == before


def test_nothing_is_overwritten(posted: Site, tmp_path: Path) -> None:
    file = tmp_path / "park.tar"
    posted.open().backup(file)
    with pytest.raises(InputError, match="exists already"):
        posted.open().backup(file)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "note.txt").write_text("mine")
    refused(file, tmp_path / "taken", "not empty")
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["note.txt"]
    with pytest.raises(InputError, match="let its name end in"):
        posted.open().backup(tmp_path / "park.zip")


def test_a_filled_database_is_refused(posted: Site, tmp_path: Path, place: Callable[[str], Place]) -> None:
    posted.open().backup(tmp_path / "park.tar")
    environment = place("postgresql")
    restored(tmp_path / "park.tar", tmp_path / "one", environment)
    with pytest.raises(InputError, match="already holds a park"):
        library.restore(tmp_path / "park.tar", tmp_path / "two", environment=environment)
    assert not (tmp_path / "two").exists()


def test_a_backup_that_was_cut_off_or_changed_is_refused(posted: Site, tmp_path: Path) -> None:
    posted.open().backup(tmp_path / "park.tar")
    posted.open().backup(tmp_path / "park.tar.gz")
    whole = (tmp_path / "park.tar").read_bytes()
    bad = tmp_path / "bad.tar"
    for length in (0, 700, len(whole) // 2):
        bad.write_bytes(whole[:length])
        refused(bad, tmp_path / "again", "cut off")
    at = whole.index(b"PAR1") + 40
    bad.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    refused(bad, tmp_path / "again", "1 of its files are missing or changed")
    bad.write_bytes((tmp_path / "park.tar.gz").read_bytes()[:-2000])
    refused(bad, tmp_path / "again", "cut off")
    bad.write_text("no backup at all")
    refused(bad, tmp_path / "again", "no backup")
    refused(tmp_path / "nowhere.tar", tmp_path / "again", "cannot be read")


@pytest.mark.parametrize(
    "name", ["../outside.txt", "/tmp/outside.txt", "readings/../../outside", "lujin.db", "inbox/a\\..\\b", "x/y"]
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        add(tar, name, b"x")
    (tmp_path / "in").mkdir()
    refused(tmp_path / "bad.tar", tmp_path / "in" / "again", "no backup holds")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_anything_but_files_is_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        info = tarfile.TarInfo("inbox/link")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    refused(tmp_path / "bad.tar", tmp_path / "again", "no backup holds")


def test_a_manifest_that_is_none_is_refused(tmp_path: Path) -> None:
    newer = json.dumps({"format": "lujin-backup@2", "files": {}}).encode()
    for text, said in ((b"{", "cannot be read"), (b"[]", "cannot be read"), (newer, "lujin-backup@2")):
        with tarfile.open(tmp_path / "bad.tar", "w") as tar:
            add(tar, "manifest.json", text)
        refused(tmp_path / "bad.tar", tmp_path / "again", said)


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


# Command line ------------------------------------------------------------------------------------------------


def test_both_verbs_say_what_they_did(posted: Site, tmp_path: Path, lujin: Lujin) -> None:
    file, again = tmp_path / "park.tar", tmp_path / "again"
    code, said, _ = lujin("backup", posted.directory, file)
    assert code == 0 and "signing key" in said and f"lujin restore {file}" in said
    code, said, _ = lujin("restore", file, again, "--replay")
    assert code == 0 and "verified" in said, said
    code, said, _ = lujin("backup", again, tmp_path / "two.tar", "--json")
    assert json.loads(said)["tables"]["source"] == 3
    code, _, said = lujin("restore", file, again)
    assert code == 1 and "not empty" in said
