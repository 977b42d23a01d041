"""Named selectors for the questions that accounts ask: which factor for which purpose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from lujin.errors import N_, FactorError, Problem
from lujin.reference.rows import Row
from lujin.reference.select import Selector, own_selector

NATION = "全国"

# The purpose column of the grid table, as written there
_LOCATION = "location-based accounting; reference for accounting subjects"
_LOCATION_NATION = f"{_LOCATION}; national ETS/enterprise reporting default when the year applies"
_REPORTING = "national ETS and key-industry enterprise reports of that year"
_FOOTPRINT = "product carbon footprint (ISO 14067 / GB/T 24067) only; not for organisation accounting"
_PROJECT = "emission-reduction projects (CCER/CDM) only; wrong for consumption accounting"


@dataclass(frozen=True, slots=True)
class Purpose:
    """Which rows of the grid table serve a purpose (用途).

    ``region``: the region that the rule fixes whatever the place of use; empty: the place of use decides.
    """

    name_zh: str
    basis: tuple[str, ...]
    texts: tuple[str, ...]
    rule: str
    region: str = ""


GRID_PURPOSES: Mapping[str, Purpose] = {
    "location": Purpose(
        "组织核算(基于位置)",
        ("average",),
        (_LOCATION, _LOCATION_NATION),
        "MEE+NBS notices (公告2024年第12号, 2024年第33号, 2025年第47号): reference for accounting electricity use",
    ),
    "regulatory": Purpose(
        "全国碳市场与重点行业企业报告",
        ("average", "average (reporting default)"),
        (_LOCATION_NATION, _REPORTING),
        "环办气候函〔2023〕332号: the national average, wherever the power is used",
        NATION,
    ),
    "market_residual": Purpose(
        "剩余组合(扣除市场化交易非化石电量)",
        ("average excluding market-traded non-fossil",),
        ("residual electricity of a subject that counts its green-power purchases as zero",),
        "notices, table 4: published for the nation only",
        NATION,
    ),
    "fossil": Purpose(
        "化石能源电力",
        ("fossil power only",),
        ("avoided-fossil reference; not for consumption accounting",),
        "notices, table 5: published for the nation only",
        NATION,
    ),
    "footprint": Purpose(
        "产品碳足迹",
        ("life-cycle carbon footprint",),
        (_FOOTPRINT,),
        "ISO 14067, GB/T 24067: the carbon footprint factor, never the emission factor",
    ),
    "historic": Purpose(
        "历史省级清单",
        ("average",),
        ("historic provincial inventories only",),
        "省级二氧化碳排放达峰行动方案编制指南: never a default",
    ),
    "offset_project_om": Purpose(
        "减排项目 电量边际", ("OM (operating margin)",), (_PROJECT,), "减排项目中国区域电网基准线排放因子"
    ),
    "offset_project_bm": Purpose(
        "减排项目 容量边际", ("BM (build margin)",), (_PROJECT,), "减排项目中国区域电网基准线排放因子"
    ),
    "pilot_market": Purpose(
        "地方试点碳市场",
        ("pilot ETS default",),
        ("Shanghai pilot ETS reporting",),
        "沪环气〔2022〕34号; other pilots have their own notices",
    ),
}


def grid_factor(purpose: str, region: str = "", data_year: int | None = None) -> Selector:
    """Grid electricity factor (电网因子) [kgCO2/kWh] for a purpose and region, e.g. ``"location", "广东"``.

    ``region``: a province, a regional grid, 全国, or for footprints a technology as named in the table.
    ``data_year`` is needed only where factor sets of several years are in force on one day.
    FactorError: unknown purpose, or a purpose that needs a region without one.
    """
    if (rule := GRID_PURPOSES.get(purpose)) is None:
        params = {"purpose": purpose, "known": ", ".join(GRID_PURPOSES)}
        raise FactorError(Problem(N_("there is no rule for purpose {purpose}"), params, N_("use one of: {known}")))
    if not (place := rule.region or region):
        remedy = N_("name the province as in the grid-factor table, e.g. 广东, or 全国")
        raise FactorError(Problem(N_("purpose {purpose} needs a region"), {"purpose": purpose}, remedy))
    if purpose == "footprint" and place == NATION:
        place = "全国电力平均"
    year = {} if data_year is None else {"data_year": str(data_year)}
    return Selector.of("grid_factors", region_zh=place, basis=rule.basis, purpose=rule.texts, **year)


def fuel(set_id: str, name_zh: str) -> Selector:
    """Fuel (燃料) parameters of one published set, e.g. ``"GBT32151-C1", "天然气"``; sets are never mixed.

    Columns: ``ncv`` [ncv_unit], ``carbon_content_tC_per_TJ``, ``oxidation_fraction``, ``value`` [tCO2/unit].
    """
    return Selector.of("fuel_factors", set_id=set_id, kind="fuel", name_zh=name_zh)


def fuel_parameter(set_id: str, name_zh: str, unit: str) -> Selector:
    """A parameter of a fuel set, e.g. ``"IPCC2006", "气体燃料", "kgCH4/TJ"``."""
    return Selector.of("fuel_factors", set_id=set_id, kind="parameter", name_zh=name_zh, unit=unit)


def heat_factor(region: str | None = None) -> Selector:
    """Purchased heat (外购热力) [tCO2/GJ]: the national default, or the row of the region that is named."""
    place = region or "全国缺省"
    return Selector.of("fuel_factors", set_id="HEAT", kind="heat", name_zh=f"外购热力({place})")


def process_factor(name_zh: str) -> Selector:
    """Process emission factor or parameter (工业过程), e.g. ``"碳酸钙(石灰石)"`` [tCO2/t pure carbonate]."""
    return Selector.of("fuel_factors", set_id="PROCESS", kind="process", name_zh=name_zh)


def scope3_factor(category: str, carrier: str) -> Selector:
    """Factors of scope 3 (范围三): all stages and gases of a category and carrier, e.g. ``"3", "electricity"``."""
    return Selector.of("scope3_factors", category=category, carrier=carrier)


def gwp(gas: str, assessment: str) -> Selector:
    """GWP-100 (全球增温潜势) [kgCO2e/kg], e.g. ``"CH4 (fossil)", "AR6"``. A set belongs to a method version."""
    return Selector.of("gwp", gas=gas, assessment=assessment, horizon_years="100")


Basis = Literal["equivalent", "equal"]


def coal_equivalent(name_zh: str, basis: Basis) -> Selector:
    """Standard-coal coefficient (折标准煤系数) on the equivalent (当量值) or the equal-value (等价值) basis.

    Equivalent: GB/T 2589-2020 annexes A and B; 电力 and 热力 are found by their plain names. Equal-value
    differs for converted energy only: 电力 takes the net coal consumption for power supply of the year
    (供电煤耗), fuels and media keep their coefficient (media have equal-value power inside, GB/T 2589 annex
    B). No equal value of heat is published; a park adds the row 热力(等价值) from its supplier.
    """
    if basis == "equal":
        if name_zh == "电力":
            return Selector.of("coal_equivalents", kind="electricity", unit="kgce/kWh", standard="")
        if name_zh == "热力":
            return Selector.of("coal_equivalents", kind="heat", name_zh="热力(等价值)")
        return Selector.of("coal_equivalents", kind=("fuel", "medium"), name_zh=name_zh)
    name = f"{name_zh}(当量值)" if name_zh in ("电力", "热力") else name_zh
    return Selector.of("coal_equivalents", name_zh=name)


def asking_selector(row: Row) -> Selector:
    """The selector by which accounts ask for what the row states, whatever the year of its data."""
    values = row.values
    if row.table == "grid_factors":
        for purpose, rule in GRID_PURPOSES.items():
            fits = values["basis"] in rule.basis and values["purpose"] in rule.texts
            if fits and rule.region in ("", values["region_zh"]):
                return grid_factor(purpose, values["region_zh"])
    if row.table == "coal_equivalents" and values["kind"] == "electricity" and not values["standard"]:
        return coal_equivalent("电力", "equal")
    return own_selector(row)
