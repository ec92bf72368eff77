"""Single sign-on by OpenID Connect, against a real provider over HTTP."""

import re

import httpx
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured

from rootstock import variables
from rootstock.accounts.models import Membership, Role, User
from rootstock.accounts.services import invitation_create, person_update, user_create
from rootstock.accounts.tenancy import tenant
from tests.fixtures.world import PASSWORD


@pytest.fixture
def browser(live):
    with httpx.Client(follow_redirects=True, timeout=20) as client:
        client.live = live
        yield client


@pytest.fixture
def known(committed_world):
    """A person whom the provider knows; their address there is <user name>@example.org."""
    mark = committed_world.organisation.slug.removeprefix("acme-")
    return user_create(username=f"nia-{mark}", password=PASSWORD, full_name="Nia Okafor")


def csrf(page: httpx.Response) -> str:
    return re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text).group(1)


def enter(browser, known) -> httpx.Response:
    """From the sign-in page to the provider, through its sign-in if need be, and back."""
    page = browser.get(f"{browser.live.product}/login/")
    assert "Test identity" in page.text
    action = re.search(r'action="(/account/oidc/[^"]+)"', page.text).group(1).replace("&amp;", "&")
    page = browser.post(f"{browser.live.product}{action}", data={"csrfmiddlewaretoken": csrf(page)})
    if page.url.path == "/login/":
        assert page.url.host == "127.0.0.1"
        form = {"username": known.username, "password": PASSWORD, "csrfmiddlewaretoken": csrf(page)}
        page = browser.post(str(page.url), data=form | {"next": page.url.params["next"]})
    return page


def role_of(organisation, user) -> str:
    with tenant(organisation):
        return Membership.objects.get(user=user).role


def test_it_works_for_an_invited_address(browser, known, committed_world) -> None:
    address = f"{known.username}@example.org"
    invitation_create(organisation=committed_world.organisation, email=address, role=Role.CLINICIAN)
    page = enter(browser, known)
    assert (page.url.host, page.url.path, page.status_code) == ("localhost", "/", 200)
    made = User.objects.get(email=address)
    assert made != known
    assert (made.get_full_name(), made.has_usable_password()) == ("Nia Okafor", False)
    assert role_of(committed_world.organisation, made) == Role.CLINICIAN
    browser.cookies.delete("sessionid", domain="localhost.local")
    enter(browser, known)  # the second time the account is known
    assert SocialAccount.objects.filter(user=made).count() == 1


def test_who_is_not_invited_gets_no_account(browser, known) -> None:
    page = enter(browser, known)
    assert "You are not invited yet" in page.text
    assert not User.objects.filter(email=f"{known.username}@example.org").exists()


def test_an_address_that_the_provider_does_not_vouch_for_is_not_enough(
    browser, known, committed_world
) -> None:
    User.objects.filter(pk=known.pk).update(last_name="Unverified")
    address = f"{known.username}@example.org"
    invitation_create(organisation=committed_world.organisation, email=address, role=Role.CLINICIAN)
    assert "You are not invited yet" in enter(browser, known).text


def test_a_mapped_domain_gives_a_role(browser, known, committed_world, settings) -> None:
    settings.OIDC_DOMAINS = {"example.org": (committed_world.organisation.slug, Role.AUDITOR)}
    assert enter(browser, known).status_code == 200
    made = User.objects.get(email=f"{known.username}@example.org")
    assert role_of(committed_world.organisation, made) == Role.AUDITOR


def test_an_account_that_claims_the_address_is_not_connected(browser, known, committed_world) -> None:
    address = f"{known.username}@example.org"
    person_update(user=committed_world.owner, full_name="", email=address)  # anybody may write that
    assert "You are not invited yet" in enter(browser, known).text
    invitation_create(organisation=committed_world.other, email=address, role=Role.AUDITOR)
    assert "There is an account with this address" in enter(browser, known).text
    assert not SocialAccount.objects.filter(user=committed_world.owner).exists()


