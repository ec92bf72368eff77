"""An organisation with one of everything, and the addresses of its pages: what axe and the eye walk through."""

from typing import Any
from uuid import uuid4

from django.core.files.uploadedfile import SimpleUploadedFile

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.models import Membership, Role
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput
from tests.apps.fraud.conftest import body, ring
from tests.fixtures.jobs import run_job
from tests.fixtures.registry import full_registry
from tests.fixtures.world import World
from tests.rootstock.privacy.conftest import CUSTOMER, admit, talk

WAITING, ERASED = "charles.babbage@example.org", "mary.somerville@example.org"


def everything(world: World) -> dict[str, str]:
    """Make it; the pages that have an id in their address, by name."""
    with acting(Actor("person", str(world.owner.pk))):
        pages = {}
        for part in (
            people,
            machines,
            models,
            adapters,
            trainings,
            continual,
            webhooks,
            files,
            jobs,
            records,
            desk,
            payments,
            privacy,
            audit,
        ):
            pages |= part(world)
    return pages


def people(world: World) -> dict[str, str]:
    """A member, an invitation and its link."""
    from rootstock.accounts.services import invitation_create

    invitation, token = invitation_create(
        organisation=world.organisation,
        email="ada@example.org",
        role=Role.FRAUD_ANALYST,
        invited_by=world.owner,
    )
    with tenant(world.organisation):
        member = Membership.objects.get(user=world.colleague)
    return {
        "person": f"/people/{member.pk}/",
        "invitation": f"/people/invitations/{invitation.pk}/",
        "join": f"/join/{token}/",
    }


def machines(world: World) -> dict[str, str]:
    """A key in use, one revoked, a machine client."""
    from rootstock.accounts.services import api_key_create, api_key_revoke, client_create

    given = {"organisation": world.organisation, "created_by": world.owner}
    key, _ = api_key_create(name="core banking", scopes=["fraud:read", "fraud:write", "jobs:read"], **given)
    old, _ = api_key_create(name="pilot", scopes=["fraud:read"], **given)
    api_key_revoke(organisation=world.organisation, key_id=old.pk)
    client, _ = client_create(name="ward system", scopes=["ehr:read", "ehr:write"], **given)
    return {
        "key": f"/keys/{key.pk}/",
        "key-revoked": f"/keys/{old.pk}/",
        "client": f"/keys/clients/{client.pk}/",
    }


def models(world: World) -> dict[str, str]:
    """An adapter, a budget, and use of it by a key and a person."""
    from rootstock.accounts.services import api_key_create
    from rootstock.gateway.budgets import Used, usage_record
    from rootstock.gateway.usage import budget_set

    budget_set(organisation=world.organisation, tokens_per_day=100, tokens_per_month=10_000)
    key, _ = api_key_create(organisation=world.organisation, name="nightly", scopes=["models:use"])
    for holder in (Actor("key", str(key.pk)), Actor("person", str(world.owner.pk))):
        for model in ("base", "tone@a3f5a3f5a3f5"):
            usage_record(
                organisation=world.organisation,
                call=uuid4(),
                holder=holder,
                model=model,
                used=Used(40, 9, 12),
            )
    return {"usage": "/usage/?days=7", "budget": "/usage/budget"}


def adapters(world: World) -> dict[str, str]:
    """Versions, an alias with a canary and a shadow, a promotion that waits."""
    made = full_registry(world)
    return {
        "adapter": f"/adapters/{made['third'].pk}/",
        "adapter-retired": f"/adapters/{made['retired'].pk}/",
        "adapter-propose": f"/adapters/{made['third'].pk}/propose/",
        "adapter-compare": f"/adapters/compare/?one={made['third'].pk}&other={made['second'].pk}",
        "alias": f"/deployments/{made['alias'].pk}/",
        "promotion": f"/deployments/promotions/{made['asked'].pk}/",
    }


def trainings(world: World) -> dict[str, str]:
    """Two that have ended, on one data set."""
    from tests.fixtures.trainings import dataset_row, training_row

    dataset = dataset_row(world)
    one, other = (
        training_row(world, dataset, rank=rank, speed=speed) for rank, speed in ((8, 1.0), (4, 0.4))
    )
    return {
        "training": f"/adaptation/{one.pk}/",
        "compared": f"/adaptation/compare/?run={one.pk}&run={other.pk}",
    }


