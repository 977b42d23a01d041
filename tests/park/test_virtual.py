"""Virtual meters flatten to physical ones with the windows they share; devices chain; names resolve."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from lujin import park
from lujin.park import Flow, Meter, Node, Park, Term

T = [datetime(2025, month, 1, tzinfo=UTC) for month in range(1, 13)]
NODES = {"G": Node(id="G", kind="grid"), "E": Node(id="E", kind="enterprise")}


def make(*meters: Meter, flow: Flow | None = None) -> Park:
    only = flow or Flow(id="F", carrier="electricity", source="G", target="E")
    return Park(
        id="P",
        name_zh="",
        name_en="",
        timezone="UTC",
        region="广东",
        packs={},
        nodes=NODES,
        flows={only.id: only},
        meters={m.id: m for m in meters},
        carriers=park.CARRIERS,
    )


def virtual(name: str, flow: str = "", **terms: int) -> Meter:
    return Meter(id=name, flow=flow, kind="virtual", terms={k: Decimal(v) for k, v in terms.items()})


def test_nested_sums_multiply_coefficients_and_cancel() -> None:
    found = park.flow_terms(
        make(virtual("V", "F", A=2, W=-1), virtual("W", A=2, B=3), Meter(id="A"), Meter(id="B"))
    )
    assert found["F"] == (Term("B", Decimal(-3), None, None),)


def test_windows_along_the_way_intersect() -> None:
    flow = Flow(id="F", carrier="electricity", source="G", target="E", valid_from=T[1])
    found = park.flow_terms(
        make(
            Meter(id="V", flow="F", kind="virtual", terms={"A": Decimal(1), "B": Decimal(1)}, valid_to=T[8]),
            Meter(id="A", valid_to=T[4]),
            Meter(id="B", valid_from=T[9]),
            flow=flow,
        )
    )
    assert found["F"] == (Term("A", Decimal(1), T[1], T[4]),)


def test_a_flow_without_meter_has_no_terms() -> None:
    assert park.flow_terms(make()) == {"F": ()}


def test_a_long_chain_and_many_ways_stay_quick() -> None:
    ladder = [Meter(id="V0"), *(virtual(f"V{n}", **{f"V{n - 1}": 1}) for n in range(1, 3000))]
    doubling = [
        virtual("D0", V2999=1),
        *(virtual(f"D{n}", **{f"D{n - 1}": 1, f"E{n - 1}": 1}) for n in range(1, 40)),
    ]
    twins = [virtual("E0", V2999=1), *(virtual(f"E{n}", **{f"D{n - 1}": 1, f"E{n - 1}": 1}) for n in range(1, 40))]
    found = park.flow_terms(make(virtual("TOP", "F", D39=1), *ladder, *doubling, *twins))
    assert found["F"] == (Term("V0", Decimal(2**39), None, None),)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_flattened_terms_give_the_same_sum_as_walking_the_tree(data: st.DataObject) -> None:
    devices = {f"M{n}": Meter(id=f"M{n}") for n in range(3)}
    sums: dict[str, Meter] = {}
    for n in range(data.draw(st.integers(1, 5))):
        names = data.draw(st.lists(st.sampled_from([*devices, *sums]), min_size=1, max_size=4, unique=True))
        terms = {name: Decimal(data.draw(st.integers(-3, 3).filter(bool))) for name in names}
        sums[f"V{n}"] = Meter(id=f"V{n}", kind="virtual", terms=terms)
    top = f"V{len(sums) - 1}"
    energy = {f"M{n}": Decimal(10**n) for n in range(3)}

    def walk(name: str) -> Decimal:
        return energy[name] if name in devices else sum(c * walk(t) for t, c in sums[name].terms.items())

    found = park.flow_terms(make(*sums.values(), virtual("TOP", "F", **{top: 1}), *devices.values()))
    assert sum((t.coefficient * energy[t.meter] for t in found["F"]), Decimal(0)) == walk(top)


def test_a_chain_lists_devices_from_the_oldest() -> None:
    described = make(Meter(id="A"), Meter(id="B", replaces="A"), Meter(id="C", replaces="B"), Meter(id="X"))
    assert park.meter_chain(described, "B") == ("A", "B", "C")
    assert park.meter_chain(described, "X") == ("X",)


def test_a_chain_in_a_circle_ends() -> None:
    assert set(park.meter_chain(make(Meter(id="A", replaces="B"), Meter(id="B", replaces="A")), "A")) == {"A", "B"}


def test_ids_and_aliases_name_physical_meters() -> None:
    described = make(Meter(id="A", alias=("总表", "main")), virtual("V", "F", A=1))
    assert park.meter_names(described) == {"A": "A", "总表": "A", "main": "A"}


def test_a_term_without_flow_measures_what_its_sum_measures(base: str, loaded: Callable[[str], Park]) -> None:
    text = f'{base}\n[[meter]]\nid="X"\nunit="GJ"\n[[meter]]\nid="V"\nkind="virtual"\nflow="F1"\nterms={{X=1}}\n'
    assert park.meter_dimensions(loaded(text)) == dict.fromkeys(("M1", "X", "V"), frozenset({"electricity"}))
