"""Pages in the Chromium of this system: `browser_page(path)` opens one and, in the end, holds it to be quiet."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Route, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
HANG_GUARD_MS = 30_000  # ends a hang; never a claim about speed
HEIGHT = 900  # px

BrowserPage = Callable[..., Page]


def listen(page: Page, own: str, troubles: list[str]) -> None:
    """Write down whatever a page that keeps to itself does not do; `own` is its address."""

    def console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            troubles.append(f"console {message.type}: {message.text}")

    def dialog(shown: Dialog) -> None:
        troubles.append(f"dialog: {shown.message}")
        shown.dismiss()

    def request(route: Route) -> None:
        if route.request.url.partition("#")[0] == own:
            route.continue_()
        else:
            troubles.append(f"request: {route.request.method} {route.request.url}")
            route.abort()

    page.on("console", console)
    page.on("dialog", dialog)
    page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
    page.on("popup", lambda popup: troubles.append(f"popup: {popup.url}"))
    page.context.route("**/*", request)


def find_chromium() -> str:
    """The program. Without one these tests fail: a page that nobody looked at is not tested."""
    named = os.environ.get("CHROMIUM")
    found = next(filter(None, map(shutil.which, [named] if named else NAMES)), None)
    if found is None:
        pytest.fail(f"no {named or 'Chromium'} on this system: `apt-get install chromium`, or name one in $CHROMIUM")
    return found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium())
        yield browser
        browser.close()


@pytest.fixture
def browser_page(chromium: Browser) -> Iterator[BrowserPage]:
    """Open a page: `browser_page(path, scheme="light", width=1600, scripts=True) -> playwright Page`.

    At the end of the test, whatever was opened must have logged no error or warning, shown no dialog, and asked
    for nothing but its own file.
    """
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def open_page(path: Path, scheme: str = "light", width: int = 1600, *, scripts: bool = True) -> Page:
        context = chromium.new_context(
            color_scheme=scheme,  # type: ignore[arg-type]  # a plain word is handier in parametrize
            viewport={"width": width, "height": HEIGHT},
            java_script_enabled=scripts,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        context.set_default_timeout(HANG_GUARD_MS)
        page = context.new_page()
        listen(page, path.resolve().as_uri(), troubles)
        page.goto(path.resolve().as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []
