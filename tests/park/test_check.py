"""What must hold between rows: every rule finds its fault, at its line, and leaves a sound park alone."""

from collections.abc import Callable

import pytest

from lujin.errors import Problem

Problems = Callable[[str], list[Problem]]

E1 = '[[node]]\nid = "E1"\nkind = "enterprise"\n'
REGISTER = 'kind = "register"\nunit = "kWh"\ndigits = 6\n'


def flow(name: str, carrier: str, source: str, target: str, more: str = "") -> str:
    ends = f'source = "{source}"\ntarget = "{target}"\n'
    return f'[[flow]]\nid = "{name}"\ncarrier = "{carrier}"\n{ends}{more}\n'


def meter(name: str, more: str) -> str:
    return f'[[meter]]\nid = "{name}"\n{more}\n'


def node(name: str, kind: str, more: str = "") -> str:
    return f'[[node]]\nid = "{name}"\nkind = "{kind}"\n{more}\n'


def connection(name: str, more: str = "", enterprise: str = "E1") -> str:
    where = 'region = "广东"\nzone = "东西两翼(肇庆)"\ncustomer_class = "工商业单一制"\nvoltage = "<1kV"\n'
    return f'[[connection]]\nid = "{name}"\nenterprise = "{enterprise}"\n{where}{more}\n'


def price(more: str, value: int = 1) -> str:
    return f'[[price]]\ncarrier = "natural_gas"\nvalue = {value}\nunit = "CNY/m3"\n{more}\n'


INSTRUMENT = (
    '[[instrument]]\nid = "G1"\nkind = "certificate"\nenergy_mwh = 100\n'
    "valid_from = 2025-01-01\nvalid_to = 2026-01-01\n"
)


def claim(month: str, energy: int, enterprise: str = "E1", instrument: str = "G1") -> str:
    return (
        f'[[claim]]\ninstrument = "{instrument}"\nenterprise = "{enterprise}"\n'
        f'month = "{month}"\nenergy_mwh = {energy}\n'
    )


def joint(node: str, method: str, more: str = "") -> str:
    return f'[[joint]]\nnode = "{node}"\nmethod = "{method}"\n{more}\n'


def transfer(flow: str, status: str, more: str = "") -> str:
    return f'[[transfer]]\nflow = "{flow}"\nstatus = "{status}"\n{more}\n'


def storage(node: str, more: str = "", unit: str = "kWh") -> str:
    return f'[[storage]]\nnode = "{node}"\ncapacity = 10\nunit = "{unit}"\n{more}\n'


PLANT = node("CHP", "chp", 'owner = "E1"')
BATTERY = node("BAT", "battery", 'owner = "E1"') + flow("IN", "electricity", "E1", "BAT")


def test_the_base_park_is_sound(base: str, problems: Problems) -> None:
    assert problems(base) == []


def test_joint_production_transfers_and_storage_are_sound(base: str, problems: Problems) -> None:
    more = BATTERY + flow("OUT", "electricity", "BAT", "E1") + meter("M-IN", 'flow = "IN"')
    more += meter("M-OUT", 'flow = "OUT"') + meter("K", "") + PLANT
    more += joint("CHP", "ghgp_efficiency@1", "power_reference = 0.35\nheat_reference = 0.8")
    more += transfer("IN", "energy", 'check_meter = "K"') + storage("BAT", "charge_efficiency = 0.95")
    assert problems(base + more) == []


