"""A certificate, checked offline: five layers in order, and the first that fails is named.

====================  ==========================================================================================
form                  strict, canonical JSON of the expected shape
signature             the proof of the issuer over every byte; the issuer is the one that is trusted
status                not superseded, as far as a status list was given
proof                 every line is sealed in its entry, every entry stands in the log under the signed head, the
                      log only grew since the head that a witness keeps
sum                   the totals are what the lines add up to, for the enterprise and months stated
====================  ==========================================================================================

Needs the file, nothing of the park: hashlib, json and an Ed25519 check.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import repeat
from struct import error as OverRange
from typing import Any, Literal

from lujin.accounts.log import SORTED_KEY, digest_of_lines, entry_id, key_digest, leaf_bytes
from lujin.accounts.merkle import leaf_hash, verify_consistency, verify_inclusion
from lujin.errors import N_, InputError, Problem, Translate, as_written
from lujin.publish.integrity import key_of, verify
from lujin.publish.kinds import read_kind
from lujin.publish.records import Total, summed
from lujin.publish.shapes import CERTIFICATE, STATUS_LIST, WITNESS
from lujin.publish.status import is_set, list_id
from lujin.publish.summary import Move, Summary, summary, weights_of

Name = Literal["form", "signature", "status", "proof", "sum"]
State = Literal["passed", "failed", "unknown", "not reached"]
LAYERS: tuple[Name, ...] = ("form", "signature", "status", "proof", "sum")
Document = Mapping[str, Any]
MOST_DAYS = 35  # a month and some days: the newest list that a monthly habit leaves
_CLOCKS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Layer:
    """What came of one layer. ``problem``: why it failed or cannot be told."""

    name: Name
    state: State
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What came of the layers, and, once the form holds, what the certificate states.

    ``summary``: once the sum holds. ``status_time``: when the status list was signed; empty: none was given, or it
    does not hold. ``notices``: what does not make it fail, but has to be told. ``witnessed``: size and time of the
    older head that the log was found to extend.
    """

    layers: tuple[Layer, ...]
    certificate: Document | None = None
    summary: Summary | None = None
    status_time: str = ""
    notices: tuple[Problem, ...] = ()
    witnessed: Mapping[str, str] | None = None

    @property
    def ok(self) -> bool:
        """No layer failed. What is unknown (the status without a list) does not count against it."""
        return not any(layer.state == "failed" for layer in self.layers)

    @property
    def failed(self) -> Layer | None:
        return next((layer for layer in self.layers if layer.state == "failed"), None)

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        stated = self.certificate
        subject = {} if stated is None else stated["credentialSubject"]
        kept = ("boundary", "period", "knownAt", "verification", "uncertainty", "gwp", "commodities", "totals")
        return {
            "ok": self.ok,
            "failed": None if self.failed is None else self.failed.name,
            "layers": [
                {
                    "layer": layer.name,
                    "state": layer.state,
                    "problem": None if layer.problem is None else layer.problem.as_dict(translate),
                }
                for layer in self.layers
            ],
            "notices": [problem.as_dict(translate) for problem in self.notices],
            "status_list": self.status_time or None,
            "witnessed": None if self.witnessed is None else dict(self.witnessed),
            "summary": None if self.summary is None else self.summary.as_dict(),
            "certificate": None
            if stated is None
            else {
                "id": stated["id"],
                "issuer": stated["issuer"],
                "validFrom": stated["validFrom"],
                "subject": {"identifier": subject["identifier"], "name": subject["name"]},
                **{name: subject[name] for name in kept},
                "head": {name: subject["treeHead"][name] for name in ("size", "root", "timestamp")},
            },
        }


