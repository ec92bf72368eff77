"""Deliveries wait on a worker of their own: real workers, started as `manage.py up` starts them."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site_settings

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry, AuditRoot
from rootstock.celery import app
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_create
from rootstock.operations import stack
from rootstock.supervisor import Output, Supervisor
from rootstock.webhooks.models import WebhookDelivery, WebhookEndpoint
from rootstock.webhooks.services import event_emit
from rootstock.webhooks.signing import sealed
from tests.rootstock.webhooks.conftest import Receiver

pytestmark = [pytest.mark.slow, pytest.mark.everybody]

PATIENT = {"ROOTSTOCK_WEBHOOK_ALLOW": "127.0.0.1", "ROOTSTOCK_WEBHOOK_TIMEOUT_S": "120"}


@pytest.fixture
def workers(committed, request) -> Iterator[Supervisor]:
    """The workers of jobs and of webhooks, which wait for receivers as long as they like."""
    names = getattr(request, "param", ("general", "webhooks"))
    wanted = [each for each in stack.processes(stack.address()) if each.name in names]
    ours = [dataclasses.replace(each, environment={**each.environment, **PATIENT}) for each in wanted]
    var = Path(site_settings.VAR_DIR)
    with (var / "queues.log").open("w") as log, Supervisor(var, ours, Output(log)) as supervisor:
        supervisor.start()
        supervisor.wait_ready()
        yield supervisor
        supervisor.hurry()
        supervisor.stop()


def wait_for(what: Callable[[], Any]) -> Any:
    until = time.monotonic() + 60
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def hang(organisation: Any, receiver: Receiver) -> None:
    """One event for an endpoint that never answers."""
    with tenant(organisation):
        made = WebhookEndpoint(organisation=organisation, url=receiver.url("/hang"), events=["webhook.test"])
        made.secret = sealed(made.pk, receiver.secret)
        made.save()
        event_emit(organisation=organisation, type="webhook.test", data={})


def test_receivers_that_hang_hold_up_no_job(committed_world, receiver: Receiver, workers) -> None:
    both = (committed_world.organisation, committed_world.other)
    for organisation in both:
        hang(organisation, receiver)
    assert wait_for(lambda: len(receiver.log()) == 2)
    job = job_create(organisation=committed_world.organisation, kind="audit.verify", params={})
    with tenant(committed_world.organisation):
        assert wait_for(lambda: Job.objects.get(pk=job.pk).is_final)
    for organisation in both:
        with tenant(organisation):
            assert WebhookDelivery.objects.get().tries == 0, "its receiver still hangs"


@pytest.mark.parametrize("workers", [("webhooks",)], indirect=True)
def test_the_trail_is_sealed_while_no_job_can_run_and_receivers_hang(
    committed_world, receiver: Receiver, workers
) -> None:
    organisation = committed_world.organisation
    hang(organisation, receiver)
    assert wait_for(lambda: len(receiver.log()) == 1)
    app.send_task("rootstock.audit.tasks.write_roots")
    with tenant(organisation):
        assert AuditEntry.objects.exists()
        assert wait_for(AuditRoot.objects.exists)