ERRORS = [
    # nodes
    (node("E1", "enterprise"), "node E1 is there twice"),
    (node("X", "pv"), "pv X has no owner"),
    (node("X", "pv", 'owner = "E9"'), "node E9 is unknown"),
    (node("X", "pv", 'owner = "GRID"'), "owner GRID holds no account"),
    (node("X", "enterprise", 'owner = "E2"'), "answers for itself"),
    (node("X", "enterprise", 'split_from = "E9"\nvalid_from = 2025-01-01'), "node E9 is unknown"),
    (node("X", "enterprise", 'split_from = "E1"'), "nobody knows when"),
    (node("X", "enterprise", 'split_from = "X"\nvalid_from = 2025-01-01'), "split from itself"),
    (node("X", "enterprise", "latitude = 112.4\nlongitude = 23.0"), "seem to be swapped"),
    (node("X", "enterprise", "latitude = 23.0\nlongitude = 190"), "not between -180 and 180"),
    (node("X", "enterprise", "latitude = 23.0"), "longitude of X is missing"),
    (node("X", "enterprise", "valid_from = 2025-02-01\nvalid_to = 2025-02-01"), "not after valid_from"),
    # flows
    (flow("F2", "electric", "GRID", "E1"), "carrier electric is unknown; did you mean electricity?"),
    (flow("F2", "steam", "E1", "E1"), "ends where it begins"),
    (flow("F2", "steam", "GIRD", "E1"), "node GIRD is unknown; did you mean GRID?"),
    (flow("F2", "steam", "GRID", "E3"), "node E3 is unknown"),
    (connection("C1") + flow("F2", "steam", "E2", "E1", 'connection = "C1"'), "bills electricity only"),
    (
        connection("C1") + flow("F2", "electricity", "GRID", "E2", 'connection = "C1"'),
        "neither leaves nor reaches E1",
    ),
    (
        connection("C1", "valid_to = 2025-06-01") + flow("F2", "electricity", "GRID", "E1", 'connection = "C1"'),
        "does not hold all that time",
    ),
    # connections
    (connection("C1", 'basis = "capacity"'), "capacity_kva is missing"),
    (connection("C1", enterprise="GRID"), "GRID is a grid and holds no account"),
    (connection("C1") + connection("C2"), "connections C1 and C2 of E1 hold at the same time"),
    # joint production, transfers, storage
    (PLANT + joint("CHP", "efficiency"), "two formulas with opposite results are called efficiency"),
    (PLANT + joint("CHP", "work"), "work is not a method of joint"),
    (
        flow("S", "natural_gas", "E1", "E2")
        + meter("K", 'unit = "kWh"')
        + transfer("S", "energy", 'check_meter = "K"'),
        "unit kWh of K does not measure natural_gas",
    ),
    (PLANT + joint("CHP", "ghgp_efficiency@1", "power_reference = 0.35"), "needs heat_reference"),
    (PLANT + joint("CHP", "declared@1", "shares = {steam = 0.8, electricity = 0.3}"), "sum to 1.1, not to 1"),
    (PLANT + joint("CHP", "energy@1") * 2, "CHP is described twice for the same time"),
    (
        PLANT + joint("CHP", "exergy@1", "heat_temperature_k = 20\nambient_temperature_k = 298"),
        "no warmer than the surroundings",
    ),
    (PLANT + joint("CHP", "declared@1", "shares = {steam = 1.5}"), "1.5 is more than the whole"),
    (BATTERY + transfer("IN", "captured_co2"), "its status cannot be captured_co2"),
    (flow("C", "co2", "E1", "E2") + transfer("C", "captured_co2", 'fate = "used"'), "origin of the CO2"),
    (BATTERY + transfer("IN", "energy", 'scope = "scope 2"'), "is not a scope of the GHG Protocol"),
    (
        BATTERY + meter("K", 'flow = "IN"') + transfer("IN", "energy", 'check_meter = "K"'),
        "measures flow IN and cannot check IN as well",
    ),
    (BATTERY + storage("BAT", unit="t"), "t does not measure a stock of electricity"),
    (BATTERY + storage("BAT", "charge_efficiency = 0"), "0 is not above zero"),
    (BATTERY + storage("BAT", "standing_loss_per_day = 1"), "1 leaves nothing over"),
    (PLANT + storage("CHP"), "no flow goes into CHP or out of it"),
    (BATTERY + flow("O", "steam", "BAT", "E1") + storage("BAT"), "BAT stores one carrier, but electricity, steam"),
    (BATTERY + storage("BAT", unit="banana"), "banana is no unit of a stock"),
    (PLANT + storage("CHP", unit="banana"), "banana is no unit of a stock"),
    # prices, outputs, claims
    (price("valid_to = 2025-07-01") + price("valid_from = 2025-06-01"), "two prices of natural_gas"),
    (price("valid_from = 2025-06-01") + price(""), "two prices of natural_gas"),
    (price("").replace("m3", "kWh"), "CNY/kWh is not a price of natural_gas"),
    (
        '[[output]]\nenterprise = "E1"\nproduct = "p"\nmonth = "2025-01"\nquantity = 1\nunit = "t"\n' * 2,
        "is there twice",
    ),
    (INSTRUMENT + claim("2025-01", 60) + claim("2025-02", 60, "E2"), "reach 120 MWh, but it holds 100 MWh"),
    (INSTRUMENT + claim("2026-01", 1), "outside the vintage"),
    (INSTRUMENT + claim("2025-01", 1, instrument="G2"), "instrument G2 is unknown"),
    (INSTRUMENT + claim("2025-01", 1, enterprise="GRID"), "holds no account"),
    ('[[carrier]]\nid = "steam"\ndimension = "heat"\n', "carrier steam is built in"),
    # meters
    (meter("M2", 'flow = "F7"'), "flow F7 is unknown"),
    (meter("M2", 'flow = "F1"\nunit = "m3"'), "unit m3 of M2 does not measure electricity"),
    (meter("M2", 'flow = "F1"\nunit = "kW"'), "kW does not fit interval meter M2"),
    (meter("M2", 'flow = "F1"\nunit = "kWh"\nkind = "power"'), "kWh does not fit power meter M2"),
    (flow("S", "steam", "E2", "E1") + meter("M2", 'flow = "S"\nunit = "t"'), "add enthalpy_kj_per_kg"),
    (meter("M2", 'unit = "furlong"'), "unit furlong"),
    (meter("M2", 'flow = "F1"\nterms = {M1 = 1}'), "is not virtual"),
    (meter("V", 'flow = "F1"\nkind = "virtual"'), "has no terms"),
    (meter("V", 'flow = "F1"\nkind = "virtual"\nterms = {M9 = 1}'), "meter M9 is unknown"),
    (meter("M2", 'flow = "F1"\nalias = ["M1"]'), "alias M1 of M2 also names M1"),
    (meter("M2", 'alias = ["总表"]') + meter("M3", 'alias = ["总表"]'), "alias 总表 of M3 also names M2"),
    (meter("R", f'flow = "F1"\n{REGISTER}initial = 1000000'), "does not fit a register of 6 digits"),
    (meter("R", 'flow = "F1"\nreplaces = "M0"'), "meter M0 is unknown"),
    (meter("R", 'flow = "F1"\nreplaces = "M1"'), "nobody knows when R replaced M1"),
    (
        meter("A", 'flow = "F1"\nreplaces = "B"') + meter("B", 'flow = "F1"\nreplaces = "A"'),
        "replaces itself in the end",
    ),
    (meter("M2", "valid_from = 2025-03-01\nvalid_to = 2025-02-01"), "not after valid_from"),
]


