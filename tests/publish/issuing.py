"""A small log of entries and the certificate of one of its enterprises, made without a park."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from lujin.accounts.log import SORTED_KEY, digest_of_lines, entry_id, instant_text, key_digest, leaf_bytes
from lujin.accounts.merkle import Tree, leaf_hash
from lujin.publish import Certified, Commodity, Entry, FactorRow, Gwp, Line, Party, sign_head, totals_of

GRID = FactorRow("grid_factors:national@0123abcd", "0123abcd" + "0" * 56, "verified")
AR6 = Gwp("location", "AR6", {"CO2": Decimal(1), "CH4": Decimal("29.8")})
POWER = Commodity("electricity", "Wh", "电力", "electricity")
NOW = datetime(2025, 8, 1, 4, 0, tzinfo=UTC)
RECORDED = datetime(2025, 7, 3, 1, 2, 3, 456789, tzinfo=UTC)
KNOWN = datetime(2025, 7, 31, 16, 0, tzinfo=UTC)


def line(debit, credit, day, amount, commodity="CO2", factor=GRID.id, enterprise="E004"):
    key = (
        f"{enterprise}/{debit}",
        f"{enterprise}/{credit}",
        commodity,
        "",
        "measured",
        "power@1",
        factor,
        "GRID→E004",
    )
    return Line(*key, day, amount)


class Log:
    """Entries in the order of recording, each sealed as the ledger does."""

    def __init__(self):
        self.entries = []

    def post(self, lines, enterprise="E004", month=202506, book="location", **facts):
        lines = sorted(lines)
        digests = [(key_digest([getattr(x, n) for n in SORTED_KEY]), x.day, x.amount) for x in lines]
        version = 1 + sum((e.enterprise, e.month, e.book) == (enterprise, month, book) for e in self.entries)
        entry = {
            "enterprise": enterprise,
            "month": month,
            "book": book,
            "version": version,
            "reason": "initial" if version == 1 else "late_reading",
            "pack": "ghgp-location@1",
            "park_digest": "p" * 64,
            "input_digest": "i" * 64,
            "lines_digest": digest_of_lines(digests),
        }
        id = entry_id({**entry, "lines": len(lines)})
        place = {"number": len(self.entries) + 1, "source": 7, "recorded_at": RECORDED, "inclusion": ()}
        self.entries.append(Entry(**{**entry, **place, "id": id, "lines": lines, **facts}))
        return self

    def tree(self):
        leaves = [leaf_bytes(e.id, e.number, instant_text(e.recorded_at), e.source) for e in self.entries]
        return Tree([leaf_hash(leaf) for leaf in leaves])

    def proven(self, enterprise="E004"):
        tree = self.tree()
        return [
            replace(e, inclusion=tree.inclusion(e.number - 1)) for e in self.entries if e.enterprise == enterprise
        ]

    def certified(self, key, **facts):
        entries, tree = self.proven(), self.tree()
        usual = {
            "issuer": Party("dianlu", "滇绿园区", "Dianlu park"),
            "subject": Party("E004", "食品厂", "Food plant"),
            "boundary": "法人边界 legal entity",
            "first": 202506,
            "last": 202506,
            "known_at": KNOWN,
            "head": sign_head(tree.size, tree.root(), KNOWN, key),
            "entries": entries,
            "totals": totals_of(entries),
            "factors": [GRID],
            "gwp": [AR6] if any(e.book == "location" for e in entries) else [],
            "commodities": [POWER],
        }
        return Certified(**{**usual, **facts})


def small_log():
    log = Log()
    log.post([line("S1/coal", "ATM/coal", 20250601, 5, enterprise="E001")], enterprise="E001")
    log.post(
        [
            line("S2/electricity", "EXT/grid", 20250601, 12_345),
            line("S2/electricity", "EXT/grid", 20250602, 9_007_199_254_740_993),
            line("S1/natural_gas", "ATM/natural_gas", 20250601, 77, "CH4", ""),
            line("MEMO/biogenic", "ATM/biomass", 20250630, 9, factor=""),
        ]
    )
    log.post([line("OWN/electricity", "EXT/GRID", 20250601, 1000, "electricity", "")], book="physical")
    log.post([line("S2/electricity", "EXT/grid", 20250602, -93)])
    return log
