"""What the choice of a formula for joint production changes in an enterprise's account, from the readings."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from lujin.accounts import GwpSet, PinnedResolve, carried, may_hold, methods_compared, with_neighbours
from lujin.accounts.facts import reference_as_of
from lujin.accounts.method_range import MethodRange
from lujin.park import Park
from lujin.park.calendar import month_grid
from lujin.reference import Reference
from lujin.workspace.compute import month_energy
from lujin.workspace.plan import meters_of_enterprises

if TYPE_CHECKING:
    from lujin.workspace.core import Workspace


def methods(
    workspace: Workspace, park: Park, enterprise: str, month: int, known: datetime, gwp: GwpSet | None
) -> MethodRange | None:
    """As known at ``known``. None: none of those joined with the enterprise shares carbon by a formula."""
    joined = with_neighbours(park, [enterprise])
    shared = [j for j in park.joints if j.method != "declared@1" and park.owner(j.node) in joined]
    if gwp is None or not shared:
        return None
    grid = month_grid(month, park.timezone)
    meters = meters_of_enterprises(park, joined)
    keys = workspace.meter_keys(park)
    energy = month_energy(park, workspace.store, keys, meters, grid, int(known.timestamp()), known)
    with workspace.engine.connect() as connection:
        reference = Reference(reference_as_of(connection, known))
        resolve = PinnedResolve.for_month(connection, month, reference, as_of=known)
        opening = carried(connection, month, may_hold(park, joined), as_of=known)
    return methods_compared(park, energy.subjects, resolve, opening, enterprise, gwp)
