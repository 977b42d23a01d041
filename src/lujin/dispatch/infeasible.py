"""Why no plan exists (不可行原因): which limits stand in the way, when, and by how much."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lujin.dispatch.devices import Draft
from lujin.dispatch.program import INF, Block, Floats, Structure, Vectors
from lujin.dispatch.solver import solve
from lujin.errors import N_, Problem

_TINY = 1e-6
# Limits that a person can move. Physics (a balance, the course of a store) stays as it is.
_MOVABLE_ROWS = (
    ".ramp",
    ".cycles",
    ".shed_amount",
    ".least_up",
    ".least_down",
    ".cap",
    ".share",
    ".export_share",
    ".green_hours",
    ".back_pressure",
)
_KEPT_WHOLE = (".on", ".start", ".stop")


def why_not(draft: Draft, structure: Structure, vectors: Vectors) -> list[Problem]:
    """The limits whose least total change would let a plan exist, each with its steps and greatest excess."""
    movable = np.zeros(structure.columns, dtype=bool)
    for name, block in draft.program.blocks.items():
        movable[block.slice] = not name.endswith(_KEPT_WHOLE) and ".direction_" not in name
    rows = np.zeros(structure.rows, dtype=bool)
    for name, block in draft.program.row_blocks.items():
        rows[block.slice] = name.endswith(_MOVABLE_ROWS)
    point = _nearest(structure, vectors, movable, rows)
    found = []
    for name, block in draft.program.blocks.items() if len(point) else ():
        here = point[block.slice]
        over = here - vectors.upper[block.slice]
        under = vectors.lower[block.slice] - here
        found += _told(
            draft,
            name,
            block,
            over,
            N_("{limit}: {amount} {unit} more than its limit would be needed"),
            N_("raise this limit, lower the load then, or add a source"),
        )
        found += _told(
            draft,
            name,
            block,
            under,
            N_("{limit}: {amount} {unit} less than what is asked for is all that can be had"),
            N_("lower what is asked for, or raise the limits before it"),
        )
    return found or [
        Problem(
            N_("no plan exists: what is asked for contradicts itself, whatever the limits"),
            {},
            N_("look at loads without a source, and at ramps, least times and shares that exclude each other"),
        )
    ]


def _nearest(
    structure: Structure, vectors: Vectors, movable: NDArray[np.bool_], rows: NDArray[np.bool_]
) -> Floats:
    """float64[columns]: the point that breaks movable limits least in sum; empty where nothing helps.

    Bounds become rows with a slack: x − o ≤ u, x + i ≥ l (l > 0: a course below zero means nothing), o, i ≥ 0.
    """
    over = np.flatnonzero(movable & np.isfinite(vectors.upper))
    under = np.flatnonzero(movable & (vectors.lower > 0))
    either = np.flatnonzero(rows)
    matrix = sparse.csc_array(
        (structure.value, structure.index, structure.starts), (structure.rows, structure.columns)
    )
    eye = sparse.eye_array(structure.columns, format="csr")
    loose = sparse.csc_array(
        (np.ones(len(either)), (either, np.arange(len(either)))), (structure.rows, len(either))
    )
    high, low = sparse.eye_array(len(over)), sparse.eye_array(len(under))
    whole = sparse.block_array(
        [
            [matrix, None, None, loose, -loose],
            [eye[over], -high, None, None, None],
            [eye[under], None, low, None, None],
        ],
        format="csc",
    )
    lower, upper = vectors.lower.copy(), vectors.upper.copy()
    lower[under], upper[over] = 0.0, INF
    slack = whole.shape[1] - structure.columns
    relaxed = Vectors(
        np.concatenate([np.zeros(structure.columns), np.ones(slack)]),
        np.concatenate([lower, np.zeros(slack)]),
        np.concatenate([upper, np.full(slack, INF)]),
        np.concatenate([vectors.row_lower, np.full(len(over), -INF), vectors.lower[under]]),
        np.concatenate([vectors.row_upper, vectors.upper[over], np.full(len(under), INF)]),
    )
    starts, index = whole.indptr.astype(np.int32), whole.indices.astype(np.int32)
    elastic = Structure(None, whole.shape[1], whole.shape[0], starts, index, whole.data, structure.integer)
    return solve(elastic, relaxed).primal[: structure.columns]


def _told(draft: Draft, name: str, block: Block, excess: Floats, message: str, remedy: str) -> list[Problem]:
    steps = np.flatnonzero(excess > _TINY)
    if not len(steps):
        return []
    site = draft.site
    when = f"{site.at(int(steps[0])):%Y-%m-%d %H:%M} – {site.at(int(steps[-1]) + 1):%H:%M} UTC"
    device = name.rpartition(".")[0]
    bus = next((getattr(d, "bus", "") for d in site.devices if d.id == device), "")
    unit = site.buses[bus].unit if bus in site.buses else ""
    params = {"limit": name, "amount": f"{excess.max():.4g}", "unit": unit, "when": when}
    return [Problem(message, params, remedy, field=f"{name} {when}" if block.size == site.steps else name)]
