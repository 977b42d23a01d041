"""Green power and certificates (绿电、绿证): who retired what for a month, each Wh once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from lujin.accounts.apportion import largest_remainder
from lujin.accounts.flows import Split
from lujin.errors import N_, Problem
from lujin.park import Park

_WH_PER_MWH = 1_000_000


@dataclass(frozen=True, slots=True)
class Claimed:
    """What one enterprise retired of one instrument for one month [Wh]."""

    instrument: str
    kind: str
    energy_wh: int


@dataclass(frozen=True, eq=False, slots=True)
class Cells:
    """Purchases of one enterprise [legs, days] by ``labels``, of which ``given`` [Wh] went on to others."""

    labels: Sequence[str]
    bought: Split
    given: int


def claims_of_month(park: Park, month: int) -> tuple[Mapping[str, Sequence[Claimed]], list[Problem]]:
    """Per enterprise the instruments retired for ``month``, in order of instrument. See ``claims_of``."""
    return claims_of(park, month, month)


def claims_of(park: Park, first: int, last: int) -> tuple[Mapping[str, Sequence[Claimed]], list[Problem]]:
    """Per enterprise the instruments retired for the months ``first`` to ``last``, in order of instrument.

    An instrument of which more was retired than issued, over all enterprises and months, is refused as a
    whole: whose claim came first is not for the accounts to decide.
    """
    retired: dict[str, Decimal] = defaultdict(Decimal)
    for claim in park.claims:
        retired[claim.instrument] += claim.energy_mwh
    problems = []
    refused = set()
    for name, energy in sorted(retired.items()):
        instrument = park.instruments[name]
        if energy > instrument.energy_mwh:
            refused.add(name)
            problems.append(
                Problem(
                    N_("{retired} MWh of {instrument} are claimed, {issued} MWh were issued: none is used"),
                    {"instrument": name, "retired": energy, "issued": instrument.energy_mwh},
                    N_("correct the claims so that together they do not exceed the instrument"),
                    file="park.toml",
                    line=instrument.line,
                    field="claims",
                )
            )
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for claim in park.claims:
        if first <= claim.month <= last and claim.instrument not in refused:
            found[claim.enterprise, claim.instrument] += claim.energy_mwh
    claimed: dict[str, list[Claimed]] = defaultdict(list)
    for (enterprise, name), energy in sorted(found.items()):
        claimed[enterprise].append(Claimed(name, park.instruments[name].kind, int(energy * _WH_PER_MWH)))
    return claimed, problems


def shares_of(cells: Cells, claims: Sequence[Claimed]) -> list[tuple[Claimed, Split, int]]:
    """Spread each claim over days in proportion to what is still uncovered; with it the unused rest [Wh].

    Together the claims cover no more than what was bought and not given on, and no cell more than it holds.
    """
    left = np.stack([np.maximum(cells.bought.measured, 0), np.maximum(cells.bought.estimated, 0)])
    available = max(int(left.sum()) - cells.given, 0)
    ids = [f"{label}|{day:02}|{q}" for q in "me" for label in cells.labels for day in range(left.shape[2])]
    found = []
    for claim in claims:
        used = min(claim.energy_wh, available)
        part = np.array(largest_remainder(used, left.ravel().tolist(), ids), dtype=np.int64).reshape(left.shape)
        available -= used
        left -= part
        found.append((claim, Split(part[0], part[1]), claim.energy_wh - used))
    return found
