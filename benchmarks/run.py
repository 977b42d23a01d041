"""All benchmarks: ``python benchmarks/run.py [--only NAME …] [--small]``. See benchmarks/README.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import parks
import tracing

CASES: dict[str, Callable[[Path, bool], None]] = {}
Case = Callable[[Path, bool], None]


def case(name: str) -> Callable[[Case], Case]:
    def register(function: Case) -> Case:
        CASES[name] = function
        return function

    return register


class Timer:
    def __enter__(self) -> Timer:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu


def peak_mb() -> float:
    """Peak of this process alone; ru_maxrss would begin with that of the parent."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


def child(case: str, step: str, directory: Path) -> dict[str, float]:
    """Run one step in a process of its own, so that time and memory are its own."""
    command = [sys.executable, __file__, "--step", step, "--case", case, "--directory", str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{case} {step} failed:\n{done.stdout}\n{done.stderr}")
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def line(name: str, what: str, **figures: object) -> None:
    cells = "  ".join(
        f"{key} {value:,.2f}" if isinstance(value, float) else f"{key} {value}" for key, value in figures.items()
    )
    print(f"{name:<13} {what:<34} {cells}", flush=True)


def step_import(directory: Path) -> dict[str, float]:
    from lujin.workspace import open_workspace

    files = sorted((directory / "arrivals").iterdir())
    with Timer() as t:
        reports = open_workspace(directory).import_files(files)
    return {
        "wall": t.wall,
        "cpu": t.cpu,
        "rows": sum(r.report.accepted for r in reports if r.report),
        "peak_mb": peak_mb(),
    }


def step_compact(directory: Path) -> dict[str, float]:
    from lujin.workspace import open_workspace

    store = open_workspace(directory).store
    with Timer() as t:
        for month in store.months():
            store.compact(month)
    return {"wall": t.wall, "cpu": t.cpu, "peak_mb": peak_mb()}


def step_scan(directory: Path) -> dict[str, float]:
    """The floor: read the same columns of the same files and add them up."""
    import polars as pl

    with Timer() as t:
        files = sorted((directory / "readings").glob("month=*/*.parquet"))
        total = (
            pl.scan_parquet(files, hive_partitioning=False)
            .select(pl.col("meter").max(), pl.col("time").max(), pl.col("value").sum(), pl.len().alias("rows"))
            .collect(engine="streaming")
        )
    return {"wall": t.wall, "cpu": t.cpu, "rows": total["rows"].item(), "peak_mb": peak_mb()}


def step_run(directory: Path) -> dict[str, float]:
    from lujin.workspace import open_workspace

    with Timer() as opened:
        workspace = open_workspace(directory)
    with Timer() as t:
        report = workspace.run()
    problems = [p.text()[:200] for p in report.problems if p.severity == "error"]
    if problems:
        print("problems:", problems[:3], file=sys.stderr)
    return {
        "wall": t.wall,
        "cpu": t.cpu,
        "open": opened.wall,
        "readings": sum(m.readings for m in report.months),
        "entries": sum(m.entries for m in report.months),
        "problems": len(problems),
        "peak_mb": peak_mb(),
    }


def step_correct(directory: Path) -> dict[str, float]:
    from lujin.workspace import open_workspace

    workspace = open_workspace(directory)
    keys = workspace.meter_keys()
    month = workspace.store.months()[0]
    frame = workspace.store.read(month, [keys["M00007"]])
    day = frame.slice(96 * 10, 96)
    file = directory / "correction.csv"
    rows = [f"M00007,{t.isoformat()},{v + 0.5:.2f}" for t, v in zip(day["time"], day["value"], strict=True)]
    file.write_text("meter,time,value\n" + "\n".join(rows) + "\n", encoding="utf-8")
    with Timer() as imported:
        report = workspace.import_files([file])[0]
    with Timer() as posted:
        done = workspace.run()
    return {
        "wall": imported.wall + posted.wall,
        "cpu": imported.cpu + posted.cpu,
        "import": imported.wall,
        "run": posted.wall,
        "corrected": report.report.corrects if report.report else 0,
        "entries": sum(m.entries for m in done.months),
        "peak_mb": peak_mb(),
    }


def step_statement(directory: Path) -> dict[str, float]:
    from lujin.workspace import open_workspace

    workspace = open_workspace(directory)
    month = workspace.store.months()[0]
    workspace.statement("E010", month)
    walls = []
    for e in range(20):
        with Timer() as t:
            workspace.statement(f"E{e:03}", month).as_dict()
        walls.append(t.wall)
    return {"wall": sorted(walls)[len(walls) // 2], "worst": max(walls), "peak_mb": peak_mb()}


def step_trace(directory: Path) -> dict[str, float]:
    measured = tracing.measure(
        int((directory / "steps").read_text(encoding="ascii")), (directory / "far").exists()
    )
    return {**measured, "peak_mb": peak_mb()}


STEPS = {name.removeprefix("step_"): value for name, value in globals().items() if name.startswith("step_")}


def month_case(name: str, directory: Path, meters: int, days: int, first: object) -> None:
    parks.write_park(directory, meters)
    (directory / "arrivals").mkdir()
    rows = parks.write_parquet(directory / "arrivals" / "month.parquet", meters, first, days)  # type: ignore[arg-type]
    line(name, f"{meters:,} meters × {days} days", readings=f"{rows:,}")
    report(name, directory)


def report(name: str, directory: Path) -> None:
    done = child(name, "import", directory)
    line(
        name,
        "import (Parquet)",
        wall=done["wall"],
        rows_per_s=f"{done['rows'] / done['wall']:,.0f}",
        peak_mb=done["peak_mb"],
    )
    done = child(name, "compact", directory)
    line(name, "compaction", wall=done["wall"], peak_mb=done["peak_mb"])
    scan = child(name, "scan", directory)
    line(name, "bare Polars scan", wall=scan["wall"], cpu=scan["cpu"], peak_mb=scan["peak_mb"])
    done = child(name, "run", directory)
    line(
        name,
        "stored readings → durable postings",
        wall=done["wall"],
        cpu=done["cpu"],
        peak_mb=done["peak_mb"],
        entries=int(done["entries"]),
        ratio_to_scan=f"{done['cpu'] / max(scan['cpu'], 1e-9):.1f}× CPU",
        problems=int(done["problems"]),
    )


@case("month-1000")
def month_1000(directory: Path, small: bool) -> None:
    month_case("month-1000", directory, 100 if small else 1_000, 30, parks.JUNE)
    done = child("month-1000", "correct", directory)
    line(
        "correction",
        "one meter-day imported and restated",
        wall=done["wall"],
        of_import=done["import"],
        of_run=done["run"],
        corrected=int(done["corrected"]),
        entries=int(done["entries"]),
    )
    done = child("month-1000", "statement", directory)
    line(
        "statement", "one enterprise and month, warm", median_ms=done["wall"] * 1000, worst_ms=done["worst"] * 1000
    )


@case("month-10000")
def month_10000(directory: Path, small: bool) -> None:
    month_case("month-10000", directory, 1_000 if small else 10_000, 31, parks.JULY)


@case("year-2000")
def year_2000(directory: Path, small: bool) -> None:
    """Months arrive one after the other, as they do; run posts the whole year at once."""
    meters = 200 if small else 2_000
    parks.write_park(directory, meters)
    (directory / "arrivals").mkdir()
    frames, rows = [], 0
    for day, frame in enumerate(parks.registers(meters, parks.YEAR, 365)):
        frames.append(frame)
        if len(frames) == 31 or day == 364:
            path = directory / "arrivals" / f"{day:03}.parquet"
            parks.concat(frames).write_parquet(path)
            rows += sum(f.height for f in frames)
            frames = []
    line("year-2000", f"{meters:,} meters × 365 days", readings=f"{rows:,}")
    report("year-2000", directory)


@case("csv")
def csv(directory: Path, small: bool) -> None:
    meters = 2_000
    parks.write_park(directory, meters)
    (directory / "arrivals").mkdir()
    path = directory / "arrivals" / "registers.csv"
    rows = parks.write_csv(path, meters, parks.JUNE, 50_000_000 if small else 1_000_000_000)
    done = child("csv", "import", directory)
    line(
        "csv",
        f"import of {path.stat().st_size / 1e9:.2f} GB, {rows:,} rows",
        wall=done["wall"],
        rows_per_s=f"{done['rows'] / done['wall']:,.0f}",
        peak_mb=done["peak_mb"],
    )


@case("trace")
def trace(directory: Path, small: bool) -> None:
    steps = tracing.YEAR // 10 if small else tracing.YEAR
    (directory / "steps").write_text(str(steps), encoding="ascii")
    for rings in ("near", "far"):
        (directory / rings).touch()
        done = child("trace", "trace", directory)
        line(
            "trace",
            f"{steps:,} steps, rings closed {rings}",
            wall=done["wall"],
            cpu=done["cpu"],
            us_per_step=done["us_per_step"],
            peak_mb=done["peak_mb"],
            entries=int(done["entries"]),
            turning=f"{done['turning']:.0%}",
            loop_cpu=f"{done['loop_cpu']:.1f} (scaled from {done['loop_steps']:,.0f} steps)",
            ratio_to_loop=f"{done['ratio']:.1f}×",
            difference=f"{done['difference']:.0e}",
            imbalance=f"{done['imbalance']:.0e}",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--small", action="store_true", help="a tenth of the size, to see that it runs")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--directory", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(STEPS[options.step](options.directory)))
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}")
    for name in options.only:
        directory = Path(tempfile.mkdtemp(prefix=f"lujin-{name}-"))
        try:
            CASES[name](directory, options.small)
        finally:
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
