"""Invitations: by whom, to whom, once."""

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.utils import timezone

from rootstock.accounts.models import Invitation, Membership, Role, User
from rootstock.accounts.services import (
    invitation_accept,
    invitation_create,
    invitation_renew,
    invitation_revoke,
    user_create,
)
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.errors import Conflict, InvalidInput
from tests.fixtures.world import PASSWORD

NEW = {"full_name": "Nia Okafor", "username": "newcomer-of-the-tests", "password": "a-long-enough-one"}


@pytest.fixture
def invited(world):
    return invitation_create(
        organisation=world.organisation, email="Nia@Example.org", role=Role.CLINICIAN, invited_by=world.owner
    )


def link_in(page) -> str:
    return re.search(r"http://testserver(/join/[^<\s]+)", page.content.decode()).group(1)


def test_it_works(world) -> None:
    page = world.browser(world.owner).post(
        "/people/invite/", {"email": "nia@example.org", "role": Role.CLINICIAN}
    )
    assert page["Cache-Control"] == "no-store"
    link, newcomer = link_in(page), Client()
    assert world.organisation.name in newcomer.get(link).content.decode()
    assert newcomer.post(link, NEW | {"username": f"nia-{world.organisation.slug}"})["Location"] == "/"
    home = newcomer.get("/")
    assert (home.status_code, home.wsgi_request.organisation) == (200, world.organisation)
    user = User.objects.get(email="nia@example.org")
    assert (user.get_full_name(), home.wsgi_request.membership.role) == ("Nia Okafor", Role.CLINICIAN)
    assert Client().get(link).status_code == 404  # it works once
    with tenant(world.organisation):
        accepted = AuditEntry.objects.get(action="invitation.accepted")
    assert (accepted.actor_kind, accepted.actor_id) == ("person", str(user.pk))
    again = Client().post("/login/", {"username": "nia@example.org", "password": NEW["password"]})
    assert again["Location"] == "/"  # the address is as good as the name


def test_the_token_is_kept_as_a_hash(world, invited) -> None:
    invitation, token = invited
    assert token not in str(vars(invitation))
    assert invitation.email == "nia@example.org"


def test_somebody_signed_in_joins_as_themselves(world, invited) -> None:
    page = world.browser(world.stranger)
    path = f"/join/{invited[1]}/"
    assert world.stranger.username in page.get(path).content.decode()
    assert page.post(path)["Location"] == "/"
    assert page.get("/").wsgi_request.organisation == world.organisation
    assert page.post(path).status_code == 404


def test_an_address_with_an_account_is_asked_to_sign_in(world, invited) -> None:
    user_create(username=f"n-{world.organisation.slug}", password=PASSWORD, email="nia@example.org")
    client = Client()
    path = f"/join/{invited[1]}/"
    assert f"/login/?next={path}" in client.get(path).content.decode()
    client.post(path, NEW)
    assert User.objects.filter(email="nia@example.org").count() == 1


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"password": "short"}, "too short"),
        ({"password": ""}, "required"),
        ({"username": "n n"}, "valid username"),
        ({"username": "owner"}, "exists already"),
        ({"full_name": ""}, "required"),
    ],
)
def test_what_a_newcomer_may_not_choose_is_named(world, invited, wrong, word) -> None:
    if wrong.get("username") == "owner":
        wrong = {"username": world.owner.username}
    page = Client().post(f"/join/{invited[1]}/", NEW | wrong)
    assert page.status_code == 200
    assert word in page.content.decode()
    with tenant(world.organisation):
        assert Membership.objects.count() == 2


