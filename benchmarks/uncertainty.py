"""Monte Carlo over shared sources: ``python benchmarks/uncertainty.py [--small]``. See benchmarks/README.md.

A park of 200 enterprises, 300 sources (meters of their own, factors in common), eight product lines each. The
floor is the bare matrix product [enterprises, sources] × [sources, draws] in the same run.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
from scipy import sparse

from lujin.accounts.uncertainty import Lines, Source, aggregate, first_order, matrix
from lujin.accounts.uncertainty_draws import monte_carlo

ENTERPRISES, SOURCES, LINES, DRAWS = 200, 300, 8, 10_000


def park(enterprises: int, sources: int, rng: np.random.Generator) -> tuple[Lines, sparse.csr_array]:
    """Each line: its own meter and two of the shared factors; a tenth of the factors known to ±40 %."""
    shared = sources // 3
    factors = [
        Source(f"factor{k}", "factor", 0.2, "lognormal") if k % 10 == 0 else Source(f"factor{k}", "factor", 0.03)
        for k in range(shared)
    ]
    meters = [Source(f"meter{k}", "meter", 0.003, "uniform") for k in range(sources - shared)]
    known = [*factors, *meters]
    count = enterprises * LINES
    picked = np.column_stack(
        [rng.integers(0, shared, count), rng.integers(0, shared, count), rng.integers(shared, sources, count)]
    )
    relative = np.array([s.relative for s in known])[picked]
    rows = np.repeat(np.arange(count), 3)
    lines = Lines(
        tuple(f"line{i}" for i in range(count)),
        rng.lognormal(4, 1, count),
        tuple(known),
        matrix((count, sources), rows, picked.ravel(), relative.ravel()),
    )
    owner = np.repeat(np.arange(enterprises), LINES)
    return lines, matrix((enterprises, count), owner, np.arange(count), np.ones(count))


def cpu() -> float:
    return time.process_time()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth of the draws")
    draws = DRAWS // 10 if parser.parse_args().small else DRAWS
    rng = np.random.default_rng(1)
    lines, into = park(ENTERPRISES, SOURCES, rng)
    names = [f"E{e:03}" for e in range(ENTERPRISES)]
    dense, deltas = rng.normal(size=(ENTERPRISES, SOURCES)), rng.normal(size=(SOURCES, draws))
    dense @ deltas  # warm
    start = cpu()
    dense @ deltas
    bare = cpu() - start
    start, wall = cpu(), time.perf_counter()
    drawn = monte_carlo(lines, draws, np.random.default_rng(2), into=into, accounts=names)
    used, wall = cpu() - start, time.perf_counter() - wall
    start = cpu()
    linear = first_order(aggregate(lines.contributions(), into, names))
    first = cpu() - start
    off = float(np.max(np.abs(drawn.standard / linear.standard - 1)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = f"{draws:,} draws × {SOURCES} sources × {ENTERPRISES} enterprises, {len(lines.base):,} lines"
    ratio = f"{used / max(bare, 1e-9):.1f}× of {bare:.2f} s"
    print(f"monte-carlo   {size}  wall {wall:.2f}  cpu {used:.2f}  peak_mb {peak:.0f}  ratio_to_product {ratio}")
    print(f"first-order   the same park  cpu {first * 1000:.1f} ms  largest difference of u to drawn {off:.1%}")


if __name__ == "__main__":
    main()
