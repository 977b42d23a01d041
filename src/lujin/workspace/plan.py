"""What a run has to post: the months and enterprises whose facts are newer than their postings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from lujin.accounts import components, passes_on, profiled
from lujin.park import Park, check_terms, flow_terms
from lujin.park.calendar import month_start, next_month
from lujin.park.model import ACCOUNT_HOLDERS


@dataclass(frozen=True, slots=True)
class Work:
    """One month to post for some enterprises. ``reasons``: why, per enterprise."""

    month: int
    reasons: Mapping[str, str]

    @property
    def enterprises(self) -> frozenset[str]:
        return frozenset(self.reasons)


@dataclass(frozen=True, slots=True)
class Held:
    """A month that was closed once: what came since waits for a restatement. ``arrivals``: their numbers."""

    month: int
    state: str
    reasons: Mapping[str, str]
    arrivals: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "month": self.month,
            "state": self.state,
            "enterprises": len(self.reasons),
            "reasons": counted(self.reasons),
            "arrivals": list(self.arrivals),
        }


def counted(reasons: Mapping[str, str]) -> dict[str, int]:
    """Reason → how many enterprises have it."""
    found = Counter(reasons.values())
    return {reason: found[reason] for reason in sorted(found)}


def enterprises_of_meters(park: Park) -> Mapping[str, frozenset[str]]:
    """Meter id → the enterprises whose account its flow moves (owner of the source and of the target). A check
    meter moves those of the flow that it checks; with hourly matching, a device's meter also those who claim its
    certificates.
    """
    found: dict[str, set[str]] = defaultdict(set)
    claimers = profiled(park)
    for flow, terms in (*flow_terms(park).items(), *check_terms(park).items()):
        record = park.flows[flow]
        owners = {park.owner(record.source), park.owner(record.target), *claimers.get(flow, ())} - {""}
        for term in terms:
            found[term.meter] |= owners
    return {meter: frozenset(owners) for meter, owners in found.items()}


def meters_of_enterprises(park: Park, enterprises: Iterable[str]) -> tuple[str, ...]:
    """Meters of every flow that touches one of the enterprises, in file order."""
    wanted = frozenset(enterprises)
    meters = enterprises_of_meters(park)
    return tuple(m for m in park.meters if meters.get(m, frozenset()) & wanted)


def present(park: Park, enterprise: str, month: int) -> bool:
    """Whether the enterprise is in the park at some time of the month."""
    node = park.nodes.get(enterprise)
    if node is None or node.kind not in ACCOUNT_HOLDERS:
        return False
    start = month_start(month, park.timezone)
    end = month_start(next_month(month), park.timezone)
    return (node.valid_from is None or node.valid_from < end) and (node.valid_to is None or node.valid_to > start)


def plan(
    park: Park,
    digests: Mapping[str, str],
    touched: pl.DataFrame,
    posted: pl.DataFrame,
    meter_ids: Mapping[int, str],
    corrections: frozenset[int] = frozenset(),
    supplied: frozenset[tuple[int, str]] = frozenset(),
    month: int | None = None,
) -> list[Work]:
    """The work that brings every posting up to the facts.

    ``digests``: enterprise → digest of its part of the park. ``touched``: (month, meter key, source), the last
    source that touched each pair. ``posted``: (month, enterprise, source, park_digest), the last posting.
    ``corrections``: the sources that correct earlier readings. ``supplied``: (month, enterprise) posted without
    a factor that may be there now. Only ``month`` if given. Order does not matter:
    the same facts give the same work.
    """
    owners = enterprises_of_meters(park)
    newest: dict[tuple[int, str], int] = {}
    for at, meter, source in touched.select("month", "meter", "source").iter_rows():
        for enterprise in owners.get(meter_ids.get(meter, ""), ()):
            newest[at, enterprise] = max(source, newest.get((at, enterprise), 0))
    done = {
        (at, enterprise): (source, digest)
        for at, enterprise, source, digest in posted.select(
            "month", "enterprise", "source", "park_digest"
        ).iter_rows()
    }
    # Those who are no longer in the park file have nothing left: what was posted for them is reversed
    digests = {**dict.fromkeys((enterprise for _, enterprise in done), ""), **digests}
    months = {at for at, _ in newest} | {at for at, _ in done}
    work = []
    for at in sorted(months if month is None else months & {month}):
        reasons = {
            enterprise: reason
            for enterprise in digests
            if present(park, enterprise, at) or (at, enterprise) in done
            if (
                reason := _reason(
                    done.get((at, enterprise)), newest.get((at, enterprise), 0), digests[enterprise], corrections
                )
                or ("late_factor" if (at, enterprise) in supplied else "")
            )
        }
        if reasons:
            known = {e for e in digests if present(park, e, at) or (at, e) in done}
            work.append(Work(at, with_joined(park, reasons, known)))
    return work


def arrivals_since(
    park: Park, touched: pl.DataFrame, posted: pl.DataFrame, meter_ids: Mapping[int, str], month: int
) -> tuple[int, ...]:
    """Numbers of the arrivals that touched the month and that its postings do not know yet."""
    owners = enterprises_of_meters(park)
    known = dict(posted.filter(pl.col("month") == month).select("enterprise", "source").iter_rows())
    rows = touched.filter(pl.col("month") == month).select("meter", "source").iter_rows()
    return tuple(
        sorted(
            {
                source
                for meter, source in rows
                if any(source > known.get(e, 0) for e in owners.get(meter_ids.get(meter, ""), ()))
            }
        )
    )


def with_joined(park: Park, reasons: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """With those of ``known`` whose carbon may change along: neighbours, for the reason of the one they follow.

    Where no book passes carbon on, an enterprise's lines are its own.
    """
    found = dict(reasons)
    if passes_on(park):
        joined, first = components(park), dict[frozenset[str], str]()
        for enterprise in sorted(reasons):
            first.setdefault(joined.get(enterprise, frozenset({enterprise})), reasons[enterprise])
        for neighbours, reason in first.items():
            for neighbour in neighbours & frozenset(known):
                found.setdefault(neighbour, reason)
    return found


def _reason(done: tuple[int, str] | None, newest: int, digest: str, corrections: frozenset[int]) -> str:
    if done is None:
        return "initial"
    source, posted_digest = done
    if newest > source:
        return "correction" if newest in corrections else "late_reading"
    return "park_change" if posted_digest != digest else ""
