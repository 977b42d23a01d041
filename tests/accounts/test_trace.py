"""Carbon tracing against a dense solution per step, written here on its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts import trace as module
from lujin.accounts.intensities import intensities
from lujin.accounts.network import Network, Storages
from lujin.accounts.trace import Trace, carried, trace
from lujin.errors import InputError


def dense(network, flows, power, carbon, stores, received, use, wip):
    """The equations of the module, one np.linalg.solve per step; storages and work in progress in plain loops."""
    gases, size, steps = carbon.shape
    content, stored = stores.opening_energy.astype(float), stores.opening_carbon.astype(float).copy()
    wip = wip.copy()
    rho = np.zeros((gases, size, steps))
    for t in range(steps):
        sent = np.zeros((size, size))
        arrived = np.zeros((size, size))
        for e, (u, v) in enumerate(zip(network.source, network.target, strict=True)):
            a, b = (u, v) if flows[e, t] >= 0 else (v, u)
            sent[a, b] += abs(flows[e, t])
            arrived[a, b] += abs(received[e, t])
        source = carbon[:, :, t].copy()
        through = np.where(network.by_delivery, sent.sum(1) + use[:, t], power[:, t] + arrived.sum(0))
        drawn = np.zeros(len(stores.node))
        for s, n in enumerate(stores.node):
            available = content[s] * (1 - stores.standing_loss[s])
            taken = stores.discharge[s, t] / stores.discharge_efficiency[s]
            if taken > 0:
                drawn[s] = min(1.0, taken / available) if available > 0 else 1.0
            through[n] += stores.charge[s, t] if network.by_delivery[n] else stores.discharge[s, t]
            content[s] = max(0.0, available + stores.charge_efficiency[s] * stores.charge[s, t] - taken)
            source[:, n] += drawn[s] * stored[:, s]
        running = through > 0
        source[:, running] += wip[:, running]
        wip[:, running] = 0
        matrix = np.diag(np.where(running, through, 1.0)) - sent.T
        answer = np.linalg.solve(matrix, source.T).T
        wip[:, ~running] += answer[:, ~running]
        answer[:, ~running] = 0
        rho[:, :, t] = answer
        for s, n in enumerate(stores.node):
            stored[:, s] += answer[:, n] * stores.charge[s, t] - drawn[s] * stored[:, s]
    return rho, content, stored, wip


@st.composite
def cases(draw):
    """Random graphs with loops, losses, storages, starts and edges that turn round."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size, edges = draw(st.integers(2, 9)), draw(st.integers(1, 16))
    steps, gases, stores = draw(st.integers(1, 12)), draw(st.integers(1, 3)), draw(st.integers(0, 3))
    source = rng.integers(0, size, edges)
    target = (source + rng.integers(1, size, edges)) % size
    network = Network(
        tuple(f"n{i}" for i in range(size)),
        tuple(f"e{i}" for i in range(edges)),
        source,
        target,
        rng.random(size) < draw(st.sampled_from([0.0, 0.5, 1.0])),
        np.ones(edges, dtype=bool),
    )
    flows = rng.normal(0, 1, (edges, steps)) * 10.0 ** rng.integers(-2, 4)
    flows[rng.random((edges, steps)) < 0.3] = 0.0
    received = flows * rng.uniform(0.8, 1.0, (edges, steps))
    scale = np.abs(flows).sum() + 1.0
    node = rng.integers(0, size, stores)
    charge = np.maximum(0, rng.normal(0, 1, (stores, steps))) * scale / 10
    discharge = np.maximum(0, rng.normal(0, 1, (stores, steps))) * scale / 10
    storages = Storages(
        tuple(f"s{i}" for i in range(stores)), node, charge, discharge,
        rng.uniform(0.8, 1, stores), rng.uniform(0.8, 1, stores), rng.uniform(0, 0.05, stores),
        rng.uniform(0, 1, stores) * scale, rng.uniform(0, 1, (gases, stores)) * scale,
    )  # fmt: skip
    # Enough comes in at every node that is no network, so that nothing leaves that was not there
    out = np.zeros((size, steps))
    np.add.at(out, source, np.maximum(flows, 0))
    np.add.at(out, target, np.maximum(-flows, 0))
    np.add.at(out, node, charge)
    on = (rng.random((size, steps)) < 0.8) | (out > 0)
    power = np.where(on, out * rng.uniform(1.01, 2, (size, steps)) + rng.uniform(0, 1, (size, steps)), 0.0)
    use = np.where(on, rng.uniform(0.01, 1, (size, steps)) * scale / 10, 0.0)
    carbon = rng.uniform(0, 1, (gases, size, steps)) * (rng.random((gases, size, steps)) < 0.5)
    wip = rng.uniform(0, 1, (gases, size)) * (rng.random(size) < 0.2)
    return network, flows, power, carbon, storages, received, use, wip