class _Failed(Exception):
    """A layer does not hold."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.text())


def check(
    document: bytes,
    status: bytes | None = None,
    *,
    trusted: str | None = None,
    witness: bytes | None = None,
    now: datetime | None = None,
) -> Report:
    """Check a certificate file. Never raises on what the files hold.

    ``status``: the issuer's status list. ``trusted``: did:key of the issuer, known from elsewhere; without it
    any signer is accepted, and named. ``witness``: an older head of the log with its consistency proof, as
    ``publish.witness`` writes it. ``now``: by which the age of the status list is told; None: it is not.
    """
    layers: list[Layer] = []
    told: dict[str, Any] = {}
    found: dict[str, Any] | None = None
    try:
        found = read_kind(document, CERTIFICATE, "certificate")
        stated = found
        steps: tuple[tuple[Name, Callable[[], Problem | None]], ...] = (
            ("form", lambda: None),
            ("signature", lambda: _signature(stated, trusted)),
            ("status", lambda: _status(stated, status, now, told)),
            ("proof", lambda: _proof(stated, witness, told)),
            ("sum", lambda: _sum(stated, told)),
        )
        for name, step in steps:
            unknown = step()
            layers.append(Layer(name, "passed" if unknown is None else "unknown", unknown))
    except (_Failed, InputError) as error:
        problem = error.problem if isinstance(error, _Failed) else error.problems[0]
        layers.append(Layer(LAYERS[len(layers)], "failed", problem))
    layers += [Layer(name, "not reached") for name in LAYERS[len(layers) :]]
    return Report(tuple(layers), found, **told)


# -------------------------------------------------------------------------------------------------- signature

_ORIGINAL = N_("ask the issuer for the original file")
_TALK = N_("do not rely on it, and ask the issuer")


def _signature(stated: Document, trusted: str | None) -> None:
    signer = verify(stated)
    if signer != stated["issuer"]["id"]:
        params = {"signer": signer, "issuer": stated["issuer"]["id"]}
        raise _Failed(Problem(N_("it names {issuer} as issuer, but {signer} signed it"), params, _TALK))
    if trusted is not None and key_of(trusted) and signer != trusted.partition("#")[0]:
        message = N_("{signer} signed it, not {trusted}")
        remedy = N_("compare the issuer's name with the one that the park told you by another way")
        raise _Failed(Problem(message, {"signer": signer, "trusted": trusted}, remedy))


# ----------------------------------------------------------------------------------------------------- status


def _status(stated: Document, data: bytes | None, now: datetime | None, told: dict[str, Any]) -> Problem | None:
    entry, issuer = stated["credentialStatus"], stated["issuer"]["id"]
    if entry["statusListCredential"] != list_id(issuer):
        raise _Failed(Problem(N_("it points to a status list that its issuer does not keep"), {}, _TALK))
    if data is None:
        remedy = N_("ask the issuer for the newest status list and give it with --status")
        return Problem(N_("no status list was given: it may have been superseded"), {}, remedy)
    listed = read_kind(data, STATUS_LIST, "status list")
    signer = verify(listed)
    if (signer, listed["issuer"], listed["id"]) != (issuer, issuer, list_id(issuer)):
        message = N_("the status list is that of {signer}, not of the issuer")
        raise _Failed(Problem(message, {"signer": signer}, N_("give the list of the issuer with --status")))
    superseded = is_set(listed, int(entry["statusListIndex"]))
    told["status_time"] = listed["validFrom"]
    as_of = {"time": shown_time(listed["validFrom"])}
    if superseded:
        message = N_("it was superseded by a restatement (status list of {time})")
        raise _Failed(Problem(message, as_of, N_("ask the issuer for the certificate that took its place")))
    aged = _age(listed["validFrom"], now)
    if superseded is None or listed["validFrom"] < stated["validFrom"]:
        message = N_("the status list of {time} is older than the certificate")
        found = Problem(message, as_of, N_("ask the issuer for a newer one"), severity="warning")
        told["notices"] = (found, *aged)
        return found
    told["notices"] = aged
    return None


def _age(time: str, now: datetime | None) -> tuple[Problem, ...]:
    days = age_in_days(time, now)
    if days is None or 0 <= days <= MOST_DAYS:
        return ()
    message = N_("the status list of {time} is {days} days old: a restatement since then is not in it")
    if days < 0:
        message = N_("the status list of {time} is dated in the future: compare the clock of this computer")
    params = {"time": shown_time(time), "days": days}
    return (Problem(message, params, N_("ask the issuer for a newer one"), severity="warning"),)


def age_in_days(time: str, now: datetime | None) -> int | None:
    """Whole days since; a clock that is minutes behind counts as none. None: no clock, or no such day."""
    try:
        then = datetime.fromisoformat(time)
    except ValueError:
        return None
    return None if now is None else (now - then + _CLOCKS).days


def shown_time(time: str) -> str:
    """All times of a certificate in one form: UTC, to the second.

    >>> shown_time("2025-08-01T04:00:00Z"), shown_time("2025-07-31T16:00:00.123456+00:00")
    ('2025-08-01 04:00:00 UTC', '2025-07-31 16:00:00 UTC')
    """
    return f"{time[:10]} {time[11:19]} UTC"


# ------------------------------------------------------------------------------------------------------ proof


def _proof(stated: Document, witness: bytes | None, told: dict[str, Any]) -> None:
    subject = stated["credentialSubject"]
    head = subject["treeHead"]
    _signed_head(head, stated["issuer"]["id"])
    size, root = int(head["size"]), bytes.fromhex(head["root"])
    for entry in subject["entries"]:
        _sealed(entry)
        number = int(entry["number"])
        leaf = leaf_hash(leaf_bytes(entry["id"], number, entry["recordedAt"], int(entry["source"])))
        proof = [bytes.fromhex(node) for node in entry["inclusion"]]
        if not verify_inclusion(leaf, number - 1, size, proof, root):
            raise _entry(entry, N_("entry {number} does not stand in the log under the signed head"))
        if entry["recordedAt"] > subject["knownAt"]:
            raise _entry(entry, N_("entry {number} was recorded after the time of knowledge stated"))
    if witness is not None:
        kept = read_kind(witness, WITNESS, "witness")
        _grew(head, kept, stated["issuer"]["id"])
        told["witnessed"] = {name: kept["head"][name] for name in ("size", "timestamp")}


def _signed_head(head: Document, issuer: str) -> None:
    if verify(head) != issuer or head["issuer"] != issuer:
        raise _Failed(Problem(N_("the head of the log was signed by another than the issuer"), {}, _TALK))


def _sealed(entry: Document) -> None:
    """Lines → digest → entry id."""
    lines = list(_lines(entry))
    try:
        sealed = digest_of_lines(lines)
    except OverRange:
        raise _entry(entry, N_("an amount of entry {number} is larger than a ledger holds")) from None
    if sealed != entry["linesDigest"]:
        raise _entry(entry, N_("the lines of entry {number} are not those that were sealed"))
    header: dict[str, str | int] = {
        "enterprise": entry["enterprise"],
        "month": int(entry["month"].replace("-", "")),
        "book": entry["book"],
        "version": int(entry["version"]),
        "reason": entry["reason"],
        "pack": entry["pack"],
        "park_digest": entry["parkDigest"],
        "input_digest": entry["inputDigest"],
        "lines": len(lines),
        "lines_digest": entry["linesDigest"],
    }
    if entry_id(header) != entry["id"]:
        raise _entry(entry, N_("the heading of entry {number} is not the one that was sealed"))


def _lines(entry: Document) -> Iterator[tuple[bytes, int, int]]:
    numbers = _DayNumbers()
    for line in entry["lines"]:
        key, amounts = key_digest([line[name] for name in SORTED_KEY]), line["amounts"]
        yield from zip(repeat(key), map(numbers.__getitem__, amounts), map(int, amounts.values()))


class _DayNumbers(dict[str, int]):
    """2025-06-01 → 20250601; the days of a month come back with every key."""

    def __missing__(self, day: str) -> int:
        self[day] = number = int(day.replace("-", ""))
        return number


def _grew(head: Document, kept: Document, issuer: str) -> None:
    """The log of the certificate extends the log that a witness saw."""
    older = kept["head"]
    _signed_head(older, issuer)
    if older["size"] == "0":
        message = N_("the witness's head is that of an empty log, which shows nothing")
        raise _Failed(Problem(message, {}, N_("give a head that was signed later, or leave out --witness")))
    proof = [bytes.fromhex(node) for node in kept["consistency"]]
    sizes = int(older["size"]), int(head["size"])
    roots = bytes.fromhex(older["root"]), bytes.fromhex(head["root"])
    if not verify_consistency(*sizes, proof, *roots):
        params = {"time": older["timestamp"], "size1": older["size"], "size2": head["size"]}
        message = N_("the log of {size2} entries does not extend the log of {size1} entries signed at {time}")
        raise _Failed(Problem(message, params, N_("history may have been rewritten: ask the issuer to explain")))


def _entry(entry: Document, message: str) -> _Failed:
    return _Failed(Problem(message, {name: entry[name] for name in ("number", "month", "book")}, _ORIGINAL))


# -------------------------------------------------------------------------------------------------------- sum


def _sum(stated: Document, told: dict[str, Any]) -> None:
    subject = stated["credentialSubject"]
    versions: dict[tuple[str, str], int] = defaultdict(int)
    for entry in subject["entries"]:
        if entry["enterprise"] != subject["identifier"]:
            raise _entry(entry, N_("entry {number} belongs to another enterprise"))
        if not subject["period"]["from"] <= entry["month"] <= subject["period"]["to"]:
            raise _entry(entry, N_("entry {number} lies outside the period stated"))
        versions[entry["book"], entry["month"]] += 1
        if int(entry["version"]) != versions[entry["book"], entry["month"]]:
            raise _entry(entry, N_("before entry {number} a version of {book} {month} is missing"))
        _own(entry)
    _rests(subject)
    moves = [
        Move(e["book"], e["month"], x["debit"], x["credit"], x["commodity"], sum(map(int, x["amounts"].values())))
        for e in subject["entries"]
        for x in e["lines"]
    ]
    added = summed((m.book, m.debit, m.credit, m.commodity, m.amount) for m in moves)
    said = [Total(t["book"], t["scope"], t["gas"], int(t["amount"])) for t in subject["totals"]]
    if list(added) != said:
        odd = min(set(added) ^ set(said) or said, key=lambda t: (t.book, t.scope, t.gas, t.amount))
        params = {"book": odd.book, "scope": odd.scope, "gas": odd.gas}
        message = N_("the lines do not add up to the total of {gas} in {book} {scope}")
        raise _Failed(Problem(message, params, _TALK))
    _weighed(subject)
    told["summary"] = summary(subject, moves)


def _weighed(subject: Document) -> None:
    """Units, potentials and uncertainties speak of what is certified, and leave nothing out."""
    books = {entry["book"] for entry in subject["entries"]}
    sets = [gwp["book"] for gwp in subject["gwp"]]
    if strange := sorted(set(sets) - books) or (sets if len(set(sets)) < len(sets) else []):
        message = N_("potentials are stated for book {book}, which is not certified or named twice")
        raise _Failed(Problem(message, {"book": strange[0]}, _TALK))
    units = {c["id"]: c["unit"] for c in subject["commodities"]}
    weights = {book: weights_of(subject, book)[1] for book in sets}
    for t in subject["totals"]:
        if t["unit"] != (units.get(t["gas"]) if t["book"] == "physical" else "mg"):
            message = N_("the unit of {gas} is not the one stated for it")
            raise _Failed(Problem(message, {"gas": t["gas"]}, _TALK))
        counted = t["book"] in weights and not t["gas"].startswith("CO2e:")
        if counted and t["gas"] not in weights[t["book"]]:
            message = N_("the potential of {gas} in book {book} is not stated, so CO2e leaves it out")
            raise _Failed(Problem(message, {"gas": t["gas"], "book": t["book"]}, _TALK))
    period = subject["period"]
    seen: set[tuple[str, str, str]] = set()
    for named in ((u["month"], u["book"], u["total"]) for u in subject["uncertainty"]):
        month, book, name = named
        twice = named in seen
        seen.add(named)
        if twice or book not in books or not period["from"] <= month <= period["to"]:
            message = N_(
                "an uncertainty is stated for {total} of {book} {month}, which is not certified or named twice"
            )
            raise _Failed(Problem(message, {"total": name, "book": book, "month": month}, _TALK))


def _own(entry: Document) -> None:
    """Every line moves accounts of the enterprise, from one to another."""
    prefix = entry["enterprise"] + "/"
    for line in entry["lines"]:
        if not (line["debit"].startswith(prefix) and line["credit"].startswith(prefix)):
            raise _entry(entry, N_("entry {number} moves accounts of another enterprise"))
        if line["debit"] == line["credit"]:
            raise _entry(entry, N_("entry {number} has a line with one account on both sides"))


def _rests(subject: Document) -> None:
    """Every factor that a line names is listed, with the digest that its id begins."""
    listed = {row["id"]: row["digest"] for row in subject["factors"]}
    for name, digest in listed.items():
        if not digest.startswith(name.rpartition("@")[2]):
            message = N_("factor {row} is listed with the digest of another row")
            raise _Failed(Problem(message, {"row": name}, _TALK))
    named = {part for e in subject["entries"] for line in e["lines"] for part in line["factor"].split("+") if part}
    if missing := sorted(named - listed.keys()):
        message = N_("the lines rest on factor {row}, which is not listed")
        raise _Failed(Problem(message, {"row": missing[0]}, _TALK))
