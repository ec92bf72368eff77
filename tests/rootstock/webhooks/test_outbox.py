"""Events are written with the change, for those who asked, and for nobody else."""

import pytest
from django.test.utils import CaptureQueriesContext

from rootstock.accounts.tenancy import tenant
from rootstock.webhooks.models import WebhookDelivery, WebhookEndpoint, WebhookEvent
from rootstock.webhooks.services import event_emit, events_emit


def endpoint(world, *events: str, organisation=None, **fields) -> WebhookEndpoint:
    organisation = organisation or world.organisation
    with tenant(organisation):
        return WebhookEndpoint.objects.create(
            organisation=organisation, url="https://hooks.example/", events=list(events), secret="s", **fields
        )


def test_it_works(world) -> None:
    wanted = endpoint(world, "job.failed")
    endpoint(world, "job.succeeded")
    assert event_emit(organisation=world.organisation, type="job.failed", data={"job": "1"}) == 1
    with tenant(world.organisation):
        delivery = WebhookDelivery.objects.select_related("event").get()
        assert (delivery.endpoint_id, delivery.state) == (wanted.pk, "pending")
        assert delivery.event.data == {"job": "1"}


def test_who_asked_for_everything_is_told_everything(world) -> None:
    endpoint(world, "*")
    data = [{"transaction": str(n)} for n in range(3)]
    assert events_emit(organisation=world.organisation, type="fraud.payment_declined", data=data) == 1
    with tenant(world.organisation):
        assert WebhookDelivery.objects.count() == 3


def test_nobody_asked(world) -> None:
    endpoint(world, "*", state="disabled")
    endpoint(world, "*", organisation=world.other)
    from django.db import connection

    with (
        tenant(world.organisation),
        CaptureQueriesContext(
            connection,
        ) as queries,
    ):
        assert event_emit(organisation=world.organisation, type="job.failed", data={"job": "1"}) == 0
        assert sum("webhooks_" in query["sql"] for query in queries) == 1
        assert WebhookEvent.objects.count() == 0


def test_a_change_that_is_taken_back_tells_nothing(world) -> None:
    endpoint(world, "*")
    with pytest.raises(ZeroDivisionError):
        _change_that_fails(world)
    with tenant(world.organisation):
        assert WebhookEvent.objects.count() == 0


def _change_that_fails(world) -> None:
    with tenant(world.organisation):
        event_emit(organisation=world.organisation, type="job.failed", data={"job": "1"})
        raise ZeroDivisionError


def test_an_unknown_event_is_a_fault_of_ours(world) -> None:
    with pytest.raises(ValueError, match=r"job\.eaten"):
        event_emit(organisation=world.organisation, type="job.eaten", data={})
