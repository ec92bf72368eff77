"""Adapters in a real browser: two people move an alias, one takes it back, with and without scripts."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from rootstock.accounts.models import Role
from rootstock.accounts.tenancy import tenant
from rootstock.gateway.served import model_find
from rootstock.lanes import wire
from rootstock.lanes.client import connection
from tests.browser.test_axe import looked_over, with_dialogs
from tests.browser.test_console import SANITY
from tests.fixtures.registry import full_registry, version_row

pytestmark = [pytest.mark.slow, pytest.mark.browser]
NAME = "tone:production"


@pytest.fixture
def two_people(
    web_url: str,
    committed_world: Any,
    open_context: Callable[..., BrowserContext],
    sign_in: Callable[[BrowserContext, Any], None],
) -> Callable[..., tuple[Page, Page]]:
    """A page of the owner and one of an engineer."""

    def pages(**options: Any) -> tuple[Page, Page]:
        found = []
        for user in (committed_world.owner, committed_world.person(Role.ML_ENGINEER)):
            context = open_context(base_url=web_url, **options)
            sign_in(context, user)
            found.append(context.new_page())
        return found[0], found[1]

    return pages


@pytest.fixture
def versions(committed_world: Any, base: Any) -> list[Any]:
    """Two of the served base."""
    with tenant(committed_world.organisation) as owner:
        return [version_row(owner, "tone") for _ in range(2)]


def served(world: Any) -> str:
    return model_find(world.organisation, NAME, key="").id


def ask(page: Page, version: Any) -> None:
    """Propose it from its own page."""
    page.goto("/adapters/")
    page.get_by_role("link", name=f"@{version.digest[:12]}").click()
    page.get_by_role("link", name="Propose for an alias").click()
    page.get_by_label("Reason").fill("It answers more kindly")
    page.get_by_role("button", name="Ask for it").click()
    expect(page.get_by_text("Somebody else has to agree")).to_be_visible()


def test_two_people_move_an_alias_and_one_takes_it_back(
    two_people: Any, committed_world: Any, versions: list[Any]
) -> None:
    owner, engineer = two_people()
    for version in versions:
        ask(owner, version)
        expect(owner.get_by_role("button", name="Approve")).to_have_count(0)
        engineer.goto("/")
        engineer.get_by_role("link", name="1 promotion waits for a second person").click()
        engineer.get_by_role("button", name="Approve").click()
        dialog = engineer.locator("#confirm")
        expect(dialog).to_contain_text("It was never evaluated")
        dialog.get_by_role("button", name="Approve").click()
        expect(dialog).to_be_visible()  # a reason is asked for
        dialog.get_by_label("Say why").fill("I tried it by hand")
        dialog.get_by_role("button", name="Approve").click()
        expect(engineer.locator("main .banner", has_text="Approved: tone:production")).to_be_visible()
        assert served(committed_world) == version.reference
    owner.goto("/deployments/")
    owner.get_by_role("button", name="Roll back").press("Enter")
    dialog = owner.locator("#confirm")
    expect(dialog).to_contain_text(f"Every request from now on gets {versions[0].reference}")
    expect(dialog.get_by_label("Say why")).to_be_focused()
    owner.keyboard.type("It was rude at night")
    dialog.get_by_role("button", name="Roll back now").click()
    expect(owner.get_by_text("is rolled back")).to_be_visible()
    expect(owner.get_by_text("It was rude at night")).to_be_visible()
    assert served(committed_world) == versions[0].reference


def test_it_goes_without_scripts(two_people: Any, committed_world: Any, versions: list[Any]) -> None:
    owner, engineer = two_people(java_script_enabled=False)
    ask(owner, versions[0])
    engineer.goto("/deployments/")
    engineer.get_by_role("textbox", name="Reason").fill("I tried it by hand")
    engineer.get_by_role("button", name="Approve").click()
    expect(engineer.locator("main .banner", has_text="Approved: tone:production")).to_be_visible()
    assert served(committed_world) == versions[0].reference


def tell(digest: str, hits: int) -> None:
    """What a worker would publish."""
    told = {"adapter": digest, "task": "chat", "slot": 3, "in_use": 1, "rank": 16, "bytes": 3_700_000,
            "tier": "device", "pinned": True, "hits": hits}  # fmt: skip
    state = {
        "name": "language@here", "groups": ["language"], "lanes": {}, "base": {"name": "smollm2-135m", "bytes": 1},
        "adapters": [told], "memory_bytes": 900_000_000, "started_at": 0.0, "seen_at": 0.0,
        "engine": {"device": "cpu", "slots": 16, "tiers": {"device": 1}, "adapter_bytes": 3_700_000,
                   "adapter_room": 536_870_912},
    }  # fmt: skip
    connection().set("worker:language@here", json.dumps(state), ex=wire.ALIVE_S * 10)


@pytest.fixture
def registry(committed_world: Any, services: Any) -> Any:
    """One of everything, and a worker that holds an adapter."""
    made = full_registry(committed_world)
    tell(made["second"].digest, 3)
    yield made
    connection().delete("worker:language@here")


def test_the_map_renews_itself(page: Page, registry: Any) -> None:
    page.goto("/residency/")
    expect(page.get_by_text("slot 3 · 1 now · 3 hits")).to_be_visible()
    tell(registry["second"].digest, 4321)
    expect(page.get_by_text("4,321 hits")).to_be_visible(timeout=12_000)


def test_a_phone_shows_every_worker_and_both_versions(page: Page, registry: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    one, other = registry["first"], registry["second"]
    for path, cells in (
        ("/residency/", "main td:has(.residency-cell)"),
        (
            f"/adapters/compare?one={one.pk}&other={other.pk}",
            "main .diff-new:visible, main td[data-label='Change']",
        ),
    ):
        page.goto(path)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            boxes = [cell.bounding_box() for cell in page.locator(cells).all()]
            assert boxes
            assert all(box and box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)


@pytest.mark.timeout(300)
def test_every_page_is_clean(page: Page, registry: Any) -> None:
    problems = {}
    for name, path in addresses(registry).items():
        page.goto(path)
        found = looked_over(page) + with_dialogs(page) + page.evaluate(SANITY)
        if found:
            problems[name] = found
    assert problems == {}


def addresses(made: dict[str, Any]) -> dict[str, str]:
    """The lists with something in them, and what no other test looks at; test_axe has the pages of one thing."""
    return {
        "adapters": "/adapters/",
        "describe": f"/adapters/{made['third'].pk}/card/",
        "deployments": "/deployments/",
        "promotions": "/deployments/promotions/",
        "residency": "/residency/",
    }
