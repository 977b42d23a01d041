"""What a reader can check a printed statement by: codes of the ledger, the head of its log, a certificate."""

from __future__ import annotations

from lujin.accounts.canonical import sha256_of
from lujin.errors import N_
from lujin.publish.letterhead import Code, Paper
from lujin.publish.numbers import NOT_POSTED, headline, local

INTEGRITY = N_(
    "Compared with the park's ledger, the codes show that these figures are the recorded ones, unaltered. They "
    "prove integrity, not correct metering."
)
Told = tuple[tuple[str, str], ...]


def short_code(paper: Paper) -> str:
    """Sixteen digits that stand for entries and closing, at the foot of each page; empty without any.

    The first 64 bits of the SHA-256 of the canonical JSON of the codes: they tie pages together and tell two
    versions apart. The codes themselves are what is checked. Heads, which are signed daily, stay outside.
    """
    codes = paper.letterhead.codes
    if not codes:
        return ""
    digest = sha256_of([[code.name, code.book, code.text] for code in codes])[:16].upper()
    return " ".join(digest[at : at + 4] for at in range(0, 16, 4))


def codes(paper: Paper) -> Told:
    """The codes of the first page: entry of the book asked for, closing, signed head, certificate."""
    say, top, book = paper.names.say, paper.letterhead, paper.statement.book
    told = [(_name(paper, code), code.text) for code in top.codes if code.book in (book, "")]
    if (head := top.head) is not None:
        when = local(head.signed_at, paper.names.timezone()) or ""
        text = N_("{size} entries, {when}")
        told.append((say(N_("signed head of the log")), say.fill(text, size=f"{head.size:,}", when=when)))
        told.append((say(N_("its root")), head.root))
    if (issued := top.certificate) is not None:
        name = N_("certificate, superseded") if issued.superseded else N_("certificate")
        told.append((say(name), issued.id))
    return tuple((headline(name), text) for name, text in told)


def other_codes(paper: Paper) -> Told:
    """The newest entries of the other books, which stand at the end."""
    found = [code for code in paper.letterhead.codes if code.book not in (paper.statement.book, "")]
    return tuple((headline(_name(paper, code)), code.text) for code in found)


def _name(paper: Paper, code: Code) -> str:
    name = paper.names.say(code.name)
    if not code.book:
        return name
    return paper.names.say.fill(N_("{name} ({detail})"), name=name, detail=paper.names.book(code.book))


def notes(paper: Paper) -> tuple[str, ...]:
    """How to check the paper, and how to read its numbers."""
    say, top = paper.names.say, paper.letterhead
    said = [*_how(paper), INTEGRITY]
    if not top.codes:
        said.append(N_("No verification code is available for this statement."))
    said.append(N_("Figures are rounded to the decimals shown; the ledger holds whole base units."))
    signs = N_("0: measured or computed as zero. {dash}: nothing posted here. {none}: not available.")
    return (*map(say, said), say.fill(signs, dash=NOT_POSTED, none=say(N_("n/a"))))


def _how(paper: Paper) -> list[str]:
    top = paper.letterhead
    said = []
    if top.head is not None and top.head.covers:
        said.append(N_("The head seals the entries of this statement: whoever keeps it notices any later change."))
    elif top.head is not None:
        said.append(N_("The head was signed before the newest entries of this statement and does not seal them."))
    if top.certificate is not None and top.certificate.superseded:
        said.append(N_("The month was restated after its certificate was issued: ask the park for a new one."))
    elif top.certificate is not None:
        said.append(N_("Whoever has the file of the certificate checks it without the park: lujin verify FILE"))
    elif top.period in ("closed", "verified"):
        said.append(
            N_("The month is closed: ask the park for a certificate and check it by yourself: lujin verify FILE")
        )
    return said
