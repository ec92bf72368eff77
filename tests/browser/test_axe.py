"""axe over every page that needs nothing but an address, in light and dark; and no page scrolls sideways."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import URLPattern, URLResolver, get_resolver

from tests.browser.conftest import DESKTOP, PHONE, TABLET

pytestmark = [pytest.mark.slow, pytest.mark.browser]
PARTS = 3  # so that the processes of the suite share the work
# Not pages of the console: answers of the API, of allauth's own flows, parts, downloads, and what only redirects.
NOT_PAGES = re.compile(
    r"^(api/v1/(?!docs)|v1/|account/(?!$|2fa/)|operator|\.well-known|oauth|healthz|readyz|metrics|health/|home/live|palette"
    r"|logout|login|organisation|static|audit/export|audit/chain/verify|jobs/live)"
)


def addresses(patterns: list[Any] | None = None, prefix: str = "") -> list[str]:
    """Every address without a parameter."""
    found: list[str] = []
    for one in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + str(one.pattern)
        if isinstance(one, URLResolver):
            found += addresses(one.url_patterns, path)
        elif (
            isinstance(one, URLPattern) and "<" not in path and "^" not in path and not NOT_PAGES.match(path)
        ):
            found.append(f"/{path}")
    return sorted(set(found))


def violations(page: Any, *rules: str) -> list[str]:
    """What axe found, in a line each; all rules, or only these."""
    only = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    found = Axe().run(page, options={"resultTypes": ["violations"], **only})
    return [
        f"{one['id']}: {one['help']} · {one['nodes'][0]['html'][:160]}"
        for one in found.response["violations"]
    ]


def looked_over(page: Any) -> list[str]:
    """Light and dark, and at three widths."""
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    found += [f"dark: {one}" for one in violations(page, "color-contrast")]
    page.emulate_media(color_scheme="light")
    for size in (PHONE, TABLET, DESKTOP):
        page.set_viewport_size(size)
        width = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{width} px wide on {size['width']}"] if width > size["width"] else []
    return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_is_clean(web_url, committed_world, open_context, sign_in, watch, part):
    context = open_context(base_url=web_url, viewport=DESKTOP, color_scheme="light")
    sign_in(context, committed_world.owner)
    page = context.new_page()
    watch.expected += ["405", "Failed to load resource"]
    problems: dict[str, list[str]] = {}
    looked_at = []
    for path in addresses()[part::PARTS]:
        answer = page.goto(path)
        if (
            answer is None
            or answer.status != 200
            or "text/html" not in answer.headers.get("content-type", "")
        ):
            continue
        looked_at.append(path)
        if found := looked_over(page):
            problems[path] = found
    assert len(looked_at) > 5
    assert problems == {}


def test_signing_in_is_clean(web_url, committed_world, open_context):
    page = open_context(base_url=web_url, viewport=DESKTOP, color_scheme="light").new_page()
    page.goto("/login/")
    assert looked_over(page) == []
