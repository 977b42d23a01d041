"""The server under load: ``python benchmarks/web.py [--park DIR] [--seconds 20] [--users 20] [--small]``.

A park of 200 enterprises × 5 meters × 1 year at 15 minutes (or one that is there), served by the real command;
every address once, then users who each ask for one thing after the other without a pause, and with pauses, over
every page, its data, and every answer of the API. Prints percentiles per route, the memory of the server, the
compressed weight of pages, and the speed of bulk ingest.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import ingest
import parks
import visitors

METERS = 1_000
PAUSE_S = 0.5  # mean, between two questions of a user who reads


def prepare(directory: Path, days: int) -> None:
    """Write the park, import a file per month, post everything."""
    from lujin.workspace import open_workspace

    parks.write_park(directory, METERS)
    frames, arrivals = [], directory / "arrivals"
    arrivals.mkdir()
    started = time.perf_counter()
    for day, frame in enumerate(parks.registers(METERS, parks.YEAR, days)):
        frames.append(frame)
        if len(frames) == 31 or day == days - 1:
            parks.concat(frames).write_parquet(arrivals / f"{day:03}.parquet")
            frames = []
    workspace = open_workspace(directory)
    rows = sum(r.report.accepted for r in workspace.import_files(sorted(arrivals.iterdir())) if r.report)
    report = workspace.run()
    shutil.rmtree(arrivals)
    seconds = time.perf_counter() - started
    print(
        f"park: {rows:,} readings, {sum(m.entries for m in report.months):,} entries, {seconds:.0f} s", flush=True
    )


def operator(directory: Path, address: str = "127.0.0.1") -> tuple[str, str]:
    """A person of the park office: the token of a session, and a token for programs."""
    from datetime import timedelta

    from lujin.access import policy
    from lujin.access.api_tokens import issue_token
    from lujin.access.people import PersonForm, insert_person
    from lujin.access.sessions import Visit, start_session
    from lujin.access.viewer import Role, Viewer
    from lujin.database import writing
    from lujin.workspace import open_workspace

    engine, now = open_workspace(directory).engine, datetime.now(UTC)
    form = PersonForm("Benchmark", Role.OPERATOR, email=f"bench{now.timestamp():.0f}@example.org")
    with writing(engine) as connection:
        number = insert_person(connection, None, form, now, address)
        cookie = start_session(connection, number, Visit(now, int(now.strftime("%Y%m%d")), address))
    viewer = Viewer(number, "Benchmark", Role.OPERATOR)
    rights = policy.token_rights(Role.OPERATOR)
    return cookie, issue_token(engine, viewer, "benchmark", rights, now + timedelta(days=30), now=now)


@contextlib.contextmanager
def served(directory: Path, port: int) -> Iterator[int]:
    """The real command in a process of its own; its process id."""
    command = [sys.executable, "-m", "lujin", "serve", str(directory), "--port", str(port)]
    log = directory / "server.log"
    # The visitors are one person with one session, who may ask as often as twenty
    environment = {**os.environ, "LUJIN_WEB_REQUESTS_PER_MINUTE": "0"}
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, env=environment) as process:
        try:
            deadline = time.monotonic() + 120
            while not visitors.answers(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.2)
            yield process.pid
        finally:
            process.terminate()


def memory_mb(pid: int) -> tuple[float, float]:
    """Resident memory of the process now and at its peak [MB], the pages of mapped files left out of the first."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    )
    return int(status["RssAnon"].split()[0]) / 1024, int(status["VmHWM"].split()[0]) / 1024


def cpu_s(pid: int) -> float:
    """CPU seconds of the process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentiles(values: list[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    return tuple(ordered[min(int(len(ordered) * q), len(ordered) - 1)] for q in (0.5, 0.95, 1.0))  # type: ignore[return-value]


class Seen:
    """Seconds per route, and what was refused."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)
        self.refused: dict[str, int] = defaultdict(int)

    def __call__(self, route: str, status: int, took: float) -> None:
        if status >= 400:
            self.refused[f"{route} {status}"] += 1
        else:
            self.times[route].append(took)


def report(columns: dict[str, Seen]) -> None:
    """p50, p95 and greatest of each route, a group of columns per way of visiting [ms]."""
    routes = sorted({route for seen in columns.values() for route in seen.times})
    print(f"{'':<52}" + "".join(f"{name:>30}" for name in columns))
    print(f"{'route':<52}" + f"{'n':>6}{'p50':>8}{'p95':>8}{'max':>8}" * len(columns))
    for route in [*routes, "all"]:
        cells = ""
        for seen in columns.values():
            every = [took for found in seen.times.values() for took in found]
            found = every if route == "all" else seen.times.get(route, [])
            if found:
                cells += f"{len(found):>6}" + "".join(f"{1000 * value:>8.1f}" for value in percentiles(found))
            else:
                cells += f"{0:>6}{'–':>8}{'–':>8}{'–':>8}"
        print(f"{route[-51:]:<52}{cells}")
    for name, seen in columns.items():
        for what, count in sorted(seen.refused.items()):
            print(f"refused, {name}: {what} ×{count}")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--park", type=Path)
    arguments.add_argument("--users", type=int, default=20)
    arguments.add_argument("--seconds", type=float, default=20)
    arguments.add_argument("--port", type=int, default=8431)
    arguments.add_argument("--only", default="", help="routes that contain this text")
    arguments.add_argument("--small", action="store_true", help="two months instead of a year")
    arguments.add_argument("--prepare-only", action="store_true")
    arguments.add_argument("--no-ingest", action="store_true")
    given = arguments.parse_args()
    directory = given.park or Path(tempfile.mkdtemp(prefix="lujin-web-"))
    if not (directory / "park.toml").is_file():
        directory.mkdir(parents=True, exist_ok=True)
        prepare(directory, 60 if given.small else 365)
    if given.prepare_only:
        return
    cookie, token = operator(directory)
    with served(directory, given.port) as pid:
        time.sleep(3)
        idle, _ = memory_mb(pid)
        print(f"{os.cpu_count()} cores; server memory at rest after the start: {idle:.0f} MB")
        mix = visitors.Mix.of(directory, given.port, cookie, token, given.only)
        print(f"{len(mix.routes)} routes; not asked: {', '.join(mix.skipped) or 'none'}")
        columns = {name: Seen() for name in ("first time, one user", f"{given.users} users", "with pauses")}
        cold, busy, calm = columns.values()
        visitors.once(given.port, mix, cold)
        page, weight = visitors.page_weight(given.port, mix)
        print(f"heaviest page with all its files, compressed: {weight / 1000:.0f} kB ({page})")
        before = cpu_s(pid)
        asyncio.run(visitors.visit(given.port, mix, given.users, given.seconds, busy))
        used, answered = cpu_s(pid) - before, sum(map(len, busy.times.values()))
        asyncio.run(visitors.visit(given.port, mix, given.users, given.seconds, calm, PAUSE_S))
        report(columns)
        print(f"{answered / given.seconds:.0f} answers/s, server CPU per answer {1000 * used / answered:.1f} ms")
        print(f"load of the machine: {', '.join(f'{value:.1f}' for value in os.getloadavg())}")
        now, peak = memory_mb(pid)
        print(f"server memory after the load: {now:.0f} MB, peak {peak:.0f} MB with mapped files")
        if not given.no_ingest:
            for name, figures in ingest.measured(given.port, directory, token):
                print(f"ingest {name}: {json.dumps(figures)}")
    if given.park is None:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