def continual(world: World) -> dict[str, str]:
    """An alias that learns by the clock, and a run that lost too much on a guard."""
    from tests.fixtures.continual import run_row

    run = run_row(world)
    return {
        "continual-plan": f"/adaptation/continual/{run.plan_id}/",
        "continual-edit": f"/adaptation/continual/{run.plan_id}/edit/",
        "continual-run": f"/adaptation/continual/runs/{run.pk}/",
    }


def webhooks(world: World) -> dict[str, str]:
    """An endpoint that fails, with a delivery that was tried."""
    from rootstock.webhooks import delivering
    from rootstock.webhooks.endpoints import endpoint_create, endpoint_test
    from rootstock.webhooks.sending import Answer

    endpoint, _ = endpoint_create(
        organisation=world.organisation,
        url="https://93.184.215.14/hooks/rootstock",
        events=["job.failed", "fraud.payment_declined"],
        description="Alerts of the fraud desk",
        created_by=world.owner,
    )
    delivery = endpoint_test(organisation=world.organisation, endpoint_id=endpoint.pk)
    delivering.deliver(
        organisation=world.organisation.pk,
        send=lambda _: Answer(212.0, 503, "answered 503", "Service Unavailable"),
    )
    return {
        "webhook": f"/webhooks/{endpoint.pk}/",
        "webhook-edit": f"/webhooks/{endpoint.pk}/edit/",
        "delivery": f"/webhooks/deliveries/{delivery.pk}/",
    }


def files(world: World) -> dict[str, str]:
    """A sound file and a refused one."""
    from rootstock.files.services import file_store
    from tests.rootstock.files.hostile import zip_link

    stored = {}
    for name, content in {"payments.csv": b"name,amount\nkestrel,3\n", "bundle.zip": zip_link()}.items():
        row, _ = file_store(
            organisation=world.organisation,
            purpose="import",
            content=SimpleUploadedFile(name, content),
            uploaded_by=world.owner,
        )
        stored[name] = f"/files/{row.pk}/"
    return {"file": stored["payments.csv"], "file-refused": stored["bundle.zip"]}


def jobs(world: World) -> dict[str, str]:
    """A job that failed, one that waits, a schedule."""
    from rootstock.jobs.schedules import schedule_create
    from rootstock.jobs.services import job_create

    given: dict[str, Any] = {
        "organisation": world.organisation,
        "kind": "adapters.train",
        "params": {"name": "tone", "dataset": "00000000-0000-7000-8000-000000000000", "settings": {}},
        "created_by": world.owner,
    }
    failed = job_create(**given, total=10)
    run_job(world.organisation.pk, failed.pk, _fail)
    schedule = schedule_create(**given, name="Nightly training", cron="0 3 * * 1-5")
    return {
        "job": f"/jobs/{failed.pk}/",
        "schedule": f"/jobs/schedules/{schedule.pk}/",
        "schedule-from": f"/jobs/schedules/new/?from={failed.pk}",
    }


def _fail(handle: Any) -> dict[str, Any]:
    handle.progress(4, 10, "loss 1.2", force=True)
    handle.artefact("curve.csv", b"step,loss\n1,2.0\n", "text/csv")
    handle.warn("The data set is small.")
    raise InvalidInput.field("rank", "is larger than the base takes")


def records(world: World) -> dict[str, str]:
    """A patient who came in with a Bundle."""
    from apps.ehr.models import Patient

    admit(world.organisation)
    with tenant(world.organisation):
        patient = Patient.objects.get()
    return {
        "patient": f"/ehr/patients/{patient.pk}/",
        "timeline": f"/ehr/patients/{patient.pk}/timeline",
        "notes": f"/ehr/patients/{patient.pk}/notes",
    }


