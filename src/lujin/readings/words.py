"""Header words of export files by what they announce (表头词典), best first; units inside headers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from lujin.errors import UnitError
from lujin.park.carriers import Dimension, to_base

TIME: tuple[str, ...] = (
    "采集时间", "数据时间", "抄表时间", "冻结时间", "采样时间", "记录时间", "日期时间", "时间", "时标", "时刻",
    "开始时间", "起始时间", "结束时间", "终止时间", "timestamp", "datetime", "date_time", "date/time",
    "readingtime", "starttime", "endtime", "start", "end", "time", "ts", "utc", "日期", "数据日期", "抄表日期",
    "采集日期", "record_date", "date", "day", "月份", "月", "账期", "month",
)  # fmt: skip
METER: tuple[str, ...] = (
    "表号", "电表编号", "表计编号", "电表号", "表计号", "计量表", "电能表编号", "计量点编号", "计量点",
    "测点编号", "测点", "表名", "表计名称", "电表名称", "仪表名称", "仪表编号", "设备编号", "设备名称",
    "资产编号", "户号", "用户编号", "回路名称", "支路名称", "点位", "名称", "meter", "meter_id", "meterid",
    "meterno", "meternumber", "meter_no", "metername", "device", "deviceid", "device_id", "sensor", "point",
    "tag", "channel", "id", "name",
)  # fmt: skip
VALUE: tuple[str, ...] = (
    "正向有功总", "正向有功总电能", "正向有功电能示值", "正向有功总示数", "正向有功", "示数", "表底", "表底数",
    "止码", "本次示数", "本期示数", "有功电量", "总电量", "用电量", "电量", "电能", "用量", "能耗", "有功功率",
    "总有功功率", "功率", "累计流量", "流量", "用气量", "用水量", "蒸汽量", "热量", "读数", "数值", "值",
    "value", "reading", "energy", "consumption", "usage", "kwh", "quantity", "amount", "register", "index",
    "activeenergy", "load", "power", "activepower", "realpower",
)  # fmt: skip
UNIT: tuple[str, ...] = (
    "单位", "计量单位", "unit", "units", "uom",
)  # fmt: skip
QUALITY: tuple[str, ...] = (
    "数据质量", "质量", "数据状态", "状态", "标志", "quality", "status", "flag", "type",
)  # fmt: skip
_DIMENSIONS: tuple[Dimension, ...] = ("electricity", "heat", "volume", "mass")


def header_key(name: str) -> str:
    """A header as compared: full-width, case and blanks aside.

    >>> header_key("电量（KWh） ")
    '电量(kwh)'
    """
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", name)).lower()


def rank(words: Sequence[str], header: str) -> int:
    """Place of a header in a word list; its length: not in it.

    >>> rank(TIME, "采集时间"), rank(UNIT, "x") == len(UNIT)
    (0, True)
    """
    keys = {header_key(header), header_key(bare(header))}
    return next((i for i, word in enumerate(words) if header_key(word) in keys), len(words))


def unit_in(header: str) -> str:
    """The unit that a header carries, if it is one that a meter may have.

    >>> unit_in("电量(kWh)"), unit_in("Usage_kWh"), unit_in("electrical load [W]"), unit_in("Load (MW/x)")
    ('kWh', 'kWh', 'W', '')
    """
    last = re.split(r"[_\s/]", header.strip())[-1]
    bracketed = re.findall(r"[(（\[【]([^()（）\[\]【】]+)[)）\]】]", header)
    for text in [*bracketed[::-1], last]:
        if is_unit(text):
            return str(text).strip()
    return ""


_LIKE_A_UNIT = re.compile(
    r"[十百千万亿兆]*(?:千瓦时|瓦时|千瓦|兆瓦|瓦|度|焦耳?|吨|公斤|千克|立方米?|方|标方|升|大卡|卡)(?:/.*)?"
    r"|.*[十百千万亿×*^].*"
    r"|.*(?<![a-z]{2})(?:[kmgt]wh?|wh|joule|[kmgt]?cal|m{0,2}btu|therm|n?m[3³]|ft|gal|barrel|bbl|lb|ton|tce)(?![a-z]{2}).*",
    re.IGNORECASE,
)


def strange_unit(header: str) -> str:
    """What stands in brackets where a unit would, looks like one, and is none that a meter may have.

    >>> strange_unit("电量(百千瓦时)"), strange_unit("value (kWk)"), strange_unit("值[kWh×100]")
    ('百千瓦时', 'kWk', 'kWh×100')
    >>> [strange_unit(header) for header in ("电量(kWh)", "示数(A相)", "value (left)", "电量")]
    ['', '', '', '']
    """
    if unit_in(header):
        return ""
    found = [text.strip() for text in re.findall(r"[(（\[【]([^()（）\[\]【】]+)[)）\]】]", header)]
    return next((text for text in found if _LIKE_A_UNIT.fullmatch(unicodedata.normalize("NFKC", text))), "")


def is_unit(text: str) -> bool:
    for dimension in _DIMENSIONS:
        try:
            to_base(text, dimension, enthalpy_kj_per_kg=1.0)
        except UnitError:
            continue
        return True
    return False


def bare(header: str) -> str:
    """A header without brackets and unit.

    >>> bare("电量（kWh）"), bare("Usage_kWh")
    ('电量', 'Usage')
    """
    text = re.sub(r"[(（\[【][^()（）\[\]【】]*[)）\]】]", "", header).strip()
    parts = re.split(r"[_\s]", text)
    return text[: -len(parts[-1])].rstrip("_ ") if len(parts) > 1 and is_unit(parts[-1]) else text
