"""axe over every page, those of one thing and the operators' site too, in light and dark; and none scrolls sideways."""

import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import URLPattern, URLResolver, get_resolver
from playwright.sync_api import Error

from rootstock.accounts.models import User
from rootstock.accounts.tenancy import tenant
from rootstock.ids import uuid7
from rootstock.operator.site import site as operator_site
from tests.apps.fraud.conftest import runtime  # noqa: F401  (a fixture)
from tests.browser.conftest import DESKTOP, PHONE, TABLET
from tests.browser.everything import everything

pytestmark = [pytest.mark.slow, pytest.mark.browser]
AXE = Axe().axe_script
SHELL = (".rail", ".topbar", ".palette", "#nav-sidebar-inner")
WHOLE = ("/", "/operator/")  # looked at with what every page has around it
PARTS = 3  # so that the processes of the suite share the work
# Charts are drawn anew a frame after the page has another width.
SETTLED = (
    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))"
)
# What django-unfold's pages are held to; ours keep axe's other rules of good practice too.
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
# Not pages of the console: answers of the API, of allauth's own flows, parts, downloads, and what only redirects.
NOT_PAGES = re.compile(
    r"^(api/v1/(?!docs)|v1/|account/(?!$|2fa/)|operator|\.well-known|oauth|healthz|readyz|metrics|health/|home/live|palette"
    r"|engine/live|residency/live|playground/answers|logout|login|organisation|static|audit/export|audit/chain/verify|jobs/live)"
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


def violations(page: Any, *rules: str, within: str | None = None, whole: bool = False) -> list[str]:
    """What axe found, in a line each; all rules, or only these, or those of these standards. within: a selector.
    whole: with what every page has around it, which is looked at once."""
    kind = "tag" if set(rules) & set(WCAG) else "rule"
    options = {"resultTypes": ["violations"], "preload": False, "iframes": False}
    options |= {"runOnly": {"type": kind, "values": list(rules)}} if rules else {}
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    place: Any = within or (
        None if whole else {"exclude": [[one] for one in SHELL if page.query_selector(one)]}
    )
    found = page.evaluate("([place, options]) => axe.run(place ?? document, options)", [place, options])
    return [f"{one['id']}: {one['help']} · {one['nodes'][0]['html'][:160]}" for one in found["violations"]]


def looked_over(page: Any, *rules: str, whole: bool = False) -> list[str]:
    """Light and, of our own pages, dark; and at three widths."""
    found = violations(page, *rules, whole=whole)
    if not rules:
        page.emulate_media(color_scheme="dark")
        found += [f"dark: {one}" for one in violations(page, "color-contrast", whole=whole)]
        page.emulate_media(color_scheme="light")
    found += too_wide(page, DESKTOP)
    for size in (PHONE, TABLET):
        page.set_viewport_size(size)
        page.evaluate(SETTLED)
        found += too_wide(page, size)
    page.set_viewport_size(DESKTOP)
    return found


def too_wide(page: Any, size: dict[str, int]) -> list[str]:
    """What scrolls sideways at this width."""
    width = page.evaluate("document.documentElement.scrollWidth")
    return [f"{width} px wide on {size['width']}"] if width > size["width"] else []


@pytest.fixture
def look(web_url, committed_world, open_context, sign_in, watch):
    """Goes to a page as the owner and gives what is wrong with it; None for what is no page."""
    context = open_context(base_url=web_url, viewport=DESKTOP, color_scheme="light")
    sign_in(context, committed_world.owner)
    page = context.new_page()
    watch.expected += ["405", "Failed to load resource: the server responded with a status of 4"]

    def at(path: str, *rules: str) -> list[str] | None:
        try:
            answer = page.goto(path)
        except Error:  # a download, or refused without a word, where the browser does not go
            return None
        if answer.status != 200 or "text/html" not in answer.headers.get("content-type", ""):
            return None
        for more in page.locator("main details.more > summary").all():
            more.click()
        return looked_over(page, *rules, whole=path in WHOLE) + with_dialogs(page)

    return at


def with_dialogs(page: Any) -> list[str]:
    """What is wrong once a question is asked, a menu is open."""
    found = []
    for ask in page.locator("form[data-confirm] button[type=submit]:visible").all()[:3]:
        ask.click()
        page.locator("dialog[open]").wait_for()
        found += [f"dialog: {one}" for one in violations(page, within="dialog[open]")]
        page.keyboard.press("Escape")
    for menu in page.locator("main details.dropdown:visible > summary").all():
        menu.click()
        found += [f"menu: {one}" for one in violations(page, within="main details.dropdown[open]")]
        menu.click()
    return found


@pytest.mark.timeout(400)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_is_clean(look, part):
    found = {path: look(path) for path in addresses()[part::PARTS]}
    assert len([path for path, problems in found.items() if problems is not None]) > 5
    assert {path: problems for path, problems in found.items() if problems} == {}


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("runtime")
def test_every_page_of_one_thing_is_clean(look, committed_world):
    found = {name: look(path) for name, path in everything(committed_world).items()}
    assert {name: problems for name, problems in found.items() if problems != []} == {}


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("runtime")
def test_the_operators_site_is_clean(look, committed_world):
    everything(committed_world)
    User.objects.filter(pk=committed_world.owner.pk).update(is_staff=True, is_superuser=True)
    with tenant(committed_world.organisation):
        newest = {model: model._default_manager.order_by("-pk").first() for model in operator_site._registry}
    paths = ["/operator/"]
    for model, row in newest.items():
        paths.append(f"/operator/{model._meta.app_label}/{model._meta.model_name}/")
        paths += [f"{paths[-1]}{row.pk}/change/"] if row else []
    found = {path: look(path, *WCAG) for path in paths}
    assert {path: problems for path, problems in found.items() if problems != []} == {}


@pytest.mark.parametrize("viewer", ["stranger", "anonymous"])
def test_errors_and_invitations_are_clean(web_url, committed_world, open_context, sign_in, watch, viewer):
    """What somebody meets who may not go on, or has only just come."""
    from rootstock.accounts.services import invitation_create

    _, token = invitation_create(
        organisation=committed_world.organisation, email="ada@example.org", role="auditor"
    )
    context = open_context(base_url=web_url, viewport=DESKTOP, color_scheme="light")
    if viewer == "stranger":
        sign_in(context, committed_world.person("support_agent"))
    page = context.new_page()
    watch.expected += ["Failed to load resource"]
    found = {}
    for path in (f"/join/{token}/", "/join/none/", "/nothing/", "/audit/", f"/jobs/{uuid7()}/"):
        page.goto(path)
        found[path] = looked_over(page)
    assert {path: problems for path, problems in found.items() if problems} == {}


def test_signing_in_is_clean(web_url, committed_world, open_context):
    page = open_context(base_url=web_url, viewport=DESKTOP, color_scheme="light").new_page()
    page.goto("/login/")
    assert looked_over(page) == []
