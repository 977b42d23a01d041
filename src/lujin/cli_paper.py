"""A statement on paper: ``lujin statement … --pdf FILE --xlsx FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lujin.disk import write_whole
from lujin.errors import N_, Problem
from lujin.show.text import say_line
from lujin.usage import Face, complain, print_json

if TYPE_CHECKING:
    from lujin.accounts import Statement
    from lujin.publish.letterhead import Paper
    from lujin.workspace import Workspace


def tell(
    face: Face,
    workspace: Workspace,
    found: Statement,
    park: str,
    pdf: Path | None,
    xlsx: Path | None,
    *,
    as_json: bool,
) -> None:
    """A statement in the form asked for: files, JSON, or a table. ``park``: its path, as the user typed it."""
    if pdf is not None or xlsx is not None:
        write(face, paper_of(face, workspace, found), pdf, xlsx, as_json=as_json)
    elif as_json:
        print_json(found.as_dict())
    else:
        from lujin.show.statement import statement
        from lujin.show.words import Words

        physical = physical_of(workspace, found)
        statement(face.console(), found, physical, Words(face.say, workspace.park), park)


def write(face: Face, paper: Paper, pdf: Path | None, xlsx: Path | None, *, as_json: bool) -> None:
    """Writes the files asked for, in the language of the face, and says so."""
    warnings: tuple[Problem, ...] = ()
    if pdf is not None:
        from lujin.publish.pdf import pdf as make_pdf

        made, warnings = make_pdf(paper)
        write_whole(pdf, made)
    if xlsx is not None:
        from lujin.publish.xlsx import xlsx as make_xlsx

        write_whole(xlsx, make_xlsx(paper))
    written = [path for path in (pdf, xlsx) if path is not None]
    if as_json:
        told = [problem.as_dict(face.say) for problem in warnings]
        print_json({**paper.statement.as_dict(), "written": written, "warnings": told})
        return
    complain(warnings, face)
    for path in written:
        say_line(face.console(), face.say.fill(N_("wrote {file}"), file=path))


def physical_of(workspace: Workspace, found: Statement) -> Statement:
    """The same month in the book of energy and cost."""
    if found.book == "physical":
        return found
    return workspace.statement(found.enterprise, found.month, "physical", found.as_of)


def paper_of(face: Face, workspace: Workspace, found: Statement) -> Paper:
    """The statement with what a printed one tells beside it."""
    from lujin.publish.letterhead import Paper
    from lujin.show.paper import PaperNames
    from lujin.show.words import Words
    from lujin.workspace.publishing import letterhead

    names = PaperNames(Words(face.say, workspace.park))
    return Paper(found, physical_of(workspace, found), names, letterhead(workspace, found))
