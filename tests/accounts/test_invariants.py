"""The fourteen invariants of the accounts, over one kind of random park (``random_parks``).

What concerns parks as a whole is tested here; ``ELSEWHERE`` names the tests of the rest, by invariant.
"""

import re
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.accounts.random_parks import (
    ALL_BOOKS,
    HOLDERS,
    ISSUED,
    KINDS,
    STORES,
    Moved,
    build,
    parks,
    stores,
)

from lujin.accounts.joint import METHODS
from lujin.accounts.posting import month_lines
from lujin.reference import Reference, load_reference, make_row

TESTS = Path(__file__).parents[1]
REFERENCE = Reference(load_reference())
EMBODIED = {"embodied": "embodied@1"}
RESIDUAL = Fraction("0.5856")  # MEE+NBS 公告2024年第33号, in force on the sketch's factor date [kg/kWh]
GASES = ("CO2f", "CO2b", "CH4f", "CH4b", "N2O")
EXITS = ("OWN", "OUT", "SUSPENSE", "STK", "WIP", "STORED")
ELSEWHERE = {
    1: ("workspace/test_properties.py", "test_every_entry_balances_in_every_commodity"),
    2: ("accounts/test_embodied.py", "test_carbon_is_conserved_to_the_milligram_in_any_park"),
    3: ("accounts/test_periods.py", "test_what_one_owes_another_is_owed_so_the_park_sums_to_zero"),
    4: (
        "accounts/test_scopes.py",
        "test_scopes_of_the_park_are_those_of_one_enterprise_on_what_crosses_the_fence",
    ),
    5: ("workspace/test_balance.py", "test_a_network_whose_meters_agree_is_closed"),  # within U of the meters
    6: ("accounts/test_joint.py", "test_shares_sum_to_one_lie_between_and_know_no_unit"),
    7: (
        "accounts/test_apportion.py",
        "test_parts_sum_to_the_whole_and_lie_within_one_unit_of_their_quota",
        "test_the_order_of_the_parts_does_not_matter",
    ),
    8: (  # of readings
        "readings/test_energy_properties.py",
        "test_splitting_intervals_keeps_every_hour",
        "test_leaving_out_readings_keeps_the_total",
    ),
    9: (  # by the hour
        "accounts/test_scopes_matching.py",
        "test_no_wh_is_used_twice_over_enterprises_hours_and_instruments",
    ),
    10: (
        "workspace/test_properties.py",
        "test_answers_as_known_then_never_change",
        "test_after_any_history_replay_gives_the_stored_amounts",
    ),
    11: ("accounts/test_trace.py", "test_more_carbon_at_a_source_lowers_nobody"),  # by the hour
    12: (
        "workspace/test_properties.py",
        "test_the_same_energy_in_another_unit_is_the_same_within_one_ledger_unit",
    ),
    13: (
        "accounts/test_uncertainty.py",
        "test_shared_sources_never_make_a_sum_more_certain_than_independent_ones",
    ),
    13.5: (
        "accounts/test_uncertainty_draws.py",
        "test_drawing_agrees_with_the_first_order_in_the_linear_case",
    ),
    14: ("workspace/test_tampering.py", "test_one_changed_value_anywhere_in_the_ledger_is_noticed"),
    14.3: ("publish/test_certificate.py", "test_a_changed_byte_anywhere_fails"),
    14.6: ("accounts/test_merkle.py", "test_any_leaf_of_any_tree_is_proved_and_any_flipped_bit_fails"),
}
some = settings(max_examples=20, deadline=None)


def posted(made, opening=None, resolve=REFERENCE):
    return month_lines(made.park, made.energy, resolve, opening=opening)


def nets(lines, book="embodied"):
    """(account, commodity) → debits less credits."""
    own = lines.filter(pl.col("book") == book)
    sides = [own.select("commodity", account=pl.col(s), amount=sign * pl.col("amount")) for s, sign in SIDES]
    summed = pl.concat(sides).group_by("account", "commodity").agg(pl.col("amount").sum())
    return {(account, commodity): amount for account, commodity, amount in summed.iter_rows() if amount}


