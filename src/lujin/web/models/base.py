"""What all answers share: amounts, months, instants, pages. Numbers that count are text, missing is ``null``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator

from lujin.errors import Problem, Translate, as_written

T = TypeVar("T")


class Answer(BaseModel):
    """A frozen record that is told as JSON. Clients pass over members that a newer server adds; that none is
    forgotten here is a matter of tests.
    """

    model_config = ConfigDict(frozen=True)

    @classmethod
    def of(cls, record: Any, say: Translate | None = None) -> Self:
        """From a record of the library: the same names. ``say`` for records that carry sentences."""
        plain = record.as_dict() if say is None else record.as_dict(say)
        return cls.model_validate(plain, context={"say": say or as_written})


def shown(**example: Any) -> ConfigDict:
    """The configuration of an answer with an example for the OpenAPI document."""
    return ConfigDict(frozen=True, json_schema_extra={"examples": [example]})


def month_text(month: Any) -> Any:
    """
    >>> month_text(202506), month_text("2025-06")
    ('2025-06', '2025-06')
    """
    return f"{month // 100}-{month % 100:02}" if isinstance(month, int) else month


Month = Annotated[
    str,
    BeforeValidator(month_text),
    Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="local calendar month", examples=["2025-06"]),
]
Instant = Annotated[datetime, Field(description="ISO 8601, UTC", examples=["2025-06-30T16:00:00Z"])]
Text = Annotated[str, Field(description="decimal number as text, exact", examples=["154.445182590"])]
Part = Annotated[float, Field(ge=0, le=1, description="0 to 1")]


class Amount(Answer):
    """``value`` in ``unit`` for people, and the same as an integer ``base`` in ``base_unit`` of the ledger."""

    model_config = shown(value="349502.563", unit="kWh", base="349502563", base_unit="Wh")

    value: Text
    unit: str
    base: str
    base_unit: str


class Told(Answer):
    """A problem: what is wrong, where, and what to do."""

    message: str
    remedy: str = ""
    severity: str = "error"
    file: str = ""
    row: int | None = None
    field: str = ""

    @model_validator(mode="before")
    @classmethod
    def _of_problem(cls, value: Any, info: ValidationInfo) -> Any:
        """From a problem, or from what it is as JSON, in the language of the context."""
        say: Translate = (info.context or {}).get("say", as_written)
        found = value.as_dict(say) if isinstance(value, Problem) else value
        if not isinstance(found, dict) or "params" not in found:
            return found
        params = found["params"]
        row = str(params.get("row", ""))
        return {
            "message": say(found["message"]).format(**params),
            "remedy": say(found["remedy"]).format(**params) if found["remedy"] else "",
            "row": int(row) if row.isdecimal() else found["line"],
            **{name: found[name] for name in ("severity", "file", "field")},
        }


def told(problems: Sequence[Problem], say: Translate = as_written) -> list[Told]:
    return [Told.model_validate(problem, context={"say": say}) for problem in problems]


class Completeness(Answer):
    """Quarter hours of a meter, or of all (``meter`` empty): expected = measured + interpolated + estimated +
    missing. The parts are of the expected ones; ``null``: nothing is expected.
    """

    meter: str
    expected: int
    measured: int
    interpolated: int
    estimated: int
    suspect: int
    missing: int
    measured_part: Part | None
    estimated_part: Part | None
    missing_part: Part | None


class Page(Answer, Generic[T]):
    """One page of a list. ``next``: the cursor of the following page; ``null``: this is the last."""

    items: list[T]
    next: str | None = Field(None, description="give it as `cursor` to have the following page")


Amounts = Mapping[str, Amount]
