"""A small park with what its flows moved in a month, for tests of posting."""

import numpy as np
import polars as pl
import pytest

from lujin.accounts.posting import month_lines
from lujin.accounts.subjects import Subject, SubjectEnergy
from lujin.park.calendar import month_grid
from lujin.park.carriers import CARRIERS
from lujin.park.model import Connection, Flow, Node, Park
from lujin.reference import Reference, load_reference

PACKS = {"location": "ghgp-location@1", "market": "ghgp-market@1", "regulatory": "gbt32151-2024@1"}
REFERENCE = Reference(load_reference())


class Sketch:
    """Nodes and flows by name; a flow comes with its quantity per slot [base units] and the estimated part."""

    def __init__(self, month=202407, **park):
        self.grid = month_grid(month, "Asia/Shanghai")
        self.nodes = {
            n.id: n
            for n in (
                Node(id="GRID", kind="grid"),
                Node(id="GAS", kind="supplier"),
                Node(id="AIR", kind="air"),
                Node(id="BUYER", kind="customer"),
                Node(id="A", kind="enterprise"),
                Node(id="B", kind="enterprise"),
                Node(id="OP", kind="operator"),
            )
        }
        self.connections = {}
        self.moved = {}
        self.park_facts = {"packs": PACKS, **park}

    def node(self, id, kind, owner=""):
        self.nodes[id] = Node(id=id, kind=kind, owner=owner)
        return self

    def connection(self, id, enterprise, **facts):
        usual = {
            "region": "广东",
            "zone": "珠三角六市",
            "customer_class": "工商业单一制",
            "voltage": "<1kV",
        }
        self.connections[id] = Connection(id=id, enterprise=enterprise, **{**usual, **facts})
        return self

    def flow(self, source, target, quantity, carrier="electricity", estimated=0, connection=""):
        shape = (self.grid.slots,)
        subject = Subject(source, target, carrier, connection)
        amounts = np.array(np.broadcast_to(np.asarray(quantity, dtype=np.int64), shape))
        guessed = np.array(np.broadcast_to(np.asarray(estimated, dtype=np.int64), shape))
        before = self.moved.get(subject, (0, 0))
        self.moved[subject] = (amounts + before[0], guessed + before[1])
        return self

    def in_month(self, total):
        """A quantity of ``total`` over the month, all in its slot 40 of the first day."""
        quantity = np.zeros(self.grid.slots, dtype=np.int64)
        quantity[40] = total
        return quantity

    @property
    def park(self):
        return Park(
            id="p",
            name_zh="试验园",
            name_en="sketch",
            timezone="Asia/Shanghai",
            **{
                "region": "广东",
                "nodes": self.nodes,
                "flows": {
                    str(s): Flow(
                        id=str(s), carrier=s.carrier, source=s.source, target=s.target, connection=s.connection
                    )
                    for s in self.moved
                },
                "connections": self.connections,
                "carriers": CARRIERS,
                "factor_date": self.grid.days[0].replace(year=2025, month=6),
                **self.park_facts,
            },
        )

    @property
    def energy(self):
        subjects = tuple(sorted(self.moved))
        shape = (len(subjects), self.grid.slots)
        stack = [np.array([self.moved[s][i] for s in subjects], dtype=np.int64).reshape(shape) for i in (0, 1)]
        return SubjectEnergy(self.grid, subjects, *stack)

    def post(self, enterprises=None, resolve=REFERENCE, energy=None):
        return month_lines(self.park, energy or self.energy, resolve, enterprises)

    def balance(self, enterprises=None, resolve=REFERENCE):
        return Balance(self.post(enterprises, resolve))


class Balance:
    """Net of accounts: debits less credits."""

    def __init__(self, posted):
        self.posted = posted
        self.lines = posted.lines

    def net(self, account, book="physical", commodity=None, **conditions):
        """Net of ``account`` [ledger units] over lines that meet the conditions."""
        chosen = self.lines.filter(pl.col("book") == book)
        if commodity:
            chosen = chosen.filter(pl.col("commodity") == commodity)
        for column, value in conditions.items():
            chosen = chosen.filter(pl.col(column) == value)
        debit = chosen.filter(pl.col("debit") == account)["amount"].sum()
        return debit - chosen.filter(pl.col("credit") == account)["amount"].sum()

    def said(self, severity):
        return [p.text() for p in self.posted.problems if p.severity == severity]


@pytest.fixture(scope="session")
def sketch():
    return Sketch


@pytest.fixture(scope="session")
def reference():
    return REFERENCE


@pytest.fixture(scope="session")
def with_value():
    """A reference in which the value of one row, found by the start of its id, is another."""

    def changed(id_start, value):
        from lujin.reference import make_row

        rows = []
        for row in REFERENCE.rows:
            if row.id.startswith(id_start):
                row = make_row(row.table, {**row.values, "value": str(value)})
            rows.append(row)
        return Reference(rows)

    return changed
