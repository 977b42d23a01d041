"""What is known about the energy of one meter in one slot, as bits of a uint16."""

from __future__ import annotations

from enum import IntFlag

import numpy as np


class Flag(IntFlag):
    """0: measured, nothing odd."""

    MISSING = 1  # 缺失: expected, and nothing is known; the amount 0 means nothing
    ESTIMATED = 2  # 估算: from the meter's own similar days, or said to be estimated by the supplier
    INTERPOLATED = 4  # 内插: a slot border lies inside a measured interval
    PARTIAL = 8  # 不完整: only a part of the slot was measured
    RANGE = 16  # 越限: more than the capacity allows
    SPIKE = 32  # 尖峰
    FLATLINE = 64  # 卡死: the same value where the meter normally moves
    NEGATIVE = 128  # 负值
    CLOCK = 256  # 时钟偏移: the day runs early or late against the month's days
    UNIT_JUMP = 512  # 单位错误: level off by a factor of thirty or more
    ROLLOVER = 1024  # 翻转: the register passed its top
    REPLACED = 2048  # 换表
    RESET = 4096  # 归零: the register went back without a declared reason
    OVERLAP = 8192  # 重叠: the interval reaches into the next one
    MANUAL = 16384  # 人工抄表
    OUTSIDE = 32768  # 不在有效期: not expected (outside the meter's validity, or later than what can be known)


SUSPECT = (
    Flag.RANGE
    | Flag.SPIKE
    | Flag.FLATLINE
    | Flag.NEGATIVE
    | Flag.CLOCK
    | Flag.UNIT_JUMP
    | Flag.RESET
    | Flag.OVERLAP
)


def bits(flag: Flag) -> np.uint16:
    """The flag as the dtype of flag arrays, so that NumPy does not widen them."""
    return np.uint16(int(flag))


def names(value: int) -> tuple[str, ...]:
    """
    >>> names(6)
    ('ESTIMATED', 'INTERPOLATED')
    """
    return tuple(str(f.name) for f in Flag if f & value)
