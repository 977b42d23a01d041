"""For whoever runs the server: is it alive, is it ready, how does it fare."""

from __future__ import annotations

import hmac
import ipaddress

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

import lujin
from lujin.errors import N_, ForbiddenError, LujinError, Problem
from lujin.web.opened import OpenPark

router = APIRouter(include_in_schema=False)
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


@router.get("/healthz")
async def healthz() -> Response:
    """The process answers; it need not be able to do more."""
    return JSONResponse({"status": "ok", "version": lujin.__version__}, headers={"cache-control": "no-store"})


@router.get("/readyz")
def readyz(request: Request) -> Response:
    """Whether it should get visitors: 200, or 503 with what is not right."""
    state = request.app.state
    checks = {"serving": not state.stopping.is_set(), **_checked(state.open_park)}
    ready = all(checks.values())
    body = {"status": "ready" if ready else "not ready", "checks": checks}
    return JSONResponse(body, 200 if ready else 503, {"cache-control": "no-store"})


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """For Prometheus on this machine, or with the token that LUJIN_WEB_METRICS_TOKEN names."""
    state = request.app.state
    if not (_is_near(request) or _has_token(request, state.settings.metrics_token)):
        raise ForbiddenError(
            Problem(
                N_("figures about the server are for this machine only"),
                remedy=N_("ask from the machine itself, or with the token set in LUJIN_WEB_METRICS_TOKEN"),
            )
        )
    text = state.metrics.text(state.open_park.current)
    return Response(text, media_type=CONTENT_TYPE_LATEST, headers={"cache-control": "no-store"})


def _checked(park: OpenPark) -> dict[str, bool]:
    found = {"park_file": not park.problems, "database": True, "readings": True}
    try:
        with park.workspace.engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except LujinError:
        found["database"] = False
    try:
        park.workspace.store.months()
    except LujinError:
        found["readings"] = False
    return found


def _is_near(request: Request) -> bool:
    """From this machine itself. What a proxy on this machine passes on comes from elsewhere."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _has_token(request: Request, token: str) -> bool:
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    return bool(token) and kind.lower() == "bearer" and hmac.compare_digest(given.encode(), token.encode())
