"""A real Chromium against the real web process. Every page is watched: an error in its console, a refused script or
style fails the test. Tests of pages that need workers ask for `site` too: both share the database and Valkey."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.chromium import find, why_missing
from tests.fixtures.processes import free_port

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
    """One that is there, see tests/chromium.py; without one the browser tests are skipped and say why."""
    # Playwright's loop runs in this thread; Django would take that for an async view and refuse its database.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        path = find()
        if path is None:
            pytest.skip(why_missing())
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
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


@pytest.fixture(scope="session")
def web_url(django_db_setup: None) -> Iterator[str]:
    """The web process alone, as `manage.py up` starts it; its output is in var/test/web.log. Its counts are in a
    folder of their own: a whole site that starts beside it clears what others before it left."""
    from rootstock.operations import stack

    address = stack.Address("127.0.0.1", free_port())
    web = next(process for process in stack.processes(address) if process.name == "web")
    own = {"PROMETHEUS_MULTIPROC_DIR": str(Path(settings.VAR_DIR) / "metrics-alone")}
    with (Path(settings.VAR_DIR) / "web.log").open("w") as log:
        process = subprocess.Popen(
            web.command, env=os.environ | web.environment | own, stdout=log, stderr=log
        )
        try:
            _wait_for(f"{address.url}/healthz", process)
            yield address.url
        finally:
            process.terminate()
            process.wait(timeout=20)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            httpx.get(url).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.2)
    pytest.fail(f"the web process did not answer; see {settings.VAR_DIR}/web.log")


@pytest.fixture
def sign_in(web_url: str) -> Callable[[BrowserContext, Any], None]:
    """Puts a person's session into a context, without the form."""

    def put(context: BrowserContext, user: Any) -> None:
        client = Client()
        client.force_login(user)
        context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": web_url}]
        )

    return put


@pytest.fixture
def page(
    web_url: str,
    committed_world: Any,
    open_context: Callable[..., BrowserContext],
    sign_in: Callable[[BrowserContext, Any], None],
) -> Page:
    """A desktop page of the owner of `committed_world`; paths are relative to the site."""
    context = open_context(base_url=web_url)
    sign_in(context, committed_world.owner)
    return context.new_page()
