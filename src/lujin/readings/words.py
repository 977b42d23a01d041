"""Header words of export files by what they announce (表头词典), best first."""

from __future__ import annotations

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
