"""`manage.py fraud_rebuild`: Valkey is wiped, and payments score as they would have."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.fraud.models import Decision
from apps.fraud.rebuilding import state_rebuild
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import body

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/transactions"


def sent(number):
    """A payment of a few customers who share devices and shops."""
    more = {"device": f"d{number % 5}", "merchant": f"m{number % 4}"} if number % 2 else {}
    return body(
        number, payer=f"P{number % 7}", payee=f"S{number % 3}", amount=f"{5 + number % 40}.25", **more
    )


def rings(bank, valkey):
    return sorted(valkey.scan_iter(f"fraud:6:{bank.organisation.pk}:*"))


def history(organisation_api):
    for start in range(0, 120, 30):
        numbers = range(start + 1, start + 31)
        assert organisation_api.post(PATH, [sent(n) for n in numbers]).status_code == 200
        labels = [
            {"external_id": f"p-{n}", "fraud": n % 4 == 0, "source": "test"} for n in numbers if n % 10 == 0
        ]
        assert organisation_api.post("/fraud/labels", labels).status_code == 200

    assert (
        organisation_api.post(PATH, sent(121)).status_code == 200
    )  # which brings the last labels into the rings


def test_scores_are_the_same_after_a_rebuild(api, bank, valkey):
    """Two organisations with the same payments; the state of one is wiped and rebuilt before the last of them."""
    other = bank.api("fraud:read", "fraud:write", organisation=bank.other)
    history(api)
    history(other)
    before = {key: valkey.get(key) for key in rings(bank, valkey)}
    valkey.delete(f"fraud:6:{bank.organisation.pk}", *rings(bank, valkey))
    out = StringIO()
    call_command("fraud_rebuild", organisation=bank.organisation.slug, stdout=out)
    assert f"{bank.organisation.slug}: " in out.getvalue()
    assert "rings are there" in out.getvalue()
    after = {key: valkey.get(key) for key in rings(bank, valkey)}
    assert before.keys() == after.keys()
    assert all(
        before[key][16:] == after[key][16:] for key in before
    )  # all but epoch and since: the same events
    last = [sent(n) for n in range(122, 161)]
    ours, theirs = (one.post(PATH, last).json()["items"] for one in (api, other))
    assert [one["decision"]["score"] for one in ours] == [one["decision"]["score"] for one in theirs]
    with tenant(bank.organisation):
        assert Decision.objects.count() == 160


def test_a_busy_account_is_rebuilt_with_what_came_before_its_ring(api, bank, valkey):
    """More payments than a ring keeps: counters of the rest are worked out anew and lead to the same scores."""
    other = bank.api("fraud:read", "fraud:write", organisation=bank.other)
    busy = [body(n, payer="BUSY", payee=f"S{n % 9}", amount=f"{5 + n % 40}.25") for n in range(1, 301)]
    for one in (api, other):
        for start in range(0, 300, 100):
            assert one.post(PATH, busy[start : start + 100]).status_code == 200
    valkey.delete(f"fraud:6:{bank.organisation.pk}", *rings(bank, valkey))
    call_command("fraud_rebuild", organisation=bank.organisation.slug, stdout=StringIO())
    last = [body(n, payer="BUSY", payee=f"S{n % 9}", amount="700.00") for n in range(301, 312)]
    ours, theirs = (one.post(PATH, last).json()["items"] for one in (api, other))
    assert [one["decision"]["score"] for one in ours] == [one["decision"]["score"] for one in theirs]
    told = [[reason["text"] for reason in one["decision"]["reasons"]] for one in ours]
    assert told == [[reason["text"] for reason in one["decision"]["reasons"]] for one in theirs]


def test_nothing_to_rebuild(bank):
    assert state_rebuild(bank.organisation, lambda side, rings: None) == 0


def test_an_unknown_organisation_is_said(bank):
    with pytest.raises(CommandError, match="no organisation"):
        call_command("fraud_rebuild", organisation="nobody")
