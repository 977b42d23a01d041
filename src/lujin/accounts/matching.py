"""Claims matched hour by hour (逐时匹配): a certificate covers a purchase only in the hour its device ran.

The hours of an instrument are those of its device: a node of the park, or a meter whose flow tells the
profile. What is claimed of a device in a month is laid over its hours in proportion to what it generated, no
Wh twice whoever claims it. An instrument whose device tells no hours covers nothing, and is named.
Source: GHG Protocol, Scope 2 public consultation of October 2025 (hourly matching); EnergyTag, Granular
Certificate Scheme Standard (one certificate per Wh and interval).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from lujin.accounts.apportion import largest_remainder
from lujin.accounts.claims import Cells, Claimed
from lujin.accounts.flows import Leg, Split
from lujin.accounts.pack import packs
from lujin.accounts.poster import Poster
from lujin.errors import N_, Problem
from lujin.park import Park

SLOTS = 4  # of an hour
Hours = NDArray[np.int64]


def profile_flows(park: Park, device: str) -> frozenset[str]:
    """Ids of the flows whose sum is what the device of an instrument generated; empty: it is not in the park."""
    if device in park.nodes:
        return frozenset(flow.id for flow in park.flows.values() if flow.source == device)
    if device in park.meters:
        return frozenset({park.meters[device].flow})
    return frozenset()


def profiled(park: Park) -> Mapping[str, frozenset[str]]:
    """Flow id → the enterprises whose claims it tells the hours of; empty unless the market book matches so."""
    chosen = packs().get(park.packs.get("market", ""))
    if chosen is None or chosen.electricity is None or chosen.electricity.matching != "hour":
        return {}
    found: dict[str, set[str]] = defaultdict(set)
    for claim in park.claims:
        for flow in profile_flows(park, park.instruments[claim.instrument].device):
            found[flow].add(claim.enterprise)
    return {flow: frozenset(enterprises) for flow, enterprises in found.items()}


class Hourly:
    """Spreads what is claimed in a month over the hours in which it was generated."""

    def __init__(self, poster: Poster, claimed: Mapping[str, Sequence[Claimed]], kinds: Sequence[str]) -> None:
        self.poster = poster
        self._given: dict[tuple[str, str], Hours] = {}
        by_device: dict[str, list[tuple[str, Claimed]]] = defaultdict(list)
        for enterprise, claims in sorted(claimed.items()):
            for claim in claims:
                if claim.kind in kinds:
                    device = poster.flows.park.instruments[claim.instrument].device
                    by_device[device].append((enterprise, claim))
        for device, members in sorted(by_device.items()):
            self._lay(device, members)

    def _lay(self, device: str, members: Sequence[tuple[str, Claimed]]) -> None:
        left = self._generated(device)
        wanted = sum(claim.energy_wh for _, claim in members)
        if left is None or wanted > int(left.sum()):
            told = [e for e, _ in members if e in self.poster.wanted]
            if told:
                self.poster.problems.append(_unmatched(device, members, left, told))
            return
        ids = [f"{hour:04}" for hour in range(len(left))]
        for enterprise, claim in members:
            part = np.array(largest_remainder(claim.energy_wh, left.tolist(), ids), dtype=np.int64)
            left = left - part
            self._given[enterprise, claim.instrument] = part

    def _generated(self, device: str) -> Hours | None:
        """[hours] in Wh; None: the device has no flow in the park."""
        flows = self.poster.flows
        ids = profile_flows(flows.park, device)
        ends = {(f.source, f.target, f.carrier, f.connection) for f in flows.park.flows.values() if f.id in ids}
        rows = [
            row
            for row, s in enumerate(flows.subjects)
            if (s.source, s.target, s.carrier, s.connection) in ends
            and s.carrier == "electricity"
            and flows.energy.sides.get(row) != "buyer"
        ]
        return np.maximum(_by_hour(flows.energy.total[rows]).sum(axis=0), 0) if rows else None

    def shares(
        self, enterprise: str, legs: Sequence[Leg], cells: Cells, claims: Sequence[Claimed]
    ) -> list[tuple[Claimed, Split, int]]:
        """As ``claims.shares_of``, but no hour takes more than was bought and kept in it, nor more than came."""
        left = self._bought(legs)
        kept = left.sum(axis=(0, 1)) - self._sold_on(enterprise, cells.given)
        kept = np.maximum(kept, 0)
        within = max(int(left.sum()) - cells.given, 0)
        found = []
        for claim in claims:
            given = self._given.get((enterprise, claim.instrument))
            used = np.minimum(given, kept) if given is not None else np.zeros_like(kept)
            if (over := int(used.sum()) - within) > 0:  # rounding of what is sold on
                used = used - np.array(
                    largest_remainder(over, used.tolist(), [f"{h:04}" for h in range(len(used))]), dtype=np.int64
                )
            part = self._spread(used, left, cells)
            left -= part
            kept -= used
            within -= int(used.sum())
            found.append((claim, self._daily(part), claim.energy_wh - int(used.sum())))
        return found

    def _bought(self, legs: Sequence[Leg]) -> NDArray[np.int64]:
        """[2, legs, hours]: measured and estimated."""
        energy = self.poster.flows.energy
        rows = [leg.row for leg in legs]
        total, estimated = _by_hour(energy.total[rows]), _by_hour(energy.estimated[rows])
        return np.maximum(np.stack([total - estimated, estimated]), 0)

    def _sold_on(self, enterprise: str, given: int) -> Hours:
        """What was sold on [Wh], laid over the hours in which the enterprise gave anything away."""
        flows = self.poster.flows
        rows = [
            leg.row
            for leg in flows.legs
            if leg.enterprise == enterprise
            and not leg.inward
            and not leg.direct
            and leg.subject.carrier == "electricity"
        ]
        hours = flows.energy.grid.slots // SLOTS
        out = np.maximum(_by_hour(flows.energy.total[rows]).sum(axis=0), 0) if rows else np.zeros(hours, np.int64)
        if not given or not out.any():
            return np.zeros(hours, dtype=np.int64)
        ids = [f"{hour:04}" for hour in range(hours)]
        return np.array(largest_remainder(given, out.tolist(), ids), dtype=np.int64)

    @staticmethod
    def _spread(used: Hours, left: NDArray[np.int64], cells: Cells) -> NDArray[np.int64]:
        """[2, legs, hours]: what is used of an hour, over its purchases in proportion."""
        part = np.zeros_like(left)
        ids = [f"{label}|{q}" for q in "me" for label in cells.labels]
        for hour in np.flatnonzero(used).tolist():
            shares = largest_remainder(int(used[hour]), left[:, :, hour].ravel().tolist(), ids)
            part[:, :, hour] = np.array(shares, dtype=np.int64).reshape(left.shape[:2])
        return part

    def _daily(self, part: NDArray[np.int64]) -> Split:
        day = self.poster.flows.energy.grid.day[::SLOTS]
        starts = np.flatnonzero(np.diff(day, prepend=-1))
        daily = np.add.reduceat(part, starts, axis=2)
        return Split(daily[0], daily[1])


def _by_hour(slots: NDArray[np.int64]) -> NDArray[np.int64]:
    """[rows, slots] → [rows, hours]."""
    hours: NDArray[np.int64] = slots.reshape(len(slots), -1, SLOTS).sum(axis=2)
    return hours


def _unmatched(
    device: str, members: Sequence[tuple[str, Claimed]], hours: Hours | None, told: Sequence[str]
) -> Problem:
    instruments = ", ".join(sorted({claim.instrument for _, claim in members}))
    if hours is None:
        return Problem(
            N_("{enterprise}: {instrument} names no device whose hours the park meters, none of it is matched"),
            {"enterprise": ", ".join(sorted(set(told))), "instrument": instruments},
            N_("let device of the instrument name a generator or a meter of the park, or use a monthly pack"),
            severity="warning",
        )
    return Problem(
        N_("{claimed} MWh of {device} are claimed, it generated {generated} MWh in the month: none is matched"),
        {
            "claimed": float(Fraction(sum(claim.energy_wh for _, claim in members), 1_000_000)),
            "generated": float(Fraction(int(hours.sum()), 1_000_000)),
            "device": device,
        },
        N_("correct the claims so that together they do not exceed what the device generated"),
        severity="warning",
    )
