"""Machine clients: tokens by OAuth2 client credentials."""

import base64

import pytest
from allauth.idp.oidc.models import Token
from django.test import Client
from django.utils import timezone

from rootstock.accounts.models import MachineClient
from rootstock.accounts.services import client_create
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.jobs.services import job_create
from tests.fixtures.world import Api


@pytest.fixture
def machine(world):
    return client_create(organisation=world.organisation, name="ledger", scopes=["jobs:read", "jobs:write"])


def fetch(client_id: str, secret: str, **form: str):
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return Client().post(
        "/oauth/token",
        {"grant_type": "client_credentials"} | form,
        headers={"authorization": f"Basic {basic}"},
    )


def test_it_works(world, machine) -> None:
    found, secret = machine
    answer = fetch(found.client_id, secret).json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    assert set(answer["scope"].split()) == {"jobs:read", "jobs:write"}
    api = Api(answer["access_token"])
    listed = api.get("/jobs")
    assert listed.status_code == 200
    assert '"client"' in listed["RateLimit-Policy"]
    caller = api.get("/organisation/caller").json()
    assert (caller["kind"], caller["organisation"]["id"]) == ("client", str(world.organisation.pk))
    with tenant(world.organisation):
        assert MachineClient.objects.get().last_used_at is not None


def test_the_secret_may_come_in_the_body(machine) -> None:
    found, secret = machine
    form = {"grant_type": "client_credentials", "client_id": found.client_id, "client_secret": secret}
    assert Client().post("/oauth/token", form).status_code == 200


def test_a_token_may_ask_for_less(machine) -> None:
    found, secret = machine
    token = fetch(found.client_id, secret, scope="jobs:read").json()["access_token"]
    assert Api(token).get("/jobs").status_code == 200
    assert Api(token).post("/jobs/00000000-0000-7000-8000-000000000000/cancel").status_code == 403


@pytest.mark.parametrize(
    ("wrong", "status", "error"),
    [
        ({"scope": "audit:read"}, 400, "invalid_scope"),
        ({"grant_type": "authorization_code"}, 400, None),
        ({"grant_type": "password"}, 400, None),
        ({"grant_type": ""}, 400, None),
    ],
)
def test_what_a_client_may_not_ask_for(machine, wrong, status, error) -> None:
    answer = fetch(machine[0].client_id, machine[1], **wrong)
    assert answer.status_code in (status, 401)
    assert error is None or answer.json()["error"] == error


@pytest.mark.parametrize("secret", ["", "wrong", "é"])
def test_a_wrong_secret_gets_nothing(machine, secret) -> None:
    answer = fetch(machine[0].client_id, secret)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_token_sees_its_own_organisation_alone(world, machine) -> None:
    theirs = job_create(organisation=world.other, kind="adapters.train", params={})
    api = Api(fetch(machine[0].client_id, machine[1]).json()["access_token"])
    assert api.get(f"/jobs/{theirs.pk}").status_code == 404
    assert api.get("/jobs").json()["items"] == []


def test_what_it_does_is_told_as_the_client_s(world, machine) -> None:
    found, secret = client_create(
        organisation=world.organisation, name="desk", scopes=["keys:write", "jobs:read"]
    )
    api = Api(fetch(found.client_id, secret).json()["access_token"])
    assert api.post("/keys", {"name": "k", "scopes": ["jobs:read"]}).status_code == 201
    with tenant(world.organisation):
        entry = AuditEntry.objects.filter(action="api_key.created").get()
    assert (entry.actor_kind, entry.actor_id) == ("client", str(found.pk))


def test_rotating_ends_the_old_secret_and_keeps_tokens(world, machine) -> None:
    found, secret = machine
    token = fetch(found.client_id, secret).json()["access_token"]
    api = world.api("keys:read", "keys:write", "jobs:read", "jobs:write")
    fresh = api.post(f"/clients/{found.pk}/rotate").json()["client_secret"]
    assert fetch(found.client_id, secret).status_code == 401
    assert fetch(found.client_id, fresh).status_code == 200
    assert Api(token).get("/jobs").status_code == 200


def test_revoking_ends_tokens_too(world, machine) -> None:
    found, secret = machine
    token = fetch(found.client_id, secret).json()["access_token"]
    page = world.browser(world.owner)
    assert page.post(f"/keys/clients/{found.pk}/revoke/")["Location"] == "/keys/clients/"
    assert Api(token).get("/jobs").status_code == 401
    assert fetch(found.client_id, secret).status_code in (400, 401)


def test_a_token_ends_with_its_hour(machine) -> None:
    token = fetch(*_pair(machine)).json()["access_token"]
    Token.objects.update(expires_at=timezone.now())
    assert Api(token).get("/jobs").status_code == 401


def test_a_client_can_give_its_token_back(machine) -> None:
    found, secret = machine
    token = fetch(found.client_id, secret).json()["access_token"]
    form = {"token": token, "client_id": found.client_id, "client_secret": secret}
    assert Client().post("/oauth/revoke", form).status_code == 200
    assert Api(token).get("/jobs").status_code == 401


def test_on_pages(world) -> None:
    page = world.browser(world.owner)
    made = page.post("/keys/clients/new/", {"name": "ledger", "scopes": ["jobs:read"], "rate_per_minute": ""})
    assert made["Cache-Control"] == "no-store"
    with tenant(world.organisation):
        found = MachineClient.objects.get()
    assert found.client_id in made.content.decode()
    for path in ("/keys/clients/", f"/keys/clients/{found.pk}/"):
        assert found.client_id in page.get(path).content.decode()
    assert b"Secret, shown this once" in page.post(f"/keys/clients/{found.pk}/rotate/").content


def test_clients_are_private(world, machine) -> None:
    found = machine[0]
    world.assert_private(f"/keys/clients/{found.pk}/", "keys:read")
    world.assert_private(f"/api/v1/clients/{found.pk}", "keys:read")
    world.assert_private(f"/keys/clients/{found.pk}/revoke/", "keys:write", "post")


def test_where_tokens_come_from_is_published(db) -> None:
    told = Client().get("/.well-known/oauth-authorization-server").json()
    assert told["token_endpoint"].endswith("/oauth/token")
    assert told["grant_types_supported"] == ["client_credentials"]


def test_this_product_signs_nobody_into_other_products(db) -> None:
    for path in ("/identity/o/authorize", "/.well-known/openid-configuration", "/identity/o/api/userinfo"):
        assert Client().get(path).status_code == 404


def _pair(machine) -> tuple[str, str]:
    return machine[0].client_id, machine[1]
