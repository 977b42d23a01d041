"""Which meter explains the gap: faults put into one meter of random networks, and into real heat meters."""

import gzip
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts.suspects import Traces, alike, rank, without

DATA = Path(__file__).parents[2] / "../shared/data"
STEPS = 720
HOUR, DAY = np.arange(STEPS) % 24, np.arange(STEPS) // 24
RANDOM, SYSTEMATIC, U = (
    0.005,
    0.003,
    0.01,
)  # per hour, per meter (standard deviations), and U (k = 2), all relative


def network(random):
    """A tree of 1 to 3 mains with 3 to 11 users each: edges (from, to), and true hourly flows [edges, hours]."""
    mains = int(random.integers(1, 4))
    above = {k: int(random.integers(0, k)) for k in range(1, mains)}
    edges, flows, need = [], [], np.zeros((mains, STEPS))
    for main in range(mains):
        for _ in range(int(random.integers(3, 12))):
            flow = user(random)
            edges.append((main, None))
            flows.append(flow)
            need[main] += flow
    for main in range(mains - 1, 0, -1):
        edges.append((above[main], main))
        flows.append(need[main].copy())
        need[above[main]] += need[main]
    return mains, [*edges, (None, 0)], np.array([*flows, need[0]])


def user(random):
    shape = 1 + 0.6 * random.uniform(0.2, 1) * np.sin(2 * np.pi * (HOUR - random.uniform(0, 24)) / 24)
    weekend = np.where(DAY % 7 >= 5, random.uniform(0.2, 1), 1)
    return random.lognormal(4, 1) * shape * weekend * np.exp(random.normal(0, 0.15, STEPS))


def read(random, true):
    """What meters of their class say."""
    fixed = 1 + random.normal(0, SYSTEMATIC, len(true))[:, None]
    return true * fixed * (1 + random.normal(0, RANDOM, true.shape))


def fault(random, said, kind):
    wrong = said.copy()
    start = int(random.integers(0, 24))
    days = (start <= DAY) & (start + int(random.integers(3, 7)) > DAY)
    at = int(random.integers(0, 600))
    still = slice(at, at + int(random.integers(24, 120)))
    match kind:
        case "factor":
            wrong *= random.choice([0.8, 0.9, 1.1, 1.25, 2 / 3, 0.5])
        case "factor for days":
            wrong[days] *= random.choice([2 / 3, 0.001, 1.3, -1])
        case "offset":
            wrong += random.choice([-1, 1]) * random.uniform(0.1, 0.5) * said.mean()
        case "dead":
            wrong[still] = 0
        case "stuck":
            wrong[still] = wrong[at]
    return wrong


def traces(mains, edges, said, loss=(), day=DAY, hour=HOUR):
    meter, balance, sign = [], [], []
    for m, (source, target) in enumerate(edges):
        for main, sigma in ((source, -1), (target, 1)):
            if main is not None:
                meter.append(m)
                balance.append(main)
                sign.append(sigma)
    meter, balance = np.array(meter), np.array(balance)
    sign = np.repeat(np.array(sign, float)[:, None], said.shape[1], axis=1)
    flow = sign * said[meter]
    residual, supply, noise = np.zeros((3, mains, said.shape[1]))
    np.add.at(residual, balance, flow)
    np.add.at(supply, balance, np.maximum(flow, 0))
    np.add.at(noise, balance, (U / 2 * flow) ** 2)
    return Traces(
        residual=residual,
        valid=np.ones(residual.shape, dtype=bool),
        noise=np.sqrt(noise.mean(axis=1)),
        meter=meter,
        balance=balance,
        flow=flow,
        sign=sign,
        supply=supply,
        allowed=np.full(len(edges), U / 2),
        loss=loss,
        day=day,
        hour=hour,
    )


def open_case(seed, kind):
    """A network with one faulty meter, if the fault is beyond U of a balance that sees it; else None."""
    random = np.random.default_rng(seed)
    mains, edges, true = network(random)
    meter = int(random.integers(0, len(edges)))
    said = read(random, true)
    said[meter] = fault(random, said[meter], kind)
    error = abs((said[meter] - true[meter]).sum())
    limits = [
        np.sqrt(sum((U * true[m].sum()) ** 2 for m, edge in enumerate(edges) if main in edge))
        for main in edges[meter]
        if main is not None
    ]
    return (meter, traces(mains, edges, said)) if error > min(limits) else None


