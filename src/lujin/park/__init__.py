"""What a park is: a graph of dated nodes, flows and meters. See docs/architecture.md.

``load`` reads a park and refuses it with all problems at once; ``check`` lists them; ``examine`` gives both.
"""

from lujin.park.carriers import CARRIERS, Carrier
from lujin.park.digest import digest, digests, metering_digest
from lujin.park.files import check, examine, load, read_workbook
from lujin.park.model import (
    Claim,
    Connection,
    DayFact,
    Flow,
    Instrument,
    Joint,
    Meter,
    Node,
    Output,
    Park,
    Price,
    Storage,
    Transfer,
)
from lujin.park.schema import Draft
from lujin.park.template import TEMPLATE
from lujin.park.toml import dumps, from_snapshot
from lujin.park.virtual import (
    Term,
    check_terms,
    flow_terms,
    meter_chain,
    meter_dimensions,
    meter_names,
    virtual_terms,
)
from lujin.park.workbook import write_workbook

__all__ = [
    "CARRIERS",
    "TEMPLATE",
    "Carrier",
    "Claim",
    "Connection",
    "DayFact",
    "Draft",
    "Flow",
    "Instrument",
    "Joint",
    "Meter",
    "Node",
    "Output",
    "Park",
    "Price",
    "Storage",
    "Term",
    "Transfer",
    "check",
    "check_terms",
    "digest",
    "digests",
    "dumps",
    "examine",
    "flow_terms",
    "from_snapshot",
    "load",
    "meter_chain",
    "meter_dimensions",
    "meter_names",
    "metering_digest",
    "read_workbook",
    "virtual_terms",
    "write_workbook",
]
