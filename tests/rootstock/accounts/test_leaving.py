"""What a removed member made: keys and machine clients end with them, unless somebody chose otherwise."""

import base64
from dataclasses import dataclass

import pytest
from django.test import Client

from rootstock.accounts.models import ApiKey, MachineClient, Membership
from rootstock.accounts.services import api_key_create, client_create, member_add, member_remove
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from tests.fixtures.world import Api


@dataclass
class Left:
    """The colleague's membership, and the machines that they made."""

    membership: Membership
    machines: list[Api]

    def states(self) -> list[int]:
        """What each machine is answered."""
        return [api.get("/jobs").status_code for api in self.machines]


@pytest.fixture
def left(world) -> Left:
    member_add(organisation=world.organisation, user=world.colleague, role="administrator")
    given = {"organisation": world.organisation, "name": "k", "scopes": ["jobs:read", "keys:write"]}
    _, token = api_key_create(**given, created_by=world.colleague)
    chained = Api(token).post("/keys", {"name": "chained", "scopes": ["jobs:read"]}).json()["token"]
    machine, secret = client_create(**given, created_by=world.colleague)
    basic = base64.b64encode(f"{machine.client_id}:{secret}".encode()).decode()
    form = {"grant_type": "client_credentials"}
    answer = Client().post("/oauth/token", form, headers={"authorization": f"Basic {basic}"})
    with tenant(world.organisation):
        membership = Membership.objects.get(user=world.colleague)
    made = Left(membership, [Api(token), Api(chained), Api(answer.json()["access_token"])])
    assert made.states() == [200, 200, 200]
    return made


def test_it_works(world, left) -> None:
    _, others = api_key_create(
        organisation=world.organisation, name="o", scopes=["jobs:read"], created_by=world.owner
    )
    elsewhere, _ = api_key_create(
        organisation=world.other, name="o", scopes=["jobs:read"], created_by=world.colleague
    )
    ended = member_remove(organisation=world.organisation, membership_id=left.membership.pk)
    assert (ended, left.states()) == (3, [401, 401, 401])
    assert Api(others).get("/jobs").status_code == 200
    with tenant(world.other):
        assert ApiKey.objects.get(pk=elsewhere.pk).state == "live"
    with tenant(world.organisation):
        entries = list(AuditEntry.objects.exclude(action="api_key.refused").order_by("id"))[-4:]
    assert sorted(entry.action for entry in entries[:3]) == ["api_key.revoked"] * 2 + ["client.revoked"]
    assert (entries[3].action, entries[3].data["keys_revoked"]) == ("member.removed", 3)


@pytest.mark.parametrize(("query", "states"), [("", [401] * 3), ("?revoke_keys=false", [200] * 3)])
def test_over_rest(world, left, query, states) -> None:
    api = world.api("people:write")
    assert api.delete(f"/people/{left.membership.pk}{query}").status_code == 204
    assert left.states() == states


@pytest.mark.parametrize(("form", "states"), [({}, [401] * 3), ({"revoke_keys": "false"}, [200] * 3)])
def test_on_the_page(world, left, form, states) -> None:
    page = world.browser(world.owner)
    shown = page.get(f"/people/{left.membership.pk}/").content.decode()
    assert "3 live keys or machine clients made by them are revoked at once" in shown
    assert "Remove, keep keys" in shown
    page.post(f"/people/{left.membership.pk}/remove/", form)
    assert left.states() == states


def test_a_removal_that_is_refused_revokes_nothing(world, left) -> None:
    with tenant(world.organisation):
        owner = Membership.objects.get(user=world.owner)
    _, token = api_key_create(
        organisation=world.organisation, name="o", scopes=["jobs:read"], created_by=world.owner
    )
    member_add(organisation=world.organisation, user=world.colleague, role="auditor")
    assert world.browser(world.owner).post(f"/people/{owner.pk}/remove/").status_code == 409
    assert Api(token).get("/jobs").status_code == 200
    with tenant(world.organisation):
        assert not MachineClient.objects.exclude(revoked_at=None).exists()
