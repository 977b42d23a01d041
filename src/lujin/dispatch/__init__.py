"""Which flows should run (优化调度): a site of buses and devices in, the cheapest schedule out.

``Site`` says what there is, ``schedule`` what each device does and what it costs; see ``site`` for the devices.
"""

from __future__ import annotations

from lujin.dispatch.rolling import Replay, replay
from lujin.dispatch.schedule import Schedule, schedule
from lujin.dispatch.site import (
    Bus,
    Carbon,
    Commitment,
    Converter,
    Demand,
    Event,
    Extraction,
    Fleet,
    Green,
    Link,
    Load,
    Renewable,
    Shift,
    Site,
    Storage,
    Supply,
)

__all__ = [
    "Bus",
    "Carbon",
    "Commitment",
    "Converter",
    "Demand",
    "Event",
    "Extraction",
    "Fleet",
    "Green",
    "Link",
    "Load",
    "Renewable",
    "Replay",
    "Schedule",
    "Shift",
    "Site",
    "Storage",
    "Supply",
    "replay",
    "schedule",
]
