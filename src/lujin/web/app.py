"""The application: pages and API over one park."""

from __future__ import annotations

import pkgutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from types import ModuleType

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.gzip import GZipMiddleware

import lujin
from lujin.web import api, menu, problems, routes, security
from lujin.web.bodies import BodyLimit, limits
from lujin.web.cache import Cache
from lujin.web.lanes import Lanes
from lujin.web.metrics import Metrics
from lujin.web.opened import open_park
from lujin.web.render import environment
from lujin.web.settings import MIB, Settings
from lujin.web.static_files import router as static_router
from lujin.web.static_files import static
from lujin.web.stopping import stopping
from lujin.web.turns import Turns
from lujin.web.watch import Watch

ANSWERS, ANSWER_BYTES = 5000, 96 * MIB  # kept as they are sent, compressed


def create_app(settings: Settings) -> FastAPI:
    """Each module of ``routes`` and ``api`` has a ``router``; it may have a ``lifespan(app)`` for work that goes
    on beside the requests, and ``install(app)`` for what it puts into ``app.state``.
    """
    app = FastAPI(
        title="lujin 绿金",
        version=lujin.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=_lifespan,
        dependencies=[Depends(security.own_form)],
    )
    app.state.settings = settings
    app.state.open_park = open_park(settings)
    app.state.cache = Cache()
    app.state.answers = Cache(ANSWERS, ANSWER_BYTES)
    app.state.metrics = Metrics.new()
    app.state.stopping = threading.Event()
    app.state.badges = {}
    app.state.viewer_of = None
    app.state.modules = tuple(_modules(routes, api))
    environment().globals |= {"static": static, "menu": menu.menu, "badge": menu.badge}
    app.include_router(static_router)
    for module in app.state.modules:
        if hasattr(module, "router"):
            app.include_router(module.router)
        if hasattr(module, "install"):
            module.install(app)
    routers = [module.router for module in app.state.modules if hasattr(module, "router")]
    app.state.page_paths = frozenset(
        r.path for router in routers for r in router.routes if isinstance(r, APIRoute)
    )
    app.router.middleware_stack = Lanes(app.router.middleware_stack, app.router)
    problems.install(app)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=2)
    app.add_middleware(BodyLimit, limit_of=limits(settings.upload_limit))
    app.add_middleware(security.Guard, doors=settings.doors)
    app.add_middleware(Turns)
    app.add_middleware(Watch, metrics=app.state.metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(stopping(app))
        for module in app.state.modules:
            if hasattr(module, "lifespan"):
                await stack.enter_async_context(module.lifespan(app))
        yield
    app.state.open_park.close()


def _modules(*packages: ModuleType) -> Iterator[ModuleType]:
    for package in packages:
        for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
            yield import_module(f"{package.__name__}.{found.name}")
