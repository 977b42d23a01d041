"""Terms and shapes of the documents that leave the park: what may stand in which member.

All numbers are texts in decimal digits: a JSON number is a double.
"""

from __future__ import annotations

from typing import Any

from lujin.accounts.log import KEY
from lujin.publish.form import both, exactly, listing, record, table, text

HEAD_TYPE = "LedgerTreeHead"
EVENT_HEAD_TYPE = "LedgerEventHead"
WITNESS_TYPE = "LedgerWitness"
LIST_TYPE = ["VerifiableCredential", "BitstringStatusListCredential"]
PURPOSE = "revocation"
V2 = "https://www.w3.org/ns/credentials/v2"
_TERMS = "urn:lujin:certificate:1#"
_RECORDS = (
    *("boundary", "period", "verification", "uncertainty", "gwp", "commodities"),
    *("totals", "factors", "treeHead", "entries"),
)
CONTEXT: list[Any] = [
    V2,
    {
        "@vocab": _TERMS,
        **{name: {"@id": _TERMS + name, "@type": "@json"} for name in _RECORDS},
    },
]
TYPE = ["VerifiableCredential", "ParkAccountCertificate"]

HEX = "[0-9a-f]{64}"
COUNT = "0|[1-9][0-9]{0,17}"
MONTH = "[0-9]{4}-(?:0[1-9]|1[0-2])"
UNIT = r"mg|Wh|kJ|L|g|mgce|mgCO2e|0\.01 CNY"
DECIMAL = r"(?:0|[1-9][0-9]{0,11})(?:\.[0-9]{1,12})?"
DAY = MONTH + "-(?:0[1-9]|[12][0-9]|3[01])"
INSTANT = DAY + r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{6})?\+00:00"
STAMP = DAY + "T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z"
_NAME = both(*(record({"@language": text(language), "@value": text()}) for language in ("zh", "en")))
PROOF = {
    "type": text(longest=80),
    "cryptosuite": text(longest=80),
    "created": text(STAMP),
    "verificationMethod": text(longest=400),
    "proofPurpose": text(longest=80),
    "proofValue": text(longest=400),
}
HEAD = record(
    {
        "type": text(HEAD_TYPE),
        "issuer": text(longest=200),
        "size": text(COUNT),
        "root": text(HEX),
        "timestamp": text(STAMP),
        "proof": record(PROOF),
    }
)
_CHAIN = record({"rows": text(COUNT), "digest": text(HEX)})
EVENT_HEAD = record(
    {
        "type": text(EVENT_HEAD_TYPE),
        "issuer": text(longest=200),
        **dict.fromkeys(("period_event", "certificate", "certificate_superseded"), _CHAIN),
        "timestamp": text(INSTANT),
        "proof": record(PROOF),
    }
)
STATUS = {
    "id": text(longest=200),
    "type": text("BitstringStatusListEntry"),
    "statusPurpose": text(PURPOSE),
    "statusListIndex": text(COUNT),
    "statusListCredential": text(longest=200),
}
_LINE = record({**{name: text() for name in KEY}, "amounts": table(DAY, "-?[1-9][0-9]{0,18}")})
_ENTRY = record(
    {
        "number": text("[1-9][0-9]{0,17}"),
        "id": text(HEX),
        "enterprise": text(),
        "month": text(MONTH),
        "book": text("[a-z_]{1,40}"),
        "version": text("[1-9][0-9]{0,8}"),
        "reason": text(),
        "pack": text(),
        "parkDigest": text(),
        "inputDigest": text(),
        "linesDigest": text(HEX),
        "source": text(COUNT),
        "recordedAt": text(INSTANT),
        "lines": listing(_LINE, 1),
        "inclusion": listing(text(HEX), 0, 64),
    }
)
_TOTAL = record(
    {
        "book": text("[a-z_]{1,40}"),
        "scope": text(longest=80),
        "gas": text(longest=80),
        "amount": text("-?[1-9][0-9]{0,29}"),
        "unit": text(UNIT),
    }
)
_GWP = record(
    {"book": text("[a-z_]{1,40}"), "set": text(longest=40), "values": table("[A-Za-z0-9]{1,20}", DECIMAL)}
)
_COMMODITY = record({"id": text(longest=80), "unit": text(UNIT), "name": _NAME})
_UNCERTAINTY = record(
    {
        "month": text(MONTH),
        "book": text("[a-z_]{1,40}"),
        "total": text("[A-Za-z0-9_]{1,40}"),
        "unit": text("mg|mgCO2e"),
        "value": text("0|-?[1-9][0-9]{0,29}"),
        "atLeast": text("0|[1-9][0-9]{0,29}"),
        "relative": text(f"unknown|{DECIMAL}"),
        "unknownShare": text(r"0|1|0\.[0-9]{1,12}"),
    }
)


_OPINION = record(
    {
        "month": text(MONTH),
        "by": text(),
        "outcome": text("unqualified|qualified|adverse|disclaimer"),
        "opinion": text(),
    }
)


def document_shape(context: Any, kind: Any) -> dict[str, Any]:
    """The members that a certificate and a status list share."""
    return {
        "@context": exactly(context),
        "id": text(longest=200),
        "type": exactly(kind),
        "validFrom": text(STAMP),
        "proof": record({**PROOF, "@context": exactly(context)}),
    }


CERTIFICATE = record(
    {
        **document_shape(CONTEXT, TYPE),
        "name": _NAME,
        "description": _NAME,
        "issuer": record({"id": text(longest=200), "identifier": text(), "name": _NAME}),
        "credentialStatus": record(STATUS),
        "credentialSubject": record(
            {
                "type": text("ParkAccount"),
                "identifier": text(),
                "name": _NAME,
                "boundary": text(),
                "period": record({"from": text(MONTH), "to": text(MONTH)}),
                "knownAt": text(INSTANT),
                "verification": record(
                    {"status": text("unverified|verified"), "by": text(), "opinions": listing(_OPINION, 0, 120)}
                ),
                "uncertainty": listing(_UNCERTAINTY),
                "gwp": listing(_GWP),
                "commodities": listing(_COMMODITY),
                "totals": listing(_TOTAL),
                "factors": listing(
                    record({"id": text(), "digest": text(HEX), "confidence": text(longest=80)}),
                ),
                "treeHead": HEAD,
                "entries": listing(_ENTRY, 1),
            }
        ),
    }
)

STATUS_LIST = record(
    {
        **document_shape([V2], LIST_TYPE),
        "issuer": text(longest=200),
        "credentialSubject": record(
            {
                "id": text(longest=220),
                "type": text("BitstringStatusList"),
                "statusPurpose": text(PURPOSE),
                "issued": text(COUNT),
                "encodedList": text("u[A-Za-z0-9_-]+", longest=4_000_000),
            }
        ),
    }
)
WITNESS = record({"type": text(WITNESS_TYPE), "head": HEAD, "consistency": listing(text(HEX), 0, 128)})
