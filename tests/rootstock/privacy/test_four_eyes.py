"""The second person cannot be made out of keys and clients, nor wished away."""

import base64
from typing import Any

from django.test import Client

from rootstock.accounts.services import client_create, client_rotate_secret
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
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
        PrivacyRequest.objects.update(requested_by="key:00000000-0000-7000-8000-000000000000", person="")
    refused(planted.second.post(f"{path}/confirm"), "ask for it anew")


def switch_off(planted: Planted, user: Any) -> Any:
    """Do without the second person, in a session of `user`."""
    body = {"four_eyes": False, "archive_days": 7}
    browser = planted.world.browser(user)
    return browser.put("/api/v1/privacy/settings", body, content_type="application/json")


def test_only_administrators_do_without_the_second_person(planted: Planted) -> None:
    officer = planted.world.person("privacy_officer")
    refused(switch_off(planted, officer), "settings:write")
    put, body = planted.api._client.put, {"four_eyes": False, "archive_days": 7}
    refused(put("/api/v1/privacy/settings", body, content_type="application/json"), "settings:write")
    assert planted.api.get("/privacy/settings").json()["four_eyes"] is True
    fewer = put(
        "/api/v1/privacy/settings", body | {"four_eyes": True}, content_type="application/json"
    )  # everything else stays the officers'
    assert fewer.status_code == 200
    assert switch_off(planted, planted.world.owner).status_code == 200
    with tenant(planted.organisation):
        entry = AuditEntry.objects.filter(action="privacy_settings.changed").latest("id")
    assert (entry.actor_id, entry.data["four_eyes"]) == (str(planted.world.owner.pk), False)
    assert entry.data["four_eyes_before"] is True


def test_what_waits_stays_under_four_eyes(planted: Planted) -> None:
    path = waiting(planted)
    assert switch_off(planted, planted.world.owner).status_code == 200
    refused(planted.api.post(f"{path}/confirm"), "second person")
    shown = planted.world.browser(planted.world.owner).get(f"{path}/").content.decode()
    assert "Somebody else has to confirm" in shown
    assert planted.api.post(f"{path}/refuse").status_code == 200
    again = planted.ask(planted.find(CUSTOMER))
    assert planted.api.post(f"/privacy/requests/{again['id']}/confirm").status_code == 200


def test_who_asked_is_remembered(planted: Planted) -> None:
    talk(planted.organisation)
    machine, secret = client_create(
        organisation=planted.organisation, name="c", scopes=SCOPES, created_by=planted.world.owner
    )
    body = {"subject_id": planted.find(CUSTOMER)["id"], "action": "erase", "ground": "unlawful"}
    asked = by_token(machine.client_id, secret).post("/privacy/requests", body).json()
    client_rotate_secret(
        organisation=planted.organisation, client_id=machine.pk, created_by=planted.world.colleague
    )
    refused(planted.api.post(f"/privacy/requests/{asked['id']}/confirm"), "second person")
