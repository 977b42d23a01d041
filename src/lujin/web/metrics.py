"""What Prometheus reads: how many requests, how long, how much of the park is stored."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from lujin.database import metadata
from lujin.readings.sources import pending
from lujin.workspace import Workspace

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SEVERAL = "PROMETHEUS_MULTIPROC_DIR"  # set when several processes serve one park
# Append-only tables numbered from 1: their newest number is how many there are.
COUNTED = {
    "entry": ("lujin_ledger_entries", "Entries in the ledger"),
    "source": ("lujin_arrivals", "Arrivals of readings that were registered"),
    "certificate": ("lujin_certificates", "Certificates that were issued"),
    "audit_entry": ("lujin_audit_entries", "Entries of the audit trail"),
}


@dataclass(frozen=True)
class Metrics:
    """Of one application. ``stored`` are asked of the database when somebody reads them."""

    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    open_requests: Gauge

    @classmethod
    def new(cls) -> Metrics:
        registry = CollectorRegistry()
        if SEVERAL not in os.environ:
            ProcessCollector(registry=registry)
            PlatformCollector(registry=registry)
        labels = ("method", "route")
        return cls(
            registry,
            Counter("lujin_requests", "Requests answered", (*labels, "status"), registry=registry),
            Histogram("lujin_request_seconds", "Time to answer", labels, buckets=SECONDS, registry=registry),
            Gauge(
                "lujin_requests_open",
                "Requests being answered",
                registry=registry,
                multiprocess_mode="livesum",
            ),
        )

    def text(self, current: Callable[[], Workspace]) -> bytes:
        """All of it, in the text format of Prometheus."""
        processes = self.registry
        if SEVERAL in os.environ:
            processes = CollectorRegistry()
            MultiProcessCollector(processes)  # type: ignore[no-untyped-call]
        return generate_latest(processes) + generate_latest(_stored(current()))


def _stored(workspace: Workspace) -> CollectorRegistry:
    found = CollectorRegistry()
    with workspace.engine.connect() as connection:
        for name, (metric, help_text) in COUNTED.items():
            if (table := metadata.tables.get(name)) is not None:
                number = next(iter(table.primary_key.columns))
                newest = connection.execute(sa.select(sa.func.max(number))).scalar()
                Gauge(metric, help_text, registry=found).set(newest or 0)
    unfinished = Gauge("lujin_arrivals_unfinished", "Arrivals neither committed nor abandoned", registry=found)
    unfinished.set(len(pending(workspace.engine)))
    months = Gauge("lujin_months_posted", "Months that have postings", registry=found)
    months.set(len(workspace.months()))
    return found
