"""An explanation level by level: every node has an id that stays the same while its facts do, so that a page can
unfold one branch after the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lujin.accounts.explanation import Explanation, Kind
from lujin.errors import N_, InputError, Problem, Translate, as_written

# What tells a node from its siblings; neither amounts nor wording, which change with later facts.
_IDENTITY: Mapping[Kind, tuple[str, ...]] = {
    "reference": ("reference",),
    "account": ("account", "commodity"),
    "day": ("day",),
    "rule": ("rule",),
    "factor": ("factor",),
    "line": ("debit", "credit", "commodity", "period", "quality", "subject"),
    "claim": ("account",),
    "entry": ("entry",),
    "subject": ("subject",),
    "flow": ("flow",),
    "meter": ("meter",),
    "settlement": ("flow",),
    "hour": ("hour",),
    "event": ("event", "start"),
    "reading": ("time", "recorded", "file", "row"),
    "traced": ("account", "commodity"),
    "origin": ("enterprise", "origin", "subject", "rule"),
    "carried": (),
    "pool": ("enterprise", "pool"),
    "transfer": ("enterprise", "pool", "subject", "rule"),
    "withheld": (),
}


@dataclass(frozen=True, slots=True)
class Located:
    """``path``: ids from the root to the parent."""

    id: str
    node: Explanation
    path: tuple[str, ...]


def located(root: Explanation) -> Iterator[Located]:
    """Every node with its id, parents before children."""
    yield from _located(root, _digest("", _key(root)), ())


def children_of(parent: Located) -> Iterator[Located]:
    """The nodes right below, each with its id; siblings that nothing tells apart are numbered."""
    seen: dict[str, int] = {}
    for child in parent.node.children:
        key = _key(child)
        seen[key] = seen.get(key, 0) + 1
        numbered = key if seen[key] == 1 else f"{key}\n{seen[key]}"
        yield Located(_digest(parent.id, numbered), child, (*parent.path, parent.id))


def root_of(root: Explanation) -> Located:
    return Located(_digest("", _key(root)), root, ())


def _located(node: Explanation, name: str, path: tuple[str, ...]) -> Iterator[Located]:
    here = Located(name, node, path)
    yield here
    for child in children_of(here):
        yield from _located(child.node, child.id, child.path)


def _key(node: Explanation) -> str:
    parts = [node.kind, *(str(node.params[name]) for name in _IDENTITY[node.kind])]
    if node.kind in ("rule", "origin"):  # the same rule may stand several times, with other factors
        parts += [str(child.params["factor"]) for child in node.children if child.kind == "factor"]
    if node.kind in ("carried", "withheld"):
        parts.append(node.text)
    return "\n".join(parts)


def _digest(parent: str, key: str) -> str:
    return hashlib.sha256(f"{parent}\n{key}".encode()).hexdigest()[:12]


def find(root: Explanation, name: str) -> Located:
    """The node of that id; empty: the root. InputError: there is none (any more)."""
    for found in located(root):
        if not name or found.id == name:
            return found
    raise InputError(
        Problem(
            N_("this explanation has no part {id}"),
            {"id": name},
            N_("the account may have changed since: open the explanation anew"),
            field="node",
        )
    )


def level(root: Explanation, name: str = "", depth: int = 1, translate: Translate = as_written) -> dict[str, Any]:
    """A node as JSON with ``depth`` levels below it. ``more``: how many children are not told."""
    return _level(find(root, name), depth, translate)


def _level(found: Located, depth: int, translate: Translate) -> dict[str, Any]:
    told = {"id": found.id, **found.node.own_dict(translate), "path": list(found.path)}
    if depth > 0:
        told["children"] = [_level(child, depth - 1, translate) for child in children_of(found)]
    told["more"] = 0 if depth > 0 else len(found.node.children)
    return told
