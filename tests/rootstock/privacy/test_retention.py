"""Retention: off until a rule is set, bounded, and never what is under a legal hold."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from apps.ehr.models import Event, Patient
from apps.fraud.models import Decision, Transaction
from apps.support.models import Conversation, Turn
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.privacy.models import SubjectKey
from rootstock.privacy.retention import retention_enforce
from tests.rootstock.privacy.conftest import ACCOUNT, COUNTERPARTY, CUSTOMER, Planted, admit, pay, talk

LONG_AGO = timedelta(days=400)


def rule(planted: Planted, kind: str, days: int | None) -> Any:
    """Set a rule over REST."""
    return planted.api._client.put(
        f"/api/v1/privacy/retention/{kind}", {"days": days}, content_type="application/json"
    )


def test_it_works(planted: Planted) -> None:
    old, new = talk(planted.organisation), talk(planted.organisation, customer="new@example.org")
    with tenant(planted.organisation):
        Conversation.objects.filter(pk=old).update(last_activity_at=timezone.now() - LONG_AGO)
    assert retention_enforce(planted.organisation) == {}
    assert rule(planted, "support.conversations", 365).json()["days"] == 365
    assert retention_enforce(planted.organisation) == {"support.conversations": 1}
    with tenant(planted.organisation):
        assert set(Conversation.objects.values_list("pk", flat=True)) == {new}
        assert set(Turn.objects.values_list("conversation", flat=True)) == {new}
        assert SubjectKey.objects.exclude(destroyed_at=None).count() == 1
        entry = AuditEntry.objects.get(action="retention_rule.enforced")
    assert (entry.actor_id, entry.data["deleted"]) == ("retention", 1)
    assert planted.search(CUSTOMER) == []
    shown = {row["kind"]: row for row in planted.api.get("/privacy/retention").json()}
    assert shown["support.conversations"]["deleted"] == 1
    assert shown["fraud.payments"]["days"] is None
    assert rule(planted, "support.conversations", None).json()["days"] is None


def test_payments_and_patients(planted: Planted) -> None:
    pay(planted.organisation, (ACCOUNT, COUNTERPARTY), (COUNTERPARTY, "third"))
    admit(planted.organisation)
    with tenant(planted.organisation):
        first = Transaction.objects.order_by("sequence")[0]
        Transaction.objects.filter(pk=first.pk).update(received_at=timezone.now() - LONG_AGO)
        Patient.objects.update(last_seen_at=timezone.now() - LONG_AGO)
        Decision.objects.create(
            organisation=planted.organisation, transaction=first, sequence=1, score=0.5, probability=0.5,
            outcome="approve", surprise=1.0, model="m", latency_ms=1,
        )  # fmt: skip
    rule(planted, "fraud.payments", 365)
    rule(planted, "ehr.patients", 365)
    assert retention_enforce(planted.organisation) == {"fraud.payments": 1, "ehr.patients": 1}
    with tenant(planted.organisation):
        assert Transaction.objects.get().payee == "third"
        assert not Decision.objects.exists()
        assert not Patient.objects.exists()
        assert not Event.objects.exists()
    assert planted.search(ACCOUNT) == []
    assert planted.find(COUNTERPARTY)["held"][0]["count"] == 1


def test_a_legal_hold_keeps_it(planted: Planted) -> None:
    conversation = talk(planted.organisation)
    pay(planted.organisation, (ACCOUNT, COUNTERPARTY))
    with tenant(planted.organisation):
        Conversation.objects.update(last_activity_at=timezone.now() - LONG_AGO)
        Transaction.objects.update(received_at=timezone.now() - LONG_AGO)
    for reference in (CUSTOMER, COUNTERPARTY):
        subject = planted.find(reference)
        path = f"/api/v1/privacy/subjects/{subject['id']}/hold"
        assert (
            planted.api._client.put(path, {"reason": "court"}, content_type="application/json").status_code
            == 200
        )
    rule(planted, "support.conversations", 30)
    rule(planted, "fraud.payments", 30)
    assert set(retention_enforce(planted.organisation).values()) == {0}
    with tenant(planted.organisation):
        assert Conversation.objects.get().pk == conversation
        assert Transaction.objects.count() == 1


def test_wrong_rules_are_refused(planted: Planted) -> None:
    assert rule(planted, "support.conversations", 7).status_code == 422
    assert rule(planted, "support.nothing", 365).status_code == 404
    reader = planted.world.api("privacy:read")
    refused = reader._client.put(
        "/api/v1/privacy/retention/support.conversations", {"days": 90}, content_type="application/json"
    )
    assert refused.status_code == 403


def test_what_is_not_in_use_is_folded(planted: Planted) -> None:
    pay(planted.organisation, (ACCOUNT, COUNTERPARTY))
    rule(planted, "support.conversations", 365)
    shown = {row["kind"]: row["in_use"] for row in planted.api.get("/privacy/retention").json()}
    assert {kind for kind, in_use in shown.items() if in_use} == {"fraud.payments", "support.conversations"}
    page = planted.world.browser(planted.world.owner).get("/privacy/retention/").content.decode()
    before, folded = page.split("Not in use")
    assert ('id="fraud.payments"' in before, 'id="support.conversations"' in before) == (True, True)
    assert ('id="ehr.patients"' in before, 'id="ehr.patients"' in folded) == (False, True)