def test_expired_revoked_and_renewed_links_do_not_work(world, invited) -> None:
    invitation, token = invited
    _, fresh = invitation_renew(organisation=world.organisation, invitation_id=invitation.pk)
    assert Client().get(f"/join/{token}/").status_code == 404
    assert Client().get(f"/join/{fresh}/").status_code == 200
    with tenant(world.organisation):
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Client().get(f"/join/{fresh}/").status_code == 404
    _, fresher = invitation_renew(organisation=world.organisation, invitation_id=invitation.pk)
    invitation_revoke(organisation=world.organisation, invitation_id=invitation.pk)
    assert Client().get(f"/join/{fresher}/").status_code == 404
    with pytest.raises(Conflict, match="revoked"):
        invitation_renew(organisation=world.organisation, invitation_id=invitation.pk)
    with pytest.raises(Conflict):
        invitation_accept(invitation=invitation, user=world.stranger)


def test_one_open_invitation_for_an_address(world, invited) -> None:
    invite = {"organisation": world.organisation, "email": "nia@example.org", "role": Role.AUDITOR}
    with pytest.raises(Conflict, match="open invitation"):
        invitation_create(**invite)
    with tenant(world.organisation):
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert invitation_create(**invite)[0].state == "open"
    invitation_create(**invite | {"organisation": world.other})


@pytest.mark.parametrize("email", ["", "nia", "nia@", "a@b@c", "nia@example.org\nBcc: x@example.org"])
def test_what_is_no_address_is_refused(world, email) -> None:
    with pytest.raises(InvalidInput, match="email"):
        invitation_create(organisation=world.organisation, email=email, role=Role.AUDITOR)


def test_the_link_is_mailed_where_mail_is_configured(world, settings) -> None:
    api = world.api(*_administrator())
    body = {"email": "nia@example.org", "role": "auditor"}
    without = api.post("/invitations", body).json()
    assert (without["sent"], len(mail.outbox)) == (False, 0)
    settings.MAIL_CONFIGURED = True
    again = api.post(f"/invitations/{without['id']}/renew").json()
    assert (again["sent"], again["link"]) == (True, None), "whoever invited could join as that person"
    link = re.search(r"http://testserver(/join/\S+)", mail.outbox[0].body).group(1)
    assert "Acme" in mail.outbox[0].subject
    assert not without["link"].endswith(link)
    assert Client().post(link, NEW | {"username": f"nia-{world.organisation.slug}"})["Location"] == "/"
    assert EmailAddress.objects.get(email="nia@example.org").verified


def test_a_link_that_was_handed_over_proves_no_address(world) -> None:
    body = {"email": "nia@example.org", "role": "auditor"}
    link = world.api(*_administrator()).post("/invitations", body).json()["link"]
    assert Client().post(link, NEW | {"username": f"nia-{world.organisation.slug}"})["Location"] == "/"
    assert not EmailAddress.objects.get(email="nia@example.org").verified


def test_a_page_shows_no_link_that_was_mailed(world, settings) -> None:
    settings.MAIL_CONFIGURED = True
    page = world.browser(world.owner).post("/people/invite/", {"email": "nia@example.org", "role": "auditor"})
    assert "/join/" not in page.content.decode()
    assert "/join/" in mail.outbox[0].body


def test_an_address_never_reaches_the_trail(world, invited) -> None:
    with tenant(world.organisation):
        assert "example.org" not in str(list(AuditEntry.objects.values()))


def test_over_rest(world, invited) -> None:
    api = world.api("people:read", "people:write")
    listed = api.get("/invitations").json()["items"]
    assert [(one["email"], one["state"]) for one in listed] == [("nia@example.org", "open")]
    assert "hash" not in listed[0]
    assert api.post(f"/invitations/{invited[0].pk}/revoke").json()["state"] == "revoked"


def test_invitations_are_private(world, invited) -> None:
    world.assert_private(f"/people/invitations/{invited[0].pk}/", "people:read")
    world.assert_private(f"/people/invitations/{invited[0].pk}/renew/", "people:write", "post")
    world.assert_private(f"/people/invitations/{invited[0].pk}/revoke/", "people:write", "post")


def _administrator() -> list[str]:
    from rootstock.accounts.roles import ROLE_SCOPES

    return sorted(ROLE_SCOPES[Role.ADMINISTRATOR])
