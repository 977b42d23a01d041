"""Which certificates were superseded: a W3C Bitstring Status List credential (v1.0), signed by the same key.

A certificate has one bit, at its index, first bit leftmost. The bit is set when a restatement took its place;
that is final, hence the purpose ``revocation``. The list has at least 131,072 bits, so that its size tells
nothing; ``issued`` says how many of them belong to a certificate.
"""

from __future__ import annotations

import gzip
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lujin.errors import N_, InputError, Problem
from lujin.publish.integrity import did_of, moment, sign
from lujin.publish.shapes import LIST_TYPE, PURPOSE, V2

LEAST_BITS = 131_072  # section 3.2: herd privacy
MOST_BYTES = 2 * 2**20


def list_id(did: str) -> str:
    """The name of the status list of a signer: it has one."""
    return uuid5(NAMESPACE_URL, f"{did}#status").urn


def entry_of(did: str, index: int) -> dict[str, str]:
    """``credentialStatus`` of a certificate (section 2.1)."""
    return {
        "id": f"{list_id(did)}#{index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": PURPOSE,
        "statusListIndex": str(index),
        "statusListCredential": list_id(did),
    }


def status_list(issued: int, superseded: Collection[int], key: Ed25519PrivateKey, now: datetime) -> dict[str, Any]:
    """The signed list: certificates 0 … ``issued`` - 1 exist, those at ``superseded`` were restated."""
    strangers = sorted(index for index in superseded if not 0 <= index < issued)
    if strangers:
        raise ValueError(f"{strangers} are not among the {issued} certificates issued")
    did = did_of(key.public_key())
    document = {
        "@context": [V2],
        "id": list_id(did),
        "type": LIST_TYPE,
        "issuer": did,
        "validFrom": moment(now),
        "credentialSubject": {
            "id": f"{list_id(did)}#list",
            "type": "BitstringStatusList",
            "statusPurpose": PURPOSE,
            "issued": str(issued),
            "encodedList": encoded(superseded, max(LEAST_BITS, issued)),
        },
    }
    return sign(document, key, now)


def encoded(bits: Collection[int], count: int) -> str:
    """A bitstring of ``count`` bits with these set: GZIP, base64url without padding, multibase ``u`` (3.3)."""
    field = bytearray((count + 7) // 8)
    for index in bits:
        field[index >> 3] |= 0x80 >> (index & 7)
    return "u" + urlsafe_b64encode(gzip.compress(bytes(field), mtime=0)).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The bitstring. InputError: not GZIP in base64url, or larger than any list that lujin writes."""
    try:
        if not text.startswith("u"):
            raise ValueError("no multibase")
        packed = urlsafe_b64decode(text[1:] + "=" * (-len(text[1:]) % 4))
        unpack = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        field = unpack.decompress(packed, MOST_BYTES + 1)
        if not unpack.eof or len(field) > MOST_BYTES or unpack.unused_data:
            raise ValueError("cut off or too large")
    except (ValueError, NotBase64, zlib.error) as error:
        message = N_("the bits of the status list cannot be unpacked")
        raise InputError(Problem(message, {}, N_("ask the issuer for the list again"))) from error
    return field


def is_set(document: Mapping[str, Any], index: int) -> bool | None:
    """Whether the certificate at ``index`` was superseded; None: the list is older than the certificate."""
    subject = document["credentialSubject"]
    field = decoded(subject["encodedList"])
    if 8 * len(field) < LEAST_BITS:
        message, remedy = N_("the status list is shorter than any may be"), N_("ask the issuer for the list again")
        raise InputError(Problem(message, {}, remedy))
    if index >= min(int(subject["issued"]), 8 * len(field)):
        return None
    return bool(field[index >> 3] & 0x80 >> (index & 7))
