"""Which published fact holds (参数与价格): factors, coal equivalents, GWP, tariffs, indicator systems.

Every row is dated and sourced. A selector and a date give exactly one row, or an error with the candidates.
"""

from lujin.reference.adding import Addition, addition
from lujin.reference.factors import (
    GRID_PURPOSES,
    asking_selector,
    coal_equivalent,
    fuel,
    fuel_parameter,
    grid_factor,
    gwp,
    heat_factor,
    process_factor,
    scope3_factor,
)
from lujin.reference.files import check_reference, load_reference
from lujin.reference.listing import describe, search, table_frame, unverified
from lujin.reference.rows import Row, make_row
from lujin.reference.schema import SCHEMAS
from lujin.reference.select import Reference, Resolve, Selector, own_selector
from lujin.reference.uncertain import Stated, Uncertainties

__all__ = [
    "GRID_PURPOSES",
    "SCHEMAS",
    "Addition",
    "Reference",
    "Resolve",
    "Row",
    "Selector",
    "Stated",
    "Uncertainties",
    "addition",
    "asking_selector",
    "check_reference",
    "coal_equivalent",
    "describe",
    "fuel",
    "fuel_parameter",
    "grid_factor",
    "gwp",
    "heat_factor",
    "load_reference",
    "make_row",
    "own_selector",
    "process_factor",
    "scope3_factor",
    "search",
    "table_frame",
    "unverified",
]