def traced(case, **changes) -> Trace:
    network, flows, power, carbon, storages, received, use, wip = case
    return trace(network, flows, power, carbon, storages, received=received, use=use, opening_wip=wip, **changes)


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(1, 5))
def test_a_block_of_steps_gives_what_one_dense_solution_per_step_gives(case, block):
    got = traced(case, block=block)
    rho, content, stored, wip = dense(*case)
    size = np.abs(rho).max() + 1e-300
    np.testing.assert_allclose(got.intensity, rho, rtol=1e-9, atol=1e-11 * size)
    np.testing.assert_allclose(got.storage_energy[:, -1], content, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(got.storage_carbon[:, :, -1], stored, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(got.wip, wip, rtol=1e-9, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_what_is_emitted_is_used_stored_or_waits(case):
    got = traced(case)
    whole = got.emitted + got.opening_wip.sum(axis=1) + got.storage_carbon[:, :, 0].sum(axis=1)
    assert np.all(np.abs(got.imbalance()) <= 1e-12 * whole)
    assert np.isfinite(got.intensity).all()
    assert (got.intensity >= 0).all()


@settings(max_examples=30, deadline=None)
@given(cases(), st.integers(0, 10**6), st.floats(0, 100))
def test_more_carbon_at_a_source_lowers_nobody(case, where, more):
    network, flows, power, carbon, *rest = case
    raised = carbon.copy()
    raised.reshape(-1)[where % raised.size] += more
    before, after = traced(case), traced((network, flows, power, raised, *rest))
    assert (after.intensity >= before.intensity * (1 - 1e-13)).all()
    assert (after.used >= before.used * (1 - 1e-12)).all()


@settings(max_examples=30, deadline=None)
@given(cases(), st.integers(1, 3000))
def test_little_memory_gives_the_same(case, values):
    whole = traced(case)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_VALUES", values)
        small = traced(case)
    np.testing.assert_allclose(small.intensity, whole.intensity, rtol=1e-10, atol=1e-300)
    np.testing.assert_allclose(small.storage_carbon, whole.storage_carbon, rtol=1e-10, atol=1e-300)
    np.testing.assert_allclose(small.wip, whole.wip, rtol=1e-10, atol=1e-300)


@settings(max_examples=30, deadline=None)
@given(cases())
def test_what_a_node_passes_on_came_to_it(case):
    """Without storages and starts: in by sources and edges = out by edges and use, for each node and gas."""
    network, flows, power, carbon, _, received, use, _ = case
    got = trace(network, flows, power, carbon, received=received, use=use)
    along, against = carried(network, flows, got)
    net = carbon.sum(axis=2) - got.used - got.wip
    for e, (u, v) in enumerate(zip(network.source, network.target, strict=True)):
        net[:, u] -= along[:, e] - against[:, e]
        net[:, v] += along[:, e] - against[:, e]
    assert np.abs(net).max() <= 1e-12 * (carbon.sum() + along.sum() + against.sum())


@settings(max_examples=30, deadline=None)
@given(cases(), st.integers(1, 11))
def test_a_year_in_two_pieces_is_the_year(case, cut):
    network, flows, power, carbon, stores, received, use, wip = case
    cut = min(cut, carbon.shape[2])
    whole = traced(case)

    def piece(at, energy, held, waiting):
        part = Storages(
            stores.names, stores.node, stores.charge[:, at], stores.discharge[:, at], stores.charge_efficiency,
            stores.discharge_efficiency, stores.standing_loss, energy, held,
        )  # fmt: skip
        return trace(
            network, flows[:, at], power[:, at], carbon[:, :, at], part,
            received=received[:, at], use=use[:, at], opening_wip=waiting,
        )  # fmt: skip

    one = piece(slice(0, cut), stores.opening_energy, stores.opening_carbon, wip)
    two = piece(slice(cut, None), one.storage_energy[:, -1], one.storage_carbon[:, :, -1], one.wip)
    np.testing.assert_allclose(
        np.concatenate([one.intensity, two.intensity], axis=2), whole.intensity, rtol=1e-9, atol=1e-300
    )
    np.testing.assert_allclose(two.wip, whole.wip, rtol=1e-9, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(cases())
def test_one_step_alone_has_the_same_intensities(case):
    network, flows, power, carbon, _, _, use, wip = case
    flows, power, use = flows[:, :1], power[:, :1], use[:, :1]
    got = trace(network, flows, power, carbon[:, :, :1], use=use, opening_wip=wip)
    forward = flows[:, 0] >= 0
    source = np.where(forward, network.source, network.target)
    target = np.where(forward, network.target, network.source)
    quantity, size = np.abs(flows[:, 0]), len(network.nodes)
    out, into = (np.bincount(x, quantity, size) for x in (source, target))
    through = np.where(network.by_delivery, out + use[:, 0], power[:, 0] + into)
    # What waited leaves with the output of its node
    entering = carbon[:, :, 0] + np.where(through > 0, wip, 0.0)
    one = intensities(network.nodes, source, target, quantity, through, entering.T)
    np.testing.assert_allclose(one.intensity, got.intensity[:, :, 0].T, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(one.held.T, got.wip - np.where(through > 0, 0.0, wip), rtol=1e-9, atol=1e-12)
    assert np.all(np.abs(one.imbalance(entering.T)) <= 1e-12 * entering.sum(axis=1))


@settings(max_examples=20, deadline=None)
@given(cases(), st.floats(0, 1))
def test_a_flow_counted_by_two_meters_is_the_same_flow(case, part):
    network, flows, power, carbon, stores, received, use, wip = case
    twins = Network(
        network.nodes,
        (*network.edges, "twin"),
        np.append(network.source, network.source[0]),
        np.append(network.target, network.target[0]),
        network.by_delivery,
        np.ones(len(network.edges) + 1, dtype=bool),
    )

    def split(rows):
        return np.vstack([rows[:1] * part, rows[1:], rows[:1] * (1 - part)])

    one, two = traced(case), traced((twins, split(flows), power, carbon, stores, split(received), use, wip))
    np.testing.assert_allclose(two.intensity, one.intensity, rtol=1e-9, atol=1e-300)


def test_bialek_four_bus():
    """Bialek's four-bus system, flows at the receiving end: of load 3, 267.35 come from the first generator, and
    120.37 of load 4. Source of the flows: J. Bialek, Tracing the flow of electricity, IEE Proc. 143 (1996) 313.
    The two shares are derived from them here and elsewhere, not read in the paper."""
    lines = [("12", "1", "2"), ("13", "1", "3"), ("14", "1", "4"), ("24", "2", "4"), ("43", "4", "3")]
    network = Network.of("1234", lines)
    arriving = np.array([[59.0], [218], [112], [171], [82]])
    generation = np.array([[400.0], [114], [0], [0]])
    origin = np.zeros((2, 4, 1))
    origin[0, 0], origin[1, 1] = 400, 114
    share = trace(network, arriving, generation, origin).intensity[:, :, 0]
    assert share[0, 2] * 300 == pytest.approx(267.35, abs=0.005)
    assert share[0, 3] * 200 == pytest.approx(120.37, abs=0.005)
    assert share.sum(axis=0) == pytest.approx(1, rel=1e-14)
    # With the lines' losses left in what arrives, the loads bear all that was generated
    sent = np.array([[60.0], [225], [115], [173], [83]])
    through = trace(network, sent, generation, origin, received=arriving)
    assert through.used.sum() == pytest.approx(514, rel=1e-14)
    assert through.intensity[:, 2, 0].sum() * 300 + through.intensity[:, 3, 0].sum() * 200 == pytest.approx(514)


def battery(charge, discharge, **changes):
    given = {
        "charge_efficiency": 0.9, "discharge_efficiency": 0.8, "standing_loss": 0.0, "opening_energy": 0.0,
    } | changes  # fmt: skip
    numbers = {name: np.array([value]) for name, value in given.items()}
    return Storages(
        ("battery",), np.array([1]), np.array([charge]), np.array([discharge]), opening_carbon=np.zeros((1, 1)),
        **numbers,
    )  # fmt: skip


def test_storage_keeps_carbon_whole_and_its_losses_raise_the_intensity():
    network = Network.of(["grid", "bus"], [("feeder", "grid", "bus")])
    flows = np.array([[100.0, 0.0]])
    power = np.array([[100.0, 0.0], [0.0, 0.0]])
    carbon = np.array([[[60.0, 0.0], [0.0, 0.0]]])
    got = trace(network, flows, power, carbon, battery([100.0, 0.0], [0.0, 72.0]))
    assert got.storage_energy[0].tolist() == pytest.approx([0, 90, 0])
    assert got.storage_carbon[0, 0].tolist() == pytest.approx([0, 60, 0])
    assert got.intensity[0, 1].tolist() == pytest.approx([0.6, 60 / 72])
    assert got.problems == ()


def test_a_storage_that_gives_more_than_it_holds_is_named():
    network = Network.of(["grid", "bus"], [("feeder", "grid", "bus")])
    still = np.zeros((1, 2))
    got = trace(network, still, np.zeros((2, 2)), np.zeros((1, 2, 2)), battery([0.0, 0.0], [0.0, 8.0]))
    assert [p.text() for p in got.problems] == [
        "battery: gives more than it holds in step 1 (1 in all, by up to 10); "
        "check its opening content and its efficiencies"
    ]


def test_carbon_of_a_start_waits_for_the_first_output():
    network = Network.of(["boiler", "main"], [("steam", "boiler", "main")], by_delivery=["boiler"])
    flows = np.array([[0.0, 0.0, 10.0, 10.0]])
    carbon = np.zeros((1, 2, 4))
    carbon[0, 0] = [3.0, 4.0, 5.0, 5.0]
    got = trace(network, flows, np.zeros((2, 4)), carbon)
    assert got.intensity[0, 0].tolist() == pytest.approx([0, 0, 1.2, 0.5])
    assert got.wip.tolist() == [[0, 0]]
    early = trace(network, flows[:, :2], np.zeros((2, 2)), carbon[:, :, :2])
    assert early.wip[0].tolist() == [7.0, 0.0]
    assert (
        early.problems[0].text() == "boiler: carbon came in but nothing went out; it is kept as work in progress"
    )


def ring(exit_at_pump: bool):
    network = Network.of(
        ["boiler", "pump", "heater"],
        [("feed", "boiler", "pump"), ("there", "pump", "heater"), ("back", "heater", "pump")],
    )
    flows = (
        np.array([[1.0, 1.0], [5.0, 5.0], [5.0, 4.0]]) if exit_at_pump else np.array([[1.0, 0], [6, 6], [6, 6]])
    )
    return network, flows, np.array([[1.0, 1.0], [0, 0], [0, 0]])


def test_a_closed_loop_that_carbon_enters_is_named_never_nan():
    network, flows, power = ring(exit_at_pump=False)
    flows[1, 0] = 7.0  # all that comes to the pump goes to the heater, and back
    flows[2, 0] = 7.0
    flows[0, 0] = 0.0
    carbon = np.zeros((1, 3, 2))
    carbon[0, 1, 1] = 2.0
    with pytest.raises(InputError, match="carbon enters the loop of pump, heater in step 1 and nothing leaves it"):
        trace(network, flows, power, carbon)
    # Without carbon the loop carries none
    quiet = trace(network, flows, power, np.zeros((1, 3, 2)))
    assert (quiet.intensity == 0).all()


def test_rounding_is_no_way_out_of_a_loop():
    """0.1 + 0.2 enter the pump and 0.3 leave it, which differ in floating point."""
    carbon = np.array([[[1.0], [0.0]]])
    one = Network.of(
        ["pump", "heater"], [("a", "pump", "heater"), ("c", "heater", "pump"), ("d", "heater", "pump")]
    )
    assert 0.1 + 0.2 != 0.3
    with pytest.raises(InputError, match="the loop of pump, heater in step 0"):
        trace(one, np.array([[0.3], [0.1], [0.2]]), np.zeros((2, 1)), carbon)


def test_rounding_is_no_use_below_zero():
    """0.3 enter the bus, 0.1 + 0.2 leave it."""
    network = Network.of(
        ["grid", "bus", "mill", "farm"], [("a", "grid", "bus"), ("b", "bus", "mill"), ("c", "bus", "farm")]
    )
    power, carbon = np.zeros((4, 1)), np.zeros((1, 4, 1))
    power[0], carbon[0, 0] = 0.3, 0.18
    got = trace(network, np.array([[0.3], [0.1], [0.2]]), power, carbon)
    assert 0.3 - (0.1 + 0.2) < 0
    assert got.used[0].tolist() == pytest.approx([0, 0, 0.06, 0.12], rel=1e-15, abs=0)


def test_a_closed_loop_of_one_month_is_named():
    edges = np.array([0, 1, 2]), np.array([1, 2, 1]), np.array([1.0, 5.0, 4.0])
    carbon = np.array([[3.0], [0], [0]])
    with pytest.raises(InputError, match="carbon enters the loop of pump, heater in step 202501"):
        intensities(["boiler", "pump", "heater"], *edges, np.array([1.0, 5.0, 4.0]), carbon, step="202501")
    open_ = intensities(["boiler", "pump", "heater"], *edges, np.array([1.0, 5.0, 5.0]), carbon)
    assert open_.intensity[:, 0].tolist() == pytest.approx([3, 3, 3])
    none = intensities(["boiler", "pump", "heater"], *edges, np.array([1.0, 5.0, 4.0]), 0 * carbon)
    assert (none.intensity == 0).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"flow": np.nan}, "there: not a number in step 1 (1 in all)"),
        ({"flow": -5.0}, "there: negative in step 1 (1 in all, worst -5)"),
        ({"flow": 9.0}, "pump: more leaves than enters in step 1 (1 in all, by up to 4)"),
        ({"carbon": -1.0}, "heater: negative in step 1 (1 in all, worst -1)"),
        ({"received": 6.0}, "there: more arrives than was sent in step 1 (1 in all, by up to 1)"),
    ],
)
def test_bad_numbers_are_told_by_name_and_step(change, said):
    network, flows, power = ring(exit_at_pump=True)
    network = Network.of(
        network.nodes,
        [
            (e, network.nodes[u], network.nodes[v])
            for e, u, v in zip(network.edges, network.source, network.target, strict=True)
        ],
        one_way=["there"],
    )
    flows[1:, :] = [[5.0, 5.0], [4.0, 4.0]]
    carbon = np.zeros((1, 3, 2))
    flows[1, 1] = change.get("flow", flows[1, 1])
    received = np.array([flows[0], [5.0, change["received"]], flows[2]]) if "received" in change else None
    carbon[0, 2, 1] = change.get("carbon", 0.0)
    with pytest.raises(InputError) as error:
        trace(network, flows, power, carbon, received=received, block=1)
    assert any(p.text().startswith(said) for p in error.value.problems), error.value.problems


def test_an_opening_below_zero_is_refused():
    network, flows, power = ring(exit_at_pump=True)
    with pytest.raises(InputError, match=r"heater: negative in step 0 \(1 in all, worst -2\)"):
        trace(network, flows, power, np.zeros((1, 3, 2)), opening_wip=np.array([[0.0, 0.0, -2.0]]))


def test_all_that_is_wrong_in_all_blocks_is_told_at_once():
    network, flows, _ = ring(exit_at_pump=True)
    flows = np.tile(flows[:, 1:], 6)
    flows[0, 1], flows[2, 4], flows[2, 5] = np.nan, np.inf, np.inf
    with pytest.raises(InputError) as error:
        trace(network, flows, np.ones((3, 6)), np.zeros((1, 3, 6)), block=2)
    said = {(p.params["name"], p.params["step"], p.params["count"]) for p in error.value.problems}
    assert {("feed", "1", 1), ("back", "4", 2)} <= said


def test_a_flow_from_a_node_to_itself_is_refused():
    with pytest.raises(InputError, match="loop goes from a node to itself"):
        Network.of(["a"], [("loop", "a", "a")])


def test_thousands_of_nodes_in_one_step():
    rng = np.random.default_rng(1)
    size, edges = 3000, 9000
    source = rng.integers(0, size, edges)
    target = (source + rng.integers(1, size, edges)) % size
    quantity = rng.uniform(0, 1, edges)
    through = np.bincount(source, quantity, size) * rng.uniform(1, 1.5, size) + 1e-3
    carbon = rng.uniform(0, 1, (size, 3))
    got = intensities([f"n{i}" for i in range(size)], source, target, quantity, through, carbon)
    assert np.all(np.abs(got.imbalance(carbon)) < 1e-12 * carbon.sum(axis=0))


def test_what_is_given_is_not_changed():
    network, flows, power = ring(exit_at_pump=True)
    carbon = np.ones((1, 3, 1))
    trace(network, flows[:, :1], power[:, :1], carbon)
    assert (carbon == 1).all()
    assert flows.tolist() == [[1, 1], [5, 5], [5, 4]]
