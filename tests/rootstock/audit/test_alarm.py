"""A chain that a verification finds broken is told: on the home page, to endpoints, in the metrics, on the job."""

import pytest

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.audit.verifying import KIND
from rootstock.jobs import claiming, selectors
from rootstock.jobs.services import job_create
from rootstock.webhooks.models import WebhookEndpoint, WebhookEvent
from rootstock.webhooks.signing import sealed, secret_new
from tests.fixtures.jobs import run_job
from tests.rootstock.audit.test_verify import chain, owner
from tests.rootstock.rest.test_metrics import scrape

pytestmark = pytest.mark.everybody

__all__ = ["owner"]
NEED = "The audit trail is broken"


@pytest.fixture
def verified(committed_world, monkeypatch):
    """Runs the job and returns the lines of its timeline."""
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    organisation = committed_world.organisation

    def run() -> list[str]:
        job = job_create(organisation=organisation, kind=KIND, params={})
        run_job(organisation.pk, job.pk)
        events = selectors.job_events(organisation=organisation.pk, job_id=job.pk)
        return [event.data["text"] for event in events if event.type == "warning"]

    return run


def events(world) -> list[dict]:
    with tenant(world.organisation):
        found = WebhookEvent.objects.filter(type="audit.chain_broken")
        return list(found.values_list("data", flat=True))


def test_a_broken_chain_is_told(committed_world, owner, verified, services) -> None:
    organisation = committed_world.organisation
    with tenant(organisation):
        endpoint = WebhookEndpoint(organisation=organisation, url="https://hooks.example/", events=["*"])
        endpoint.secret = sealed(endpoint.pk, secret_new())
        endpoint.save()
    chain(organisation)
    browser = committed_world.browser(committed_world.owner)
    assert verified() == []
    assert NEED not in browser.get("/").content.decode()
    assert events(committed_world) == []
    before = scrape()[("rootstock_audit_chains_broken",)]

    with tenant(organisation):
        entry = AuditEntry.objects.order_by("id")[1]
    owner("UPDATE audit_auditentry SET action = 'thing.hidden' WHERE id = %s", entry.pk)
    (said,) = verified()

    assert said.startswith(f"The chain is broken: entry {entry.pk}")
    assert NEED in browser.get("/").content.decode()
    (told,) = events(committed_world)
    assert told["fault"] == "changed"
    assert scrape()[("rootstock_audit_chains_broken",)] == before + 1
