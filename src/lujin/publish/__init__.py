"""What leaves the park: certificates that anyone can check offline, the signing key, statements as files.

Evidence, in the order in which it is made::

    signing_key(directory: Path, *, create: bool = True) -> Ed25519PrivateKey     # <park>/keys
    public_did(key) -> str                                                        # did:key:z6Mk…
    sign_head(size: int, root: bytes, now: datetime, key) -> TreeHead             # root from accounts.merkle
    head_document(head: TreeHead) -> dict                                         # to mail to bank and verifier
    witness(older: TreeHead, consistency: Sequence[bytes]) -> dict                # Tree(…).consistency(size1)
    totals_of(entries: Iterable[Entry]) -> tuple[Total, ...]                      # Certified.totals
    issue(certified: Certified, key, now: datetime, index: int) -> dict           # index: place in status list
    status_list(issued: int, superseded: Collection[int], key, now: datetime) -> dict
    canonical_file(document: dict) -> bytes                                       # the bytes to write
    check(document: bytes, status: bytes | None = None, *, trusted: str | None = None,
          witness: bytes | None = None, now: datetime | None = None) -> Report

``Certified``, ``Entry``, ``Line``, ``Party``, ``Total``, ``FactorRow``, ``Gwp``, ``Commodity``, ``Doubt``
are the records of ``publish.records``.
Entry number n of the ledger is leaf n - 1 of the log; its data is ``accounts.log.leaf_bytes(id, number,
instant_text(recorded_at), source)``. Key and clock are arguments; nothing here reads the park.

Each name is imported when it is first asked for, so that a certificate is checked without the table libraries.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lujin.publish.checking import Layer, Report, check
    from lujin.publish.credential import issue
    from lujin.publish.form import canonical_file
    from lujin.publish.heads import head_document, head_of, sign_head, witness
    from lujin.publish.keys import public_did, signing_key
    from lujin.publish.records import (
        Certified,
        Commodity,
        Doubt,
        Entry,
        FactorRow,
        Gwp,
        Line,
        Party,
        Total,
        TreeHead,
        totals_of,
    )
    from lujin.publish.status import status_list

_HOME = {
    "checking": ("Layer", "Report", "check"),
    "credential": ("issue",),
    "form": ("canonical_file",),
    "heads": ("head_document", "head_of", "sign_head", "witness"),
    "keys": ("public_did", "signing_key"),
    "records": (
        *("Certified", "Commodity", "Doubt", "Entry", "FactorRow", "Gwp", "Line", "Party", "Total", "TreeHead"),
        "totals_of",
    ),
    "status": ("status_list",),
}

__all__ = [
    "Certified",
    "Commodity",
    "Doubt",
    "Entry",
    "FactorRow",
    "Gwp",
    "Layer",
    "Line",
    "Party",
    "Report",
    "Total",
    "TreeHead",
    "canonical_file",
    "check",
    "head_document",
    "head_of",
    "issue",
    "public_did",
    "sign_head",
    "signing_key",
    "status_list",
    "totals_of",
    "witness",
]


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOME.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
