"""`manage.py replay_decision`: a decision made again from what had arrived by then."""

from contextlib import suppress
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from apps.fraud.models import ACCOUNT, Decision, Transaction
from rootstock.accounts.tenancy import tenant
from rootstock.privacy.subjects import subject_find
from tests.apps.fraud.conftest import body

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/transactions"


def sent(number, **changes):
    """A payment of a few customers who share devices and shops; now and then one that is out of the way."""
    more = {"device": f"d{number % 5}", "merchant": f"m{number % 4}"} if number % 2 else {}
    odd = {"payee": f"NEW-{number}", "amount": "9400.00", "channel": "instant"} if number % 9 == 0 else {}
    usual = body(number, payer=f"P{number % 4}", payee=f"S{number % 3}", amount=f"{5 + number % 40}.25")
    return usual | more | odd | changes


def history(api, first=1, last=60):
    """Payments, among them late ones, and labels; the payments as answered."""
    found = []
    for start in range(first, last, 20):
        numbers = [*range(start + 10, start + 20), *range(start, start + 10)]  # the second half comes first
        found += api.post(PATH, [sent(n) for n in numbers]).json()["items"]
        labels = [{"external_id": f"p-{n}", "fraud": n % 2 == 0, "source": "test"} for n in numbers[::6]]
        assert api.post("/fraud/labels", labels).status_code == 200
    return found


def replay(id):
    out = StringIO()
    call_command("replay_decision", str(id), stdout=out)
    return out.getvalue()


def wipe(bank, valkey):
    keys = sorted(valkey.scan_iter(f"fraud:6:{bank.organisation.pk}*"))
    assert keys
    valkey.delete(*keys)


@pytest.mark.slow
def test_every_decision_agrees_after_more_has_come_and_valkey_is_wiped(api, bank, valkey):
    found = history(api)
    assert any(one["late_by_s"] for one in found)
    assert any(one["decision"]["reasons"] for one in found)
    history(api, 101, 160)
    relabelled = [{"external_id": one["external_id"], "fraud": True, "source": "late"} for one in found]
    assert api.post("/fraud/labels", relabelled).status_code == 200
    wipe(bank, valkey)
    for one in found[::3]:
        assert "agrees: " in replay(one["id"])


@pytest.mark.slow
def test_decisions_on_a_busy_account_agree(api, bank, valkey):
    """Far more payments than a ring keeps, within minutes, some of them late."""
    found = []
    for start in range(1, 301, 50):
        paid = [
            body(
                n,
                payer="BUSY",
                payee=f"S{n % 9}",
                occurred_at=f"2026-09-0{1 + (n % 7 > 0)}T10:{n % 60:02}:00Z",
            )
            for n in range(start, start + 50)
        ]
        found += api.post(PATH, paid).json()["items"]
    for one in (found[130], found[190], found[299]):
        assert "agrees: " in replay(one["id"])
    wipe(bank, valkey)
    last = api.post(PATH, body(301, payer="BUSY", payee="S1")).json()
    assert "agrees: " in replay(last["id"])


def test_it_prints_both(api, bank):
    found = history(api)[-1]
    with tenant(bank.organisation):
        decision = Decision.objects.get(transaction_id=found["id"])
    told = replay(decision.pk)
    assert f"number {found['sequence']}, decided 20" in told
    assert f"model   {found['decision']['model']}; no rules" in told
    scores = [
        line.split("score ")[1] for line in told.splitlines() if "score " in line and "; reasons" in line
    ]
    assert scores[0] == scores[1]
    assert scores[0].startswith(f"{found['decision']['score']:.6f}, {found['decision']['outcome']}")
    assert "note" not in told


def test_what_does_not_agree_is_said(api, bank):
    found = history(api)
    with tenant(bank.organisation):
        row = Decision.objects.get(transaction_id=found[-1]["id"])
        Decision.objects.filter(pk=row.pk).update(score=0.98765 if row.score < 0.5 else 0.01)
    with pytest.raises(CommandError, match="does not agree") as failed:
        replay(found[-1]["id"])
    assert failed.value.returncode == 1


def test_an_erased_payer_is_said(api, bank):
    from apps.fraud.privacy import HOLDINGS
    from rootstock.privacy.subjects import key_destroy

    history(api)
    with tenant(bank.organisation):
        key = subject_find(bank.organisation.pk, ACCOUNT, "P1")
        HOLDINGS.subjects[0].scrub(key)
        key_destroy(key)
        paid = Transaction.objects.filter(payer_subject=key).order_by("-sequence").first()
    out = StringIO()
    with suppress(CommandError):  # devices that were shared are not, any more
        call_command("replay_decision", str(paid.pk), stdout=out)
    assert "note    the payer was erased" in out.getvalue()


@pytest.mark.slow
def test_deleted_payments_are_counted(api, bank):
    api.post(PATH, body(0, payer="X", payee="Y"))
    found = history(api)
    with tenant(bank.organisation):
        Transaction.objects.filter(external_id="p-0").delete()
    assert "deleted when their time was over: 1" in replay(found[-1]["id"])


@pytest.mark.slow
def test_what_cannot_be_replayed(api, bank):
    with pytest.raises(CommandError, match="no payment and no decision") as unknown:
        replay(uuid4())
    assert unknown.value.returncode == 2
    found = history(api)
    with tenant(bank.organisation):
        Decision.objects.filter(transaction_id=found[0]["id"]).update(model_digest="0" * 64)
        Decision.objects.filter(transaction_id=found[1]["id"]).delete()
    with pytest.raises(CommandError, match="is not shipped any more"):
        replay(found[0]["id"])
    with pytest.raises(CommandError, match="no decision yet"):
        replay(found[1]["id"])
