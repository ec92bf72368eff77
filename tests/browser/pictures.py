"""The pictures of README: `python tests/browser/pictures.py` beside a running `make up` that `make demo` has filled."""

import os
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rootstock.settings")
sys.path[:0] = [str(Path(__file__).resolve().parents[2] / part) for part in ("platform", ".")]

import django  # noqa: E402  (the source roots first)

django.setup()

from rootstock.demo.seed import ADMINISTRATOR, PASSWORD  # noqa: E402
from tests.chromium import find  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
ORGANISATIONS = {"fraud": "Kestrel Bank", "ehr": "St Brannoc Hospital", "support": "Larkfield Support"}
AREAS = {"fraud": "fraud/?outcome=decline", "ehr": "ehr/", "support": "support/?sort=last_activity_at"}


def sign_in(page: Page, base: str) -> None:
    page.goto(f"{base}/login/")
    page.get_by_label("User name").fill(ADMINISTRATOR)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{base}/")


def choose(page: Page, organisation: str) -> None:
    page.locator("[popovertarget=organisation-menu]").click()
    page.locator("#organisation-menu").get_by_role("button", name=organisation).click()
    page.wait_for_load_state("networkidle")


def save(page: Page, name: str) -> None:
    page.wait_for_timeout(1500)  # charts draw themselves in
    page.screenshot(path=FOLDER / f"{name}.png")
    sys.stdout.write(f"docs/images/{name}.png\n")


def main(base: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        sign_in(page, base)
        for area, organisation in ORGANISATIONS.items():
            page.goto(f"{base}/")
            choose(page, organisation)
            page.goto(f"{base}/{AREAS[area]}")
            page.locator("main .row-link").first.click()
            page.wait_for_load_state("load")
            save(page, f"{area}-detail")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
