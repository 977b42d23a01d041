"""RFC 8785: published vectors, and what JSON cannot represent."""

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts.canonical import canonical_json, flat_json
from lujin.accounts.jcs import encode
from lujin.errors import InputError

# RFC 8785, appendix B "Number Serialization Samples".
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}

# github.com/cyberphone/json-canonicalization, testdata/input and testdata/output (Apache-2.0), the test data
# that RFC 8785 names.
DOCUMENTS = {
    "arrays": ('[56,{"d":true,"10":null,"1":[ ]}]', '[56,{"1":[],"10":null,"d":true}]'),
    "french": (
        '{"peach":"This sorting order","péché":"is wrong according to French",'
        '"pêche":"but canonicalization MUST","sin":"ignore locale"}',
        '{"peach":"This sorting order","péché":"is wrong according to French",'
        '"pêche":"but canonicalization MUST","sin":"ignore locale"}',
    ),
    "structures": (
        '{"1":{"f":{"f":"hi","F":5},"\\n":56.0},"10":{},"":"empty","a":{},"111":[{"e":"yes","E":"no"}],"A":{}}',
        '{"":"empty","1":{"\\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}',
    ),
    "unicode": ('{"Unnormalized Unicode":"A\\u030a"}', '{"Unnormalized Unicode":"A\u030a"}'),
    "values": (
        '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
        '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    ),
    "weird": (
        '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\u000a":"Newline","1":"One","\\u0080":"Control\\u007f",'
        '"\\ud83d\\ude02":"Smiley","\\u00f6":"Latin Small Letter O With Diaeresis",'
        '"\\ufb33":"Hebrew Letter Dalet With Dagesh","</script>":"Browser Challenge"}',
        '{"\\n":"Newline","\\r":"Carriage Return","1":"One","</script>":"Browser Challenge",'
        '"\u0080":"Control\u007f","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign",'
        '"😂":"Smiley","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    ),
}


@pytest.mark.parametrize(("bits", "expected"), NUMBERS.items())
def test_numbers_are_written_as_ecmascript_writes_them(bits, expected):
    assert encode(struct.unpack(">d", bytes.fromhex(bits))[0]).decode() == expected


@pytest.mark.parametrize("name", DOCUMENTS)
def test_published_documents_come_out_in_their_published_form(name):
    given_text, expected = DOCUMENTS[name]
    assert encode(json.loads(given_text)).decode() == expected


@pytest.mark.parametrize("bits", ["7fffffffffffffff", "7ff0000000000000", "fff0000000000000"])
def test_what_is_no_number_is_refused(bits):
    with pytest.raises(InputError, match="not a JSON number"):
        encode({"a": struct.unpack(">d", bytes.fromhex(bits))[0]})


@pytest.mark.parametrize("value", [2**53, -(2**53), 9_007_199_254_740_993, 10**40])
def test_an_integer_beyond_a_double_is_refused_with_the_remedy(value):
    with pytest.raises(InputError, match="write amounts as decimal strings"):
        encode([value])


@pytest.mark.parametrize("value", ["\ud800", {"\udc00": 1}, b"bytes", {1: "a"}, {"a": object()}, {1, 2}])
def test_what_json_does_not_have_is_refused(value):
    with pytest.raises(InputError):
        encode(value)


def test_deep_nesting_is_refused_not_a_crash():
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InputError, match="nested too deeply"):
        encode(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
@settings(deadline=None)
def test_a_number_read_back_is_the_same_double(value):
    assert float(encode(value)) == value


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(plain)
@settings(deadline=None)
def test_equal_values_have_equal_bytes_and_read_back_as_themselves(value):
    assert json.loads(encode(value)) == value
    assert encode(json.loads(encode(value))) == encode(value) == canonical_json(value)


@given(st.lists(st.text(), min_size=3, max_size=3))
@settings(deadline=None)
def test_the_fast_form_of_flat_objects_is_the_same(values):
    assert flat_json(("a", "b", "c"), values) == encode(dict(zip("abc", values, strict=True)))


@given(plain)
@settings(deadline=None)
def test_a_number_beside_a_value_changes_nothing_of_its_form(value):
    """What holds a number takes another way through the writer."""
    assert encode([value, 1.5]) == b"[" + encode(value) + b",1.5]"
