"""A killed sender and a lost Valkey lose nothing."""

import os
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from rootstock.accounts.tenancy import tenant
from rootstock.webhooks import delivering
from rootstock.webhooks.models import WebhookDelivery, WebhookEndpoint
from rootstock.webhooks.services import event_emit
from rootstock.webhooks.signing import sealed
from tests.rootstock.webhooks.conftest import Receiver

MODULE = "tests.rootstock.webhooks.sender"


@pytest.fixture
def organisation(committed_world, receiver: Receiver):
    """One whose endpoint hangs, then takes what comes."""
    found = committed_world.organisation
    with tenant(found):
        made = WebhookEndpoint(organisation=found, url=receiver.url("/hang"), events=["*"])
        made.secret = sealed(made.pk, receiver.secret)
        made.save()
        event_emit(organisation=found, type="job.failed", data={"job": "1"})
    return found


@pytest.mark.slow
def test_a_sender_that_is_killed_in_the_middle_is_followed_by_another(
    organisation, receiver: Receiver
) -> None:
    process = subprocess.Popen([sys.executable, "-m", MODULE, str(organisation.pk)], env={**os.environ})
    until = time.monotonic() + 60
    while not receiver.log() and time.monotonic() < until:
        time.sleep(0.05)
    process.kill()
    process.wait()
    with tenant(organisation):
        [left] = WebhookDelivery.objects.all()
        assert (left.state, left.tries, left.fence) == ("pending", 0, 1)
        assert left.lease_until > timezone.now(), "nobody else takes it while it may be on its way"
        WebhookEndpoint.objects.update(url=receiver.url("/ok"))
    assert delivering.deliver(organisation=organisation.pk) == 0
    with tenant(organisation):
        WebhookDelivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert organisation.pk in delivering.organisations_waiting()
    assert delivering.deliver(organisation=organisation.pk) == 1
    first, second = receiver.log()
    assert first["id"] == second["id"]
    assert second["verified"]


def test_without_valkey_the_row_waits_for_the_sweep(organisation, receiver: Receiver, settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    event_emit(organisation=organisation, type="job.failed", data={"job": "2"})
    assert connection.in_atomic_block is False
    assert organisation.pk in delivering.organisations_waiting()
    with tenant(organisation):
        assert WebhookDelivery.objects.filter(state="pending").count() == 2
