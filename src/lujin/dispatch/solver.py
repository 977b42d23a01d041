"""HiGHS, fed with sparse columns (求解器). Nothing here knows what the variables mean."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

import highspy
import numpy as np
from highspy._core import _Highs

from lujin.dispatch.program import Floats, Structure, Vectors

Status = Literal["optimal", "infeasible", "unbounded", "time_limit"]
_KEPT = 8
_MODEL_STATUS: dict[object, Status] = {
    highspy.HighsModelStatus.kOptimal: "optimal",
    highspy.HighsModelStatus.kInfeasible: "infeasible",
    highspy.HighsModelStatus.kUnbounded: "unbounded",
    highspy.HighsModelStatus.kUnboundedOrInfeasible: "infeasible",
    highspy.HighsModelStatus.kTimeLimit: "time_limit",
    highspy.HighsModelStatus.kModelEmpty: "optimal",
}


@dataclass(frozen=True, eq=False, slots=True)
class Solution:
    """What the solver says: ``primal`` and ``reduced`` costs float64[columns], ``dual`` prices float64[rows].

    ``bound`` is the proven bound of the objective: equal to it for a linear program, near it with whole numbers.
    With whole numbers, duals are those of the program in which these are held. Empty arrays: no solution.
    """

    status: Status
    objective: float
    bound: float
    primal: Floats
    reduced: Floats
    row_value: Floats
    dual: Floats
    iterations: int


class _Kept(threading.local):
    """Solvers of this thread with the structure they hold, so that the next problem starts from the last basis."""

    def __init__(self) -> None:
        self.solvers: OrderedDict[Hashable, _Highs] = OrderedDict()


_KEPT_SOLVERS = _Kept()


def solve(
    structure: Structure, vectors: Vectors, *, warm: bool = False, gap: float = 1e-6, time_limit_s: float = 600.0
) -> Solution:
    """Minimise. ``warm`` starts from the last solution of the same structure in this thread: far faster for many
    small problems; where several plans cost the same it may pick another one than a start from nothing.
    """
    if warm and not len(structure.integer):
        solver = _warm(structure, vectors)
    else:
        solver = _quiet()
        solver.setOptionValue("mip_rel_gap", gap)
        solver.passModel(_model(structure, vectors))
    solver.setOptionValue("time_limit", solver.getRunTime() + time_limit_s)
    solver.run()
    status = _MODEL_STATUS.get(solver.getModelStatus())
    if status is None:
        raise RuntimeError(f"HiGHS stopped: {solver.modelStatusToString(solver.getModelStatus())}")
    info = solver.getInfo()
    if status != "optimal" and not (status == "time_limit" and info.primal_solution_status == 2):
        nothing = np.empty(0)
        return Solution(status, float("nan"), float("nan"), nothing, nothing, nothing, nothing, 0)
    objective = float(info.objective_function_value)
    bound = objective
    if len(structure.integer):
        bound = float(info.mip_dual_bound)
        solver = _held(structure, vectors, np.asarray(solver.getSolution().col_value))
    found = solver.getSolution()
    return Solution(
        status,
        objective,
        bound,
        np.asarray(found.col_value),
        np.asarray(found.col_dual),
        np.asarray(found.row_value),
        np.asarray(found.row_dual),
        int(info.simplex_iteration_count),
    )


def _quiet() -> _Highs:
    solver = _Highs()  # the class above it greets on standard output, which belongs to --json
    solver.setOptionValue("log_to_console", False)
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("parallel", "off")
    return solver


def _model(structure: Structure, vectors: Vectors) -> highspy.HighsLp:
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = structure.columns, structure.rows
    model.col_cost_, model.col_lower_, model.col_upper_ = vectors.cost, vectors.lower, vectors.upper
    model.row_lower_, model.row_upper_ = vectors.row_lower, vectors.row_upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_, model.a_matrix_.index_ = structure.starts, structure.index
    model.a_matrix_.value_ = structure.value
    if len(structure.integer):
        kinds = np.full(structure.columns, highspy.HighsVarType.kContinuous, dtype=object)
        kinds[structure.integer] = highspy.HighsVarType.kInteger
        model.integrality_ = list(kinds)
    return model


def _warm(structure: Structure, vectors: Vectors) -> _Highs:
    solvers = _KEPT_SOLVERS.solvers
    solver = solvers.pop(structure.key, None)
    if solver is None:
        solver = _quiet()
        solver.passModel(_model(structure, vectors))
    else:
        columns = np.arange(structure.columns, dtype=np.int32)
        rows = np.arange(structure.rows, dtype=np.int32)
        solver.changeColsCost(structure.columns, columns, vectors.cost)
        solver.changeColsBounds(structure.columns, columns, vectors.lower, vectors.upper)
        solver.changeRowsBounds(  # type: ignore[attr-defined]  # its stub lacks it
            structure.rows, rows, vectors.row_lower, vectors.row_upper
        )
    solvers[structure.key] = solver
    if len(solvers) > _KEPT:
        solvers.popitem(last=False)
    return solver


def _held(structure: Structure, vectors: Vectors, primal: Floats) -> _Highs:
    """The linear program in which every whole number stands as found: it has prices."""
    lower, upper = vectors.lower.copy(), vectors.upper.copy()
    lower[structure.integer] = upper[structure.integer] = np.rint(primal[structure.integer])
    free = Structure(
        structure.key,
        structure.columns,
        structure.rows,
        structure.starts,
        structure.index,
        structure.value,
        np.empty(0, np.int32),
    )
    solver = _quiet()
    solver.passModel(_model(free, Vectors(vectors.cost, lower, upper, vectors.row_lower, vectors.row_upper)))
    solver.run()
    return solver
