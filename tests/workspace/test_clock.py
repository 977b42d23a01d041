"""Facts are recorded one after the other, whatever the clock of the machine says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from lujin.errors import StoreError

from .small_park import END, MONTH, START, Reading, Site, register, text_of

Make = Callable[..., Site]


def test_clock_set_back_by_a_day_stops_every_verb_that_records(site: Make) -> None:
    """Else a correction would be older than the reading that it corrects, and "as known then" would change."""
    park = site(text=text_of(1))
    park.take(register("M1"))
    park.run()
    before = park.bytes(recorded=True)
    park.later(days=-1)
    path = park.write([Reading("M1", START + timedelta(days=2), 1.0)])
    for verb in (
        lambda: park.open().import_files([path]),
        lambda: park.open().run(),
        lambda: park.open().restate([MONTH]),
    ):
        with pytest.raises(StoreError, match="the clock says"):
            verb()
    assert park.bytes(recorded=True) == before
    park.later(days=1, minutes=1)
    (result,) = park.open().import_files([path])
    assert result.report is not None and result.report.corrects == 1
    park.run()
    park.verified()


@pytest.mark.parametrize("step", [timedelta(0), timedelta(seconds=20)])
def test_clock_set_back_by_seconds_is_counted_on(site: Make, step: timedelta) -> None:
    """Time servers do that. The later correction still counts, and the earlier statement stays as it was."""
    park = site(text=text_of(1))
    park.take(register("M1"))
    park.run()
    (first,) = park.net()["enterprise"].unique()
    before = park.net()
    known = park.open().status().months[0].recorded_at
    park.now -= step
    workspace = park.open()
    fixed = park.now
    last = register("M1")[-1]
    path = park.write([Reading("M1", END, last.value + 10)])

    frozen = workspace.__class__(**{**vars(workspace), "clock": lambda: fixed})
    (result,) = frozen.import_files([path])
    frozen.run()

    assert result.report is not None and result.report.corrects == 1
    assert park.energy_kwh(first) == 24_010
    assert park.net(as_of=known).equals(before)
    park.verified()
