"""No worker serves the lane: nothing is lost, and the payment keeps its place."""

from apps.fraud.models import Decision, Transaction
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import body
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
