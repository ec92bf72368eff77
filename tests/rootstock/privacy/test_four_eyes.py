"""The second person cannot be made out of keys and clients, nor wished away."""

import base64
from typing import Any

from django.test import Client

from rootstock.accounts.services import client_create
from rootstock.accounts.tenancy import tenant
from rootstock.privacy.models import PrivacyRequest
from tests.fixtures.world import Api
from tests.rootstock.privacy.conftest import CUSTOMER, Planted, talk

SCOPES = ["privacy:read", "privacy:write", "keys:write"]


def by_session(planted: Planted, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the owner makes in a session."""
    browser = planted.world.browser(planted.world.owner)
    answer = browser.post(f"/api/v1{path}", body, content_type="application/json")
    assert answer.status_code == 201, answer.json()
    return answer.json()


def by_token(client_id: str, secret: str) -> Api:
    """A machine client's API."""
    basic = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    form = {"grant_type": "client_credentials"}
    answer = Client().post("/oauth/token", form, headers={"authorization": f"Basic {basic}"})
    return Api(answer.json()["access_token"])


def waiting(planted: Planted) -> str:
    """The path of an erasure that the owner asked for."""
    talk(planted.organisation)
    return f"/privacy/requests/{planted.ask(planted.find(CUSTOMER))['id']}"


def refused(answer: Any, words: str) -> None:
    """It is refused, and says why."""
    assert answer.status_code == 403, answer.content
    assert words in answer.json()["detail"]


def test_a_chain_of_keys_is_one_person(planted: Planted) -> None:
    path = waiting(planted)
    body = {"name": "k", "scopes": SCOPES}
    first = by_session(planted, "/keys", body)
    second = Api(first["token"]).post("/keys", body).json()
    third = Api(second["token"]).post(f"/keys/{second['id']}/rotate", {}).json()
    for made in (first, third):
        refused(Api(made["token"]).post(f"{path}/confirm"), "second person")
    assert planted.second.post(f"{path}/confirm").status_code == 200


def test_a_chain_of_clients_is_one_person(planted: Planted) -> None:
    path = waiting(planted)
    body = {"name": "c", "scopes": SCOPES}
    first = by_session(planted, "/clients", body)
    api = by_token(first["client_id"], first["client_secret"])
    second = api.post("/clients", body).json()
    key = api.post("/keys", body).json()
    for caller in (api, by_token(second["client_id"], second["client_secret"]), Api(key["token"])):
        refused(caller.post(f"{path}/confirm"), "second person")


def test_whoever_has_the_new_secret_stands_behind_the_client(planted: Planted) -> None:
    path = waiting(planted)
    machine, secret = client_create(
        organisation=planted.organisation, name="c", scopes=SCOPES, created_by=planted.world.colleague
    )
    theirs = by_token(machine.client_id, secret)
    key = by_session(planted, "/keys", {"name": "k", "scopes": SCOPES})
    fresh = Api(key["token"]).post(f"/clients/{machine.pk}/rotate").json()["client_secret"]
    refused(by_token(machine.client_id, fresh).post(f"{path}/confirm"), "second person")
    assert theirs.get("/privacy/settings").status_code == 401


def test_a_machine_of_nobody_confirms_nothing(planted: Planted) -> None:
    path = waiting(planted)
    api = planted.world.api("privacy:write")
    refused(api.post(f"{path}/confirm"), "a person has to confirm")
    machine, secret = client_create(organisation=planted.organisation, name="c", scopes=SCOPES)
    refused(by_token(machine.client_id, secret).post(f"{path}/confirm"), "a person has to confirm")


def test_what_a_machine_of_nobody_asked_for_is_asked_for_anew(planted: Planted) -> None:
    path = waiting(planted)
    with tenant(planted.organisation):
        PrivacyRequest.objects.update(requested_by="key:00000000-0000-7000-8000-000000000000")
    refused(planted.second.post(f"{path}/confirm"), "ask for it anew")