def desk(world: World) -> dict[str, str]:
    """A conversation whose turn has an answer with its record."""
    from apps.support.evidence import reply_facts
    from apps.support.models import Conversation, Turn
    from apps.support.services import Outcome
    from rootstock.audit.decisions import decisions_record

    conversation_id = talk(world.organisation)
    words = "I am sorry, Ada. Your parcel leaves our depot today and should be with you on Tuesday."
    outcome = Outcome("finished", words, "stop", "", "", "f" * 64, 19, 80.0, 30.0, 240.0, b"h" * 32)
    with tenant(world.organisation) as owner:
        conversation = Conversation.objects.get(pk=conversation_id)
        Turn.objects.filter(conversation=conversation).update(
            emotion_label="anger", emotion_group="upset", emotion_level=0.87, emotion_scores={"anger": 0.87}
        )
        turn = Turn.objects.create(
            organisation_id=owner,
            person=conversation.person,
            conversation=conversation,
            number=3,
            role=Turn.Role.ASSISTANT,
            text=words,
            finish_reason="stop",
            model_fingerprint="f" * 64,
        )
        decisions_record(organisation=owner, records=[reply_facts(turn.pk, outcome)])
    return {"conversation": f"/support/{conversation_id}/"}


def payments(world: World) -> dict[str, str]:
    """Usual payments and a burst, scored by the lane, which has to run; and the job of a batch."""
    usual = [body(n, payee=f"SHOP-{n % 3}") for n in range(1, 12)]
    burst = [body(n, payee=f"MULE-{n}", amount="900.00", channel="instant") for n in range(20, 32)]
    answer = world.api("fraud:write").post("/fraud/transactions", usual + burst)
    assert answer.status_code == 200, answer.json()
    return {"payment": f"/fraud/{answer.json()['items'][-1]['id']}/", **cycle(world)}


def cycle(world: World) -> dict[str, str]:
    """The pages of a cycle that a search found, and of its ring."""
    api = world.api("fraud:read", "fraud:write")
    assert api.post("/fraud/transactions", ring(5)).status_code == 200
    run_job(world.organisation.pk, api.post("/fraud/cycles/searches", {}).json()["job"]["id"])
    found = api.get("/fraud/cycles").json()["items"][0]
    return {
        "cycle": f"/fraud/cycles/{found['id']}/",
        "ring": f"/fraud/cycles/rings/{found['ring_id']}/",
    }


def privacy(world: World) -> dict[str, str]:
    """A person under a hold with an export, one whose erasure waits, one who was erased."""
    from rootstock.privacy.holds import hold_place
    from rootstock.privacy.requests import request_confirm, request_create
    from rootstock.privacy.selectors import subjects_find

    def ask(reference: str, action: str) -> Any:
        [found] = subjects_find(organisation=world.organisation, reference=reference)
        return request_create(
            organisation=world.organisation,
            subject_id=found.key.pk,
            action=action,
            ground="person_asked",
            note="Rang on Monday and asked for it; identity checked against the contract.",
        )

    for customer in (WAITING, ERASED):
        talk(world.organisation, customer)
    export, waiting, erased = ask(CUSTOMER, "export"), ask(WAITING, "erase"), ask(ERASED, "erase")
    run_job(world.organisation.pk, export.job_id)
    hold_place(organisation=world.organisation, subject_id=export.subject_id, reason="Court order 17/2026")
    with acting(Actor("person", str(world.colleague.pk))):
        certificate = request_confirm(organisation=world.organisation, request_id=erased.pk)
    return {
        "subject": f"/privacy/subjects/{waiting.subject_id}/",
        "subject-held": f"/privacy/subjects/{export.subject_id}/",
        "subject-erased": f"/privacy/subjects/{erased.subject_id}/",
        "request": f"/privacy/requests/{waiting.pk}/",
        "request-export": f"/privacy/requests/{export.pk}/",
        "request-done": f"/privacy/requests/{erased.pk}/",
        "certificate": f"/privacy/certificates/{certificate.pk}/",
    }


def audit(world: World) -> dict[str, str]:
    """An entry and a decision, sealed."""
    from rootstock.audit.models import AuditEntry, DecisionRecord
    from rootstock.audit.roots import roots_write

    roots_write(organisation=world.organisation)
    with tenant(world.organisation):
        entry = AuditEntry.objects.filter(action="api_key.created").latest("id")
        decision = DecisionRecord.objects.latest("id")
    return {"entry": f"/audit/entries/{entry.pk}/", "decision": f"/audit/decisions/{decision.pk}/"}
