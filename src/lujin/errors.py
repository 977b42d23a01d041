"""One tree of errors, and problems as data.

A message is an English template with named fields. It is translated first and filled in afterwards, so that
the catalogue holds one entry per message:

>>> p = Problem(N_("unknown unit {unit}"), {"unit": "kWk"}, N_("write kWh"), file="park.toml", line=12)
>>> p.text()
'park.toml:12: unknown unit kWk; write kWh'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

Translate = Callable[[str], str]
Severity = Literal["error", "warning"]


def N_(message: str) -> str:
    """Mark a message for the translation catalogue; translated where it is shown."""
    return message


def as_written(message: str) -> str:
    return message


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where, and what to do. Data, so that a run can list all of them at once.

    A parameter may be a problem itself: the reason, told in the same language.
    """

    message: str
    params: Mapping[str, Any] = field(default_factory=dict)
    remedy: str = ""
    file: str = ""
    line: int | None = None
    field: str = ""
    severity: Severity = "error"

    @property
    def place(self) -> str:
        line = "" if self.line is None else f":{self.line}"
        where = f"{self.file}{line}"
        return " ".join(part for part in (where, f"[{self.field}]" if self.field else "") if part)

    def text(self, translate: Translate = as_written) -> str:
        params = {k: v.text(translate) if isinstance(v, Problem) else v for k, v in self.params.items()}
        said = translate(self.message).format(**params)
        remedy = translate(self.remedy).format(**params) if self.remedy else ""
        if remedy:
            said = translate(N_("{said}; {remedy}")).format(said=said, remedy=remedy)
        return translate(N_("{place}: {said}")).format(place=self.place, said=said) if self.place else said

    def as_dict(self, translate: Translate = as_written) -> dict[str, Any]:
        """For JSON: the raw parts and the finished sentence."""
        return {
            **{f.name: getattr(self, f.name) for f in fields(self)},
            "params": {k: v.text(translate) if isinstance(v, Problem) else str(v) for k, v in self.params.items()},
            "text": self.text(translate),
        }


class LujinError(Exception):
    """Root of every error a user can meet. Carries one or more problems."""

    exit_code = 1

    def __init__(self, *problems: Problem) -> None:
        self.problems: Sequence[Problem] = problems
        super().__init__("\n".join(p.text() for p in problems))

    def text(self, translate: Translate = as_written) -> str:
        return "\n".join(p.text(translate) for p in self.problems)


class InputError(LujinError):
    """The input is at fault: a file, a row, a field."""


class ParkError(InputError):
    """The park description does not hold together."""


class UnitError(InputError):
    """A unit is unknown or does not fit the carrier."""


class FactorError(InputError):
    """No factor, or more than one, answers the selector. The problem lists the candidates."""


class MappingError(InputError):
    """The columns of a file cannot be told apart, or a mapping does not fit the file."""


class StoreError(LujinError):
    """Reading from or writing to disk failed; what was stored before is intact."""


class LockedError(StoreError):
    """Another process is writing to this park."""


class IntegrityError(StoreError):
    """Stored data contradict themselves."""


class NotFoundError(InputError):
    """There is no such thing, or none that this viewer may know of."""


class ForbiddenError(LujinError):
    """The viewer has no right to do this."""


class SignInError(LujinError):
    """Nobody is signed in, or the sign-in no longer holds."""


class ConflictError(InputError):
    """The thing is not in a state in which this can be done; later it may be."""


class StaleError(ConflictError):
    """Somebody changed the thing since it was read; nothing of this request was stored."""


class TooLargeError(InputError):
    """The input is larger than what is taken."""


class MediaError(InputError):
    """A content type that is not taken here."""


class TooManyError(LujinError):
    """Too many requests in a short time."""

    def __init__(self, *problems: Problem, retry_after_s: int = 60) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(*problems)
