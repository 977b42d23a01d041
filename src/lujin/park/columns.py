"""The columns of each table: type, Chinese heading, meaning in both languages.

``park.toml`` uses the column names as keys; the workbook shows both headings and puts the meanings on its
notes sheet.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from lujin.park.carriers import Dimension
from lujin.park.forms import (
    Coordinate,
    Day,
    Digits,
    Flag,
    Id,
    Integer,
    Interval,
    LossShare,
    Method,
    Month,
    Names,
    NotNegative,
    Number,
    OptionalTimezone,
    Packs,
    Positive,
    Reference,
    Scope,
    Sector,
    Share,
    Shares,
    Terms,
    Text,
    Time,
    Timezone,
    Unit,
    Word,
    Year,
)
from lujin.park.model import Basis, Fate, MeterKind, NodeKind, Origin, Stamp, TransferStatus

# How a cell of the workbook stands for the value; TOML has types of its own.
Form = Literal["text", "number", "flag", "time", "day", "month", "list", "pairs"]


def col(zh: str, meaning_zh: str, meaning_en: str, form: Form = "text", default: Any = ..., name: str = "") -> Any:
    return Field(
        default,
        alias=name or None,
        title=zh,
        description=f"{meaning_zh}\n{meaning_en}",
        json_schema_extra={"form": form},
    )


def valid_from() -> Any:
    return col("生效时间", "含当时；空为一直有效", "from this time on; empty: always", "time", None)


def valid_to() -> Any:
    return col("失效时间", "不含当时；空为一直有效", "up to, not including; empty: always", "time", None)


class TableRow(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ParkRow(TableRow):
    id: Id = col("编号", "园区编号", "id of the park")
    name_zh: Text = col("中文名", "", "Chinese name", default="")
    name_en: Text = col("英文名", "", "English name", default="")
    timezone: Timezone = col("时区", "IANA 时区名", "IANA name of the time zone")
    region: Word = col("省级地区", "与电网排放因子表一致，如 广东", "province as in the grid factor table")
    factor_date: Day | None = col(
        "因子日期",
        "因子须在该日有效；空为活动当日",
        "factors in force on this day; empty: day of activity",
        "day",
        None,
    )
    base_year: Year | None = col("基准年", "如 2025", "base year, like 2025", "number", None)
    recalculation_threshold: Share = col(
        "重算阈值",
        "累计变化占基准年排放的比例，达到即重算",
        "cumulated change, as a part of base-year emissions, from which on it is recalculated",
        "number",
        Decimal("0.05"),
    )
    packs: Packs = col("核算方法", "账簿=方法包", "method pack of each book", "pairs", default={})


class CarrierRow(TableRow):
    id: Id = col("编号", "自定义载体编号", "id of a carrier of your own")
    dimension: Dimension = col("量纲", "", "electricity, heat, volume or mass")
    name_zh: Text = col("中文名", "", "Chinese name", default="")
    name_en: Text = col("英文名", "", "English name", default="")
    fuel: Text = col("燃料名", "燃料因子表中的名称", "name in the fuel factor table", default="")
    process: Text = col("过程名", "过程排放表中的名称", "name in the process factor table", default="")
    coal_equivalent: Text = col("折标名", "与燃料名不同时填写", "name in GB/T 2589 if it differs", default="")
    biogenic: Flag = col("生物源", "", "whether its carbon is biogenic", "flag", False)


class NodeRow(TableRow):
    id: Id = col("编号", "节点编号，全园唯一", "id, unique in the park")
    kind: NodeKind = col("类型", "企业、运营方、电网、供应商等", "enterprise, operator, grid, supplier …")
    name_zh: Text = col("中文名", "", "Chinese name", default="")
    name_en: Text = col("英文名", "", "English name", default="")
    owner: Reference = col("所属企业", "对其负责的企业", "enterprise that answers for it", default="")
    sector: Sector = col("行业代码", "GB/T 4754 门类字母加 2-4 位数字", "GB/T 4754 class, like C2231", default="")
    tenant: Text = col("承租方", "", "tenant", default="")
    longitude: Coordinate | None = col("经度", "度", "degrees", "number", None)
    latitude: Coordinate | None = col("纬度", "度", "degrees", "number", None)
    floor_area_m2: NotNegative | None = col("建筑面积 m²", "", "floor area [m²]", "number", None)
    employees: Integer | None = col("员工数", "", "employees", "number", None)
    split_from: Reference = col("拆分自", "由哪家企业拆分而来", "enterprise that it was split off", default="")
    valid_from: Time | None = valid_from()
    valid_to: Time | None = valid_to()


class FlowRow(TableRow):
    id: Id = col("编号", "流编号", "id")
    carrier: Id = col("载体", "能源或物料", "carrier")
    source: Id = col("起点", "节点编号", "node it comes from")
    target: Id = col("终点", "节点编号", "node it goes to")
    connection: Reference = col("用电户", "计费的用电户编号", "grid connection that bills it", default="")
    valid_from: Time | None = valid_from()
    valid_to: Time | None = valid_to()


class MeterRow(TableRow):
    id: Id = col("编号", "计量点编号", "id")
    flow: Reference = col("流", "所计量的流；仅作虚拟表分项时留空", "flow; empty if only a term", default="")
    kind: MeterKind = col(
        "类型",
        "interval 区间量，register 表底，power 功率，virtual 虚拟",
        "what its readings are",
        default="interval",
    )
    unit: Unit = col("单位", "", "unit of the reading", default="kWh")
    multiplier: Positive = col("倍率", "CT×PT", "CT × PT ratio", "number", Decimal(1))
    digits: Digits | None = col("表底位数", "小数点前的位数", "digits before the decimal point", "number", None)
    accuracy_class: Text = col("准确度等级", "如 0.5S", "accuracy class", default="")
    interval_s: Interval = col(
        "读数间隔", "15min、1h、1d、1mo", "expected spacing of readings", default=900, name="interval"
    )
    stamp: Stamp = col("时标", "start 区间起点，end 区间终点", "what the timestamp marks", default="start")
    capacity: Positive | None = col(
        "上限", "每小时最大值（含倍率）", "greatest plausible rate per hour", "number", None
    )
    timezone: OptionalTimezone = col("时区", "与园区不同时填写", "if it differs from the park's", default="")
    enthalpy_kj_per_kg: Positive | None = col(
        "焓差 kJ/kg", "按质量计量的蒸汽", "steam metered by mass: above feed water", "number", None
    )
    replaces: Reference = col("替换", "被替换的表", "the device it took over from", default="")
    initial: NotNegative | None = col("起始表底", "安装时读数", "reading when it was installed", "number", None)
    final: NotNegative | None = col("终止表底", "拆除时读数", "reading when it was removed", "number", None)
    terms: Terms = col("分项", "虚拟表：计量点=系数；…", "virtual meter: id=coefficient; …", "pairs", {})
    alias: Names = col("别名", "导出文件中的名称；分号分隔", "names in export files; separated by ;", "list", ())
    valid_from: Time | None = valid_from()
    valid_to: Time | None = valid_to()


class ConnectionRow(TableRow):
    id: Id = col("编号", "用电户编号", "id")
    enterprise: Id = col("企业", "企业编号", "enterprise")
    region: Word = col("地区", "与电价表一致", "region as in the tariff table")
    zone: Word = col("价区", "与电价表一致", "price zone as in the tariff table")
    customer_class: Word = col("用电类别", "与电价表一致", "customer class as in the tariff table")
    voltage: Word = col("电压等级", "与电价表一致", "voltage as in the tariff table")
    basis: Basis = col(
        "计价方式",
        "single 单一制，demand 两部制按需量，capacity 两部制按容量",
        "single or two-part",
        default="single",
    )
    contract_kw: Positive | None = col("合同需量 kW", "", "declared maximum demand [kW]", "number", None)
    capacity_kva: Positive | None = col("变压器容量 kVA", "", "transformer capacity [kVA]", "number", None)
    feed_in: Text = col("上网电价项", "电价表中的项目", "tariff item that pays for export", default="")
    valid_from: Time | None = valid_from()
    valid_to: Time | None = valid_to()


class PriceRow(TableRow):
    carrier: Id = col("载体", "", "carrier")
    value: Number = col("价格", "", "price", "number")
    unit: Unit = col("单位", "CNY/载体单位", "CNY per unit of the carrier")
    source: Reference = col("卖方", "空为任意", "seller; empty: any", default="")
    target: Reference = col("买方", "空为任意", "buyer; empty: any", default="")
    valid_from: Time | None = valid_from()
    valid_to: Time | None = valid_to()


class OutputRow(TableRow):
    enterprise: Id = col("企业", "", "enterprise")
    product: Word = col("产品", "", "product")
    month: Month = col("月份", "如 2025-06", "like 2025-06", "month")
    quantity: NotNegative = col("产量", "", "quantity", "number")
    unit: Word = col("单位", "", "unit")


class InstrumentRow(TableRow):
    id: Id = col("编号", "凭证编号", "id")
    kind: Literal["green_power", "certificate"] = col("类型", "绿电交易或绿证", "green power or certificate")
    energy_mwh: Positive = col("电量 MWh", "全部电量", "whole quantity", "number")
    device: Text = col("发电设施", "", "generating device", default="")
    valid_from: Time | None = valid_from()
    valid_to: Time | None = valid_to()


class ClaimRow(TableRow):
    instrument: Id = col("凭证", "凭证编号", "instrument")
    enterprise: Id = col("企业", "", "enterprise")
    month: Month = col("月份", "如 2025-06", "like 2025-06", "month")
    energy_mwh: Positive = col("电量 MWh", "", "quantity", "number")


class JointRow(TableRow):
    node: Id = col("节点", "热电机组、工艺等", "node that makes several products")
    method: Method = col("分摊公式", "公式编号，见核算说明", "formula id, see accounts")
    power_reference: Share | None = col(
        "电参考效率", "分产电效率", "efficiency of separate power generation", "number", None
    )
    heat_reference: Share | None = col(
        "热参考效率", "分产热效率", "efficiency of separate heat production", "number", None
    )
    heat_temperature_k: Positive | None = col(
        "供热温度 K", "熵平均温度 Δh/Δs", "entropy-mean temperature of the heat [K]", "number", None
    )
    ambient_temperature_k: Positive | None = col("环境温度 K", "", "ambient temperature [K]", "number", None)
    boiler_efficiency: Share | None = col("锅炉效率", "燃料到锅炉供热", "boiler heat per fuel", "number", None)
    shares: Shares = col("分摊比例", "载体=比例，合计为 1", "carrier=share; they sum to 1", "pairs", default={})
    valid_from: Time | None = valid_from()
    valid_to: Time | None = valid_to()


class TransferRow(TableRow):
    flow: Id = col("流", "流编号", "flow")
    status: TransferStatus = col(
        "属性",
        "能源、产品、联产品、副产品、废弃物、捕集的二氧化碳",
        "energy, product, co-product, by-product, waste or captured CO2",
    )
    scope: Scope = col("接收方范围", "如 S2、S3.1", "where the receiver reports it, like S2 or S3.1", default="")
    fate: Fate = col(
        "二氧化碳去向",
        "used 利用，mineral_binding 矿化，geological_storage 封存",
        "what becomes of captured CO2",
        default="",
    )
    origin: Origin = col("二氧化碳来源", "fossil 化石，biogenic 生物", "origin of captured CO2", default="")
    distance_km: NotNegative | None = col("运距 km", "", "distance that the goods travel [km]", "number", None)
    check_meter: Reference = col(
        "对侧表", "同一管线上对方的计量点", "the other party's meter on the same pipe", default=""
    )
    evidence: Text = col("依据", "合同、批文或检测报告", "contract, permit or analysis", default="")
    valid_from: Time | None = valid_from()
    valid_to: Time | None = valid_to()


class StorageRow(TableRow):
    node: Id = col("节点", "电池、蓄热器等", "battery, accumulator or tank")
    capacity: Positive = col("容量", "", "capacity", "number")
    unit: Unit = col("单位", "容量单位", "unit of the capacity")
    charge_efficiency: Share = col("充入效率", "", "part of what goes in that is stored", "number", Decimal(1))
    discharge_efficiency: Share = col("放出效率", "", "part of what is drawn that comes out", "number", Decimal(1))
    standing_loss_per_day: LossShare = col("日自损", "", "part that is lost in a day", "number", Decimal(0))
    valid_from: Time | None = valid_from()
    valid_to: Time | None = valid_to()


class DayRow(TableRow):
    day: Day = col("日期", "", "local day", "day", name="date")
    temperature_max_c: Number | None = col("最高气温 °C", "", "highest temperature [°C]", "number", None)
    holiday: Flag = col("节假日", "", "whether it is a holiday", "flag", False)


TABLES: Mapping[str, type[TableRow]] = {
    "park": ParkRow,
    "carrier": CarrierRow,
    "node": NodeRow,
    "flow": FlowRow,
    "meter": MeterRow,
    "connection": ConnectionRow,
    "price": PriceRow,
    "output": OutputRow,
    "instrument": InstrumentRow,
    "claim": ClaimRow,
    "joint": JointRow,
    "transfer": TransferRow,
    "storage": StorageRow,
    "day": DayRow,
}
TITLES_ZH: Mapping[str, str] = {
    "park": "园区",
    "carrier": "载体",
    "node": "节点",
    "flow": "流",
    "meter": "计量点",
    "connection": "用电户",
    "price": "价格",
    "output": "产量",
    "instrument": "绿电绿证",
    "claim": "核销",
    "joint": "联产分摊",
    "transfer": "转移",
    "storage": "储能",
    "day": "日历",
}


def columns(table: str) -> Mapping[str, tuple[str, Form]]:
    """Column name as people write it → (field of the record, form of its cells), in order."""
    found: dict[str, tuple[str, Form]] = {}
    for name, info in TABLES[table].model_fields.items():
        extra = info.json_schema_extra
        form: Any = extra["form"] if isinstance(extra, dict) else "text"
        found[info.alias or name] = (name, form)
    return found


def required(table: str) -> frozenset[str]:
    return frozenset(i.alias or n for n, i in TABLES[table].model_fields.items() if i.is_required())