SIDES = (("debit", 1), ("credit", -1))


def group(account):
    return account.split("/")[1]


def carried(*months):
    """What the next month opens with."""
    found = {}
    for (account, commodity), amount in together(*months).items():
        enterprise, _, rest = account.partition("/")
        if rest.startswith(("WIP/", "STK/")):
            found.setdefault(enterprise, {})[rest, commodity] = amount
    return found


def together(*months):
    found = {}
    for month in months:
        for key, amount in month.items():
            found[key] = found.get(key, 0) + amount
    return found


def said(month, text):
    return [p.text() for p in month.problems if text in p.text()]


def close(first, second, allowed):
    for key in first.keys() | second.keys():
        assert abs(first.get(key, 0) - second.get(key, 0)) <= allowed, (key, first.get(key), second.get(key))


def of_users(found):
    """(node, gas) → final use and stock, whoever owns the node; (party, gas) → what left the park."""
    users = {}
    for (account, commodity), amount in found.items():
        if group(account) in EXITS and commodity in GASES:
            key = account.partition("/")[2].removesuffix("'"), commodity
            users[key] = users.get(key, 0) + amount
    return users


def test_the_tests_named_above_are_there():
    assert {int(number) for number in ELSEWHERE} == set(range(1, 15))
    for path, *names in ELSEWHERE.values():
        assert all(f"def {name}(" in (TESTS / path).read_text("utf-8") for name in names), path


@some
@given(plan=parks(wide=True))
def test_every_entry_balances_and_every_pool_passes_on_what_it_got(sketch, plan):
    """1. Lines are transfers between two accounts of one enterprise; a pool that gives anything ends at zero."""
    month = posted(build(sketch, plan, packs=ALL_BOOKS))
    lines = month.lines
    for side in ("debit", "credit"):
        assert (lines[side].str.split("/").list.first() == lines["enterprise"]).all()
    assert (lines["debit"] != lines["credit"]).all() and (lines["amount"] != 0).all()
    assert lines["amount"].dtype == pl.Int64
    giving = {f.source for f in plan.flows if f.amount} | set(HOLDERS)
    named = " ".join(p.text() for p in month.problems if p.severity == "error")
    for account, _ in nets(lines):
        if group(account) == "WIP":
            pool = account.split("/", 2)[2]
            assert (
                pool.split("/")[0] not in giving
                or re.search(rf"\b{pool.split('/')[0]}\b", named)
                or idle(plan, pool)
            ), pool


def idle(plan, pool):
    """Nothing that carries carbon leaves: only waste, by-products, captured CO2, condensate."""
    node, _, carrier = pool.partition("/")
    silent = {"condensate", "sludge", "fly_ash", "co2"}
    return not any(
        f.source == node and f.amount and f.carrier not in silent and carrier in ("", f.carrier)
        for f in plan.flows
    )


@some
@given(first=parks(wide=True), second=parks(wide=True))
def test_what_comes_in_goes_out_also_over_two_months(sketch, first, second):
    """2. Σ OWN + OUT + ΔSTK + ΔWIP + SUSPENSE + STORED = Σ direct + Σ bought, per gas; nothing twice."""
    before = nets(posted(build(sketch, first, packs=EMBODIED)).lines)
    made = build(sketch, second, month=202408, packs=EMBODIED)
    after = nets(posted(made, carried(before)).lines)
    for months in ([before], [after], [before, after]):
        total = together(*months)
        for gas in GASES:
            entered = -sum(a for (x, c), a in total.items() if c == gas and group(x) in ("ATM", "EXT"))
            assert sum(a for (x, c), a in total.items() if c == gas and group(x) in EXITS) == entered >= 0
    for (account, commodity), amount in together(before, after).items():
        if commodity in GASES and group(account) in EXITS:
            assert amount >= -len(first.flows + second.flows), account


