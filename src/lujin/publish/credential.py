"""The account certificate: a W3C Verifiable Credential 2.0 that holds all that is needed to recompute it.

It carries the closing entries with their lines, the proof that each stands in the park's log, the signed head of
the log, and the totals that the lines add up to. Sources: Verifiable Credentials Data Model v2.0, Bitstring
Status List v1.0. No context is ever fetched; own terms are declared inline, as JSON where they hold records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lujin.accounts.jcs import encode
from lujin.accounts.log import KEY, instant_text
from lujin.errors import N_, InputError, Problem
from lujin.publish.checking import check
from lujin.publish.equivalents import Units, gwp_document, uncertainty_document
from lujin.publish.form import canonical_file
from lujin.publish.heads import head_document
from lujin.publish.integrity import did_of, moment, sign
from lujin.publish.records import Certified, Entry, Line, Party, totals_of
from lujin.publish.shapes import CONTEXT, TYPE
from lujin.publish.status import entry_of

TITLE = {"zh": "园区能源与碳账户凭证", "en": "Energy and carbon account certificate"}
PROVES = {
    "zh": "本凭证证明数据完整：所列分录自签发以来未被改动，已记入园区账本日志，合计由分录逐行相加而得。"
    "本凭证不证明计量正确。",
    "en": "This certificate proves integrity: the entries listed were not changed since it was issued, stand "
    "in the log of the park, and add up to the totals. It does not prove that the metering was correct.",
}


def issue(certified: Certified, key: Ed25519PrivateKey, now: datetime, index: int) -> dict[str, Any]:
    """The signed certificate. ``index``: its place in the status list (``status_list``), used once.

    InputError: what is certified does not hold together; nothing is issued that its own check would refuse.
    """
    _sound(certified, key, index)
    did = did_of(key.public_key())
    body: dict[str, Any] = {
        "@context": CONTEXT,
        "type": TYPE,
        "name": said(TITLE["zh"], TITLE["en"]),
        "description": said(PROVES["zh"], PROVES["en"]),
        "issuer": {"id": did, **_party(certified.issuer)},
        "validFrom": moment(now),
        "credentialStatus": entry_of(did, index),
        "credentialSubject": _subject(certified),
    }
    name = uuid5(NAMESPACE_URL, hashlib.sha256(encode(body)).hexdigest())
    document = sign({"id": name.urn, **body}, key, now)
    if failed := check(canonical_file(document)).failed:
        assert failed.problem is not None
        raise InputError(failed.problem)
    return document


def said(zh: str, en: str) -> list[dict[str, str]]:
    """A text in two languages as VC 2.0 has it (section 11.1)."""
    return [{"@language": "zh", "@value": zh}, {"@language": "en", "@value": en}]


def _party(party: Party) -> dict[str, Any]:
    names = said(party.name_zh or party.name_en or party.id, party.name_en or party.name_zh or party.id)
    return {"identifier": party.id, "name": names}


def _subject(certified: Certified) -> dict[str, Any]:
    units = Units({c.id: c.unit for c in certified.commodities})
    return {
        **_party(certified.subject),
        "type": "ParkAccount",
        "boundary": certified.boundary,
        "period": {"from": _month(certified.first), "to": _month(certified.last)},
        "knownAt": instant_text(certified.known_at),
        "verification": {
            "status": certified.verification,
            "by": certified.verified_by,
            "opinions": [{**one._asdict(), "month": _month(one.month)} for one in certified.opinions],
        },
        "uncertainty": [uncertainty_document(doubt) for doubt in certified.uncertainty],
        "gwp": [gwp_document(gwp) for gwp in sorted(certified.gwp, key=lambda gwp: gwp.book)],
        "commodities": [
            {"id": c.id, "unit": c.unit, "name": _party(Party(c.id, c.name_zh, c.name_en))["name"]}
            for c in sorted(certified.commodities, key=lambda c: c.id)
        ],
        "totals": [
            {"book": t.book, "scope": t.scope, "gas": t.gas, "amount": str(t.amount), "unit": units.of(t)}
            for t in totals_of(certified.entries)
        ],
        "factors": [
            {"id": row.id, "digest": row.digest, "confidence": row.confidence}
            for row in sorted(certified.factors, key=lambda row: row.id)
        ],
        "treeHead": head_document(certified.head),
        "entries": [_entry(entry) for entry in sorted(certified.entries, key=lambda e: e.number)],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "number": str(entry.number),
        "id": entry.id,
        "enterprise": entry.enterprise,
        "month": _month(entry.month),
        "book": entry.book,
        "version": str(entry.version),
        "reason": entry.reason,
        "pack": entry.pack,
        "parkDigest": entry.park_digest,
        "inputDigest": entry.input_digest,
        "linesDigest": entry.lines_digest,
        "source": str(entry.source),
        "recordedAt": instant_text(entry.recorded_at),
        "lines": list(_grouped(entry.lines)),
        "inclusion": [node.hex() for node in entry.inclusion],
    }


def _grouped(lines: Sequence[Line]) -> Iterator[dict[str, Any]]:
    """One record per key, its days and amounts below it: the texts of a key stand once."""
    for key, group in groupby(lines, key=lambda line: line[: len(KEY)]):
        amounts = {_day(line.day): str(line.amount) for line in group}
        yield {**dict(zip(KEY, key, strict=True)), "amounts": amounts}


def _month(month: int) -> str:
    return f"{month // 100:04}-{month % 100:02}"


def _day(day: int) -> str:
    return f"{day // 10_000:04}-{day // 100 % 100:02}-{day % 100:02}"


# ------------------------------------------------------------------------------------------- before signing


def _sound(certified: Certified, key: Ed25519PrivateKey, index: int) -> None:
    if index < 0:
        raise ValueError(f"{index} is no place in a status list")
    if certified.head.issuer != did_of(key.public_key()):
        remedy = N_("sign a new head of the log with the key of the certificate")
        raise InputError(Problem(N_("the head of the log was signed with another key"), {}, remedy))
    if not certified.entries:
        params = {"enterprise": certified.subject.id, "first": _month(certified.first)}
        message = N_("{enterprise} has no entries from {first} on that could be certified")
        raise InputError(Problem(message, params, N_("run: lujin run")))
    added, stated = set(totals_of(certified.entries)), set(certified.totals)
    if added != stated:
        odd = min(added ^ stated, key=lambda t: (t.book, t.scope, t.gas, t.amount))
        params = {"book": odd.book, "scope": odd.scope, "gas": odd.gas, "amount": str(odd.amount)}
        message = N_("the lines and the totals to certify disagree on {gas} of {book} {scope}: {amount} mg")
        raise InputError(Problem(message, params, N_("certify what the statement of the same time says")))
