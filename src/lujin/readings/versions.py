"""Which of several versions of a reading counts: pure functions on frames of stored readings.

Stored order is (meter, time, recorded, source, row). The last row of each (meter, time) is the newest one. Where
it says that the reading is withdrawn (quality WITHDRAWN, value NaN, for there is none), no reading is current: it
is missing, not zero.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

SCHEMA: pl.Schema = pl.Schema(
    {
        "meter": pl.Int32(),
        "time": pl.Datetime("us", "UTC"),
        "value": pl.Float64(),
        "quality": pl.Int8(),
        "recorded": pl.Datetime("us", "UTC"),
        "source": pl.Int32(),
        "row": pl.Int32(),
    }
)
ORDER = ("meter", "time", "recorded", "source", "row")
KEY = ("meter", "time")
WITHDRAWN = -1  # quality of a row that takes a reading back
CURRENT = ("meter", "time", "value", "quality", "source", "row")


def ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame`` sorted by ORDER. Costs one comparison per row when it is sorted already."""
    return _order(frame)[0]


def current(frame: pl.DataFrame) -> pl.DataFrame:
    """The current version of each reading, sorted by (meter, time), whatever the order of ``frame``."""
    found = newest(frame)
    taken_back = found["quality"] == WITHDRAWN
    return found.filter(~taken_back) if taken_back.any() else found


def newest(frame: pl.DataFrame) -> pl.DataFrame:
    """The newest version of each (meter, time), withdrawn ones too; sorted."""
    frame, same = _order(frame)
    if same is None:
        return frame
    return frame.filter(pl.Series(np.append(~same, True)))


def _order(frame: pl.DataFrame) -> tuple[pl.DataFrame, NDArray[np.bool_] | None]:
    """The sorted frame and, for each row but the last, whether the next has the same (meter, time).

    None: no two rows have. One int64 per row stands for (meter, time); sorting that is several times faster
    than sorting columns, and a stable merge sort is nearly free on runs that are sorted already.
    """
    if frame.height < 2:
        return frame, None
    key = _keys(frame)
    if (key[1:] < key[:-1]).any():
        index = np.argsort(key, kind="stable")
        frame, key = frame[index], key[index]
    same = key[1:] == key[:-1]
    if not same.any():
        return frame, None
    return _settle(frame, same), same


def _settle(frame: pl.DataFrame, same: NDArray[np.bool_]) -> pl.DataFrame:
    """Sort the versions of each reading among themselves."""
    places = np.flatnonzero(np.append(same, False) | np.append(False, same))
    versions = frame[places].select(ORDER).with_row_index("index")
    found = versions.sort(*ORDER)["index"].to_numpy()
    if (found[1:] > found[:-1]).all():
        return frame
    index = np.arange(frame.height)
    index[places] = places[found]
    return frame[index]


def _keys(frame: pl.DataFrame) -> NDArray[np.int64]:
    """int64[rows], ordered like (meter, time)."""
    meter = frame["meter"].to_numpy().astype(np.int64)
    time = frame["time"].to_physical().to_numpy()
    meter -= meter.min()
    first = int(time.min())
    span = int(time.max()) - first + 1
    if (int(meter.max()) + 1) * span >= 2**63:
        # Ranks are below the number of rows, so their product fits.
        meter = np.unique(meter, return_inverse=True)[1].astype(np.int64)
        time = np.unique(time, return_inverse=True)[1].astype(np.int64)
        first, span = 0, int(time.max()) + 1
    meter *= span
    meter += time
    meter -= first
    return meter
