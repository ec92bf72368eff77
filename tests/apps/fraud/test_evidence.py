"""Every decision on a payment has its record, once, from the transaction that wrote the decision."""

import pytest

from apps.fraud.models import Decision, Transaction
from apps.fraud.services import decisions_write
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry, DecisionRecord
from tests.apps.fraud.conftest import body

pytestmark = pytest.mark.usefixtures("runtime")


def test_it_works(api, bank) -> None:
    sent = api.post("/fraud/transactions", [body(1), body(2)]).json()["items"]
    with tenant(bank.organisation):
        records = {record.subject_id: record for record in DecisionRecord.objects.all()}
    assert set(records) == {one["id"] for one in sent}
    record = records[sent[0]["id"]]
    assert (record.kind, record.model) == ("fraud.score", sent[0]["decision"]["model"])
    assert record.model_digest.startswith(record.model.partition("@")[2])
    assert len(record.model_digest) == 64
    assert record.output["score"] == sent[0]["decision"]["score"]
    assert record.output["outcome"] == sent[0]["decision"]["outcome"]
    assert "GB29" not in str(record.output)


def test_a_second_writer_records_nothing(api, bank) -> None:
    api.post("/fraud/transactions", [body(1), body(2)])
    with tenant(bank.organisation):
        rows = list(Transaction.objects.order_by("sequence"))
        decided = Decision.objects.get(transaction=rows[0])
    result = {
        "score": 0.1,
        "probability": 0.1,
        "outcome": "approve",
        "by": ["model"],
        "reasons": [],
        "contributions": {},
        "surprise": 1.0,
        "model": "late@0",
        "model_digest": "0" * 64,
        "rules": "",
        "rule_score": 0.0,
        "shadow": None,
    }
    decisions_write(organisation=bank.organisation.pk, rows=rows, results=[result, result], latency_ms=1.0)
    with tenant(bank.organisation):
        assert DecisionRecord.objects.count() == 2
        assert Decision.objects.get(pk=decided.pk).model == decided.model


def test_reads_of_payments_are_recorded(api, bank) -> None:
    [sent] = api.post("/fraud/transactions", [body(1)]).json()["items"]
    for _ in range(2):
        api.get("/fraud/transactions")
        api.get(f"/fraud/transactions/{sent['id']}")
    bank.browser(bank.owner).get(f"/fraud/{sent['id']}/")
    with tenant(bank.organisation):
        [listed] = AuditEntry.objects.filter(action="payment.listed")
        assert (listed.data["count"], listed.data["ids"]) == (1, [sent["id"]])
        reads = AuditEntry.objects.filter(action="payment.read", object_id=sent["id"]).order_by("id")
        assert [one.actor_kind for one in reads] == ["key", "person"]
