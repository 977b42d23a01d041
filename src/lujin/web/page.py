"""One view, three faces: an HTML page, the same as .json, its main table as .csv."""

from __future__ import annotations

import gzip
import hashlib
import inspect
import re
import zlib
from collections.abc import Callable, Mapping
from functools import wraps
from secrets import token_hex
from typing import Any, TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import Markup, escape

from lujin.access.policy import holds
from lujin.access.viewer import Right, Viewer
from lujin.show.words import Words
from lujin.web.answers import Answer, csv_text
from lujin.web.identity import clock, csrf_field, message_of
from lujin.web.render import environment
from lujin.web.requests import speech, theme, viewer
from lujin.web.window import Window

View = TypeVar("View", bound=Callable[..., Answer])
_REQUEST = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)


def page(
    router: APIRouter, path: str, *, template: str, title: str, stable: bool = False
) -> Callable[[View], View]:
    """Register a view as ``path``, ``path.json`` and ``path.csv``.

    The view takes a ``WindowOf`` and query or path parameters and returns an ``Answer``. The template gets it as
    ``answer``, besides what ``context`` gives to every template. ``stable``: the answer changes only with the
    facts that the window's version tells of, and with the hour; page and data are then made and compressed once.
    """

    def register(view: View) -> View:
        name = view.__name__
        router.add_api_route(
            f"{path}.json", _data(view, _json, stable), name=f"{name}.json", include_in_schema=False
        )
        router.add_api_route(f"{path}.csv", _data(view, _csv, stable), name=f"{name}.csv", include_in_schema=False)
        router.add_api_route(path, _html(view, template, title, stable), name=name, include_in_schema=False)
        return view

    return register