@some
@given(plan=parks(wide=True))
def test_what_one_owes_another_is_owed(sketch, plan):
    """3. DUE accounts of two enterprises cancel, per gas, to the milligram."""
    found = nets(posted(build(sketch, plan, packs=EMBODIED)).lines)
    for (account, gas), amount in found.items():
        one, kind, *rest = account.split("/")
        if kind == "DUE":
            assert found[f"{rest[0]}/DUE/{one}", gas] == -amount


@some
@given(plan=parks(wide=True), later=parks(), capacity=st.sampled_from([10**6, 200]))
def test_energy_in_is_out_and_loss_and_stock_or_it_is_told(sketch, plan, later, capacity):
    """5. Of every place that passes on one carrier, and of stores from month to month."""
    before, opening = {}, None
    for drawn, month in ((plan, 202407), (later, 202408)):
        touched = {end for f in drawn.flows for end in (f.source, f.target)}
        made = build(sketch, drawn, month=month, packs=EMBODIED, storages=stores(touched, Decimal(capacity)))
        found = posted(made, opening)
        moved = nets(found.lines)
        for node, carrier in {(f.source, f.carrier) for f in drawn.flows}:
            into, out = through(drawn, node, carrier)
            kind = KINDS[node][0] if node in KINDS else "enterprise"
            passes = any((f.target, f.carrier) == (node, carrier) for f in drawn.flows)
            if node in ("GRID", "GAS") or node in STORES or not passes or kind in ("boiler", "chp", "process"):
                continue
            told = said(found, f"{node}/{carrier}:")
            if carrier == "condensate":
                continue  # it carries nothing: water that returns
            assert bool([t for t in told if "more leaves than enters" in t]) == (
                out > into + 0.001 * max(out, into)
            )
        for storage in made.park.storages:
            owner, carrier = made.park.owner(storage.node), STORES[storage.node]
            account = f"{owner}/STK/{storage.node}", carrier
            start = before.get(account, 0)
            level, told = expected_level(made, storage, start, *through(drawn, storage.node, carrier))
            assert bool(said(found, f"{storage.node} gave")) == (told == "drained")
            assert bool(said(found, f"{storage.node} took")) == (told == "overfull")
            assert abs(start + moved.get(account, 0) - level) <= 1
        before = together(before, moved)
        opening = carried(before)


def through(plan, node, carrier):
    into = sum(f.amount for f in plan.flows if (f.target, f.carrier) == (node, carrier))
    return into, sum(f.amount for f in plan.flows if (f.source, f.carrier) == (node, carrier))


def expected_level(made, storage, start, charge, discharge):
    """All of it moves in slot 40; what is in it fades before, in and after."""
    kept = (1 - float(storage.standing_loss_per_day)) ** (1 / 96)
    limit = float(storage.capacity) * 1000  # kWh → Wh, MJ → kJ
    taken = discharge / float(storage.discharge_efficiency)
    level = min(start, limit) * kept**41 + charge * float(storage.charge_efficiency) - taken
    left = min(max(level, 0.0), limit) * kept ** (made.grid.slots - 41)
    if -level > 1e-3 * max(taken, 1.0):
        return left, "drained"
    return left, "overfull" if level - limit > 1e-3 * max(left, 1.0) else ""


