"""Update the Chinese catalogue: every message that the source marks with ``N_`` or a template
says with ``t``, and the formulas of the rules.

python scripts/messages.py           add new messages to src/lujin/locale/zh.po, drop those that are gone
python scripts/messages.py --check   change nothing; exit 1 if a message is missing, untranslated or misfilled
"""

from __future__ import annotations

import sys
from inspect import cleandoc
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from lujin.accounts.rules import RULES
from lujin.language import parse_catalogue

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
JINJA = {"silent": "false", "trim_blocks": "true", "lstrip_blocks": "true"}
CATALOGUE = SOURCE / "lujin" / "locale" / "zh.po"


def messages() -> dict[str, set[str]]:
    """Message → the files that say it."""
    found: dict[str, set[str]] = {}
    places = extract_from_dir(SOURCE, [("**.py", "python")], keywords={"N_": None}, comment_tags=())
    for file, _, message, _, _ in places:
        if isinstance(message, str) and message:
            found.setdefault(message, set()).add(str(file))
    pages = extract_from_dir(
        SOURCE, [("**.html", "jinja2")], keywords={"t": None}, comment_tags=(), options_map={"**.html": JINJA}
    )
    for file, _, message, _, _ in pages:
        if isinstance(message, str) and message:
            found.setdefault(message, set()).add(str(file))
    for rule in RULES.values():
        found.setdefault(cleandoc(rule.formula), set()).add("lujin/accounts/rules.py")
    return found


def fields(template: str) -> set[tuple[str, str, str]]:
    """What a template fills in: name, conversion, form."""
    parsed = Formatter().parse(template)
    return {(name, conversion or "", form or "") for _, name, form, conversion in parsed if name is not None}


def faults(known: dict[str, str]) -> list[str]:
    """Messages without a translation, with other fields than the original, and translations of nothing."""
    wanted = messages()
    formulas = {cleandoc(rule.formula) for rule in RULES.values()}
    out = [f"not translated: {message!r}" for message in wanted if not known.get(message)]
    for message, said in known.items():
        if message not in wanted:
            out.append(f"no longer said: {message!r}")
        elif message not in formulas and fields(message) != fields(said):
            out.append(f"other fields: {message!r} → {said!r}")
    return out


def update(known: dict[str, str]) -> None:
    catalogue = Catalog(locale="zh", domain="lujin")
    for message, files in sorted(messages().items(), key=lambda item: (min(item[1]), item[0])):
        catalogue.add(message, known.get(message, ""), locations=[(f"src/{file}", 1) for file in sorted(files)])
    CATALOGUE.parent.mkdir(exist_ok=True)
    with CATALOGUE.open("wb") as file:
        write_po(file, catalogue, width=110, omit_header=True, sort_by_file=True, include_lineno=False)


def main() -> None:
    known = dict(parse_catalogue(CATALOGUE.read_text(encoding="utf-8"))) if CATALOGUE.is_file() else {}
    if "--check" not in sys.argv:
        update(known)
        known = dict(parse_catalogue(CATALOGUE.read_text(encoding="utf-8")))
    found = faults(known)
    sys.stdout.write("".join(f"{fault}\n" for fault in found))
    sys.exit(1 if found and "--check" in sys.argv else 0)


if __name__ == "__main__":
    main()
