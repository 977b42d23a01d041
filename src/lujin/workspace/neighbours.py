"""A meter beside those of its kind (与邻表对比): shares of their own greatest hour, as a band and by likeness.

Of its kind are meters of the same carrier between the same kinds of nodes (from the grid into a works, from a PV
plant into a works …). What a device counts, energy or power, does not matter: compared are the energies. Shares of
the own maximum tell nobody's size, and a band is only drawn over the meters of several enterprises.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lujin.accounts.statement_parts import Part, plain
from lujin.park import Park
from lujin.park.calendar import SLOT_SECONDS, Grid, month_grid
from lujin.readings import Energy, Flag, bits
from lujin.workspace.compute import energy_blocks
from lujin.workspace.meters import Device, device, owners

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace

Group = Literal["enterprise", "class", "division", "carrier", "none"]
LEAST = 5  # meters, and enterprises they belong to, behind a band that an enterprise sees
KNOWN = 0.5  # of the hours of the best known neighbour that each of them has at least
MOST = 60  # meters compared: bounds the time
_HOUR = 4  # slots
_UNKNOWN = Flag.MISSING | Flag.PARTIAL | Flag.OUTSIDE | Flag.UNIT_JUMP | Flag.SPIKE

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Peer(Part):
    """``likeness``: correlation of the hours with those of the meter asked for, −1 to 1; None: too few hours in
    common. ``mean``: mean hour as a part of the greatest (负荷率). ``known``: part of the hours that count.
    """

    meter: str
    enterprises: tuple[str, ...]
    likeness: float | None
    mean: float | None
    known: float


@dataclass(frozen=True, eq=False)
class Comparison:
    """``frame``: ``start, own, low, middle, high, count`` per hour (per day, where the meter is read more seldom):
    parts of the greatest hour of each meter; the band holds the middle half of the ``count`` meters that are
    known then. ``peers``: only for those who may know them. ``inside``: part of the hours within the band.
    """

    device: Device
    month: int
    group: Group
    step_s: int
    frame: pl.DataFrame
    meters: int
    enterprises: int
    own: Peer
    peers: tuple[Peer, ...]

    @property
    def inside(self) -> float | None:
        known = self.frame.drop_nulls(["own", "low", "high"])
        within = known.filter(pl.col("own").is_between(pl.col("low"), pl.col("high")))
        return within.height / known.height if known.height else None

    def as_dict(self) -> dict[str, Any]:
        return {
            **{name: plain(getattr(self, name)) for name in ("device", "month", "group", "step_s")},
            **{name: plain(getattr(self, name)) for name in ("meters", "enterprises", "own", "peers", "inside")},
            "hours": [{k: plain(v) for k, v in row.items()} for row in self.frame.iter_rows(named=True)],
        }


FRAME: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "start": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("own", "low", "middle", "high"), pl.Float64),
}


def compare(workspace: Workspace, meter: str, month: int, *, anonymous: bool) -> Comparison:
    """``anonymous``: a band over at least LEAST meters of at least LEAST other enterprises and no names, or none.

    InputError: the park has no such meter.
    """
    park = workspace.park
    about, grid = device(park, meter), month_grid(month, park.timezone)
    group, peers = _peers(park, about, anonymous)
    step = _HOUR if 0 < park.meters[meter].interval_s <= _HOUR * SLOT_SECONDS else 96
    shares = {} if about.kind == "virtual" else _shares(workspace, [meter, *peers], grid, step)
    own = shares.pop(meter, np.full(grid.slots // step, np.nan))
    known = {name: int(np.count_nonzero(~np.isnan(share))) for name, share in shares.items()}
    least = max(KNOWN * max(known.values(), default=0), 1)
    shares = {name: share for name, share in shares.items() if known[name] >= least}
    whose = owners(park)
    others = frozenset[str]().union(*(whose[m] for m in shares)) - frozenset(about.enterprises)
    if anonymous and (len(shares) < LEAST or len(others) < LEAST):
        group, shares = "none", {}
    named = tuple(_peer(m, tuple(sorted(whose[m])), share, own) for m, share in shares.items())
    return Comparison(
        about,
        month,
        group,
        step * SLOT_SECONDS,
        _band(grid, step, own, np.array(list(shares.values())).reshape(len(shares), len(own)), anonymous),
        len(shares),
        len(others) if shares else 0,
        _peer(meter, about.enterprises, own, own),
        () if anonymous else tuple(sorted(named, key=lambda p: (-(p.likeness or -2), p.meter))),
    )


def _peers(park: Park, about: Device, anonymous: bool) -> tuple[Group, tuple[str, ...]]:
    """The narrowest group with enough meters: same enterprise or class of industry, its division, the carrier."""
    if not about.carrier or not about.source:
        return "none", ()
    whose, kind = owners(park), _ends(park, about.source, about.target)
    alike = [
        m.id
        for m in park.meters.values()
        if m.id not in about.chain and m.kind != "virtual" and m.flow
        if park.flows[m.flow].carrier == about.carrier
        if _ends(park, park.flows[m.flow].source, park.flows[m.flow].target) == kind
        if not m.replaces or m.replaces not in about.chain
    ]
    home = frozenset(about.enterprises)
    sectors = {park.nodes[e].sector for e in home} - {""}
    for group, chosen in _groups(park, alike, whose, home, sectors):
        if anonymous and group == "enterprise":
            continue
        members = [m for m in chosen if not anonymous or not whose[m] & home]
        count = frozenset[str]().union(*(whose[m] for m in members)) - home
        if len(members) >= LEAST and (not anonymous or len(count) >= LEAST):
            return group, tuple(members[:MOST])
    return ("none", ()) if anonymous else ("carrier", tuple(alike[:MOST]))


def _groups(
    park: Park, alike: Sequence[str], whose: Mapping[str, frozenset[str]], home: frozenset[str], sectors: set[str]
) -> Iterator[tuple[Group, list[str]]]:
    divisions = {sector[:3] for sector in sectors}  # GB/T 4754: a letter and two digits

    def of(found: set[str], digits: int) -> list[str]:
        return [m for m in alike if {park.nodes[e].sector[:digits] for e in whose[m]} & found or whose[m] & home]

    yield "enterprise", [m for m in alike if whose[m] & home]
    yield "class", of(sectors, 5)
    yield "division", of(divisions, 3)
    yield "carrier", list(alike)


def _ends(park: Park, source: str, target: str) -> tuple[str, str]:
    return park.nodes[source].kind, park.nodes[target].kind


def _shares(workspace: Workspace, meters: Sequence[str], grid: Grid, step: int) -> dict[str, Floats]:
    """Per meter the steps of the month as parts of its greatest [1]; NaN where a slot is not known."""
    until, keys = int(workspace.clock().timestamp()), workspace.meter_keys()
    blocks = energy_blocks(workspace.park, workspace.store, keys, meters, grid, until)
    found = {
        m: share for energy, _ in blocks for m, share in zip(energy.meters, _parts(energy, step), strict=True)
    }
    return {m: found[m] for m in meters}


def _parts(energy: Energy, step: int) -> Floats:
    count = energy.grid.slots // step  # a day of 23 hours is cut short, like the last of them
    known = (energy.flags[:, : count * step] & bits(_UNKNOWN)) == 0
    amount = np.where(known, energy.amount[:, : count * step], 0).astype(np.float64)
    total: Floats = amount.reshape(len(amount), count, step).sum(axis=2)
    total[~known.reshape(len(amount), count, step).all(axis=2)] = np.nan
    greatest = np.nan_to_num(np.abs(total)).max(axis=1, initial=0)[:, None]
    parts: Floats = np.divide(total, greatest, out=np.full_like(total, np.nan), where=greatest > 0)
    return parts


def _band(grid: Grid, step: int, own: Floats, shares: Floats, anonymous: bool) -> pl.DataFrame:
    count = np.count_nonzero(~np.isnan(shares), axis=0)
    enough = count >= (LEAST if anonymous else 1)
    bands = np.full((3, len(own)), np.nan)
    if enough.any():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # hours of which nothing is known
            bands = np.where(enough, np.nanquantile(shares, [0.25, 0.5, 0.75], axis=0), np.nan)
    starts = [datetime.fromtimestamp(grid.start + i * step * SLOT_SECONDS, UTC) for i in range(len(own))]
    columns = {"start": starts, "own": own, "low": bands[0], "middle": bands[1], "high": bands[2]}
    frame = pl.DataFrame(columns, schema=dict(FRAME), nan_to_null=True)
    return frame.with_columns(pl.Series("count", np.where(enough, count, 0), dtype=pl.Int64))


def _peer(meter: str, enterprises: tuple[str, ...], share: Floats, own: Floats) -> Peer:
    common = ~np.isnan(share) & ~np.isnan(own)
    one, two = share[common], own[common]
    likeness = None
    if len(one) >= 24 and one.std() > 0 and two.std() > 0:
        likeness = round(float(np.corrcoef(one, two)[0, 1]), 3)
    known = share[~np.isnan(share)]
    return Peer(
        meter,
        enterprises,
        likeness,
        round(float(known.mean()), 4) if len(known) else None,
        round(len(known) / len(share), 4) if len(share) else 0.0,
    )
