"""Signed JSON: W3C Data Integrity with the cryptosuite ``eddsa-jcs-2022``. No context is fetched, no RDF is made.

Sources: W3C Verifiable Credential Data Integrity 1.0; Data Integrity EdDSA Cryptosuites v1.1, section 3.3
(eddsa-jcs-2022); Controlled Identifiers 1.0, sections 2.2.2 (Multikey) and 2.4 (Multibase); did:key method.

The signature is Ed25519 over SHA-256(canonical proof without its value) ‖ SHA-256(canonical document without
proof), each canonical as RFC 8785.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lujin.accounts.jcs import encode
from lujin.errors import N_, InputError, Problem

SUITE = "eddsa-jcs-2022"
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUE = {letter: value for value, letter in enumerate(_ALPHABET)}
_PUBLIC, _PRIVATE = b"\xed\x01", b"\x80\x26"
_LONGEST = 200  # letters; a signature takes 88
DID = "did:key:"

Document = Mapping[str, Any]


# -------------------------------------------------------------------------------------------- keys as text


def base58(data: bytes) -> str:
    """Multibase base58btc: ``z`` and the number in base 58, a leading zero byte as ``1``.

    >>> base58(b"\\0\\1")
    'z12'
    """
    number, letters = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        letters = _ALPHABET[rest] + letters
    return "z" + "1" * (len(data) - len(data.lstrip(b"\0"))) + letters


def from_base58(text: str) -> bytes:
    """InputError: not multibase base58btc."""
    letters = text[1:]
    if text[:1] != "z" or len(text) > _LONGEST or any(letter not in _VALUE for letter in letters):
        remedy = N_("it starts with z and has no 0, O, I or l; copy it again")
        raise InputError(Problem(N_("{text} is not multibase base58btc"), {"text": text[:24]}, remedy))
    number = 0
    for letter in letters:
        number = number * 58 + _VALUE[letter]
    zeros = len(letters) - len(letters.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def multikey(key: Ed25519PublicKey) -> str:
    return base58(_PUBLIC + key.public_bytes_raw())


def private_multikey(key: Ed25519PrivateKey) -> str:
    return base58(_PRIVATE + key.private_bytes_raw())


def private_key(text: str) -> Ed25519PrivateKey:
    """From an Ed25519 secret key as multikey."""
    data = from_base58(text)
    if data[:2] != _PRIVATE or len(data) != 34:
        raise InputError(Problem(N_("the text is no Ed25519 secret key"), {}, N_("copy it again")))
    return Ed25519PrivateKey.from_private_bytes(data[2:])


def did_of(key: Ed25519PublicKey) -> str:
    """The did:key of a public key: who signs, as a name that anyone can check."""
    return DID + multikey(key)


def method_of(did: str) -> str:
    """The verification method of a did:key."""
    return f"{did}#{did.removeprefix(DID)}"


def key_of(did: str) -> Ed25519PublicKey:
    """The public key of a did:key, or of its verification method.

    InputError: it names none.
    """
    name, hash_sign, fragment = did.partition("#")
    data = from_base58(name.removeprefix(DID)) if name.startswith(DID) else b""
    if data[:2] != _PUBLIC or len(data) != 34 or (hash_sign and fragment != name.removeprefix(DID)):
        message = N_("{did} names no Ed25519 key")
        raise InputError(Problem(message, {"did": did[:80]}, N_("a signer's name starts with did:key:z6Mk")))
    return Ed25519PublicKey.from_public_bytes(data[2:])


# ------------------------------------------------------------------------------------------------ signatures


def moment(time: datetime) -> str:
    """XML Schema dateTimeStamp in UTC, whole seconds.

    >>> moment(datetime(2025, 7, 1, 8, tzinfo=UTC))
    '2025-07-01T08:00:00Z'
    """
    if time.tzinfo is None:
        raise ValueError("an instant without time zone")
    return time.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def hash_data(document: Document, options: Document) -> bytes:
    """What is signed, 64 bytes. ``document`` without proof, ``options`` without proofValue (3.3.3, 3.3.4)."""
    return hashlib.sha256(encode(options)).digest() + hashlib.sha256(encode(document)).digest()


def sign(document: Document, key: Ed25519PrivateKey, now: datetime) -> dict[str, Any]:
    """``document`` with its proof (3.3.1)."""
    unsigned = {name: value for name, value in document.items() if name != "proof"}
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": SUITE,
        "created": moment(now),
        "verificationMethod": method_of(did_of(key.public_key())),
        "proofPurpose": "assertionMethod",
    }
    return {**unsigned, "proof": proof(unsigned, options, key)}


def proof(document: Document, options: Document, key: Ed25519PrivateKey) -> dict[str, Any]:
    """The proof over ``document`` with these options; takes on the document's @context (3.3.1 step 2)."""
    context = {"@context": document["@context"]} if "@context" in document else {}
    config = {**options, **context}
    return {**config, "proofValue": base58(key.sign(hash_data(document, config)))}


def verify(document: Document) -> str:
    """Who signed ``document``, as did:key (3.3.2).

    InputError: the proof does not hold, with what is wrong about it.
    """
    stated = document.get("proof")
    if not isinstance(stated, Mapping):
        raise _unproven(N_("it carries no proof, or several"))
    options = {name: value for name, value in stated.items() if name != "proofValue"}
    if (options.get("type"), options.get("cryptosuite")) != ("DataIntegrityProof", SUITE):
        raise _unproven(N_("its proof is not of the kind eddsa-jcs-2022"))
    if options.get("proofPurpose") != "assertionMethod":
        raise _unproven(N_("its proof was made for another purpose"))
    method, value = options.get("verificationMethod"), stated.get("proofValue")
    if not isinstance(method, str) or not isinstance(value, str) or "#" not in method:
        raise _unproven(N_("its proof names no key"))
    unsigned = {name: part for name, part in document.items() if name != "proof"}
    if "@context" in options:
        if not _starts_with(unsigned.get("@context"), options["@context"]):
            raise _unproven(N_("its @context is not the one that was signed"))
        unsigned["@context"] = options["@context"]
    key, signature = key_of(method), from_base58(value)
    try:
        key.verify(signature, hash_data(unsigned, options))
    except InvalidSignature:
        raise _unproven(N_("the signature does not fit the content")) from None
    return method.partition("#")[0]


def _starts_with(whole: object, part: object) -> bool:
    if isinstance(whole, list) and isinstance(part, list):
        return whole[: len(part)] == part
    return whole is not None and whole == part


def _unproven(reason: str) -> InputError:
    return InputError(Problem(reason, {}, N_("ask the issuer for the original file")))
