"""An explanation as a tree: every node one sentence with its numbers, and what it rests on below it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lujin.accounts.statement_parts import plain
from lujin.errors import Translate, as_written

Kind = Literal[
    "reference",
    "account",
    "day",
    "rule",
    "factor",
    "line",
    "claim",
    "entry",
    "subject",
    "flow",
    "meter",
    "settlement",
    "hour",
    "event",
    "reading",
    "traced",
    "origin",
    "carried",
    "pool",
    "transfer",
    "withheld",
]


@dataclass(frozen=True, slots=True)
class Explanation:
    """``text`` is a template over ``params``; ``data`` is what only machines want (e.g. single slots)."""

    kind: Kind
    text: str
    params: Mapping[str, Any] = field(default_factory=dict)
    children: tuple[Explanation, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)

    def sentence(self, translate: Translate = as_written) -> str:
        return translate(self.text).format(**self.params)

    def as_text(self, translate: Translate = as_written) -> str:
        return "\n".join(self._lines(translate, ""))

    def _lines(self, translate: Translate, indent: str) -> Iterator[str]:
        for line in self.sentence(translate).splitlines():
            yield f"{indent}{line.strip()}".rstrip()
        for child in self.children:
            yield from child._lines(translate, indent + "  ")

    def own_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        """Without what is below."""
        return {
            "kind": self.kind,
            "text": self.sentence(translate),
            **{name: _json(value) for name, value in {**self.params, **self.data}.items() if name not in _TAKEN},
        }

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        found = self.own_dict(translate)
        if self.children:
            found["children"] = [child.as_dict(translate) for child in self.children]
        return found

    def walk(self) -> Iterator[Explanation]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


_TAKEN = ("kind", "text", "children")


def _json(value: Any) -> Any:
    found = plain(value)
    return found if isinstance(found, str | int | float | bool | list | dict | None) else str(found)
