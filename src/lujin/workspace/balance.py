"""Do the meters of a month agree? Two meters on one pipe settled, and every network closed, from the readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING

from lujin.accounts.balance import ParkBalance, park_balance
from lujin.accounts.closure import MeterHours, networks
from lujin.accounts.settle import Settlement, class_uncertainty, settle
from lujin.errors import N_, InputError, Problem
from lujin.park import Park, check_terms, flow_terms
from lujin.park.calendar import month_grid
from lujin.workspace.compute import energy_blocks, month_energy

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


def settlements(
    workspace: Workspace,
    month: int,
    enterprise: str = "",
    as_of: datetime | None = None,
    park: Park | None = None,
) -> tuple[Settlement, ...]:
    """How flows with a check meter are settled, those of one enterprise or all, as known at ``as_of``; ``park``:
    as it was described then (None: as it is now).
    """
    park = park or workspace.park
    own, checks = flow_terms(park), check_terms(park)
    flows = [
        name
        for name in checks
        if not enterprise
        or enterprise in (park.owner(park.flows[name].source), park.owner(park.flows[name].target))
    ]
    meters = {term.meter for name in flows for term in (*own[name], *checks[name])}
    if not meters:
        return ()
    grid = month_grid(month, park.timezone)
    until = int((as_of or workspace.clock()).timestamp())
    keys = workspace.meter_keys(park)
    energy = month_energy(park, workspace.store, keys, [m for m in park.meters if m in meters], grid, until, as_of)
    found = settle(park, energy.subjects, class_uncertainty(park)).settlements
    return tuple(said for said in found if said.flow in flows)


def balance(
    workspace: Workspace,
    month: int,
    network: str = "",
    expected_loss: Mapping[str, Fraction] | None = None,
    as_of: datetime | None = None,
) -> ParkBalance:
    """Every network closed for a month, or those at one node (or of one checked flow). ``expected_loss``: node →
    share of its supply [1]. InputError: there is no such network.
    """
    park = workspace.park
    grid = month_grid(month, park.timezone)
    found = networks(park, grid)
    known = tuple(dict.fromkeys(net.node for net in found))
    for name in (*([network] if network else []), *(expected_loss or {})):
        if name not in known:
            params = {"network": name, "known": ", ".join(known) or "–"}
            message = N_("there is no network {network} that meters can close")
            raise InputError(Problem(message, params, N_("use one of: {known}")))
    hours = MeterHours(grid, found)
    until = int((as_of or workspace.clock()).timestamp())
    blocks = energy_blocks(park, workspace.store, workspace.meter_keys(), hours.meters, grid, until, as_of)
    for energy, _ in blocks:
        hours.add(energy)
    whole = park_balance(park, grid, hours, class_uncertainty(park), expected_loss, as_of)
    if not network:
        return whole
    return replace(
        whole,
        networks=tuple(net for net in whole.networks if net.node == network),
        problems=tuple(p for p in whole.problems if network in (p.params.get("node"), p.params.get("flow"))),
    )
