"""Passkeys in a real browser, with Chromium's virtual authenticator, under the strict policy."""

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from playwright.sync_api import Page, expect

from tests.fixtures.world import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def with_authenticator(page: Page) -> None:
    """A device that keeps passkeys and always finds its owner present."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
            }
        },
    )


def test_a_passkey_is_added_and_signs_in(web_url, committed_world, open_context):
    owner = committed_world.owner
    owner.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt-of-this-test")
    owner.save()
    # Passkeys belong to a name, never to a bare address.
    page = open_context(base_url=web_url.replace("127.0.0.1", "localhost")).new_page()
    with_authenticator(page)
    page.goto("/login/?next=/account/")
    page.get_by_label("User name").fill(owner.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Add one").click()
    expect(page.get_by_label("without a password")).to_be_checked()
    page.get_by_role("button", name="Add").click()
    expect(page.locator("main")).to_contain_text("recovery codes")
    page.goto("/account/")
    expect(page.locator("main")).to_contain_text("Manage")
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()


def test_a_passkey_that_is_not_there_is_explained(web_url, open_context):
    page = open_context(base_url=web_url.replace("127.0.0.1", "localhost")).new_page()
    with_authenticator(page)
    page.goto("/login/")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("passkey was not used")