@pytest.mark.parametrize(("more", "said"), ERRORS, ids=[said for _, said in ERRORS])
def test_an_error_is_found_with_place_and_remedy(base: str, problems: Problems, more: str, said: str) -> None:
    found = [p for p in problems(f"{base}\n{more}") if p.severity == "error"]
    (about,) = [p for p in found if said in p.text()][:1] or [None]
    assert about is not None, [p.text() for p in found]
    assert about.line is not None
    assert about.line > base.count("\n")
    assert about.remedy


WARNINGS = [
    (flow("F2", "water", "E2", "E1"), "no meter measures flow F2"),
    (node("A", "air") + flow("F2", "co2", "GRID", "A"), "outside the fence"),
    (connection("C1"), "no flow names connection C1"),
    (connection("C1", 'basis = "demand"'), "contract_kw is missing"),
    (meter("M2", ""), "would count nowhere"),
    (meter("M2", 'flow = "F1"'), "measured by M1 and M2 at the same time"),
    (meter("R", 'kind = "register"\nflow = "F1"'), "a rollover cannot be told from a reset"),
    (meter("M2", 'flow = "F1"\ninitial = 5'), "initial means nothing"),
    (node("G2", "grid", 'owner = "E1"'), "its owner is ignored"),
    (transfer("F1", "energy", 'fate = "used"'), "fate is stated of flow F1, whose status is energy"),
    (transfer("F1", "waste", 'origin = "fossil"'), "origin is stated of flow F1, whose status is waste"),
]