CASES = {
    kind: [case for seed in range(20) if (case := open_case(seed, kind)) is not None]
    for kind in ("factor", "factor for days", "offset", "dead", "stuck")
}


def first(fits):
    return fits[0].meter if fits else None


@cache
def ranked(kind):
    return [(meter, rank(case)) for meter, case in CASES[kind]]


def test_the_meter_that_is_off_is_ranked_first_in_nine_of_ten_networks():
    """120 seeds of each kind gave: factor 77 of 79, factor for hours 55 of 55, dead 49 of 56, stuck 13 of 21."""
    named = cases = 0
    for kind in ("factor", "factor for days", "dead", "stuck"):
        found = ranked(kind)
        cases += len(found)
        named += sum(first(fits) == meter for meter, fits in found)
    assert cases > 30
    assert named >= 0.9 * cases, f"{named} of {cases}"


def test_a_constant_error_is_named_among_those_that_nothing_tells_apart():
    """All meters of one main leave the same trace; only the tree of mains can narrow them down."""
    found = [(meter, alike(fits)) for meter, fits in ranked("offset")]
    among = sum(meter in {fit.meter for fit in group} for meter, group in found)
    assert among >= 0.85 * len(found), f"{among} of {len(found)}"
    assert sum(len(group) > 1 for _, group in found) > len(found) / 2


def test_another_meter_is_hardly_ever_accused_alone():
    wrong = cases = 0
    for kind in CASES:
        for meter, fits in ranked(kind):
            group = alike(fits)
            cases += 1
            wrong += len(group) == 1 and group[0].meter != meter
    assert wrong <= 0.05 * cases, f"{wrong} of {cases}"


def test_meters_of_their_class_are_not_accused():
    accused = 0
    for seed in range(12):
        random = np.random.default_rng(1_000 + seed)
        mains, edges, true = network(random)
        accused += bool(alike(rank(traces(mains, edges, read(random, true)))))
    assert accused <= 1, f"{accused} of 12"


def simple(users=4, seed=3):
    random = np.random.default_rng(seed)
    flows = np.array([user(random) for _ in range(users)])
    edges = [*((0, None) for _ in range(users)), (None, 0)]
    return edges, np.concatenate([flows, flows.sum(axis=0, keepdims=True)])


def test_the_correction_is_that_of_the_fault():
    edges, said = simple()
    said[1] *= 2 / 3
    best = rank(traces(1, edges, said))[0]
    assert (best.meter, best.kind) == (1, "factor")
    assert best.correction == pytest.approx(1.5, rel=1e-3)
    assert best.error == pytest.approx(said[1].sum() / 2, rel=1e-3)
    assert best.share == pytest.approx(1, abs=1e-4)


def test_a_fault_of_some_days_is_dated():
    edges, said = simple()
    said[2, 240:360] *= 0.001
    best = rank(traces(1, edges, said))[0]
    assert (best.meter, best.first, best.last) == (2, 240, 360)
    assert best.correction == pytest.approx(1000, rel=0.05)


def test_two_users_with_one_profile_cannot_be_told_apart():
    edges, said = simple()
    said[1] = said[0]
    said[-1] = said[:-1].sum(axis=0)
    said[1] = said[1] * 0.8
    group = alike(rank(traces(1, edges, said)))
    assert {fit.meter for fit in group} == {0, 1}


def test_losses_in_proportion_and_the_supply_meter_cannot_be_told_apart_unless_losses_are_known():
    edges, said = simple()
    said[-1] *= 1.05
    unknown = alike(rank(traces(1, edges, said, loss=[0])))
    known = alike(rank(traces(1, edges, said)))
    assert {fit.meter for fit in unknown} == {-1, 4}
    assert [fit.meter for fit in known] == [4]


