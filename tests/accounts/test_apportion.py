from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lujin.accounts.apportion import largest_remainder
from lujin.errors import InputError

totals = st.integers(-(10**18), 10**18)
weights = st.lists(st.integers(0, 10**15), min_size=1, max_size=20).filter(any)


@given(totals, weights)
def test_parts_sum_to_the_whole_and_lie_within_one_unit_of_their_quota(total, weights):
    parts = largest_remainder(total, weights)
    assert sum(parts) == total
    assert all(abs(p - Fraction(total * w, sum(weights))) < 1 for p, w in zip(parts, weights, strict=True))
    assert all(p == 0 for p, w in zip(parts, weights, strict=True) if w == 0)


@given(totals, weights, st.randoms())
def test_the_order_of_the_parts_does_not_matter(total, weights, random):
    ids = [f"id{i:02}" for i in range(len(weights))]
    mixed = list(range(len(weights)))
    random.shuffle(mixed)
    straight = dict(zip(ids, largest_remainder(total, weights, ids), strict=True))
    parts = largest_remainder(total, [weights[i] for i in mixed], [ids[i] for i in mixed])
    assert dict(zip((ids[i] for i in mixed), parts, strict=True)) == straight


@given(totals, weights, st.integers(1, 1000))
def test_the_unit_of_the_weights_does_not_matter(total, weights, scale):
    assert largest_remainder(total, [Fraction(w, scale) for w in weights]) == largest_remainder(total, weights)


def test_decimal_weights_are_exact():
    assert largest_remainder(10, [Decimal("0.1"), Decimal("0.2"), Decimal("0.3")]) == [2, 3, 5]


def test_nothing_to_share_by_is_refused_and_nothing_to_share_is_not():
    assert largest_remainder(0, [0, 0]) == [0, 0]
    with pytest.raises(InputError, match="all weights are zero"):
        largest_remainder(1, [0, 0])
    with pytest.raises(InputError, match="negative"):
        largest_remainder(1, [2, -1])
