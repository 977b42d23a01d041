"""Any park that the border can make, sound as a whole or not, survives TOML and workbook unchanged."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lujin import park
from lujin.park import toml, workbook
from lujin.park.carriers import Carrier, Dimension
from lujin.park.forms import BOOKS
from lujin.park.model import Basis, Fate, JointMethod, NodeKind, Origin, TransferStatus

ZONES = ("Asia/Shanghai", "UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kathmandu")
_letters = st.characters(codec="utf-8", exclude_categories=["C", "Z", "P", "S"])
ids = st.text(_letters, min_size=1, max_size=6).map(lambda t: f"i{t}")
texts = st.one_of(
    st.sampled_from(
        ["", "=1+1", "+49", "-x", "@cmd", "_x0041_", 'a "b"; c', "园区 一期", "#N/A", "007", "TRUE", "\\"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Zl", "Zp"]), max_size=12),
).map(str.strip)
decimals = st.decimals(-(10**14), 10**14, allow_nan=False, places=6) | st.decimals(
    -10, 10, allow_nan=False, places=18
)
positive = decimals.map(abs).filter(bool)
shares = st.integers(1, 1000).map(lambda n: Decimal(n) / 1000)
times = st.one_of(
    st.none(),
    st.datetimes(datetime(1975, 1, 1), datetime(2190, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.dates(datetime(1975, 1, 1).date(), datetime(2190, 1, 1).date()).map(  # noqa: DTZ001
        lambda d: datetime(d.year, d.month, d.day, tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)
    ),
)
months = st.builds(lambda y, m: y * 100 + m, st.integers(1970, 2199), st.integers(1, 12))
coordinates = st.none() | st.floats(-90, 90, allow_nan=False).map(lambda x: round(x, 9) + 0.0)
valid = {"valid_from": times, "valid_to": times}


def _by_id(record: type, **columns: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(st.builds(record, id=ids, **columns), max_size=3).map(lambda rs: {r.id: r for r in rs})


def _some(record: type, **columns: Any) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.builds(record, **columns), max_size=3).map(tuple)


meters = _by_id(
    park.Meter,
    flow=ids | st.just(""),
    kind=st.sampled_from(["interval", "register", "power", "virtual"]),
    unit=st.sampled_from(["kWh", "kW", "t/h", "10^4 Nm3", "weird"]),
    multiplier=positive,
    digits=st.none() | st.integers(1, 15),
    accuracy_class=texts,
    interval_s=st.sampled_from([0, 1, 60, 900, 3600, 5400, 86400]),
    stamp=st.sampled_from(["start", "end"]),
    capacity=st.none() | positive,
    timezone=st.sampled_from(["", *ZONES]),
    enthalpy_kj_per_kg=st.none() | positive,
    replaces=ids | st.just(""),
    initial=st.none() | decimals.map(abs),
    final=st.none() | decimals.map(abs),
    terms=st.dictionaries(ids, decimals.filter(bool), max_size=3),
    alias=st.lists(texts.filter(bool), max_size=3).map(tuple),
    **valid,
)
parks: st.SearchStrategy[park.Park] = st.builds(
    park.Park,
    id=ids,
    name_zh=texts,
    name_en=texts,
    timezone=st.sampled_from(ZONES),
    region=texts.filter(bool),
    packs=st.dictionaries(st.sampled_from(BOOKS), st.sampled_from(["a-b@1", "x@2.0"]), max_size=3),
    factor_date=st.none() | st.dates(datetime(1970, 1, 1).date(), datetime(2199, 1, 1).date()),  # noqa: DTZ001
    nodes=_by_id(
        park.Node,
        kind=st.sampled_from(get_args(NodeKind)),
        name_zh=texts,
        name_en=texts,
        owner=ids | st.just(""),
        sector=st.sampled_from(["", "C22", "C2231"]),
        tenant=texts,
        longitude=coordinates,
        latitude=coordinates,
        floor_area_m2=st.none() | decimals.map(abs),
        employees=st.none() | st.integers(0, 10**6),
        split_from=ids | st.just(""),
        **valid,
    ),
    flows=_by_id(park.Flow, carrier=ids, source=ids, target=ids, connection=ids | st.just(""), **valid),
    meters=meters,
    connections=_by_id(
        park.Connection,
        enterprise=ids,
        region=texts.filter(bool),
        zone=texts.filter(bool),
        customer_class=texts.filter(bool),
        voltage=texts.filter(bool),
        basis=st.sampled_from(get_args(Basis)),
        contract_kw=st.none() | positive,
        capacity_kva=st.none() | positive,
        feed_in=texts,
        **valid,
    ),
    carriers=_by_id(
        Carrier,
        dimension=st.sampled_from(get_args(Dimension)),
        name_zh=texts,
        name_en=texts,
        fuel=texts,
        process=texts,
        coal_equivalent=texts,
        biogenic=st.booleans(),
    ).map(lambda own: {**own, **park.CARRIERS}),
    prices=_some(
        park.Price,
        carrier=ids,
        value=decimals,
        unit=st.sampled_from(["CNY/kWh", "CNY/t"]),
        source=ids | st.just(""),
        target=ids | st.just(""),
        **valid,
    ),
    outputs=_some(
        park.Output,
        enterprise=ids,
        product=texts.filter(bool),
        month=months,
        quantity=decimals.map(abs),
        unit=texts.filter(bool),
    ),
    instruments=_by_id(
        park.Instrument,
        kind=st.sampled_from(["green_power", "certificate"]),
        energy_mwh=positive,
        device=texts,
        **valid,
    ),
    claims=_some(park.Claim, instrument=ids, enterprise=ids, month=months, energy_mwh=positive),
    joints=_some(
        park.Joint,
        node=ids,
        method=st.sampled_from(get_args(JointMethod)),
        power_reference=st.none() | shares,
        heat_reference=st.none() | shares,
        heat_temperature_k=st.none() | positive,
        ambient_temperature_k=st.none() | positive,
        boiler_efficiency=st.none() | shares,
        shares=st.dictionaries(ids, shares, max_size=2),
        **valid,
    ),
    transfers=_some(
        park.Transfer,
        flow=ids,
        status=st.sampled_from(get_args(TransferStatus)),
        scope=st.sampled_from(["", "S2", "S3.1"]),
        fate=st.sampled_from(get_args(Fate)),
        origin=st.sampled_from(get_args(Origin)),
        distance_km=st.none() | decimals.map(abs),
        check_meter=ids | st.just(""),
        evidence=texts,
        **valid,
    ),
    storages=_some(
        park.Storage,
        node=ids,
        capacity=positive,
        unit=st.sampled_from(["kWh", "GJ", "t"]),
        charge_efficiency=shares,
        discharge_efficiency=shares,
        standing_loss_per_day=shares.map(lambda part: 1 - part),
        **valid,
    ),
    base_year=st.none() | st.integers(1990, 2060),
    recalculation_threshold=shares,
    days=st.lists(
        st.builds(
            park.DayFact,
            day=st.dates(datetime(1970, 1, 1).date(), datetime(2199, 1, 1).date()),  # noqa: DTZ001
            temperature_max_c=st.none() | decimals,
            holiday=st.booleans(),
        ),
        max_size=3,
    ).map(lambda days: {d.day: d for d in days}),
)


_modest = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
# Files are slow: fewer, and no hunt for the smallest failure.
_few = settings(_modest, max_examples=20, phases=(Phase.explicit, Phase.reuse, Phase.generate))


@_modest
@given(parks)
def test_toml_gives_the_same_park_back(described: park.Park) -> None:
    text = park.dumps(described)
    draft = toml.parse(text)
    assert draft.problems == ()
    assert draft.park == described
    assert park.dumps(draft.park) == text
    assert park.digest(draft.park) == park.digest(described)


@_few
@given(parks)
def test_a_workbook_gives_the_same_park_back(described: park.Park) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "park.xlsx"
        park.write_workbook(described, path)
        draft = workbook.parse(path)
    assert draft.problems == ()
    assert draft.park == described
