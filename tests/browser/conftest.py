"""A real Chromium. Every page is watched: an error in its console, a refused script or style fails the test."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-sync",
]
PHONE = {"width": 390, "height": 844}
TABLET = {"width": 820, "height": 1100}
DESKTOP = {"width": 1440, "height": 900}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium where it is there, else Playwright's own; without either the browser tests are skipped."""
    # Playwright's loop runs in this thread; Django would take that for an async view and refuse its database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        try:
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        except Error as error:
            pytest.skip(f"no Chromium to drive (apt-get install chromium): {error.message.splitlines()[0]}")
        yield browser
        browser.close()


class Watch:
    """What went wrong on a page. `expected` are parts of messages that a test provokes."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.expected: list[str] = []

    def add(self, text: str) -> None:
        """One message of the console, or an uncaught error."""
        self.problems.append(text)

    def unexpected(self) -> list[str]:
        """Everything that no test asked for."""
        return [p for p in self.problems if not any(part in p for part in self.expected)]


@pytest.fixture
def watch() -> Watch:
    """What the pages of this test complained about."""
    return Watch()


@pytest.fixture
def open_context(chromium: Browser, watch: Watch) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browser contexts (`viewport`, `color_scheme`, …) whose pages are watched."""
    opened: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        context = chromium.new_context(
            **{"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "UTC"} | options
        )
        context.set_default_timeout(15_000)
        context.on("console", lambda m: watch.add(m.text) if m.type in ("error", "warning") else None)
        context.on("weberror", lambda e: watch.add(str(e.error)))
        opened.append(context)
        return context

    yield make
    for context in opened:
        context.close()
    assert watch.unexpected() == []


@pytest.fixture
def sign_in(site: Any) -> Callable[[BrowserContext, Any], None]:
    """Puts a person's session into a context, without the form."""

    def put(context: BrowserContext, user: Any) -> None:
        client = Client()
        client.force_login(user)
        context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}]
        )

    return put


@pytest.fixture
def page(
    site: Any,
    committed_world: Any,
    open_context: Callable[..., BrowserContext],
    sign_in: Callable[[BrowserContext, Any], None],
) -> Page:
    """A desktop page of the owner of `committed_world`; paths are relative to the site."""
    context = open_context(base_url=site.url)
    sign_in(context, committed_world.owner)
    return context.new_page()