@settings(max_examples=10, deadline=None)
@given(plan=parks(wide=True), factor=st.sampled_from([2, 7, 1000]))
def test_every_formula_shares_the_same_carbon_and_knows_no_unit(sketch, plan, factor):
    """6. Whatever formula shares the carbon of plants, nothing is lost, none is below zero, size is no matter."""
    totals = set()
    small = replace(
        plan, flows=tuple(replace(f, amount=f.amount // 1000) for f in plan.flows if f.source not in STORES)
    )
    for method in sorted(METHODS):
        chosen = replace(small, method=method)
        found = of_users(nets(posted(build(sketch, chosen, packs=EMBODIED)).lines))
        assert all(amount >= -len(plan.flows) for amount in found.values())
        totals.add(sum(found.values()))
        if method == plan.method:
            large = of_users(nets(posted(build(sketch, chosen.scaled(factor), packs=EMBODIED)).lines))
            close(
                {key: amount * factor for key, amount in found.items()},
                large,
                (factor + 1) * 4 * len(plan.flows) + 4,
            )
    assert len(totals) == 1


@some
@given(plan=parks(wide=True), slots=st.lists(st.integers(0, 2975), min_size=1, max_size=9, unique=True))
def test_when_in_the_month_it_flowed_moves_no_carbon(sketch, plan, slots):
    """8. The same month in other quarters of an hour: the same carbon for everybody, but for rounding by day."""
    calm = replace(plan, flows=tuple(f for f in plan.flows if not {f.source, f.target} & set(STORES)))
    once, often = (
        of_users(nets(posted(build(sketch, calm, packs=EMBODIED, spread=spread)).lines))
        for spread in (None, slots)
    )
    close(once, often, 2 * len(slots) * len(plan.flows) + 4)


@some
@given(plan=parks(wide=True), node=st.sampled_from([*HOLDERS, *KINDS]))
def test_a_node_in_two_halves_is_the_node(sketch, plan, node):
    """8. Twins of an enterprise, a plant, a main or a store, each with half of every flow, carry as much."""
    whole = build(sketch, plan.scaled(2), packs=EMBODIED)
    twin = f"{node}'"
    halves = [
        Moved(twin if f.source == node else f.source, twin if f.target == node else f.target, f.carrier, f.amount)
        if copy and node in (f.source, f.target)
        else replace(f, amount=f.amount if node in (f.source, f.target) else 2 * f.amount, guessed=False)
        for f in plan.flows
        for copy in ((False, True) if node in (f.source, f.target) else (False,))
    ]
    assume(
        all(
            f.carrier not in ("sludge", "fly_ash", "co2", "product") or node not in (f.source, f.target)
            for f in plan.flows
        )
    )
    split = replace(
        plan, flows=tuple(halves), owners=(*plan.owners, *(((twin, KINDS[node][1]),) if node in KINDS else ()))
    )
    made = build(sketch, split, packs=EMBODIED)
    if node in HOLDERS:
        made.node(twin, "enterprise")
    facts = made.park_facts
    for name in ("joints", "storages"):
        facts[name] += tuple(replace(r, node=twin) for r in facts[name] if r.node == node)
    one, two = posted(whole), posted(made)
    close(of_users(nets(one.lines)), of_users(nets(two.lines)), 8 * len(plan.flows) + 8)


@some
@given(plan=parks(wide=True), owners=st.lists(st.sampled_from(HOLDERS), min_size=len(KINDS), max_size=len(KINDS)))
def test_who_owns_a_node_changes_no_carbon_of_the_park(sketch, plan, owners):
    """8. Nodes under other accounts, or all under one: the same use per node, the same total to the milligram."""
    other = replace(plan, owners=tuple(zip(KINDS, owners, strict=True)))
    first, second = (of_users(nets(posted(build(sketch, p, packs=EMBODIED)).lines)) for p in (plan, other))
    assert first == second


@settings(max_examples=10, deadline=None)
@given(plan=parks(wide=True))
def test_no_certificate_counts_beyond_what_was_issued_claimed_and_bought(sketch, plan):
    """9. Over two months and three enterprises; what a claim takes off is what it covers at the residual mix."""
    used, months = {}, {}
    for month in (202407, 202408):
        made = build(sketch, plan, month=month, packs=ALL_BOOKS)
        bare = build(sketch, replace(plan, claims=()), month=month, packs=ALL_BOOKS)
        with_claims, without = (posted(m).lines for m in (made, bare))
        covered = 0
        for (account, commodity), amount in nets(with_claims, "market").items():
            if group(account) == "MEMO" and commodity == "electricity":
                enterprise, _, _, instrument = account.split("/")
                used[enterprise, instrument, month] = amount
                covered += amount
        scope2 = [
            sum(
                a
                for (x, gas), a in nets(lines, "market").items()
                if "/S2/electricity" in f"/{x}" and gas == "CO2f"
            )
            for lines in (with_claims, without)
        ]
        assert abs(scope2[1] - scope2[0] - covered * RESIDUAL * 1000) <= with_claims.height + without.height
        assert nets(with_claims, "location") == nets(without, "location")
        months[month] = with_claims
    claimed = {}
    for claim in plan.claims:
        key = claim.enterprise, claim.instrument, claim.month
        claimed[key] = claimed.get(key, 0) + int(claim.energy_mwh) * 10**6
    for key, amount in used.items():
        assert 0 < amount <= claimed.get(key, 0), key
    for instrument in {claim.instrument for claim in plan.claims}:
        retired = sum(a for (_, name, _), a in claimed.items() if name == instrument)
        counted = sum(a for (_, name, _), a in used.items() if name == instrument)
        assert counted <= (retired if retired <= ISSUED * 10**6 else 0)


DIRTIER = {"GBT32151-C1": "carbon_content_tC_per_TJ", "IPCC2006": "carbon_content_tC_per_TJ", "PROCESS": "value"}


def dirtier(part, factor):
    """The published rows with more carbon in one fuel set, in carbonates, or in the power of the grid."""
    rows = []
    for row in REFERENCE.rows:
        values = row.values
        name = "value" if part == "grid" and row.table == "grid_factors" else ""
        if values.get("set_id") == part and values.get(DIRTIER[part]):
            name = DIRTIER[part]
        if name and values.get(name):
            row = make_row(row.table, {**values, name: str(Decimal(values[name]) * factor)})
        rows.append(row)
    return Reference(rows)


WORSE = {
    part: dirtier(part, factor) for part, factor in (*((p, Decimal("1.5")) for p in DIRTIER), ("grid", Decimal(3)))
}


@some
@given(plan=parks(wide=True), part=st.sampled_from(sorted(WORSE)))
def test_more_carbon_at_any_source_lowers_nobody(sketch, plan, part):
    """11. Dirtier fuel, lime or grid under every formula, with stores: no user, stock or customer carries less."""
    made = build(sketch, plan, packs=EMBODIED)
    clean, dirty = posted(made), posted(made, resolve=WORSE[part])
    assume(not said(clean, "is stored than comes in"))  # a capture that was refused and now fits
    less, more = of_users(nets(clean.lines)), of_users(nets(dirty.lines))
    for key in less.keys() | more.keys():
        assert more.get(key, 0) >= less.get(key, 0) - 2 * len(plan.flows), key
    assert sum(more.values()) >= sum(less.values())


@some
@given(plan=parks(wide=True), capacity=st.sampled_from([500_000, 50_000, 360]))
def test_the_unit_of_a_store_moves_nothing(sketch, plan, capacity):
    """12. Its capacity in kWh, MWh, GJ or MJ: each amount within one unit."""
    touched = {end for f in plan.flows for end in (f.source, f.target)}
    found = []
    for units in (("kWh", "MJ"), ("MWh", "GJ"), ("GJ", "kWh")):
        per = {"kWh": Fraction(1), "MWh": Fraction(1, 1000), "GJ": Fraction(36, 10_000), "MJ": Fraction(36, 10)}
        facts = [
            replace(s, unit=unit, capacity=Decimal(float(capacity * per[unit])).quantize(Decimal("0.000001")))
            for s, unit in zip(stores(set(STORES)), units, strict=True)
            if s.node in touched
        ]
        found.append(nets(posted(build(sketch, plan, packs=EMBODIED, storages=tuple(facts))).lines))
    for other in found[1:]:
        close(found[0], other, 1)
