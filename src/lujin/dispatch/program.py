"""A linear or mixed-integer program as named blocks (线性规划的分块描述), compiled to sparse columns once.

Each device declares blocks of variables and blocks of rows; a row block is a sum of (coefficient × block). The
sparsity and the coefficients are the *structure*; costs and bounds are five *vectors*. Problems of one structure
share one compiled matrix and, where the solver is kept, its last basis.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Coefficient = float | Floats
INF = float("inf")
_KEPT = 32


class Block(NamedTuple):
    """``size`` consecutive variables (or rows) from ``start``."""

    name: str
    start: int
    size: int

    @property
    def slice(self) -> slice:
        return slice(self.start, self.start + self.size)


class Term(NamedTuple):
    """``coefficient`` × ``block`` in rows of a row block.

    Without ``rows`` and ``columns`` row i meets variable i − ``lag`` (rows before ``lag`` have none; with
    ``cyclic`` they meet the last ones). ``columns`` int32[rows]: row i meets variable columns[i]. ``rows``
    int32[variables]: variable j is added into row rows[j].
    """

    block: Block
    coefficient: Coefficient = 1.0
    lag: int = 0
    cyclic: bool = False
    columns: Ints | None = None
    rows: Ints | None = None

    def key(self) -> Hashable:
        coefficient = self.coefficient
        return (
            self.block.start,
            coefficient.tobytes() if isinstance(coefficient, np.ndarray) else coefficient,
            self.lag,
            self.cyclic,
            None if self.columns is None else self.columns.tobytes(),
            None if self.rows is None else self.rows.tobytes(),
        )

    def places(self, size: int) -> tuple[Ints, Ints, Floats]:
        """(row, column, value) within the two blocks, for a row block of ``size`` rows."""
        if self.columns is not None:
            row, column = _range(len(self.columns)), self.columns
        elif self.rows is not None:
            row, column = self.rows, _range(len(self.rows))
        elif self.cyclic:
            row, column = _range(size), (_range(size) - self.lag) % self.block.size
        else:
            row, column = _range(size)[self.lag :], _range(size - self.lag)
        values = np.asarray(self.coefficient, dtype=np.float64)
        if values.ndim and len(values) != len(row):
            values = values[self.lag :]
        return row, column, np.broadcast_to(values, row.shape)


@dataclass(frozen=True, eq=False, slots=True)
class Structure:
    """The matrix in compressed columns, and which variables are whole numbers (``integer``: their indices)."""

    key: Hashable
    columns: int
    rows: int
    starts: Ints
    index: Ints
    value: Floats
    integer: Ints


@dataclass(frozen=True, eq=False, slots=True)
class Vectors:
    """Everything about a program that is no structure. Costs [CNY per unit of the variable]."""

    cost: Floats
    lower: Floats
    upper: Floats
    row_lower: Floats
    row_upper: Floats


@dataclass(eq=False)
class Program:
    """A program being written down. ``weights`` turn the parts of the objective into one: part → factor (1)."""

    weights: Mapping[str, float] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    row_blocks: dict[str, Block] = field(default_factory=dict)
    parts: list[tuple[str, Block, Coefficient]] = field(default_factory=list)
    constants: dict[str, float] = field(default_factory=dict)
    limits: dict[str, tuple[str, str]] = field(default_factory=dict)
    _bounds: list[tuple[Coefficient, Coefficient]] = field(default_factory=list)
    _row_bounds: list[tuple[Coefficient, Coefficient]] = field(default_factory=list)
    _terms: list[tuple[Block, Sequence[Term]]] = field(default_factory=list)
    _integer: list[Block] = field(default_factory=list)
    columns: int = 0
    rows: int = 0

    def variables(
        self, name: str, size: int, lower: Coefficient = 0.0, upper: Coefficient = INF, *, integer: bool = False
    ) -> Block:
        """``size`` new variables with their bounds (scalars or float64[size])."""
        assert name not in self.blocks, name
        block = self.blocks[name] = Block(name, self.columns, size)
        self.columns += size
        self._bounds.append((lower, upper))
        if integer:
            self._integer.append(block)
        return block

    def constrain(
        self, name: str, size: int, lower: Coefficient, upper: Coefficient, terms: Sequence[Term]
    ) -> Block:
        """lower ≤ Σ terms ≤ upper, ``size`` rows."""
        assert name not in self.row_blocks, name
        block = self.row_blocks[name] = Block(name, self.rows, size)
        self.rows += size
        self._row_bounds.append((lower, upper))
        self._terms.append((block, terms))
        return block

    def add_cost(self, part: str, block: Block, coefficient: Coefficient) -> None:
        """A part of the objective: ``coefficient`` [CNY, or kg for carbon, per unit of the variable]."""
        if isinstance(coefficient, np.ndarray) or coefficient != 0.0:
            self.parts.append((part, block, coefficient))

    def structure(self) -> Structure:
        """The compiled matrix, taken from the last ones where it is the same."""
        key = (
            tuple(block.size for block in self.blocks.values()),
            tuple((block.size, *(term.key() for term in terms)) for block, terms in self._terms),
            tuple(self._integer),
        )
        found = _STRUCTURES.get(key)
        if found is None:
            found = _STRUCTURES[key] = self._compile(key)
            if len(_STRUCTURES) > _KEPT:
                _STRUCTURES.popitem(last=False)
        return found

    def vectors(self) -> Vectors:
        cost = np.zeros(self.columns)
        for part, block, coefficient in self.parts:
            cost[block.slice] += coefficient * self.weights.get(part, 1.0)
        lower, upper = _filled(self.columns, self.blocks, self._bounds)
        row_lower, row_upper = _filled(self.rows, self.row_blocks, self._row_bounds)
        return Vectors(cost, lower, upper, row_lower, row_upper)

    def amounts(self, primal: Floats) -> dict[str, float]:
        """Part of the objective → its value, unweighted, constants included."""
        found: dict[str, float] = dict(self.constants)
        for part, block, coefficient in self.parts:
            value = primal[block.slice]
            found[part] = found.get(part, 0.0) + float(np.sum(value * coefficient))
        return found

    def _compile(self, key: Hashable) -> Structure:
        rows, columns, values = [], [], []
        for block, terms in self._terms:
            for term in terms:
                row, column, value = term.places(block.size)
                rows.append(row + np.int32(block.start))
                columns.append(column + np.int32(term.block.start))
                values.append(value)
        where = (np.concatenate(rows), np.concatenate(columns)) if rows else (_range(0), _range(0))
        matrix = sparse.csc_array(
            (np.concatenate(values) if values else np.empty(0), where), shape=(self.rows, self.columns)
        )
        matrix.sum_duplicates()
        integer = np.concatenate(
            [np.arange(b.start, b.start + b.size, dtype=np.int32) for b in self._integer] or [_range(0)]
        )
        return Structure(
            key,
            self.columns,
            self.rows,
            matrix.indptr.astype(np.int32),
            matrix.indices.astype(np.int32),
            matrix.data,
            integer,
        )


_STRUCTURES: OrderedDict[Hashable, Structure] = OrderedDict()


@lru_cache(maxsize=256)
def _range(size: int) -> Ints:
    found = np.arange(size, dtype=np.int32)
    found.setflags(write=False)
    return found


def _filled(
    size: int, blocks: Mapping[str, Block], bounds: Sequence[tuple[Coefficient, Coefficient]]
) -> tuple[Floats, Floats]:
    lower, upper = np.empty(size), np.empty(size)
    for block, (low, high) in zip(blocks.values(), bounds, strict=True):
        lower[block.slice] = low
        upper[block.slice] = high
    return lower, upper
