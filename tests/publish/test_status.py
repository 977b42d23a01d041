"""Bitstring Status List: the list of the specification, and lists that must not be believed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from issuing import NOW

from lujin.errors import InputError
from lujin.publish import status_list
from lujin.publish.status import decoded, encoded, is_set

# W3C Bitstring Status List v1.0, example of a BitstringStatusListCredential (w3c/vc-bitstring-status-list at
# 74fcae1, index.html): no bit set.
PUBLISHED = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"


def test_the_list_of_the_specification_has_16_kb_of_zeros():
    assert decoded(PUBLISHED) == bytes(16_384) == decoded(encoded([], 131_072))


@given(st.sets(st.integers(0, 999)))
@settings(deadline=None)
def test_every_bit_is_read_back_where_it_was_set(indices):
    document = {"credentialSubject": {"encodedList": encoded(indices, 131_072), "issued": "1000"}}
    assert {index for index in range(1000) if is_set(document, index)} == indices
    assert is_set(document, 1000) is None


def test_a_list_shorter_than_the_specification_allows_is_refused():
    document = {"credentialSubject": {"encodedList": encoded([], 1000), "issued": "1000"}}
    with pytest.raises(InputError, match="shorter"):
        is_set(document, 3)


@pytest.mark.parametrize(
    "text", ["", "u", "x" + PUBLISHED[1:], PUBLISHED[:-8], PUBLISHED + "AAAA", "u!!!", "uAAAA"]
)
def test_what_cannot_be_unpacked_is_refused(text):
    with pytest.raises(InputError, match="cannot be unpacked"):
        decoded(text)


def test_a_certificate_that_was_never_issued_cannot_be_superseded(key):
    with pytest.raises(ValueError, match="issued"):
        status_list(3, [3], key, NOW)