def html(request: Request, template: str, title: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page that is not a view: a form's answer, an error."""
    text = environment().get_template(template).render(**context(request, title), **values)
    return HTMLResponse(text, status)


def context(request: Request, title: str) -> Mapping[str, Any]:
    """What every template gets: ``t`` translates, ``words`` names things, ``url`` keeps or changes the query."""
    say = speech(request)
    who = viewer(request)
    park = request.app.state.open_park.current().park
    return {
        "request": request,
        "title": say(title),
        "say": say,
        "t": say.fill,
        "words": Words(say, park),
        "park": park,
        "viewer": who,
        "holds": lambda right: who is not None and holds(who, Right(right)),
        "language": say.language,
        "theme": theme(request),
        "csrf": lambda: _own(request, "csrf", csrf_field),
        "own_name": lambda: _own(request, "name", _name),
        "kept": lambda name, caller: kept(request, name, caller),
        "url": lambda **changed: _url(request, changed),
        "data_url": lambda kind: _data_url(request, kind),
        "path": request.url.path,
        "message": message_of(request),
        "park_problems": request.app.state.open_park.problems if _sees_park(who) else (),
    }


def kept(request: Request, name: str, caller: Callable[[], str]) -> str:
    """``{% call kept("rows") %}…{% endcall %}``: a part of a page that is made once per version of the facts,
    for viewers with the same rights who ask the same in the same language. It must hold nothing of a session.
    """
    found: Window | None = getattr(request.state, "window", None)
    if found is None:
        return caller()
    return found.cached("html", (name, request.url.path, *_asked(request, found)), caller)


def _sees_park(who: Viewer | None) -> bool:
    return who is not None and holds(who, Right.CHANGE_SETTINGS)


def _html(view: Callable[..., Answer], template: str, title: str, stable: bool) -> Callable[..., Response]:
    def answer(request: Request, found: Answer) -> Response:
        return html(request, template, title, answer=found)

    return _endpoint(view, answer, _kept_html if stable else None)


def _json(_: Request, found: Answer) -> Response:
    return Response(found.model_dump_json(), media_type="application/json")


def _csv(request: Request, found: Answer) -> Response:
    text = csv_text(*found.table())
    name = request.url.path.strip("/").replace("/", "-")
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


# Where a kept page has what belongs to one session alone. Nobody outside knows the mark, so nobody writes it.
_MARK = token_hex(16)
_HOLE = re.compile(f"{_MARK}-([a-z]+)-")


def _own(request: Request, name: str, of: Callable[[Request], Markup]) -> Markup:
    """What only the one who asks may see; of a page that is kept for others too, the place where it goes."""
    return Markup(f"{_MARK}-{name}-") if getattr(request.state, "kept_page", False) else of(request)


def _name(request: Request) -> Markup:
    who = viewer(request)
    return escape(who.name if who else "")


_OWN_PARTS: Mapping[str, Callable[[Request], Markup]] = {"csrf": csrf_field, "name": _name}


def _kept_html(request: Request, window: Window, make: Callable[[], Response]) -> Response:
    """The page made once for all who have the same rights and ask the same; the token of each form and the name
    of who asks are put in afterwards. A page that has a message to say is made for itself.
    """
    if message_of(request) or request.app.state.open_park.problems:
        return make()

    def packed() -> bytes:
        request.state.kept_page = True
        try:
            return zlib.compress(bytes(make().body), 1)
        finally:
            request.state.kept_page = False

    counts = tuple(count(request) for count in request.app.state.badges.values())
    found = window.packed("page", (request.url.path, *_asked(request, window), theme(request), counts), packed)
    text = zlib.decompress(found).decode()
    return HTMLResponse(_HOLE.sub(lambda hole: _OWN_PARTS[hole[1]](request), text))


def _data(
    view: Callable[..., Answer], form: Callable[[Request, Answer], Response], stable: bool
) -> Callable[..., Response]:
    if not stable:
        return _endpoint(view, lambda request, found: tagged(request, form(request, found)))
    return _endpoint(view, form, kept_data)


def kept_data(request: Request, window: Window, make: Callable[[], Response]) -> Response:
    """The response made once and kept compressed, for all who have the same rights and ask the same."""

    def packed() -> tuple[bytes, str, str, str]:
        made = make()
        body = bytes(made.body)
        named = made.headers.get("content-disposition", "")
        return gzip.compress(body, 6, mtime=0), _tag(body), made.headers["content-type"], named

    body, tag, kind, named = window.packed("data", (request.url.path, *_asked(request, window)), packed)
    if (unchanged := _unchanged(request, tag)) is not None:
        return unchanged
    headers = {"etag": tag, "cache-control": _OWN, "content-type": kind, "vary": "accept-encoding"}
    if named:
        headers["content-disposition"] = named
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(body, headers={**headers, "content-encoding": "gzip"})
    return Response(gzip.decompress(body), headers=headers)


def _asked(request: Request, window: Window) -> tuple[Any, ...]:
    """What an answer depends on besides the facts: query, language, day and hour, and the rights of who asks."""
    who = window.viewer
    rights = (who.role, who.enterprises, who.meters, who.scopes)
    query = tuple(sorted((k, v) for k, v in request.query_params.multi_items() if k not in ("message", "seal")))
    now = clock(request)
    day, hour = now.astimezone(ZoneInfo(window.zone)).date(), int(now.timestamp()) // 3600
    return query, speech(request).language, day, hour, rights


def tagged(request: Request, response: Response) -> Response:
    """The response with its ETag, or 304 when the client has it already."""
    tag = _tag(bytes(response.body))
    if (unchanged := _unchanged(request, tag)) is not None:
        return unchanged
    response.headers.update({"etag": tag, "cache-control": _OWN})
    return response


_OWN = "private, no-cache"


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _unchanged(request: Request, tag: str) -> Response | None:
    asked = request.headers.get("if-none-match", "")
    if tag in (part.strip().removeprefix("W/") for part in asked.split(",")) or asked.strip() == "*":
        return Response(status_code=304, headers={"etag": tag, "cache-control": _OWN})
    return None


def _endpoint(
    view: Callable[..., Answer],
    answer: Callable[[Request, Answer], Response],
    keep: Callable[[Request, Window, Callable[[], Response]], Response] | None = None,
) -> Callable[..., Response]:
    """The view with the request beside its own parameters, and its answer made a response."""
    signature = inspect.signature(view, eval_str=True)
    takes_request = "request" in signature.parameters

    @wraps(view)
    def endpoint(*, request: Request, **values: Any) -> Response:
        def make() -> Response:
            found = view(**values, request=request) if takes_request else view(**values)
            return answer(request, found)

        return make() if keep is None else keep(request, values["window"], make)

    own = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in signature.parameters.values()]
    listed = own if takes_request else [_REQUEST, *own]
    endpoint.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=listed, return_annotation=Response
    )
    endpoint.__annotations__ = {p.name: p.annotation for p in listed}
    return endpoint


def _url(request: Request, changed: Mapping[str, Any]) -> str:
    kept = {k: v for k, v in request.query_params.items() if k not in ("message", "seal")}
    query = {k: v for k, v in {**kept, **changed}.items() if v not in (None, "")}
    return request.url.path + (f"?{urlencode(query)}" if query else "")


def _data_url(request: Request, kind: str) -> str:
    path, _, query = _url(request, {}).partition("?")
    return f"{path}.{kind}" + (f"?{query}" if query else "")
