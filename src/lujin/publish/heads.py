"""Signed heads of the log, and what a witness keeps: an older head and the proof that the log only grew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lujin.publish.integrity import SUITE, base58, did_of, hash_data, method_of, moment
from lujin.publish.records import TreeHead
from lujin.publish.shapes import HEAD_TYPE, WITNESS_TYPE


def sign_head(size: int, root: bytes, now: datetime, key: Ed25519PrivateKey) -> TreeHead:
    """The head of a log of ``size`` entries with this root, signed; ``now`` in whole seconds."""
    at = now.astimezone(UTC).replace(microsecond=0)
    unsigned = TreeHead(size, root.hex(), at, did_of(key.public_key()), "")
    return TreeHead(size, unsigned.root, at, unsigned.issuer, base58(key.sign(hash_data(*_parts(unsigned)))))


def head_document(head: TreeHead) -> dict[str, Any]:
    """The head as a signed document (eddsa-jcs-2022): what is mailed to a bank and stands in a certificate."""
    document, options = _parts(head)
    return {**document, "proof": {**options, "proofValue": head.signature}}


def _parts(head: TreeHead) -> tuple[dict[str, Any], dict[str, Any]]:
    at = moment(head.timestamp)
    document = {
        "type": HEAD_TYPE,
        "issuer": head.issuer,
        "size": str(head.size),
        "root": head.root,
        "timestamp": at,
    }
    options = {
        "type": "DataIntegrityProof",
        "cryptosuite": SUITE,
        "created": at,
        "verificationMethod": method_of(head.issuer),
        "proofPurpose": "assertionMethod",
    }
    return document, options


def head_of(document: Mapping[str, Any]) -> TreeHead:
    """The record of a head document whose form and signature were checked."""
    at = datetime.fromisoformat(document["timestamp"])
    signature = document["proof"]["proofValue"]
    return TreeHead(int(document["size"]), document["root"], at, document["issuer"], signature)


def witness(older: TreeHead, consistency: Sequence[bytes]) -> dict[str, Any]:
    """For ``check``: an older head, and the proof (``Tree.consistency``) that the certificate's log extends it."""
    return {
        "type": WITNESS_TYPE,
        "head": head_document(older),
        "consistency": [node.hex() for node in consistency],
    }