def test_an_account_that_owns_the_address_is_connected(browser, known, committed_world) -> None:
    address = f"{known.username}@example.org"
    EmailAddress.objects.create(user=committed_world.owner, email=address, verified=True, primary=True)
    page = enter(browser, known)
    assert committed_world.owner.username in page.text
    assert SocialAccount.objects.get(user=committed_world.owner).provider == "sso"


def test_who_has_no_password_comes_through_the_provider_again_to_change_their_address(
    browser, known, committed_world
) -> None:
    address = f"{known.username}@example.org"
    invitation_create(organisation=committed_world.organisation, email=address, role=Role.CLINICIAN)
    form = {"full_name": "Nia", "email": f"moved-{address}"}
    form["csrfmiddlewaretoken"] = csrf(enter(browser, known))
    account = f"{browser.live.product}/account/"
    made = User.objects.get(email=address)
    for found in Session.objects.all():  # it was a while ago
        if found.get_decoded().get("_auth_user_id") == str(made.pk):
            session = SessionStore(found.session_key)
            session["signed_in_at"] -= 301
            session.save()
    refused = browser.post(account, data=form)
    assert (refused.status_code, "Sign in again first" in refused.text) == (403, True)
    for path in ("password/set/", "2fa/totp/activate/", "2fa/webauthn/add/"):
        assert browser.get(f"{account}{path}").status_code == 403
    made.refresh_from_db()
    assert made.email == address
    action = re.search(r'action="(/account/oidc/[^"]+)"', refused.text).group(1).replace("&amp;", "&")
    page = browser.post(f"{browser.live.product}{action}", data={"csrfmiddlewaretoken": csrf(refused)})
    assert page.url.host == "127.0.0.1"  # the provider asks again, though the person is signed in there
    form_there = {"username": known.username, "password": PASSWORD, "csrfmiddlewaretoken": csrf(page)}
    page = browser.post(str(page.url), data=form_there | {"next": page.url.params["next"]})
    assert (page.url.host, page.url.path) == ("localhost", "/account/")
    browser.post(account, data=form | {"csrfmiddlewaretoken": csrf(page)})
    made.refresh_from_db()
    assert made.email == form["email"]


# --- settings -------------------------------------------------------------------------------------------------


def test_domains_are_read_with_their_organisation_and_role() -> None:
    found = variables.domains("Example.org=acme:auditor, b.example=bee:clinician")
    assert found == {"example.org": ("acme", "auditor"), "b.example": ("bee", "clinician")}


@pytest.mark.parametrize("raw", ["example.org", "example.org=acme", "=acme:auditor", "example.org=:auditor"])
def test_a_wrong_domain_is_named(raw) -> None:
    with pytest.raises(ImproperlyConfigured, match="ROOTSTOCK_OIDC_DOMAINS"):
        variables.domains(raw)


def test_an_unknown_role_is_named(settings) -> None:
    from django.apps import apps

    settings.OIDC_DOMAINS = {"example.org": ("acme", "owner")}
    with pytest.raises(ImproperlyConfigured, match="DOMAINS: example"):
        apps.get_app_config("accounts")._check_domains()


def test_a_provider_is_configured_whole_or_not_at_all(monkeypatch) -> None:
    monkeypatch.setenv("ROOTSTOCK_OIDC_ISSUER", "https://id.example.org")
    with pytest.raises(ImproperlyConfigured, match="ROOTSTOCK_OIDC_CLIENT_ID"):
        variables.together("ROOTSTOCK_OIDC_ISSUER", "ROOTSTOCK_OIDC_CLIENT_ID")
    with pytest.raises(ImproperlyConfigured, match="ROOTSTOCK_OIDC_ISSUER"):
        variables.origin("ROOTSTOCK_OIDC_ISSUER", "id.example.org")
