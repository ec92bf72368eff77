"""Endpoints and deliveries over REST."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.privacy import keyring
from rootstock.webhooks import delivering, retention, selectors
from rootstock.webhooks.models import WebhookDelivery, WebhookEndpoint
from rootstock.webhooks.services import event_emit
from rootstock.webhooks.signing import secrets_of


@pytest.fixture
def api(world, settings):
    settings.WEBHOOK_ALLOW = ("127.0.0.1",)
    return world.api("webhooks:read", "webhooks:write")


def create(api, url: str = "http://127.0.0.1:9/", **body):
    return api.post("/webhooks/endpoints", {"url": url, "events": ["job.failed"], **body})


def actions(world) -> list[str]:
    with tenant(world.organisation):
        found = AuditEntry.objects.filter(object_type="webhook_endpoint").order_by("id")
        return list(found.values_list("action", flat=True))


def test_it_works(world, api) -> None:
    made = create(api, description="CRM")
    assert made.status_code == 201
    endpoint = made.json()
    assert endpoint["secret"].startswith("whsec_")
    assert "adapter.registered" in [one["type"] for one in api.get("/webhooks/events").json()]
    [listed] = api.get("/webhooks/endpoints").json()["items"]
    assert listed["id"] == endpoint["id"]
    assert "secret" not in listed
    changed = api.patch(f"/webhooks/endpoints/{endpoint['id']}", {"events": ["*", "job.failed"]})
    assert changed.json()["events"] == ["*"]
    assert api.delete(f"/webhooks/endpoints/{endpoint['id']}").status_code == 204
    assert api.get(f"/webhooks/endpoints/{endpoint['id']}").status_code == 404
    assert actions(world) == [
        "webhook_endpoint.created", "webhook_endpoint.changed", "webhook_endpoint.deleted"
    ]  # fmt: skip


def test_a_test_event_is_delivered_and_replayed_under_its_id(world, api, receiver) -> None:
    endpoint = create(api, receiver.url("/ok")).json()["id"]
    sent = api.post(f"/webhooks/endpoints/{endpoint}/test")
    assert (sent.status_code, sent.json()["event_type"]) == (202, "webhook.test")
    delivering.deliver(organisation=world.organisation.pk)
    address = f"/webhooks/deliveries/{sent.json()['id']}"
    seen = api.get(address).json()
    assert (seen["state"], seen["attempts"][0]["status"], seen["data"]) == (
        "delivered",
        200,
        {"endpoint": endpoint},
    )
    assert api.post(f"{address}/replay").status_code == 202
    delivering.deliver(organisation=world.organisation.pk)
    assert [entry["id"] for entry in receiver.log()] == [seen["message_id"]] * 2
    assert len(api.get(address).json()["attempts"]) == 2
    fare = selectors.endpoint_fare(organisation=world.organisation, endpoint_id=endpoint)
    assert (fare.success, len(fare.hours), fare.hours[-1].delivered) == (1.0, 24, 2)
    assert fare.p95 > 0


def test_everything_failed_since_a_time_is_replayed(world, api) -> None:
    endpoint = create(api).json()["id"]
    for number in range(3):
        event_emit(organisation=world.organisation, type="job.failed", data={"job": str(number)})
    with tenant(world.organisation):
        old = WebhookDelivery.objects.first()
        WebhookDelivery.objects.update(state="failed")
        WebhookDelivery.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=2))
    since = (timezone.now() - timedelta(days=1)).isoformat()
    answer = api.post(f"/webhooks/endpoints/{endpoint}/replay", {"since": since})
    assert (answer.status_code, answer.json()) == (202, {"replayed": 2})
    assert len(api.get("/webhooks/deliveries", state="pending", endpoint=endpoint).json()["items"]) == 2


def test_rotation_overlaps_and_ends(world, api) -> None:
    made = create(api).json()
    rotated = api.post(f"/webhooks/endpoints/{made['id']}/rotate", {"overlap_hours": 2}).json()
    with tenant(world.organisation):
        endpoint = WebhookEndpoint.objects.get()
    assert secrets_of(endpoint) == [rotated["secret"], made["secret"]]
    endpoint.previous_until = timezone.now() - timedelta(seconds=1)
    assert secrets_of(endpoint) == [rotated["secret"]]
    at_once = api.post(f"/webhooks/endpoints/{made['id']}/rotate", {"overlap_hours": 0}).json()
    with tenant(world.organisation):
        assert secrets_of(WebhookEndpoint.objects.get()) == [at_once["secret"]]


def test_secrets_are_sealed_and_follow_the_master_key(world, api, settings) -> None:
    made = create(api).json()
    with tenant(world.organisation):
        stored = WebhookEndpoint.objects.get().secret
    assert made["secret"][6:] not in stored
    key = keyring.new_key("newer")
    settings.MASTER_KEYS = f"{key},{Path(settings.MASTER_KEYS).read_text()}"
    retention.secrets_sweep()
    with tenant(world.organisation):
        endpoint = WebhookEndpoint.objects.get()
    assert endpoint.secret.startswith("newer:")
    assert secrets_of(endpoint) == [made["secret"]]


def test_disabled_and_enabled(world, api) -> None:
    endpoint = create(api).json()["id"]
    event_emit(organisation=world.organisation, type="job.failed", data={"job": "1"})
    stopped = api.post(f"/webhooks/endpoints/{endpoint}/disable").json()
    assert (stopped["state"], stopped["disabled_reason"]) == ("disabled", "switched off by a member")
    [waiting] = api.get("/webhooks/deliveries").json()["items"]
    assert (waiting["state"], waiting["last_error"]) == ("failed", "the endpoint was disabled")
    for path in (f"/webhooks/endpoints/{endpoint}/test", f"/webhooks/deliveries/{waiting['id']}/replay"):
        assert api.post(path).status_code == 409
    home = world.browser(world.owner).get("/").content.decode()
    assert "switched off after failed deliveries" not in home
    assert api.post(f"/webhooks/endpoints/{endpoint}/enable").json()["state"] == "active"
    assert api.post(f"/webhooks/deliveries/{waiting['id']}/replay").json()["state"] == "pending"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://user@hooks.example/"}, "url"),
        ({"url": "https://h.example/" + "a" * 1000}, "url"),
        ({"events": []}, "events"),
        ({"events": ["job.eaten"]}, "events"),
        ({"description": "x" * 201}, "description"),
        ({"secret": "mine"}, "secret"),
    ],
)
def test_bad_endpoints_name_the_field(api, body, field) -> None:
    answer = create(api, **body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert api.get("/webhooks/endpoints").json()["items"] == []


def test_bad_filters_and_overlaps(api) -> None:
    endpoint = create(api).json()["id"]
    assert api.get("/webhooks/deliveries", state="lost").status_code == 422
    assert api.post(f"/webhooks/endpoints/{endpoint}/rotate", {"overlap_hours": 721}).status_code == 422
    assert api.post(f"/webhooks/endpoints/{endpoint}/replay", {"since": "soon"}).status_code == 422


def test_permissions_and_other_tenants(world, api) -> None:
    endpoint = create(api).json()["id"]
    reader = world.api("webhooks:read")
    assert create(reader).status_code == 403
    assert reader.post(f"/webhooks/endpoints/{endpoint}/rotate", {}).status_code == 403
    assert world.api("jobs:read").get("/webhooks/endpoints").status_code == 403
    elsewhere = world.api("webhooks:read", "webhooks:write", organisation=world.other)
    assert elsewhere.get("/webhooks/endpoints").json()["items"] == []
    assert elsewhere.get(f"/webhooks/endpoints/{endpoint}").status_code == 404
    assert elsewhere.post(f"/webhooks/endpoints/{endpoint}/test").status_code == 404
    assert elsewhere.delete(f"/webhooks/endpoints/{endpoint}").status_code == 404
