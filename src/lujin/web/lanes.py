"""Finding the view of an address sooner: by the first part of its path, among the few that begin so.

FastAPI tries one route after the other, some hundreds of them, and twice. Order and meaning stay as they are: the
first route that fits answers; what fits none (a wrong method, a slash too many) is left to FastAPI.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from starlette.routing import BaseRoute, Match, Router
from starlette.types import ASGIApp, Receive, Scope, Send


class Lanes:
    """Around the router's own search. ``routes``: all that there are."""

    def __init__(self, search: ASGIApp, router: Router) -> None:
        self._search, self._router = search, router
        self._lanes = _sorted(router.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope.get("root_path"):
            for route in self._lanes.get(_first(scope["path"]), ()):
                match, found = route.matches(scope)
                if match == Match.FULL:
                    scope.setdefault("router", self._router)
                    scope.update(found)
                    await route.handle(scope, receive, send)
                    return
        await self._search(scope, receive, send)


def _sorted(routes: Sequence[BaseRoute]) -> Mapping[str, Sequence[BaseRoute]]:
    """First part of the path → the routes that may fit, in their order."""
    begins = [(route, {_first(path) for path in _paths(route)}) for route in routes]
    known = {part for _, parts in begins for part in parts if "{" not in part}
    return {
        part: [route for route, parts in begins if part in parts or any("{" in other for other in parts)]
        for part in known
    }


def _paths(route: BaseRoute) -> Iterator[str]:
    """The paths of a route, or of all that a router brought in has."""
    inner = getattr(route, "original_router", None)
    if inner is None:
        yield str(getattr(route, "path", "/{any}"))
    else:
        for one in inner.routes:
            yield from _paths(one)


def _first(path: str) -> str:
    """
    >>> _first("/meters/{meter}.json"), _first("/meters.json"), _first("/api/v1/meters"), _first("/{any}")
    ('meters', 'meters', 'v1/meters', '{any}')
    """
    part, _, rest = path.removeprefix("/").partition("/")
    if part == "api":
        return "/".join(rest.split("/", 2)[:2])
    return part.partition(".")[0]
