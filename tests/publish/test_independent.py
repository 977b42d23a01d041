"""A second check, written from docs/evidence.md alone, with nothing of lujin in it."""

import gzip
import json
from base64 import urlsafe_b64decode
from collections import defaultdict
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from issuing import NOW

from lujin.publish import canonical_file, status_list

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def canonical(value):
    """RFC 8785 where names are ASCII and no number is a fraction."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def base58(text, length):
    number = 0
    for letter in text.removeprefix("z"):
        number = 58 * number + ALPHABET.index(letter)
    return number.to_bytes(length, "big")


def signed(document, issuer):
    proof = {name: value for name, value in document["proof"].items() if name != "proofValue"}
    body = {name: value for name, value in document.items() if name != "proof"}
    prefix, key = (data := base58(issuer.removeprefix("did:key:"), 34))[:2], data[2:]
    assert prefix == b"\xed\x01"
    message = sha256(canonical(proof)).digest() + sha256(canonical(body)).digest()
    Ed25519PublicKey.from_public_bytes(key).verify(base58(document["proof"]["proofValue"], 64), message)


def lines_digest(lines):
    whole = b""
    for line in lines:
        key = sha256(canonical({name: text for name, text in line.items() if name != "amounts"})).digest()
        for day, amount in sorted(line["amounts"].items()):
            number = int(day.replace("-", ""))
            whole += key + number.to_bytes(4, "big") + int(amount).to_bytes(8, "big", signed=True)
    return sha256(whole).hexdigest()


def root_from(leaf, index, size, path):
    """The RFC 6962 definition, read from the top: which half holds the leaf decides the side of the sibling."""
    if size == 1:
        assert not path
        return leaf
    half = 1
    while half * 2 < size:
        half *= 2
    if index < half:
        return sha256(b"\1" + root_from(leaf, index, half, path[:-1]) + path[-1]).digest()
    return sha256(b"\1" + path[-1] + root_from(leaf, index - half, size - half, path[:-1])).digest()


def recompute(document):
    """Totals of a certificate, after everything they rest on was checked."""
    issuer, subject = document["issuer"]["id"], document["credentialSubject"]
    head, totals = subject["treeHead"], defaultdict(int)
    signed(document, issuer)
    signed(head, issuer)
    for entry in subject["entries"]:
        assert lines_digest(entry["lines"]) == entry["linesDigest"]
        heading = {name: entry[name] for name in ("book", "enterprise", "pack", "reason")}
        heading |= {"park_digest": entry["parkDigest"], "input_digest": entry["inputDigest"]}
        heading |= {"month": int(entry["month"].replace("-", "")), "version": int(entry["version"])}
        heading |= {"lines": sum(len(line["amounts"]) for line in entry["lines"])}
        heading |= {"lines_digest": entry["linesDigest"]}
        assert sha256(canonical(heading)).hexdigest() == entry["id"]
        leaf = {"entry": entry["id"], "recorded_at": entry["recordedAt"]}
        leaf |= {name: entry[name] for name in ("number", "source")}
        path = [bytes.fromhex(node) for node in entry["inclusion"]]
        place = int(entry["number"]) - 1, int(head["size"])
        assert root_from(sha256(b"\0" + canonical(leaf)).digest(), *place, path).hex() == head["root"]
        for line in entry["lines"]:
            amount = sum(map(int, line["amounts"].values()))
            for account, signed_amount in ((line["debit"], amount), (line["credit"], -amount)):
                kind = account.split("/", 1)[1]
                scope = kind if kind == "MEMO/biogenic" else kind.split("/")[0]
                counted = ("OWN", "COST") if entry["book"] == "physical" else ("S1", "S2", "S3", "MEMO/biogenic")
                if scope in counted:
                    totals[entry["book"], scope, line["commodity"]] += signed_amount
    return {key: amount for key, amount in totals.items() if amount}


def test_the_second_check_agrees(document):
    stated = {(t["book"], t["scope"], t["gas"]): int(t["amount"]) for t in document["credentialSubject"]["totals"]}
    assert recompute(document) == stated


def test_the_file_is_the_canonical_form(document, file):
    assert canonical(document) == file


def test_the_second_check_finds_a_change(document):
    changed = json.loads(canonical(document).replace(b"12345", b"12346"))
    with pytest.raises(InvalidSignature):
        recompute(changed)


def test_the_second_check_reads_the_status_list(key):
    document = json.loads(canonical_file(status_list(200_000, [0, 3, 4, 199_999], key, NOW)))
    signed(document, document["issuer"])
    packed = document["credentialSubject"]["encodedList"].removeprefix("u")
    field = gzip.decompress(urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    bits = "".join(f"{byte:08b}" for byte in field)
    assert [index for index, bit in enumerate(bits) if bit == "1"] == [0, 3, 4, 199_999]
    assert len(field) >= 16_384
