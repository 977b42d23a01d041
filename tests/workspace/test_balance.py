"""Two meters on one pipe and the closure of networks, from files to statement, explanation and command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from lujin.errors import InputError

from .conftest import Lujin
from .small_park import END, HEAD, METER, MONTH, START, ZONE, Reading, Site, register

NODES = """
[[node]]
id = "BUS"
kind = "main"
owner = "OP"

[[node]]
id = "OP"
kind = "operator"
"""
USER = """
[[node]]
id = "E{n}"
kind = "enterprise"

[[flow]]
id = "F{n}"
carrier = "electricity"
source = "BUS"
target = "E{n}"
"""
SUPPLY = """
[[flow]]
id = "F0"
carrier = "electricity"
source = "GRID"
target = "BUS"
"""
CHECK = """
[[meter]]
id = "K1"
kind = "register"
unit = "kWh"
digits = 6
interval = "15min"
accuracy_class = "1"

[[transfer]]
flow = "F1"
status = "energy"
check_meter = "K1"
"""
CLASS = 'accuracy_class = "1"'


def text(check: bool = True, accuracy: str = CLASS) -> str:
    parts = [HEAD, NODES, SUPPLY, METER.format(n=0, more=accuracy)]
    parts += [USER.format(n=n) + METER.format(n=n, more=accuracy) for n in (1, 2, 3)]
    return "".join(parts) + (CHECK if check else "")


def load(n: int) -> Callable[[datetime], float]:
    """Users whose hours differ, and no two of which differ by a factor [kWh/h]."""
    peaks = {1: range(8, 18), 2: range(20, 24), 3: range(0, 9)}
    return lambda at: 50.0 + 40 * (at.astimezone(ZONE).hour in peaks[n]) + n * (at.toordinal() * 7 * n % 11)


def scaled(rate: Callable[[datetime], float], factor: float) -> Callable[[datetime], float]:
    return lambda at: factor * rate(at)


def readings(factors: dict[int, float] | None = None, check: float | None = 1.0) -> list[Reading]:
    wrong = factors or {}
    found: list[Reading] = []
    for n in (1, 2, 3):
        found += register(f"M{n}", rate=scaled(load(n), wrong.get(n, 1.0)))
    found += register("M0", rate=lambda at: wrong.get(0, 1.0) * sum(load(n)(at) for n in (1, 2, 3)))
    if check is not None:
        found += register("K1", rate=lambda at: check * load(1)(at))
    return found


def posted(site: Callable[..., Site], **facts: object) -> Site:
    place = site("park", text())
    place.take(readings(**facts))  # type: ignore[arg-type]
    place.run()
    return place


def test_within_uncertainty_the_statement_has_the_mean(site: Callable[..., Site]) -> None:
    place = posted(site, check=1.01)
    found = place.open().statement("E1", MONTH, "physical")
    (said,) = found.settlements
    assert said.outcome == "mean"
    assert abs(2 * said.settled.base - said.own.base - said.other.base) <= 1
    assert found.energy[0].purchased.base == said.settled.base
    assert "K1" in {meter.meter for meter in found.meters}
    assert place.verified()["entries"]
    settled = place.nodes("E1:2025-07:physical:OWN/electricity", "settlement")
    assert [node.params["settled"] for node in settled] == [said.settled]


def test_a_dispute_is_visible_and_settles_when_the_readings_are_corrected(site: Callable[..., Site]) -> None:
    place = posted(site, check=1.2)
    before = place.open().statement("E1", MONTH, "physical")
    assert before.settlements[0].outcome == "dispute"
    assert before.energy[0].purchased.base == before.settlements[0].other.base
    place.later(days=1).take([r for r in readings(check=1.0) if r.meter == "K1"])
    report = place.run()
    assert "E1" in {e for m in report.months for e in ("E1",)} and report.months[0].enterprises >= 1
    after = place.open().statement("E1", MONTH, "physical")
    assert after.settlements[0].outcome in ("agreed", "mean")
    assert after.energy[0].purchased.base == after.settlements[0].settled.base
    again = place.open().statement("E1", MONTH, "physical", before.recorded_at)
    assert again.settlements[0].outcome == "dispute"
    assert place.verified()["entries"]


def test_order_of_arrival_does_not_matter_for_a_settlement(site: Callable[..., Site]) -> None:
    whole = posted(site, check=1.01)
    parts = site("parts", text())
    every = readings(check=1.01)
    for part in ([r for r in every if r.meter == "K1"], [r for r in every if r.meter != "K1"]):
        parts.take(part)
        parts.run()
    assert parts.net().equals(whole.net())


def test_a_network_whose_meters_agree_is_closed(site: Callable[..., Site]) -> None:
    found = posted(site).open().balance(MONTH, expected_loss={"BUS": Fraction(0)})
    lines = {(line.node, line.kind): line for line in found.networks}
    assert set(lines) == {("BUS", "main"), ("F1", "pipe")}
    assert lines["BUS", "main"].within is True
    assert lines["BUS", "main"].verdict == "closed"
    assert lines["BUS", "main"].compared == 240
    assert found.problems == ()


@pytest.mark.parametrize(("meter", "factor"), [(1, 0.8), (2, 1.25), (3, 0.5), (0, 1.2)])
def test_the_meter_that_is_off_is_named_with_its_correction(
    site: Callable[..., Site], meter: int, factor: float
) -> None:
    place = posted(site, factors={meter: factor}, check=None)
    found = place.open().balance(MONTH, "BUS", {"BUS": Fraction(0)})
    (line,) = found.networks
    assert line.within is False
    assert (line.verdict, line.suspects[0].meter) == ("meter", f"M{meter}")
    assert line.suspects[0].correction == pytest.approx(1 / factor, rel=0.01)


def test_with_a_check_meter_a_total_is_enough_to_doubt_its_neighbour(site: Callable[..., Site]) -> None:
    found = posted(site, factors={1: 0.7}).open().balance(MONTH, "BUS", {"BUS": Fraction(0)})
    assert found.networks[0].doubted == (("M1",),)


def pair(accuracy: str = CLASS) -> str:
    """One user on one pipe, measured by M1 and K1."""
    flow = USER.format(n=1).replace('source = "BUS"', 'source = "GRID"')
    check = CHECK.replace(CLASS, accuracy)
    return "".join([HEAD, flow, METER.format(n=1, more=accuracy), check])


def twice(check: Callable[[datetime], float]) -> list[Reading]:
    return register("M1", rate=load(1)) + register("K1", rate=check)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda at: 1.2 * load(1)(at),
        lambda at: 0.5 * load(1)(at),
        lambda at: load(1)(at) + 20,
        lambda at: 0.0 * load(1)(at),
        lambda at: load(1)(at) * (1.5 if at.day > 5 else 1),
    ],
)
@pytest.mark.parametrize("accuracy", [CLASS, ""])
def test_of_two_meters_on_one_pipe_neither_is_accused(
    site: Callable[..., Site], wrong: Callable[[datetime], float], accuracy: str
) -> None:
    place = site("park", pair(accuracy))
    place.take(twice(wrong))
    (line,) = place.open().balance(MONTH).networks
    assert line.kind == "pipe"
    assert line.verdict == "not_identifiable"
    assert {s.meter for s in line.suspects} == {"M1", "K1"}
    assert {s.likelihood for s in line.suspects} == {line.suspects[0].likelihood}
    assert line.suspects[0].likelihood <= 0.5


def test_a_network_beside_the_pipe_tells_which_of_its_two_meters_is_off(site: Callable[..., Site]) -> None:
    found = posted(site, check=1.2).open().balance(MONTH, "F1", {"BUS": Fraction(0)})
    (line,) = found.networks
    assert (line.verdict, {s.meter for s in line.suspects}) == ("meter", {"K1"})


def test_equal_meters_are_in_balance_though_their_class_is_unknown(
    site: Callable[..., Site], lujin: Lujin
) -> None:
    place = site("park", pair(""))
    place.take(twice(load(1)))
    (line,) = place.open().balance(MONTH).networks
    (said,) = place.open().settlements(MONTH)
    assert (line.within, line.verdict, said.outcome) == (True, "closed", "agreed")
    _, out, _ = lujin("balance", place.directory, "-m", "2025-07")
    assert "in balance" in out and "cannot be said" not in out


def test_one_known_class_is_a_lower_bound_for_balance_and_settlement_alike(site: Callable[..., Site]) -> None:
    place = site("park", pair("").replace('interval = "15min"', f'interval = "15min"\n{CLASS}', 1))
    place.take(twice(scaled(load(1), 1.005)))
    (line,) = place.open().balance(MONTH).networks
    (said,) = place.open().settlements(MONTH)
    assert (line.uncertainty, line.within, said.outcome) == (None, True, "mean")


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_dispute_shows_what_each_side_counts_and_nothing_as_settled(
    site: Callable[..., Site], lujin: Lujin, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    place = site("park", pair())
    place.take(twice(scaled(load(1), 1.2)))
    (said,) = place.open().settlements(MONTH)
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = lujin("balance", place.directory, "-m", "2025-07")
    table = out.partition("Two meters on one pipe")[2]
    least, most = (f"{amount.value:,.0f} kWh" for amount in (said.own, said.other))
    assert f"F1: not settled; the giver counts {least}, the receiver {most}" in " ".join(table.split())
    assert not any(line.split()[-1:] == ["settled"] or "  settled  " in line for line in table.splitlines())


def test_losses_that_are_not_known_are_not_assumed_away(site: Callable[..., Site]) -> None:
    place = posted(site, factors={0: 1.2}, check=None)
    (line,) = place.open().balance(MONTH, "BUS").networks
    assert line.expected_loss is None
    assert line.verdict == "not_identifiable"
    assert {s.meter for s in line.suspects} == {"", "M0"}


def test_users_that_take_more_than_was_supplied_are_named(site: Callable[..., Site]) -> None:
    found = posted(site, factors={2: 1.5}, check=None).open().balance(MONTH)
    assert any("BUS gives out" in problem.text() for problem in found.problems)


def test_without_a_class_uncertainty_is_unknown_and_so_is_the_verdict(site: Callable[..., Site]) -> None:
    place = site("park", text(check=False, accuracy=""))
    place.take(readings(check=None))
    (line,) = place.open().balance(MONTH, "BUS", {"BUS": Fraction(0)}).networks
    assert line.uncertainty is None
    assert line.within is None


def test_hours_without_a_reading_are_not_compared(site: Callable[..., Site]) -> None:
    place = site("park", text(check=False))
    gap = START + timedelta(days=2), END - timedelta(days=6)
    place.take([r for r in readings(check=None) if r.meter != "M2" or not gap[0] < r.time < gap[1]])
    (line,) = place.open().balance(MONTH, "BUS", {"BUS": Fraction(0)}).networks
    assert line.compared == 240 - 48
    assert line.blocking[0] in ("M0", "M1", "M2", "M3")
    assert line.within is True


def test_a_network_that_is_not_there_is_refused(site: Callable[..., Site]) -> None:
    with pytest.raises(InputError, match="no network BUSS"):
        posted(site).open().balance(MONTH, "BUSS")


def test_the_command_shows_table_and_json(site: Callable[..., Site], lujin: Lujin) -> None:
    place = posted(site, factors={2: 0.8}, check=1.2)
    code, out, _ = lujin("balance", place.directory, "-m", "2025-07", "--expected-loss", "BUS=0%")
    assert code == 0
    assert "M2" in out
    assert "in dispute" in out
    code, out, _ = lujin("balance", place.directory, "-m", "2025-07", "--json")
    found = json.loads(out)
    assert (code, found["settlements"][0]["outcome"]) == (0, "dispute")
    assert {line["node"] for line in found["networks"]} == {"BUS", "F1"}
    code, _, said = lujin("balance", place.directory, "-m", "2025-07", "--expected-loss", "BUS")
    assert code == 2
    assert "is not the loss of a network" in said
    code, out, _ = lujin("statement", place.directory, "-e", "E1", "-m", "2025-07")
    assert code == 0
    assert "Two meters on one pipe" in out
