"""ISO 14064-1:2018 categories 1 to 6 as a view on the lines of a carbon book; nothing is posted for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lujin.accounts.amounts import Amount, GwpSet, base_unit
from lujin.accounts.statement_parts import CarbonLine, Part

# Clause 5.2.4 and annex B. Upstream of fuels and energy is a product used by the organisation (B.5), not energy.
CATEGORY_OF: Mapping[str, int] = {
    "S1": 1,
    "S2": 2,
    "S3.4": 3,
    "S3.9": 3,
    "S3.1": 4,
    "S3.3": 4,
    "S3.5": 4,
}
NAMES: Mapping[int, tuple[str, str]] = {
    1: ("直接排放与清除", "direct emissions and removals"),
    2: ("输入能源的间接排放", "indirect emissions from imported energy"),
    3: ("运输的间接排放", "indirect emissions from transportation"),
    4: ("组织使用的产品的间接排放", "indirect emissions from products used by the organization"),
    5: (
        "与使用组织产品相关的间接排放",
        "indirect emissions associated with the use of products from the organization",
    ),
    6: ("其他来源的间接排放", "indirect emissions from other sources"),
}


@dataclass(frozen=True, slots=True)
class IsoCategory(Part):
    """One category. ``biogenic``: its CO2 of biogenic origin, beside the total (clause 5.2.4, annex D).

    ``scopes``: which scopes of the GHG Protocol it holds; empty: a park's flows say nothing of this category.
    """

    category: int
    name_zh: str
    name_en: str
    scopes: tuple[str, ...]
    gases: Mapping[str, Amount]
    co2e: Amount | None
    biogenic: Amount


def iso_categories(lines: Iterable[CarbonLine], gwp: GwpSet | None) -> tuple[IsoCategory, ...]:
    """All six categories from the carbon lines of a statement. What is eliminated in the park is left out."""
    gases: dict[int, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    biogenic: dict[int, int] = defaultdict(int)
    for line in lines:
        if line.account == "MEMO/biogenic":
            biogenic[1] += line.gases["CO2b"].base if "CO2b" in line.gases else 0
        elif (category := CATEGORY_OF.get(line.scope)) is not None:
            for gas, amount in line.gases.items():
                if gas == "CO2b":
                    biogenic[category] += amount.base
                else:
                    gases[category][gas] += amount.base
    return tuple(
        IsoCategory(
            category,
            *names,
            tuple(scope for scope, at in CATEGORY_OF.items() if at == category),
            {gas: Amount(n, base_unit(gas, {})) for gas, n in sorted(gases[category].items())},
            gwp.co2e(gases[category]) if gwp else None,
            Amount(biogenic[category], "mg"),
        )
        for category, names in NAMES.items()
    )
