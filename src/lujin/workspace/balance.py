"""Do the meters of a month agree? Two meters on one pipe settled, and every network closed, from the readings."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lujin.accounts.settle import Settlement, class_uncertainty, settle
from lujin.park import check_terms, flow_terms
from lujin.park.calendar import month_grid
from lujin.workspace.compute import month_energy

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


def settlements(
    workspace: Workspace, month: int, enterprise: str = "", as_of: datetime | None = None
) -> tuple[Settlement, ...]:
    """How flows with a check meter are settled, those of one enterprise or all, as known at ``as_of``."""
    park = workspace.park
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
    keys = workspace.meter_keys()
    energy = month_energy(park, workspace.store, keys, [m for m in park.meters if m in meters], grid, until, as_of)
    found = settle(park, energy.subjects, class_uncertainty(park)).settlements
    return tuple(said for said in found if said.flow in flows)