@pytest.mark.parametrize(("more", "said"), WARNINGS, ids=[said for _, said in WARNINGS])
def test_a_doubt_is_a_warning_and_the_park_still_loads(
    base: str, problems: Problems, more: str, said: str
) -> None:
    found = problems(f"{base}\n{more}")
    assert {p.severity for p in found} == {"warning"}
    assert any(said in p.text() and p.remedy for p in found), found


@pytest.mark.parametrize(
    ("carrier", "unit", "doubted"),
    [
        ("natural_gas", "m3", True),
        ("natural_gas", "万m3", True),
        ("natural_gas", "Nm3", False),
        ("water", "m3", False),
    ],
)
def test_a_cubic_metre_of_gas_is_asked_about(
    base: str, problems: Problems, carrier: str, unit: str, doubted: bool
) -> None:
    """At 20 °C a cubic metre holds 7 % less than at 0 °C, for which heating values are given."""
    gas = flow("G", carrier, "GRID", "E1") + meter("MG", f'flow = "G"\nkind = "interval"\nunit = "{unit}"')
    said = [p for p in problems(base + gas) if p.field == "meter.unit"]
    assert [p.severity for p in said] == (["warning"] if doubted else [])


def test_a_loop_of_virtual_meters_is_named(base: str, problems: Problems) -> None:
    loop = "".join(
        meter(name, f'kind = "virtual"\nflow = "F1"\nterms = {{{term} = 1, M1 = 1}}')
        for name, term in (("A", "B"), ("B", "C"), ("C", "A"))
    )
    found = [p.text() for p in problems(base + loop) if "circle" in p.text()]
    assert len(found) == 1
    assert "A → B → C → A" in found[0]


def test_virtual_terms_of_another_dimension_are_refused(base: str, problems: Problems) -> None:
    gas = flow("G", "natural_gas", "GRID", "E1") + meter("MG", 'flow = "G"\nunit = "m3"')
    virtual = meter("V", 'kind = "virtual"\nflow = "F1"\nterms = {M1 = 1, MG = 1}')
    assert any("MG measures volume" in p.text() for p in problems(base + gas + virtual))
    # A term without a flow takes the dimension that the sum asks for.
    fits = meter("X", 'unit = "GJ"') + meter("V", 'kind = "virtual"\nflow = "F1"\nterms = {X = 1}')
    assert not any(p.severity == "error" for p in problems(base + fits))
    gap = meter("X", 'unit = "m3"') + meter("V", 'kind = "virtual"\nflow = "F1"\nterms = {X = 1}')
    assert any("V measures electricity" in p.text() for p in problems(base + gap))


def swap(old: str, new: str) -> str:
    head = f'flow = "F2"\n{REGISTER}'
    return (
        flow("F2", "electricity", "GRID", "E2")
        + meter("OLD", f"{head}{old}")
        + meter("NEW", f'{head}replaces = "OLD"\n{new}')
    )


def test_a_clean_swap_of_devices_has_no_problem(base: str, problems: Problems) -> None:
    text = swap("valid_to = 2025-06-01\nfinal = 9", "valid_from = 2025-06-01\ninitial = 0")
    assert problems(base + text) == []


@pytest.mark.parametrize(
    ("old", "new", "said", "severity"),
    [
        ("valid_to = 2025-06-02\nfinal = 9", "valid_from = 2025-06-01\ninitial = 0", "count twice", "error"),
        (
            "valid_to = 2025-06-01\nfinal = 9",
            "valid_from = 2025-06-02\ninitial = 0",
            "nothing measures",
            "warning",
        ),
        ("valid_to = 2025-06-01", "valid_from = 2025-06-01\ninitial = 0", "final of OLD is missing", "warning"),
        ("valid_to = 2025-06-01\nfinal = 9", "valid_from = 2025-06-01", "initial of NEW is missing", "warning"),
    ],
)
def test_a_swap_with_a_fault_is_named(
    base: str, problems: Problems, old: str, new: str, said: str, severity: str
) -> None:
    assert any(said in p.text() and p.severity == severity for p in problems(base + swap(old, new)))


