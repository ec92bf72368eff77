"""What signing in and inviting leave behind has an end."""

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.idp.oidc.models import Token
from allauth.usersessions.models import UserSession
from axes.models import AccessAttempt
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from rootstock.accounts.models import Invitation, Role
from rootstock.accounts.services import invitation_create
from rootstock.accounts.tasks import purge_accounts
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from tests.fixtures.world import PASSWORD

LONG_AGO = timezone.now() - timedelta(days=91)


def sign_in(user, password=PASSWORD) -> Client:
    client = Client()
    client.post("/login/", {"username": user.username, "password": password})
    return client


def test_it_works(world) -> None:
    gone, kept = sign_in(world.owner), sign_in(world.colleague)
    Session.objects.filter(session_key=gone.session.session_key).update(expire_date=LONG_AGO)
    purge_accounts()
    assert not UserSession.objects.filter(user=world.owner).exists()
    assert UserSession.objects.filter(user=world.colleague).exists()
    assert not Session.objects.filter(expire_date__lt=timezone.now()).exists()
    assert kept.get("/").status_code == 200


def test_failed_sign_ins_are_forgotten_with_their_lock(world) -> None:
    sign_in(world.owner, "wrong")
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=16))
    sign_in(world.colleague, "wrong")
    AccessAttempt.objects.filter(username=world.owner.username).update(attempt_time=LONG_AGO)
    purge_accounts()
    assert list(AccessAttempt.objects.values_list("username", flat=True)) == [world.colleague.username]


def test_expired_tokens_and_confirmations_go(world) -> None:
    address = EmailAddress.objects.create(user=world.owner, email="owner@example.org")
    EmailConfirmation.objects.create(email_address=address, key="k", sent=LONG_AGO)
    for number, end in enumerate((LONG_AGO, timezone.now() + timedelta(hours=1))):
        Token.objects.create(type=Token.Type.ACCESS_TOKEN, hash=f"h{number}", expires_at=end)
    purge_accounts()
    assert list(Token.objects.filter(hash__in=("h0", "h1")).values_list("hash", flat=True)) == ["h1"]
    assert not EmailConfirmation.objects.exists()


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        ({}, True),
        ({"expires_at": LONG_AGO}, False),
        ({"expires_at": timezone.now() - timedelta(days=1)}, True),
        ({"accepted_at": LONG_AGO, "expires_at": LONG_AGO}, False),
        ({"accepted_at": timezone.now(), "expires_at": LONG_AGO}, True),
        ({"revoked_at": LONG_AGO}, False),
    ],
    ids=["open", "expired", "expired-yesterday", "accepted", "accepted-now", "revoked"],
)
def test_invitations_are_kept_for_a_while(world, state, kept) -> None:
    invitation_create(organisation=world.other, email="nia@example.org", role=Role.AUDITOR)
    with tenant(world.other):
        Invitation.objects.update(**state)
    purge_accounts()
    with tenant(world.other):
        assert Invitation.objects.exists() is kept
        told = AuditEntry.objects.filter(action="invitations.purged").values_list("actor_kind", "actor_id")
        assert list(told) == ([] if kept else [("system", "retention")])
