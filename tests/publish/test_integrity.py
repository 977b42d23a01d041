"""Data Integrity, cryptosuite eddsa-jcs-2022: the published vectors, and what must not verify."""

import copy
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lujin.accounts.jcs import encode
from lujin.errors import InputError
from lujin.publish.integrity import (
    base58,
    did_of,
    from_base58,
    hash_data,
    key_of,
    method_of,
    multikey,
    private_key,
    private_multikey,
    proof,
    sign,
    verify,
)

VECTOR = json.loads((Path(__file__).parent / "data" / "eddsa_jcs_2022.json").read_text(encoding="utf-8"))
NOW = datetime(2025, 8, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def published():
    return private_key(VECTOR["keyPair"]["privateKeyMultibase"])


@pytest.mark.parametrize("pair", [VECTOR["keyPair"], *VECTOR["otherKeyPairs"].values()])
def test_published_keys_are_read_and_written(pair):
    key = private_key(pair["privateKeyMultibase"])
    assert multikey(key.public_key()) == pair["publicKeyMultibase"]
    assert private_multikey(key) == pair["privateKeyMultibase"]
    did = "did:key:" + pair["publicKeyMultibase"]
    assert multikey(key_of(did)) == multikey(key_of(method_of(did))) == pair["publicKeyMultibase"]


def test_published_canonical_forms_and_hashes():
    assert encode(VECTOR["unsigned"]).decode() == VECTOR["canonicalDocument"]
    assert hashlib.sha256(encode(VECTOR["unsigned"])).hexdigest() == VECTOR["documentHash"]
    assert encode(VECTOR["proofConfig"]).decode() == VECTOR["canonicalProof"]
    assert hashlib.sha256(encode(VECTOR["proofConfig"])).hexdigest() == VECTOR["proofHash"]
    assert hash_data(VECTOR["unsigned"], VECTOR["proofConfig"]).hex() == VECTOR["combinedHash"]


def test_published_signature_is_made(published):
    options = {name: value for name, value in VECTOR["proofConfig"].items() if name != "@context"}
    made = proof(VECTOR["unsigned"], options, published)
    assert made["proofValue"] == VECTOR["proofValue"]
    assert from_base58(made["proofValue"]).hex() == VECTOR["signatureHex"]
    assert {**VECTOR["unsigned"], "proof": made} == VECTOR["signed"]


def test_published_signed_document_verifies():
    assert verify(VECTOR["signed"]) == "did:key:" + VECTOR["keyPair"]["publicKeyMultibase"]


def test_terms_added_after_the_signed_context_are_set_aside_as_the_specification_says():
    document = copy.deepcopy(VECTOR["signed"])
    document["@context"].append("https://www.w3.org/ns/credentials/undefined-terms/v2")
    assert verify(document)
    document["@context"].reverse()
    with pytest.raises(InputError, match="@context"):
        verify(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("issuer",), "https://vc.example/issuers/5679"),
        (("credentialSubject", "alumniOf"), "Another School"),
        (("proof", "created"), "2023-02-24T23:36:39Z"),
        (("proof", "proofPurpose"), "authentication"),
        (("proof", "cryptosuite"), "eddsa-rdfc-2022"),
        (("proof", "type"), "Ed25519Signature2020"),
        (("proof", "proofValue"), "z1" + VECTOR["proofValue"][1:]),
        (("proof", "proofValue"), VECTOR["proofValue"][:-1]),
        (("proof", "proofValue"), "m" + VECTOR["proofValue"][1:]),
        (("proof", "proofValue"), 5),
        (("proof", "verificationMethod"), None),
        (("proof", "verificationMethod"), "did:key:z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"),
        (("proof", "verificationMethod"), "https://vc.example/issuers/5678#key-1"),
        (("proof",), None),
        (("proof",), []),
    ],
)
def test_any_change_is_refused(path, value):
    document = copy.deepcopy(VECTOR["signed"])
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(InputError):
        verify(document)


def test_another_key_of_the_same_kind_is_refused():
    other = "did:key:" + VECTOR["otherKeyPairs"]["keyPair1"]["publicKeyMultibase"]
    document = copy.deepcopy(VECTOR["signed"])
    document["proof"]["verificationMethod"] = method_of(other)
    with pytest.raises(InputError, match="does not fit the content"):
        verify(document)


@given(st.binary(max_size=70))
@settings(deadline=None)
def test_base58_reads_what_it_wrote(data):
    assert from_base58(base58(data)) == data


@pytest.mark.parametrize("text", ["", "x", "z0", "zO", "zI", "zl", "z é", "z" + "2" * 400])
def test_what_is_no_base58_is_refused(text):
    with pytest.raises(InputError, match="base58btc"):
        from_base58(text)


@given(st.dictionaries(st.text(max_size=6).filter(lambda n: n not in ("proof", "@context")), st.text(max_size=6)))
@settings(deadline=None)
def test_whatever_is_signed_verifies(document):
    key = private_key(VECTOR["keyPair"]["privateKeyMultibase"])
    assert verify(sign(document, key, NOW)) == did_of(key.public_key())
