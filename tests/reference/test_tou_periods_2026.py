"""The partition check on a collection of 35 grid areas × 12 months that is known to have faults.

Data: cn_tou_periods_2026 (facts from zhao-rui123/electricity-price-v2, b553f5d), not part of the project.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from lujin.reference.grammar import quarter_of
from lujin.reference.tariff import Span, partition

FOLDER = Path(__file__).parents[2] / "../shared/data/cn_tou_periods_2026"
NAMES = {"深谷": "deep_valley", "低谷": "valley", "平段": "flat", "高峰": "peak", "尖峰": "super_peak"}
# 尖峰 wins over 高峰; what then remains is listed with the data: minutes per area and month
KNOWN_HOLES = {
    **{("安徽省", month): 120 for month in (1, 7, 8, 9, 12)},
    **{("山西省", month): 180 for month in (1, 12)},
    **{("江西省", month): 60 for month in range(3, 12)},
}


@pytest.fixture(scope="module")
def areas() -> dict[tuple[str, int], list[Span]]:
    path = FOLDER / "periods.csv"
    if not path.exists():
        pytest.skip("cn_tou_periods_2026 absent")
    spans: dict[tuple[str, int], list[Span]] = defaultdict(list)
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            span = Span(NAMES[row["period"]], quarter_of(row["start"]) % 96, quarter_of(row["end"]))
            spans[row["province"], int(row["month"])].append(span)
    return spans


def test_exactly_the_known_holes_are_found(areas: dict[tuple[str, int], list[Span]]) -> None:
    holes = {
        key: sum(int(hole.mask.sum()) for hole in partition(spans).holes) * 15 for key, spans in areas.items()
    }
    assert {key: minutes for key, minutes in holes.items() if minutes} == KNOWN_HOLES


def test_exactly_75_of_371_months_do_not_partition_the_day_as_listed(
    areas: dict[tuple[str, int], list[Span]],
) -> None:
    found = {key: partition(spans) for key, spans in areas.items()}
    faulty = [key for key, p in found.items() if p.holes or p.conflicts or p.nested]
    assert (len(found), len(faulty)) == (371, 75)
    # an inner span resolves most overlaps; the others must be refused
    assert any(p.nested and not p.conflicts and not p.holes for p in found.values())
    assert found["冀北地区", 1].conflicts
