"""Uncertainty by shared sources: published examples, laws of aggregation, and the kernel's sensitivities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from lujin.accounts.uncertainty import (
    Contributions,
    Lines,
    Network,
    Source,
    aggregate,
    covariance,
    first_order,
    largest,
    matrix,
    outputs_follow,
    through_kernel,
)
from lujin.errors import InputError


def sources(count, kind="meter"):
    return tuple(Source(f"{kind}{k}", kind) for k in range(count))


def contributions(values, parts):
    parts = np.atleast_2d(np.asarray(parts, dtype=float))
    values = np.asarray(values, dtype=float)
    names = tuple(f"a{i}" for i in range(len(values)))
    none = np.zeros(len(values))
    return Contributions(names, values, sources(parts.shape[1]), sparse.csr_array(parts), np.abs(values), none)


def product_lines(base, *factors, reasons=(), reason=None):
    """``factors``: per line a mapping of source number to relative standard uncertainty."""
    count = max((k for line in factors for k in line), default=-1) + 1
    rows = [(row, k, u) for row, line in enumerate(factors) for k, u in line.items()]
    at, k, u = zip(*rows, strict=True) if rows else ((), (), ())
    return Lines(
        tuple(f"l{i}" for i in range(len(base))),
        np.asarray(base, dtype=float),
        sources(count, "factor"),
        matrix((len(base), count), at, k, u),
        reasons,
        reason,
    )


# --------------------------------------------------------------------------------------------- published


def test_gum_h2_simultaneous_resistance_and_reactance():
    """JCGM 100:2008 H.2, tables H.2 to H.4: five readings of V, I and φ taken together. Each reading is a shared
    source, so that the correlation of the means (−0.36, 0.86, −0.65) is not stated but comes out.

    Readings and results as in the public tests of sandialabs/suncal (test_GUMH2) and MSLNZ/GTC (GUM_H2).
    """
    readings = np.array(
        [
            [5.007, 19.663e-3, 1.0456],
            [4.994, 19.639e-3, 1.0438],
            [5.005, 19.640e-3, 1.0468],
            [4.990, 19.685e-3, 1.0428],
            [4.999, 19.678e-3, 1.0433],
        ]
    )
    v, i, phi = mean = readings.mean(axis=0)
    inputs = contributions(mean, (readings - mean).T / math.sqrt(5 * 4))
    assert first_order(inputs).standard == pytest.approx([0.0032, 0.0095e-3, 0.00075], rel=0.02)
    spread = covariance(inputs)
    correlation = spread / np.sqrt(np.outer(np.diag(spread), np.diag(spread)))
    assert [correlation[0, 1], correlation[0, 2], correlation[1, 2]] == pytest.approx(
        [-0.36, 0.86, -0.65], abs=0.005
    )

    sensitivity = np.array(
        [
            [math.cos(phi) / i, -v * math.cos(phi) / i**2, -v * math.sin(phi) / i],
            [math.sin(phi) / i, -v * math.sin(phi) / i**2, v * math.cos(phi) / i],
            [1 / i, -v / i**2, 0.0],
        ]
    )
    results = [v / i * math.cos(phi), v / i * math.sin(phi), v / i]
    assert results == pytest.approx([127.732, 219.847, 254.260], abs=0.001)
    outputs = aggregate(inputs, sparse.csr_array(sensitivity), ("R", "X", "Z"))
    # The printed u(X) = 0.295 is that of the second way (H.2.4, each set evaluated by itself: 0.29549). The first
    # way, without rounding on the way, gives 0.29558, which would print as 0.296: hence a tolerance of one digit.
    assert first_order(outputs).standard == pytest.approx([0.071, 0.295, 0.236], abs=0.001)
    each = [[a / b * math.cos(c), a / b * math.sin(c), a / b] for a, b, c in readings]
    assert np.std(each, axis=0, ddof=1) / math.sqrt(5) == pytest.approx([0.071, 0.295, 0.236], abs=0.0005)
    spread = covariance(outputs)
    correlation = spread / np.sqrt(np.outer(np.diag(spread), np.diag(spread)))
    assert [correlation[0, 1], correlation[0, 2], correlation[1, 2]] == pytest.approx(
        [-0.588, -0.485, 0.993], abs=0.001
    )


def test_product_and_sum_rules_of_the_ipcc_for_independent_parts():
    """IPCC 2006 Guidelines Vol. 1 equations 3.1 (U = √ΣU_i²) and 3.2 (U = √Σ(U_i x_i)²/|Σx_i|), as formulas: no
    worked example of chapter 3 was at hand to compare numbers with.
    """
    lines = product_lines([300.0, 100.0], {0: 0.025, 1: 0.05}, {2: 0.10, 3: 0.01})
    each = first_order(lines.contributions())
    assert each.relative == pytest.approx([2 * math.hypot(0.025, 0.05), 2 * math.hypot(0.10, 0.01)])
    both = first_order(aggregate(lines.contributions(), sparse.csr_array(np.ones((1, 2))), ["sum"]))
    expected = math.hypot(each.relative[0] * 300, each.relative[1] * 100) / 400
    assert both.relative == pytest.approx([expected])


def test_a_hundred_meters_under_one_factor_do_not_look_ten_times_better():
    lines = product_lines([1.0] * 100, *({0: 0.05, k + 1: 0.01} for k in range(100)))
    park = first_order(aggregate(lines.contributions(), sparse.csr_array(np.ones((1, 100))), ["park"]))
    assert park.standard / 100 == pytest.approx([math.hypot(0.05, 0.01 / 10)])


# --------------------------------------------------------------------------------------------- laws

parts = st.integers(1, 5).flatmap(
    lambda k: st.lists(st.lists(st.floats(0, 10), min_size=k, max_size=k), min_size=1, max_size=6)
)


@given(parts)
def test_shared_sources_never_make_a_sum_more_certain_than_independent_ones(matrix_of_parts):
    accounts = contributions(np.ones(len(matrix_of_parts)), matrix_of_parts)
    whole = aggregate(accounts, sparse.csr_array(np.ones((1, len(matrix_of_parts)))), ["sum"])
    independent = math.sqrt(float(np.sum(first_order(accounts).standard ** 2)))
    assert first_order(whole).standard[0] >= independent * (1 - 1e-12)


@given(st.floats(0.0, 1.0), st.lists(st.floats(-5, 5), min_size=1, max_size=5))
def test_splitting_an_account_in_two_and_summing_changes_nothing(share, row):
    whole = contributions([7.0], [row])
    split = contributions([7.0 * share, 7.0 * (1 - share)], [np.multiply(row, share), np.multiply(row, 1 - share)])
    again = aggregate(split, sparse.csr_array(np.ones((1, 2))), ["sum"])
    assert first_order(again).standard == pytest.approx(first_order(whole).standard, abs=1e-12)
    assert again.value == pytest.approx(whole.value)


def test_the_largest_contributors_come_first_with_their_share_of_the_variance():
    found = largest(contributions([1.0, 2.0], [[3.0, -4.0, 0.0, 0.0], [1.0, 1.0, 1.0, 5.0]]))
    assert [(c.source.id, c.share) for c in found[0]] == [("meter1", 16 / 25), ("meter0", 9 / 25)]
    assert [c.source.id for c in found[1]] == ["meter3", "meter0", "meter1"]


def test_what_rests_on_an_unknown_datum_is_counted_by_reason_and_left_out_of_the_quantified_part():
    flags = sparse.csr_array(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]))
    lines = product_lines(
        [60.0, 30.0, -10.0], {0: 0.01}, {0: 0.01}, {}, reasons=("factor:x", "meter:m"), reason=flags
    )
    whole = aggregate(lines.contributions(), sparse.csr_array(np.ones((1, 3))), ["sum"])
    assert (whole.value[0], whole.gross[0], whole.unknown[0]) == (80.0, 100.0, 40.0)
    assert whole.unknown_share == pytest.approx([0.4])
    assert whole.reason.todense().tolist() == [[40.0, 10.0]]
    known = aggregate(lines.quantified().contributions(), sparse.csr_array(np.ones((1, 3))), ["sum"])
    assert (known.value[0], first_order(known).standard[0]) == (60.0, 0.6)


@pytest.mark.parametrize("sigma", [0.0, -0.02, math.nan, math.inf])
def test_a_standard_uncertainty_that_is_not_above_zero_names_the_datum(sigma):
    with pytest.raises(InputError, match="E012-EL1 has a standard uncertainty of"):
        Source("E012-EL1", "meter", sigma)


# --------------------------------------------------------------------------------------------- the kernel


@st.composite
def systems(draw):
    """Nodes that each keep some of their output, any flows between them, loops included."""
    n = draw(st.integers(2, 5))
    pairs = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda p: p[0] != p[1])
    ends = draw(st.lists(pairs, min_size=1, max_size=8, unique=True))
    quantity = np.array(draw(st.lists(st.floats(0.1, 5), min_size=len(ends), max_size=len(ends))))
    source, target = (np.array(side, dtype=np.int64) for side in zip(*ends, strict=True))
    kept = np.array(draw(st.lists(st.floats(0.5, 5), min_size=n, max_size=n)))
    direct = np.array(draw(st.lists(st.floats(0, 100), min_size=n, max_size=n)))
    return kept, source, target, quantity, direct


@given(systems(), st.integers(0, 3))
def test_finite_differences_confirm_the_sensitivities_of_the_kernel(system, seed):
    kept, source, target, quantity, direct = system
    n, m, k = len(kept), len(quantity), 3
    rng = np.random.default_rng(seed)
    flow_u = sparse.csr_array(rng.normal(0, 0.05, (m, k)) * (rng.random((m, k)) < 0.5))
    direct_u = sparse.csr_array(rng.normal(0, 1, (n, k)))
    empty = {"direct_u": sparse.csr_array((n, k)), "flow_u": sparse.csr_array((m, k))}

    def solved(delta):
        moved = quantity * (1 + flow_u @ delta)
        outputs = kept + np.bincount(source, weights=moved, minlength=n)
        return through_kernel(Network(outputs, source, target, moved, direct + direct_u @ delta), **empty)

    outputs = kept + np.bincount(source, weights=quantity, minlength=n)
    follow = outputs_follow(source, quantity, flow_u, n)
    network = Network(outputs, source, target, quantity, direct)
    given = {"direct_u": direct_u, "flow_u": flow_u, "output_u": follow}
    found = through_kernel(network, **given)
    some = sparse.csr_array(rng.integers(-1, 2, (2, m)).astype(float))
    backwards = through_kernel(network, **given, into=some)
    scale = max(1.0, float(np.abs(found.carbon).max(initial=0)), float(np.abs(found.intensity).max()))
    assert backwards.carbon_parts == pytest.approx(some @ found.carbon_parts, abs=1e-9 * scale)
    assert backwards.carbon == pytest.approx(some @ found.carbon)
    for j in range(k):
        step = np.zeros(k)
        step[j] = 1e-5
        above, below = solved(step), solved(-step)
        assert (above.intensity - below.intensity) / 2e-5 == pytest.approx(
            found.intensity_parts[:, j], abs=1e-5 * scale
        )
        assert (above.carbon - below.carbon) / 2e-5 == pytest.approx(found.carbon_parts[:, j], abs=1e-5 * scale)
    # Carbon is conserved under every error: Σ y_k δq_k = Σ δb_j
    assert kept @ found.intensity_parts == pytest.approx(direct_u.sum(axis=0), abs=1e-8 * max(1.0, direct.sum()))


def test_a_loop_without_a_way_out_is_named():
    ends = np.array([0, 1]), np.array([1, 0])
    with pytest.raises(InputError, match="the loop main → boiler has no way out"):
        Network(
            np.array([2.0, 2.0, 1.0]),
            *ends,
            np.array([2.0, 2.0]),
            np.array([1.0, 0.0, 0.0]),
            ["main", "boiler", "pv"],
        ).factored()


def test_a_node_that_gives_nothing_is_named():
    none = np.zeros(0, dtype=np.int64)
    with pytest.raises(InputError, match="standby gives nothing out"):
        Network(
            np.array([1.0, 0.0]), none, none, np.zeros(0), np.array([1.0, 2.0]), ["boiler", "standby"]
        ).factored()
