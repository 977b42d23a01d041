"""Signed heads of the log, and what a witness keeps: an older head and the proof that the log only grew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lujin.accounts.log import instant_text
from lujin.publish.integrity import SUITE, base58, did_of, hash_data, method_of, moment, sign
from lujin.publish.records import TreeHead
from lujin.publish.shapes import EVENT_HEAD_TYPE, HEAD_TYPE, WITNESS_TYPE


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
    return document, _options(head.timestamp, head.issuer)


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


# ------------------------------------------------------------------------------ heads of events and certificates

Chains = Mapping[str, tuple[int, str]]  # kind of row → how many, digest of the chain over them


def sign_event_head(chains: Chains, now: datetime, key: Ed25519PrivateKey) -> dict[str, Any]:
    """The signed head of what was done to months."""
    return sign(_event_parts(chains, now, did_of(key.public_key())), key, now)


def event_head_document(chains: Chains, at: datetime, issuer: str, signature: str) -> dict[str, Any]:
    """The same of a head that was signed before."""
    return {**_event_parts(chains, at, issuer), "proof": {**_options(at, issuer), "proofValue": signature}}


def _event_parts(chains: Chains, at: datetime, issuer: str) -> dict[str, Any]:
    stated = {kind: {"rows": str(count), "digest": digest} for kind, (count, digest) in chains.items()}
    return {"type": EVENT_HEAD_TYPE, "issuer": issuer, **stated, "timestamp": instant_text(at)}


def _options(at: datetime, issuer: str) -> dict[str, Any]:
    return {
        "type": "DataIntegrityProof",
        "cryptosuite": SUITE,
        "created": moment(at),
        "verificationMethod": method_of(issuer),
        "proofPurpose": "assertionMethod",
    }