def test_two_successors_of_one_device_are_refused(base: str, problems: Problems) -> None:
    third = meter("N2", f'flow = "F2"\n{REGISTER}replaces = "OLD"\nvalid_from = 2025-06-01\ninitial = 0')
    text = swap("valid_to = 2025-06-01\nfinal = 9", "valid_from = 2025-06-01\ninitial = 0") + third
    assert any("replaced by NEW and by N2" in p.text() for p in problems(base + text))


def test_a_virtual_meter_that_forgot_the_new_device_is_warned_about(base: str, problems: Problems) -> None:
    text = swap("valid_to = 2025-06-01\nfinal = 9", "valid_from = 2025-06-01\ninitial = 0")
    virtual = meter("V", 'kind = "virtual"\nflow = "F1"\nterms = {OLD = 1}')
    assert any("but not NEW" in p.text() for p in problems(base + text + virtual))


def test_an_enterprise_that_leaves_must_not_leave_its_meters_running(base: str, problems: Problems) -> None:
    leaving = base.replace(E1, f"{E1}valid_to = 2025-06-01\n")
    found = [p for p in problems(leaving) if p.severity == "error"]
    assert [p.field for p in found] == ["meter.valid_to"]
    assert "E1 leaves on 2025-06-01, but meter M1 still runs" in found[0].text()
    assert problems(f"{leaving}valid_to = 2025-06-01\n") == []


def test_a_meter_that_runs_before_its_enterprise_joins_is_warned_about(base: str, problems: Problems) -> None:
    joining = base.replace(E1, f"{E1}valid_from = 2025-06-01\n")
    (found,) = problems(joining)
    assert found.severity == "warning"
    assert problems(f"{joining}valid_from = 2025-06-01\n") == []


def test_prices_that_follow_each_other_do_not_overlap(base: str, problems: Problems) -> None:
    assert problems(base + price("valid_to = 2025-06-01") + price("valid_from = 2025-06-01")) == []
    assert problems(base + price("") + price('target = "E1"') + price('source = "GRID"')) == []


def test_a_change_of_tariff_class_is_two_connections_and_two_flows(base: str, problems: Problems) -> None:
    text = (
        connection("C1", "valid_to = 2025-06-01")
        + connection("C2", "valid_from = 2025-06-01")
        + flow("A", "electricity", "GRID", "E1", 'connection = "C1"\nvalid_to = 2025-06-01')
        + flow("B", "electricity", "GRID", "E1", 'connection = "C2"\nvalid_from = 2025-06-01')
        + meter("MA", 'flow = "A"')
        + meter("MB", 'flow = "B"')
    )
    assert problems(base + text) == []


def test_two_accounts_with_the_grid_at_one_time_are_told_apart_by_their_flows(
    base: str, problems: Problems
) -> None:
    text = "".join(
        connection(f"C{n}")
        + flow(f"A{n}", "electricity", "GRID", "E1", f'connection = "C{n}"')
        + meter(f"MA{n}", f'flow = "A{n}"')
        for n in (1, 2)
    )
    assert problems(base + text) == []


def test_the_province_is_spelt_as_the_factor_tables_do(base: str, problems: Problems) -> None:
    (found,) = problems(base.replace('"广东"', '"广东省"'))
    assert found.severity == "warning"
    assert "did you mean 广东?" in found.text()


def test_problems_come_in_order_of_their_lines(base: str, problems: Problems) -> None:
    lines = [p.line or 0 for p in problems(base + "".join(more for more, _ in ERRORS[:12]))]
    assert len(lines) > 10
    assert lines == sorted(lines)


def test_an_instrument_may_be_used_up_to_its_last_mwh(base: str, problems: Problems) -> None:
    assert problems(base + INSTRUMENT + claim("2025-01", 60) + claim("2025-12", 40, "E2")) == []
