"""The first steps of a new park: what is done, and what comes next until the first statement stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from fastapi import APIRouter

from lujin.access.viewer import Right
from lujin.errors import N_
from lujin.park import Park
from lujin.web.answers import Answer
from lujin.web.page import page
from lujin.web.requests import WindowOf

router = APIRouter(include_in_schema=False)
Name = Literal["describe", "import", "post", "statement"]


class Step(Answer):
    """``count``: of what the step makes: meters, files, months, accounts. ``link``: where it is done."""

    name: Name
    done: bool
    count: int
    link: str


class FirstSteps(Answer):
    """``next``: the first step that is to be done; null when the first statement stands."""

    enterprises: int
    meters: int
    carriers: tuple[str, ...]
    steps: tuple[Step, ...]
    next: Name | None

    def table(self) -> tuple[Sequence[str], Iterable[Sequence[Any]]]:
        return ("step", "done", "count"), [(s.name, s.done, s.count) for s in self.steps]


@page(router, "/first-steps", template="first_steps.html", title=N_("First steps"))
def first_steps(window: WindowOf) -> FirstSteps:
    workspace = window.park(Right.SEE_PARK)
    park, months, arrivals = workspace.park, window.months(), workspace.arrived()
    steps = tuple(_steps(park, arrivals, months))
    return FirstSteps(
        enterprises=len(park.enterprises()),
        meters=len(park.meters),
        carriers=tuple(sorted({flow.carrier for flow in park.flows.values()})),
        steps=steps,
        next=next((step.name for step in steps if not step.done), None),
    )


def _steps(park: Park, arrivals: int, months: Sequence[int]) -> Iterator[Step]:
    enterprises = park.enterprises()
    described = bool(enterprises and park.meters)
    yield Step(name="describe", done=described, count=len(park.meters), link="")
    yield Step(name="import", done=arrivals > 0, count=arrivals, link="/imports")
    yield Step(name="post", done=bool(months), count=len(months), link="/imports")
    link = f"/enterprises/{enterprises[0]}" if enterprises else "/enterprises"
    yield Step(name="statement", done=bool(months), count=len(enterprises) if months else 0, link=link)