def test_the_second_fault_shows_when_the_first_is_put_right():
    edges, said = simple()
    said[1] *= 0.8
    said[3, 240:360] *= 1.5
    case = traces(1, edges, said)
    best = rank(case)[0]
    assert {best.meter, rank(without(case, best))[0].meter} == {1, 3}


def test_without_a_gap_nobody_is_suspected():
    edges, said = simple()
    said = np.round(said)
    said[-1] = said[:-1].sum(axis=0)
    assert rank(traces(1, edges, said)) == ()


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e6))
def test_the_ranking_knows_no_unit_and_no_order(seed, scale):
    random = np.random.default_rng(seed)
    mains, edges, true = network(random)
    said = read(random, true)
    said[int(random.integers(0, len(edges)))] *= 0.7
    order = random.permutation(len(edges))
    base = rank(traces(mains, edges, said))
    other = rank(traces(mains, [edges[i] for i in order], said[order] * scale))
    assert [order[fit.meter] for fit in other[:1]] == [fit.meter for fit in base[:1]]
    for one, same in zip(base[:1], other[:1], strict=True):
        assert same.score == pytest.approx(one.score, rel=1e-3)
        assert same.slope == pytest.approx(one.slope, rel=1e-3)


def table(name):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"the data set {name} is not here; it has no licence to be shipped")
    return pl.read_csv(gzip.decompress(path.read_bytes()), try_parse_dates=True)


def test_a_real_heat_load_among_others_is_named_when_its_meter_reads_low():
    """32 district-heat customers as one measured user of a main, beside users of random shape, month by month."""
    heat = table("district_heat_32_customers_hourly/heat_hourly.csv.gz")["consumption_kWh"].to_numpy()
    named = months = 0
    for month in range(len(heat) // STEPS):
        random = np.random.default_rng(month)
        real = heat[month * STEPS : (month + 1) * STEPS]
        for kind in ("factor", "factor for days", "dead"):
            users = np.array([real, *(user(random) for _ in range(5))])
            true = np.concatenate([users, users.sum(axis=0, keepdims=True)])
            said = read(random, true)
            said[0] = fault(random, said[0], kind)
            months += 1
            named += first(rank(traces(1, [*((0, None) for _ in users), (None, 0)], said))) == 0
    assert named >= 0.9 * months, f"{named} of {months}"


FACTORS = {"phase_loss": 0.6667, "unit_div1000": 0.001, "unit_x1000": 1000.0, "negative": -1.0, "step_up": 1.2}


@pytest.mark.parametrize("meter", ["M01", "M03"])
def test_labelled_faults_of_real_profiles_are_named(meter):
    """The set has faulty series only. What a fault by a stated factor hides is put back to get what was supplied;
    faults that cannot be put back (stuck, zeros, drift) are left out. At least 4 of 5 each."""
    series = table(f"injected_meter_faults/{meter}.csv.gz").with_columns(pl.col("timestamp").cast(pl.Datetime))
    truth = pl.read_csv(DATA / "injected_meter_faults" / "truth.csv", infer_schema=False)
    named = cases = 0
    time, value = pl.col("timestamp"), pl.col("value")
    for row in truth.filter(pl.col("meter") == meter, pl.col("fault").is_in(list(FACTORS))).iter_rows(named=True):
        begin, end = (pl.Series([row[column]]).str.to_datetime()[0] for column in ("start", "end"))
        whole = pl.when(time.is_between(begin, end)).then(value / FACTORS[row["fault"]]).otherwise(value)
        month = series.with_columns(true=whole).filter(time >= begin.replace(day=1, hour=0, minute=0))
        hours = (
            month.group_by_dynamic("timestamp", every="1h").agg(value.mean(), pl.col("true").mean()).head(STEPS)
        )
        random = np.random.default_rng(cases)
        users = np.array([hours["true"].to_numpy(), *(user(random) for _ in range(5))])
        meters = read(random, np.concatenate([users, users.sum(axis=0, keepdims=True)]))
        meters[0] = hours["value"].to_numpy()
        cases += 1
        named += first(rank(traces(1, [*((0, None) for _ in users), (None, 0)], meters))) == 0
    assert cases == 5
    assert named >= 4, f"{named} of {cases}"
