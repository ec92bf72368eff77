"""What a machine may do follows its maker: their role, and whether they may sign in."""

import base64

import pytest
from django.test import Client

from rootstock.accounts.models import Membership
from rootstock.accounts.services import (
    api_key_create,
    client_create,
    member_add,
    member_remove,
    member_role_change,
    user_create,
)
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from tests.fixtures.world import PASSWORD, Api

SCOPES = ["jobs:read", "people:write"]


def fetch(pair) -> Client:
    machine, secret = pair
    basic = base64.b64encode(f"{machine.client_id}:{secret}".encode()).decode()
    form = {"grant_type": "client_credentials"}
    return Client().post("/oauth/token", form, headers={"authorization": f"Basic {basic}"})


@pytest.fixture
def made(world) -> dict:
    """An administrator's key, client and token, each of them known to the process already."""
    maker = world.person("administrator")
    given = {"organisation": world.organisation, "name": "k", "scopes": SCOPES, "created_by": maker}
    key, pair = api_key_create(**given)[1], client_create(**given)
    found = {"maker": maker, "pair": pair, "apis": [Api(key), Api(fetch(pair).json()["access_token"])]}
    for _ in range(2):
        assert states(found) == ([200, 200], [404, 404])
    return found


def states(made) -> tuple[list[int], list[int]]:
    nobody = "/people/00000000-0000-7000-8000-000000000000/unlock"
    return [api.get("/jobs").status_code for api in made["apis"]], [
        api.post(nobody).status_code for api in made["apis"]
    ]


def membership(world, made) -> Membership:
    with tenant(world.organisation):
        return Membership.objects.get(user=made["maker"])


def change(world, made, role: str) -> None:
    member_role_change(organisation=world.organisation, membership_id=membership(world, made).pk, role=role)


def test_a_demotion_limits_them_at_once_and_a_promotion_gives_back(world, made) -> None:
    change(world, made, "auditor")
    assert states(made) == ([200, 200], [403, 403])
    assert made["apis"][0].get("/organisation/caller").json()["scopes"] == ["jobs:read"]
    change(world, made, "administrator")
    assert states(made) == ([200, 200], [404, 404])


def test_a_role_given_again_counts_too(world, made) -> None:
    member_add(organisation=world.organisation, user=made["maker"], role="auditor")
    assert states(made) == ([200, 200], [403, 403])


def switch(made, on: bool) -> None:
    """As a superuser does it."""
    operator = user_create(username=f"root-{on}", password=PASSWORD)
    operator.is_staff = operator.is_superuser = True
    operator.save()
    page = Client()
    page.force_login(operator)
    form = {"is_active": "on"} if on else {}
    answer = page.post(f"/operator/accounts/user/{made['maker'].pk}/change/", form)
    assert answer.status_code == 302, answer.content


def test_a_maker_who_is_switched_off_stops_them_at_once(world, made) -> None:
    switch(made, on=False)
    assert states(made) == ([401, 401], [401, 401])
    assert fetch(made["pair"]).status_code == 401
    with tenant(world.organisation):
        told = AuditEntry.objects.filter(action__endswith=".refused").values_list("action", "data")
        assert {action: data["reason"] for action, data in told} == {
            "api_key.refused": "maker_switched_off",
            "client.refused": "maker_switched_off",
        }
    switch(made, on=True)
    assert states(made) == ([200, 200], [404, 404])
    assert fetch(made["pair"]).status_code == 200


def test_machines_that_are_kept_stand_on_their_own_within_the_last_role(world, made) -> None:
    change(world, made, "auditor")
    member_remove(
        organisation=world.organisation, membership_id=membership(world, made).pk, revoke_keys=False
    )
    switch(made, on=False)
    assert states(made) == ([200, 200], [403, 403])
