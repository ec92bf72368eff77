"""No worker serves the lane: nothing is lost, and the payment keeps its place."""

from apps.fraud.models import Decision, Label, Transaction
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import body
from tests.apps.fraud.iso_messages import pacs002, pacs008, status, transfer
from workers.runtime import Runtime

PATH = "/fraud/transactions"


def test_refused_at_once_and_scored_later_in_its_place(api, bank, valkey):
    valkey.delete("alive:fraud.score:any")
    response = api.post(PATH, body())
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    with tenant(bank.organisation):
        assert Transaction.objects.get().sequence == 1
        assert not Decision.objects.exists()
    listed = api.get(PATH, outcome="pending").json()["items"]
    assert [item["decision"] for item in listed] == [None]

    runtime = Runtime("test-later", ["score"])
    runtime.start()
    try:
        api.post(PATH, body(2))
        scored = api.post(PATH, body()).json()
    finally:
        runtime.stop()
    assert scored["sequence"] == 1
    assert scored["decision"]


def test_the_labels_of_a_message_are_stored_with_its_payments(api, bank, valkey):
    valkey.delete("alive:fraud.score:any")
    parts = (pacs008(transfer(1)), pacs002(status(1)))
    sent = b"<Messages>" + b"".join(one.partition(b"?>")[2] for one in parts) + b"</Messages>"
    assert api.post("/fraud/iso20022", sent, kind="application/xml").status_code == 503
    with tenant(bank.organisation):
        assert Label.objects.get().transaction == Transaction.objects.get()
