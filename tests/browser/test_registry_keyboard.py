"""From a file to an alias and back with the keyboard alone: every stop of Tab is seen, and nothing needs a mouse."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.models import Role
from rootstock.accounts.tenancy import tenant
from rootstock.gateway.served import model_find
from rootstock.registry import aliases
from tests.fixtures.adapters import peft_files, zipped
from tests.fixtures.registry import version_row

pytestmark = [pytest.mark.slow, pytest.mark.browser]
NAME = "tone:production"
MOST_STOPS = 120
ONE = re.compile(r"/adapters/[0-9a-f-]{36}/$")
# The name of what has the focus, and what is wrong with how that shows. A field of one pixel stands for its label.
STOP = """() => {
  const here = document.activeElement, small = here.getBoundingClientRect().width <= 1;
  const shown = small ? here.closest('label') ?? here.parentElement : here;
  const style = getComputedStyle(shown), box = shown.getBoundingClientRect();
  const ringed = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1;
  const within = (at, most) => Math.min(Math.max(at, 0), most - 1);
  const [x, y] = [within(box.left + box.width / 2, innerWidth), within(box.top + box.height / 2, innerHeight)];
  const top = document.elementFromPoint(x, y);
  const seen = box.width > 1 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const covered = top && !shown.contains(top) && !top.contains(shown) && !top.closest('label')?.contains(shown);
  const wrong = !ringed ? 'no ring' : !seen ? 'out of sight' : covered ? `below ${top.outerHTML.slice(0, 60)}` : '';
  const label = here.getAttribute('aria-label') ?? here.labels?.[0]?.innerText ?? here.innerText ?? '';
  return [label.trim().replace(/\\s+/g, ' '), wrong && `${wrong}: ${here.outerHTML.slice(0, 160)}`];
}"""


class Keyboard:
    """A person without a mouse."""

    def __init__(self, page: Page) -> None:
        self.page, self.wrong = page, set[str]()

    def to(self, name: str) -> None:
        """Press Tab until what is called so has the focus."""
        passed: list[str] = []
        for _ in range(MOST_STOPS):
            self.page.keyboard.press("Tab")
            label, wrong = self.page.evaluate(STOP)
            self.wrong |= {wrong} - {""}
            if label.startswith(name):
                return
            passed.append(label)
        pytest.fail(f"{name} is not reached by Tab on {self.page.url}; passed: {passed}")

    def press(self, name: str, key: str = "Enter", leads_to: str = "") -> None:
        """Go there and press it; wait for the address that it leads to."""
        self.to(name)
        self.page.keyboard.press(key)
        if leads_to:
            self.page.wait_for_url(leads_to)

    def write(self, name: str, text: str) -> None:
        """Go to a field and write over what it holds."""
        self.to(name)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)


@pytest.fixture
def person(
    web_url: str, open_context: Callable[..., BrowserContext], sign_in: Callable[..., None]
) -> Callable[[Any], Keyboard]:
    """This person's keyboard."""

    def sat_down(user: Any) -> Keyboard:
        context = open_context(base_url=web_url)
        sign_in(context, user)
        return Keyboard(context.new_page())

    return sat_down


@pytest.fixture
def served(site: Any, committed_world: Any) -> Any:
    """A version that the alias serves already."""
    owner, engineer = committed_world.owner, committed_world.person(Role.ML_ENGINEER)
    organisation = committed_world.organisation
    with tenant(organisation) as owned_by:
        version = version_row(owned_by, "tone")
    with acting(Actor("person", str(owner.pk))):
        asked = aliases.promotion_request(
            organisation=organisation, alias=NAME, reference=version.reference, change="serve", reason="first"
        )
    with acting(Actor("person", str(engineer.pk))):
        aliases.promotion_approve(
            organisation=organisation, promotion_id=asked.pk, because="known", without_evaluation=True
        )
    return version


@pytest.mark.timeout(120)
def test_a_version_serves_and_is_rolled_back(
    served: Any, person: Any, committed_world: Any, tmp_path: Path
) -> None:
    archive = tmp_path / "tone.zip"
    archive.write_bytes(zipped(peft_files(tmp_path, seed=12)))
    first, second = person(committed_world.owner), person(committed_world.person(Role.ML_ENGINEER))
    reference = brought(first, archive)
    asked(first)
    agreed(second)
    assert model_find(committed_world.organisation, NAME, key="").id == reference
    first.page.goto("/deployments/")
    first.press("Roll back")
    expect(first.page.locator("#confirm").get_by_label("Say why")).to_be_focused()
    first.page.keyboard.type("It was rude at night")
    first.press("Roll back now", "Space")
    expect(first.page.get_by_text("is rolled back")).to_be_visible()
    assert model_find(committed_world.organisation, NAME, key="").id == served.reference
    assert first.wrong | second.wrong == set()


def brought(keyboard: Keyboard, archive: Path) -> str:
    """Upload it, wait for its checks, and open its page; its reference."""
    page = keyboard.page
    page.goto("/adapters/")
    keyboard.press("Upload", leads_to="**/adapters/upload")
    keyboard.to("Choose the files")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files([archive])
    keyboard.press("Upload and check")
    expect(page.get_by_role("status").filter(has_text="Taken as tone@")).to_be_visible(timeout=60_000)
    keyboard.press("tone@", leads_to=ONE)
    expect(page.get_by_role("heading", level=1)).to_contain_text("tone@")
    return page.get_by_role("heading", level=1).inner_text().strip()


def asked(keyboard: Keyboard) -> None:
    """Ask for it from its own page."""
    keyboard.press("Propose for an alias", leads_to="**/propose/")
    keyboard.write("Alias", NAME)
    keyboard.write("Reason", "It answers more kindly")
    keyboard.press("Ask for it", "Space")
    expect(keyboard.page.get_by_text("Somebody else has to agree")).to_be_visible()


def agreed(keyboard: Keyboard) -> None:
    """Agree, from what waits on the home page."""
    page = keyboard.page
    page.goto("/")
    keyboard.press("1 promotion waits for a second person", leads_to="**/deployments/**")
    keyboard.press("Approve", "Space")
    dialog = page.locator("#confirm")
    expect(dialog).to_contain_text("It was never evaluated")
    expect(dialog.get_by_label("Say why")).to_be_focused()
    page.keyboard.type("I tried it by hand")
    keyboard.press("Approve")
    expect(page.locator("main .banner", has_text=f"Approved: {NAME}")).to_be_visible()
