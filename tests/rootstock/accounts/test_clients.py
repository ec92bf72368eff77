"""Machine clients: tokens by OAuth2 client credentials."""

import base64
import time
from datetime import timedelta

import pytest
from allauth.idp.oidc.models import Token
from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from django.test import Client
from django.utils import timezone

from rootstock.accounts.models import MachineClient
from rootstock.accounts.services import client_create, client_revoke, client_rotate_secret
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.tokens import token_hash
from rootstock.accounts.verified import token_verify
from rootstock.audit.models import AuditEntry
from rootstock.errors import InvalidInput
from rootstock.jobs.services import job_create
from tests.fixtures.world import PASSWORD, Api


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


def test_a_random_secret_is_not_hashed_as_a_password_is(world, machine) -> None:
    found, secret = machine
    _, later = client_rotate_secret(organisation=world.organisation, client_id=found.pk)
    found.client.refresh_from_db()
    for stored in (machine[0].client.secret, found.client.secret):
        assert identify_hasher(stored).algorithm == "random_sha256"
    assert secret not in found.client.secret
    assert check_password(later, found.client.secret)
    person = make_password(PASSWORD)
    assert identify_hasher(person).algorithm != "random_sha256"


@pytest.mark.slow
def test_a_secret_of_before_works_on(machine) -> None:
    found, secret = machine
    found.client.secret = make_password(secret, hasher="pbkdf2_sha256")
    found.client.save(update_fields=["secret"])
    assert fetch(found.client_id, secret).status_code == 200
    assert fetch(found.client_id, "wrong").status_code == 401


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


def test_the_old_secret_works_for_a_while_beside_the_new_one(world, machine) -> None:
    found, secret = machine
    api = world.api("keys:write", "jobs:read", "jobs:write")
    until = timezone.now() + timedelta(hours=1)
    made = api.post(f"/clients/{found.pk}/rotate", {"old_until": until.isoformat()}).json()
    assert made["previous_until"]
    assert [fetch(found.client_id, one).status_code for one in (secret, made["client_secret"])] == [200, 200]
    form = {"client_id": found.client_id, "client_secret": secret}
    token = Client().post("/oauth/token", form | {"grant_type": "client_credentials"}).json()["access_token"]
    assert Client().post("/oauth/revoke", form | {"token": token}).status_code == 200
    assert Api(token).get("/jobs").status_code == 401
    assert fetch(found.client_id, "wrong").status_code == 401
    with tenant(world.organisation):
        MachineClient.objects.update(previous_until=timezone.now())
    assert fetch(found.client_id, secret).status_code == 401
    assert fetch(found.client_id, made["client_secret"]).status_code == 200


def test_rotating_again_ends_the_secret_before_the_last(world, machine) -> None:
    found, first = machine
    for_an_hour = {"old_until": timezone.now() + timedelta(hours=1)}
    rotate = {"organisation": world.organisation, "client_id": found.pk}
    _, second = client_rotate_secret(**rotate, **for_an_hour)
    _, third = client_rotate_secret(**rotate, **for_an_hour)
    assert [fetch(found.client_id, one).status_code for one in (first, second, third)] == [401, 200, 200]
    client_rotate_secret(**rotate)
    assert fetch(found.client_id, third).status_code == 401
    with pytest.raises(InvalidInput, match="old_until"):
        client_rotate_secret(**rotate, old_until=timezone.now())


def test_revoking_ends_the_old_secret_too(world, machine) -> None:
    found, secret = machine
    rotate = {"organisation": world.organisation, "client_id": found.pk}
    client_rotate_secret(**rotate, old_until=timezone.now() + timedelta(hours=1))
    client_revoke(**rotate)
    assert fetch(found.client_id, secret).status_code in (400, 401)


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


def refusals(organisation) -> list[tuple[str, str, dict]]:
    with tenant(organisation):
        found = AuditEntry.objects.filter(action__endswith=".refused")
        return list(found.values_list("action", "object_id", "data"))


def test_a_wrong_secret_is_told_once_in_a_while_and_never_written_down(world, machine) -> None:
    found, _ = machine
    for _ in range(3):
        fetch(found.client_id, "a-secret-slip")
    fetch("nobody", "a-secret-slip")
    assert refusals(world.organisation) == [("client.refused", str(found.pk), {"reason": "wrong_secret"})]


def test_a_revoked_client_that_goes_on_is_told(world, machine) -> None:
    found, secret = machine
    client_revoke(organisation=world.organisation, client_id=found.pk)
    assert fetch(found.client_id, secret).status_code >= 400
    assert refusals(world.organisation) == [("client.refused", str(found.pk), {"reason": "revoked"})]


def test_what_a_live_client_may_not_ask_for_is_no_failed_secret(world, machine) -> None:
    fetch(*_pair(machine), scope="audit:read")
    assert refusals(world.organisation) == []


def test_a_known_access_token_costs_no_query(machine, django_assert_num_queries) -> None:
    token = fetch(*_pair(machine)).json()["access_token"]
    for _ in range(2):
        assert token_verify(token)
    with django_assert_num_queries(0):
        assert token_verify(token)


@pytest.mark.parametrize("ending", ["token", "client", "row"])
def test_the_end_of_a_known_access_token_holds_at_once(world, machine, ending) -> None:
    found, secret = machine
    token = fetch(found.client_id, secret).json()["access_token"]
    for _ in range(3):
        assert Api(token).get("/jobs").status_code == 200
    if ending == "token":
        form = {"token": token, "client_id": found.client_id, "client_secret": secret}
        Client().post("/oauth/revoke", form)
    elif ending == "client":
        client_revoke(organisation=world.organisation, client_id=found.pk)
    else:
        with tenant(world.organisation):
            MachineClient.objects.get(pk=found.pk).delete()
    assert Api(token).get("/jobs").status_code == 401


def test_a_known_access_token_expires_on_time(machine) -> None:
    token = fetch(*_pair(machine)).json()["access_token"]
    row = Token.objects.filter(hash=token_hash(token))
    row.update(expires_at=timezone.now() + timedelta(seconds=0.5))
    for _ in range(2):
        assert token_verify(token)
    time.sleep(0.6)
    assert token_verify(token) is None


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
    path = f"/keys/clients/{found.pk}/rotate/"
    assert b"This field is required" in page.post(path).content
    rotated = page.post(path, {"overlap_hours": 24}).content
    assert b"Secret, shown this once" in rotated
    assert b"The old secret works until" in rotated
    assert b"Old secret works until" in page.get(f"/keys/clients/{found.pk}/").content


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
