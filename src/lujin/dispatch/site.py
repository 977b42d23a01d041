"""What is to be planned: buses, and the devices between them, over equal steps (计划对象).

A *bus* is a place where one carrier must balance at every step: a busbar, a steam main of one pressure, a gas
header. Rates are in the unit of the bus (kW for electricity, steam, heat, cold and fuels; Nm³/h for compressed
air), amounts in that unit times hours, money in CNY, carbon in kg CO2e. Series are float64[steps]; a scalar
holds at every step. All records are frozen; ``check`` finds what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64] | float
Groups = NDArray[np.int32]
INF = float("inf")


@dataclass(frozen=True, slots=True)
class Bus:
    """A place of balance for one carrier (母线、管网)."""

    id: str
    carrier: str = "electricity"
    unit: str = "kW"


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Demand:
    """What the greatest rate drawn in each billing month costs (需量电费).

    ``price`` [CNY/kW] of the month (scalar or one per month). ``month`` int32[steps]: which of the months a step
    is in, None: one month. ``to_date`` [kW]: greatest rate so far this month, ``target`` [kW]: what a longer plan
    will draw anyway; both cost nothing more. ``contract`` [kW]: the declared demand (合同需量): it is paid in any
    case, what exceeds ``excess_share`` × contract is paid ``excess_multiple`` times. ``least`` [kW] is billed in
    any case. ``ratchet`` [1]: every month pays at least this part of the greatest month.
    """

    price: float | Sequence[float]
    month: Groups | None = None
    to_date: float | Sequence[float] = 0.0
    target: float | Sequence[float] = 0.0
    contract: float | None = None
    excess_share: float = 1.05
    excess_multiple: float = 2.0
    least: float = 0.0
    ratchet: float = 0.0


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Supply:
    """A connection to the outside: public grid, gas company, coal, water, a buyer of heat (外部供应).

    ``buy`` and ``sell`` [CNY per amount], either sign. ``limit`` and ``export_limit`` [rate]. ``carbon`` [kg per
    amount] of what is bought, ``carbon_export`` credited for what is sold. ``capacity_charge`` [CNY] of the whole
    horizon is paid in any case. ``export_share`` [1]: exports may be at most this part of the renewable energy
    made (自发自用比例). ``green_price`` [CNY per amount] on top of ``buy`` for green power, None: not to be had.
    """

    id: str
    bus: str
    buy: Series = 0.0
    sell: Series | None = None
    limit: Series = INF
    export_limit: Series = INF
    carbon: Series = 0.0
    carbon_export: Series = 0.0
    demand: Demand | None = None
    capacity_charge: float = 0.0
    export_share: float | None = None
    green_price: Series | None = None
    part: str = "energy"


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Renewable:
    """PV or wind (光伏、风电): up to ``available`` [rate]. ``curtailable``: less may be taken (弃光弃风)."""

    id: str
    bus: str
    available: Series
    curtailable: bool = True
    cost: Series = 0.0
    carbon: float = 0.0


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Load:
    """What must be met (负荷) [rate]. ``shed_cost`` [CNY per amount]: what a missing amount costs, None: never.

    ``shed_share``: the part of it that may go missing at a step; ``shed_amount``: at most this amount in the
    horizon (可中断负荷 has a price and a limit). ``critical``: kept in an outage.
    """

    id: str
    bus: str
    rate: Series
    shed_cost: Series | None = None
    shed_share: Series = 1.0
    shed_amount: float = INF
    critical: bool = False


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Shift:
    """A load that may move in time (可转移负荷): at most ``up`` and ``down`` [rate] from its course.

    What is put off or brought forward never exceeds ``amount``, and is made up at the end of each ``window``
    (int32[steps], rising; None: the horizon). ``cost`` [CNY per amount put off or brought forward].
    """

    id: str
    bus: str
    up: Series
    down: Series
    amount: float
    advance: bool = True
    window: Groups | None = None
    cost: float = 0.0


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Storage:
    """Battery, heat or cold store, compressed-air tank (储能).

    ``capacity`` [amount]; ``charge`` and ``discharge`` [rate at the bus]; ``loss`` [1/h] of what is in it;
    ``least`` and ``most`` [1] of the capacity; ``initial`` [amount]. ``final`` [amount] at least at the end, None:
    as much as at the start is left over; ``cyclic``: start and end are equal and free. ``end_value`` [CNY per
    amount] of what is in it at the end. ``wear`` [CNY per amount discharged at the bus],
    ``charge_cost`` [CNY per amount charged] (输配费等); ``wear_depth``: convex
    segments of (part of the capacity, wear) a day; ``cycles`` (full discharges) at most in each ``window`` of
    steps.
    """

    id: str
    bus: str
    capacity: float
    charge: Series
    discharge: Series
    charge_efficiency: float = 1.0
    discharge_efficiency: float = 1.0
    loss: float = 0.0
    least: float = 0.0
    most: float = 1.0
    initial: float = 0.0
    final: float | None = None
    cyclic: bool = False
    end_value: float = 0.0
    wear: float = 0.0
    charge_cost: float = 0.0
    wear_depth: Sequence[tuple[float, float]] = ()
    cycles: float | None = None
    window: Groups | None = None


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Fleet:
    """Electric vehicles behind one meter (电动汽车群) as an envelope of energy put in since the start.

    ``most`` and ``least`` [amount, float64[steps]] at the end of each step; ``charge`` and ``discharge`` [rate].
    """

    id: str
    bus: str
    least: NDArray[np.float64]
    most: NDArray[np.float64]
    charge: Series
    discharge: Series = 0.0
    efficiency: float = 1.0
    wear: float = 0.0


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Commitment:
    """On and off (启停): used only where a unit has something to decide.

    ``least`` [1] of the greatest activity while on; ``start_cost`` and ``stop_cost`` [CNY]; ``up_h``,
    ``down_h`` [h] least times;
    ``idle`` [rate by bus] taken while on, whatever the activity; ``running_cost`` [CNY/h] while on;
    ``was_on`` before the first step, since ``since_h`` [h].
    """

    least: float = 0.0
    start_cost: float = 0.0
    stop_cost: float = 0.0
    up_h: float = 0.0
    down_h: float = 0.0
    idle: Mapping[str, float] = field(default_factory=dict)
    running_cost: float = 0.0
    was_on: bool = False
    since_h: float = INF


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Converter:
    """What takes in some carriers and gives out others in fixed ratio (转换设备).

    Back-pressure CHP, boiler, electric boiler, heat pump, chiller, compressor, pressure reducer, transformer.
    ``activity`` [rate] runs up to ``limit``; at activity 1 it draws ``inputs`` and gives ``outputs`` [rate by
    bus]. ``cost`` [CNY per amount of activity]; ``carbon`` [kg per amount]; ``ramp_up`` and ``ramp_down``
    [1/h of the greatest limit]; ``was`` [rate] the activity before the first step, None: not bound by it.
    """

    id: str
    inputs: Mapping[str, Series]
    outputs: Mapping[str, Series]
    limit: Series
    cost: Series = 0.0
    carbon: Series = 0.0
    ramp_up: float | None = None
    ramp_down: float | None = None
    was: float | None = None
    commitment: Commitment | None = None
    kind: str = "converter"


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Extraction:
    """Extraction-condensing CHP (抽凝机组): power p and heat h chosen within a region.

    p + ``loss`` · h ≤ ``power_limit``, p ≥ ``back_pressure`` · h, h ≤ ``heat_limit``; fuel = ``fuel_rate`` ·
    (p + loss · h). Commitment, carbon, cost and ramp (of p + loss · h) as for converters.
    """

    id: str
    fuel: str
    power: str
    heat: str
    power_limit: Series
    heat_limit: Series
    loss: float
    back_pressure: float
    fuel_rate: float
    cost: Series = 0.0
    carbon: Series = 0.0
    ramp_up: float | None = None
    ramp_down: float | None = None
    was: float | None = None
    commitment: Commitment | None = None
    kind: str = "chp"


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Link:
    """A transformer, line or pipe between two buses (变压器、线路), both ways. ``limit`` [rate at the entry]."""

    id: str
    source: str
    target: str
    limit: Series = INF
    back_limit: Series = INF
    efficiency: float = 1.0
    cost: float = 0.0


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Event:
    """A call of the grid or of a virtual power plant (需求响应、虚拟电厂调用) on one supply.

    In the steps ``called`` (bool[steps]) imports are to be ``bid`` below ``baseline`` [rate]; a bid up to
    ``most`` is chosen by the plan when ``committed`` is None, else it stands. ``payment`` [CNY per amount of the
    bid] is earned, ``penalty`` [CNY per amount] paid for what falls short.
    """

    id: str
    supply: str
    called: NDArray[np.bool_]
    baseline: Series
    payment: float
    penalty: float
    most: float
    committed: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carbon:
    """A price [CNY/t], a cap [kg], or free allowances [kg] against which the price is paid (免费配额)."""

    price: float = 0.0
    cap: float | None = None
    allowance: float = 0.0


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Green:
    """A part of all electricity use that must be green (绿电比例).

    Own renewables count, and green power bought (``Supply.green_price``), and certificates at
    ``certificate_price`` [CNY per amount], None: not to be had. ``hours`` bool[steps]: steps in which
    imports must be green step by step (100 % 绿电时段).
    """

    share: float = 0.0
    certificate_price: float | None = None
    hours: NDArray[np.bool_] | None = None


Device = Supply | Renewable | Load | Shift | Storage | Fleet | Converter | Extraction | Link
Kind = Literal["supply", "renewable", "load", "shift", "storage", "fleet", "converter", "extraction", "link"]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Site:
    """One park, or one enterprise of it, over ``steps`` steps of ``step_h`` hours from ``start`` (UTC)."""

    start: datetime
    steps: int
    step_h: float
    buses: Mapping[str, Bus]
    devices: Sequence[Device]
    events: Sequence[Event] = ()
    carbon: Carbon = field(default_factory=Carbon)
    green: Green | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    def device(self, id_: str) -> Device:
        return next(device for device in self.devices if device.id == id_)

    def at(self, step: int) -> datetime:
        return self.start + timedelta(hours=self.step_h * step)


def series(value: Series, steps: int) -> NDArray[np.float64]:
    """float64[steps] of a scalar or a series."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (steps,))
