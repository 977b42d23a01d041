"""Real Chromium over the real server. No browser is downloaded: Debian's is used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from lujin.access.viewer import Role

from ..served import Served, serving
from .looking import Watched

if TYPE_CHECKING:
    from playwright._impl._api_structures import SetCookieParam

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
Open = Callable[..., Watched]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed; scripts/test_system.sh installs it")
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS), headless=True)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def server(demo_park: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo park, served; tests that share it do not write to it."""
    copy = shutil.copytree(demo_park, tmp_path_factory.mktemp("browser") / "park")
    with serving(Path(copy), {}) as served:
        yield served


def new_window(
    browser: Browser, address: str, width: int, language: str = "zh", scripts: bool = True
) -> BrowserContext:
    context = browser.new_context(
        base_url=address,
        viewport={"width": width, "height": 844 if width < 600 else 900},
        has_touch=width < 600,
        locale="zh-CN" if language == "zh" else "en-GB",
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
        accept_downloads=True,
        java_script_enabled=scripts,
    )
    context.set_default_timeout(20_000)
    return context


def cookies(served: Served, role: Role | None, language: str, theme: str) -> list[SetCookieParam]:
    """Those of a person signed in who has chosen language and colours."""
    values = {"lujin_language": language, "lujin_theme": theme, **served.cookies(role)}
    return [{"name": name, "value": value, "url": served.address} for name, value in values.items()]


@pytest.fixture
def page_of(browser: Browser, server: Served) -> Iterator[Open]:
    """Opens a page as somebody: ``page_of(Role.OPERATOR, "zh", 390, "dark")``."""
    contexts: list[BrowserContext] = []

    def one(
        role: Role | None = Role.OPERATOR,
        language: str = "en",
        width: int = 1440,
        theme: str = "light",
        served: Served = server,
        scripts: bool = True,
    ) -> Watched:
        context = new_window(browser, served.address, width, language, scripts)
        context.add_cookies(cookies(served, role, language, theme))
        contexts.append(context)
        return Watched(context.new_page(), f"{language}-{theme}-{width}", scripts)

    yield one
    for context in contexts:
        context.close()
