"""What did each flow measure, and how sure are we? (读数) Files in, an append-only store, curves on the grid.

``parse_file`` and ``Tally`` take in a file, ``ReadingStore`` keeps every version, ``interval_energy`` turns
readings into energy per quarter hour with flags, ``completeness`` counts them. The modules ``mapping`` (saved
column mappings) and ``sources`` (what arrived when) are part of this face.
"""

from lujin.readings.energy import Energy, completeness, day_completeness, interval_energy
from lujin.readings.flags import SUSPECT, Flag, bits
from lujin.readings.guess import ColumnGuess
from lujin.readings.intake import ImportReport, Intake, Tally, parse_file, parse_frames
from lujin.readings.intervals import Event
from lujin.readings.reconcile import Reconcile, fresh
from lujin.readings.reject import RejectFile
from lujin.readings.sources import Source
from lujin.readings.specs import MeterSpec, carriers_of_meters, meter_specs
from lujin.readings.store import ReadingStore
from lujin.readings.versions import SCHEMA

__all__ = [
    "SCHEMA",
    "SUSPECT",
    "ColumnGuess",
    "Energy",
    "Event",
    "Flag",
    "ImportReport",
    "Intake",
    "MeterSpec",
    "ReadingStore",
    "Reconcile",
    "RejectFile",
    "Source",
    "Tally",
    "bits",
    "carriers_of_meters",
    "completeness",
    "day_completeness",
    "fresh",
    "interval_energy",
    "meter_specs",
    "parse_file",
    "parse_frames",
]
