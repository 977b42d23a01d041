"""Evidence: ``python benchmarks/merkle.py [--small]``. The log of a million entries; certificates, checked.

CPU seconds of one process, the best of some runs; the start of Python is told apart. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lujin.accounts import merkle
from lujin.accounts.log import SORTED_KEY, digest_of_lines, entry_id, instant_text, key_digest, leaf_bytes
from lujin.publish import Certified, Entry, Line, Party, canonical_file, check, issue, sign_head, totals_of

NOW = datetime(2026, 1, 5, tzinfo=UTC)
BOOKS = ("location", "market", "physical", "regulatory")


def best(function: Callable[[], object], runs: int) -> float:
    found = []
    for _ in range(runs):
        start = time.process_time()
        function()
        found.append(time.process_time() - start)
    return min(found)


def line(name: str, what: str, **figures: object) -> None:
    cells = "  ".join(f"{k} {v:,.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in figures.items())
    print(f"{name:<18} {what:<46} {cells}", flush=True)


def log_of(size: int) -> None:
    leaves = [leaf_bytes(f"{i:064x}", i + 1, "2025-07-01T00:00:00+00:00", i) for i in range(size)]
    line("merkle-root", f"root over {size:,} leaves as bytes", cpu=best(lambda: merkle.root(leaves), 3))
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    known = merkle.Frontier().extended(hashes[:-1000])
    line("merkle-head", "head after 1,000 more", cpu=best(lambda: known.extended(hashes[-1000:]).root(), 9))
    line("merkle-tree", "tree to hand out proofs", cpu=best(lambda: merkle.Tree(hashes), 3))
    tree = merkle.Tree(hashes)
    proof, root = tree.inclusion(size // 3), tree.root()
    found = best(lambda: merkle.verify_inclusion(hashes[size // 3], size // 3, size, proof, root), 99)
    line("merkle-proof", f"one inclusion checked, {len(proof)} nodes", cpu_ms=found * 1000)


def entry(number: int, month: int, book: str, keys: int, days: int) -> Entry:
    """Lines of one month and book, sealed; ``keys`` line keys on ``days`` days."""
    texts = [
        (f"E004/S2/{k:03}", "E004/EXT/grid", "CO2", "", "measured", "power@1", "", "G→E") for k in range(keys)
    ]
    lines = [Line(*text, 100 * month + day, 10**9 * day + 1) for text in texts for day in range(1, days + 1)]
    digest = digest_of_lines((key_digest([getattr(x, n) for n in SORTED_KEY]), x.day, x.amount) for x in lines)
    heading = {
        "enterprise": "E004",
        "month": month,
        "book": book,
        "version": 1,
        "reason": "initial",
        "pack": "p@1",
    }
    sealed = {**heading, "park_digest": "p" * 64, "input_digest": "i" * 64, "lines_digest": digest}
    id = entry_id({**sealed, "lines": len(lines)})
    return Entry(**sealed, number=number, id=id, source=1, recorded_at=NOW, lines=lines, inclusion=())


def certificate(months: int, keys: int) -> tuple[bytes, int]:
    """The file of one enterprise in a log of 100,000 entries, and how many lines it holds."""
    at = [(month, book) for month in range(202501, 202501 + months) for book in BOOKS]
    entries = [entry(i + 1, month, book, keys, 28) for i, (month, book) in enumerate(at)]
    leaves = [leaf_bytes(e.id, e.number, instant_text(e.recorded_at), e.source) for e in entries]
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves]
    tree = merkle.Tree([*hashes, *(merkle.leaf_hash(b"%d" % i) for i in range(100_000))])
    proven = [replace(e, inclusion=tree.inclusion(i)) for i, e in enumerate(entries)]
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    certified = Certified(
        issuer=Party("park"),
        subject=Party("E004"),
        boundary="legal entity",
        first=202501,
        last=202500 + months,
        known_at=NOW,
        head=sign_head(tree.size, tree.root(), NOW, key),
        entries=proven,
        totals=totals_of(proven),
        factors=(),
    )
    return canonical_file(issue(certified, key, NOW, 0)), sum(len(e.lines) for e in entries)


def checked(name: str, months: int, keys: int) -> None:
    file, lines = certificate(months, keys)
    assert check(file).ok
    what = f"{months} months, {lines:,} lines, {len(file) / 1e6:.2f} MB"
    line(name, what, cpu_ms=best(lambda: check(file), 9) * 1000)


def command() -> None:
    """The whole command, as a bank's clerk waits for it."""
    file, _ = certificate(1, 40)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "certificate.json"
        path.write_bytes(file)
        code = "from lujin.cli import main; main()"
        waits = []
        for arguments in (["--version"], ["verify", str(path)]):
            times = []
            for _ in range(5):
                start = time.perf_counter()
                subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
                times.append(time.perf_counter() - start)
            waits.append(min(times))
    line("verify-command", "lujin verify FILE, wall", wall=waits[1], of_start=waits[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the size, to see that it runs")
    small = parser.parse_args().small
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    log_of(100_000 if small else 1_000_000)
    checked("certificate-month", 1, 4 if small else 40)
    checked("certificate-year", 2 if small else 12, 4 if small else 40)
    command()


if __name__ == "__main__":
    main()
