"""The menu: which pages there are, for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fastapi import Request
from markupsafe import Markup

from lujin.access.viewer import Right
from lujin.errors import N_


@dataclass(frozen=True, slots=True)
class Item:
    """Shown to whoever holds one of ``rights``; to every signed-in person if there are none."""

    path: str
    title: str
    rights: tuple[Right, ...] = ()


MENU: tuple[tuple[str, tuple[Item, ...]], ...] = (
    (
        N_("Park"),
        (
            Item("/overview", N_("Overview"), (Right.SEE_PARK,)),
            Item("/flows", N_("Energy flows"), (Right.SEE_PARK,)),
            Item("/enterprises", N_("Enterprises"), (Right.SEE_ACCOUNT,)),
            Item("/carbon", N_("Carbon intensity"), (Right.SEE_PARK, Right.SEE_READINGS)),
        ),
    ),
    (
        N_("Data"),
        (
            Item("/meters", N_("Meters"), (Right.SEE_READINGS,)),
            Item("/imports", N_("Readings import"), (Right.WRITE_READINGS,)),
            Item("/alarms", N_("Alarms"), (Right.ACKNOWLEDGE_ALARMS, Right.SEE_PARK)),
        ),
    ),
    (
        N_("Accounts"),
        (
            Item("/periods", N_("Periods"), (Right.SEE_PARK,)),
            Item("/reference", N_("Reference data")),
            Item("/verify", N_("Verify a certificate")),
        ),
    ),
    (
        N_("Administration"),
        (
            Item("/people", N_("People and roles"), (Right.MANAGE_PEOPLE,)),
            Item("/consents", N_("Consents"), (Right.GIVE_CONSENT, Right.MANAGE_PEOPLE)),
            Item("/audit", N_("Audit trail"), (Right.SEE_AUDIT,)),
            Item("/settings", N_("Settings"), (Right.CHANGE_SETTINGS,)),
        ),
    ),
)


def menu(request: Request, holds: Callable[[Right], bool]) -> Iterator[tuple[str, list[Item]]]:
    """Groups and their pages, as far as this viewer may open them and this server has them."""
    paths = request.app.state.page_paths
    for group, items in MENU:
        shown = [i for i in items if i.path in paths and (not i.rights or any(holds(right) for right in i.rights))]
        if shown:
            yield group, shown


def badge(item: Item, request: Request) -> Markup:
    """A count beside a page's name: what ``app.state.badges`` says for its path."""
    count = request.app.state.badges.get(item.path, lambda _: 0)(request)
    return Markup('<span class="chip bad">{}</span>').format(count) if count else Markup("")
