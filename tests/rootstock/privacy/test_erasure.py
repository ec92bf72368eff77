"""Erasure from the search to the certificate, in each vertical; who may, and what prevents it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from rootstock.accounts.tenancy import tenant
from rootstock.privacy import signing
from rootstock.privacy.models import ErasureCertificate, SubjectKey
from rootstock.privacy.requests import settings_update
from tests.rootstock.privacy.conftest import ACCOUNT, COUNTERPARTY, CUSTOMER, Planted, admit, pay, talk

pytestmark = pytest.mark.everybody


def test_it_works_for_accounts(planted: Planted, valkey: Any) -> None:
    from apps.fraud.models import Transaction
    from apps.fraud.payload import account_key, payloads_of
    from apps.fraud.records import payments
    from apps.fraud.state import ValkeyHistory

    pay(planted.organisation, (ACCOUNT, COUNTERPARTY), (COUNTERPARTY, ACCOUNT), (COUNTERPARTY, "third"))
    old = account_key(planted.organisation.pk, ACCOUNT)
    with tenant(planted.organisation):
        rows = list(Transaction.objects.order_by("sequence"))
    history = ValkeyHistory(valkey, planted.organisation.pk)
    history.neighbourhood(payments(payloads_of(rows)))
    ring = history.rings.key(old)
    assert valkey.exists(ring)
    subject = planted.find(ACCOUNT)
    assert {one["kind"]: one["count"] for one in subject["held"]} == {"fraud.payments": 2, "fraud.cycles": 0}
    assert subject["held"][0]["label"] == "Payments"
    certificate = planted.erase(subject)
    assert certificate["document"]["destroyed"] == {"fraud.payments": 2, "fraud.cycles": 0}
    shown = planted.api.get("/fraud/transactions").json()["items"]
    assert [(row["payer"], row["payee"]) for row in shown] == [
        (COUNTERPARTY, "third"), (COUNTERPARTY, "erased"), ("erased", COUNTERPARTY),
    ]  # fmt: skip
    assert planted.search(ACCOUNT) == []
    assert planted.api.get("/fraud/transactions", account=ACCOUNT).json()["items"] == []
    assert len(planted.api.get("/fraud/transactions", account=COUNTERPARTY).json()["items"]) == 3
    assert not valkey.exists(ring)
    with tenant(planted.organisation):
        keys = list(Transaction.objects.order_by("sequence").values_list("payer_key", "payee_key"))
    assert keys[0][0] == keys[1][1] != old  # the pattern of payments stays, under another key
    pay(planted.organisation, (ACCOUNT, COUNTERPARTY), start=9)  # the same account again is somebody new
    assert planted.find(ACCOUNT)["held"][0]["count"] == 1
    browser = planted.world.browser(planted.world.owner)
    for row in shown:
        assert browser.get(f"/fraud/{row['id']}/").status_code == 200
    assert "erased" in browser.get("/fraud/").content.decode()


def test_devices_merchants_and_notes_go_with_whom_they_belong_to(planted: Planted) -> None:
    from apps.fraud.models import Label, Transaction
    from apps.fraud.payload import DEVICE, MERCHANT, keys_of

    world = planted.organisation
    with_things = {"device": "phone-7", "merchant": "corner shop"}
    pay(world, (ACCOUNT, COUNTERPARTY), (COUNTERPARTY, ACCOUNT), ("third", COUNTERPARTY), **with_things)
    given = {"external_id": "p-1", "fraud": True, "source": "analyst", "note": "Ada rang"}
    bank = planted.world.api("fraud:read", "fraud:write")
    assert bank.post("/fraud/labels", given).status_code == 200
    planted.erase(planted.find(ACCOUNT))
    shown = bank.get("/fraud/transactions").json()["items"]
    assert [(row["device"], row["merchant"]) for row in reversed(shown)] == [
        ("erased", "corner shop"), ("phone-7", "erased"), ("phone-7", "corner shop"),
    ]  # fmt: skip
    assert shown[-1]["label"]["note"] == "erased"
    [device], [merchant] = (
        keys_of(world.pk, *one) for one in ((DEVICE, ["phone-7"]), (MERCHANT, ["corner shop"]))
    )
    with tenant(world):
        keys = list(Transaction.objects.order_by("sequence").values_list("device_key", "merchant_key"))
        assert Label.objects.count() == 1
    assert [(one == device, two == merchant) for one, two in keys] == [
        (False, True),
        (True, False),
        (True, True),
    ]
    assert 0 not in [key for pair in keys for key in pair]
    refused = bank.post("/fraud/labels", given | {"note": "Ada rang again"})
    assert refused.status_code == 409
    assert bank.post("/fraud/labels", given | {"note": None, "fraud": False}).status_code == 200


def test_it_works_for_customers(planted: Planted) -> None:
    first, second = talk(planted.organisation), talk(planted.organisation, customer=CUSTOMER.upper())
    other = talk(planted.organisation, customer="", text="I am nobody")
    subject = planted.find(CUSTOMER.lower())
    assert {one["kind"]: one["count"] for one in subject["held"]} == {
        "support.conversations": 2,
        "support.turns": 4,
    }
    planted.erase(subject)
    for conversation in (first, second):
        shown = planted.api.get(f"/support/conversations/{conversation}").json()
        assert (shown["subject"], shown["customer"]) == ("erased", "erased")
        assert {turn["text"] for turn in shown["turns"]} == {"erased"}
    assert planted.search(CUSTOMER) == []
    assert planted.api.get("/support/conversations", search=CUSTOMER).json()["items"] == []
    kept = planted.api.get(f"/support/conversations/{other}").json()
    assert kept["turns"][1]["text"] == "I am nobody"
    browser = planted.world.browser(planted.world.owner)
    assert "erased" in browser.get("/support/").content.decode()
    assert browser.get(f"/support/{first}", follow=True).status_code == 200


def test_it_works_for_patients(planted: Planted) -> None:
    made = admit(planted.organisation)
    subject = planted.find(made.person.mrn)
    held = {one["kind"]: one["count"] for one in subject["held"]}
    assert held["ehr.person"] == 1
    assert held["ehr.notes"] > 0
    [patient] = planted.api.get("/ehr/patients", identifier=made.person.mrn).json()["items"]
    planted.erase(subject)
    assert planted.search(made.person.mrn) == []
    assert planted.api.get("/ehr/patients", identifier=made.person.mrn).json()["items"] == []
    shown = planted.api.get(f"/ehr/patients/{patient['id']}").json()
    assert (shown["name"], shown["birth_date"], shown["identifiers"]) == ("erased", None, [])
    path = f"/ehr/patients/{patient['id']}"
    reader = planted.world.api("ehr:read", "ehr:identified")
    notes = reader.get(f"{path}/notes", original="true").json()["items"]
    assert {note["original"] for note in notes} == {"erased"}
    events = planted.api.get(f"{path}/timeline", limit=200).json()["items"]
    assert {event["display"] for event in events} == {"erased"}
    browser = planted.world.browser(planted.world.owner)
    for page in ("/ehr/", path, f"{path}/timeline", f"{path}/notes"):
        assert "erased" in browser.get(page, follow=True).content.decode()
    later = datetime.now(UTC) + timedelta(minutes=1)  # within one second it would be the Bundle that is known
    again = admit(planted.organisation, 0, later)  # the same person comes again
    assert planted.find(again.person.mrn)["id"] != subject["id"]


def test_the_certificate_is_genuine_until_it_is_changed(planted: Planted, tmp_path: Any, capsys: Any) -> None:
    talk(planted.organisation)
    subject = planted.find(CUSTOMER)
    with tenant(planted.organisation):
        before = SubjectKey.objects.get(pk=subject["id"])
    certificate = planted.erase(subject)
    assert certificate["document"]["key"]["fingerprint"] == before.fingerprint
    assert certificate["document"]["audit_entry"]["id"]
    assert "Lovelace" not in json.dumps(certificate)
    assert signing.is_signed(certificate["document"], certificate["signature"], certificate["public_key"])
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(certificate))
    call_command("verify_certificate", str(file))
    assert "genuine" in capsys.readouterr().out
    certificate["document"]["destroyed"]["support.turns"] = 7
    file.write_text(json.dumps(certificate))
    with pytest.raises(CommandError, match="NOT genuine"):
        call_command("verify_certificate", str(file))
    with tenant(planted.organisation):
        gone = SubjectKey.objects.get(pk=subject["id"])
        stored = ErasureCertificate.objects.get()
    assert (bytes(gone.wrapped), gone.reference_index) == (b"", None)
    path = f"/privacy/certificates/{stored.pk}"
    assert planted.api.get(path).json()["document"]["id"] == str(stored.pk)


def test_a_second_person_confirms(planted: Planted) -> None:
    talk(planted.organisation)
    request = planted.ask(planted.find(CUSTOMER))
    assert request["state"] == "waiting"
    path = f"/privacy/requests/{request['id']}"
    own = planted.api.post(f"{path}/confirm")
    assert own.status_code == 403
    assert "second person" in own.json()["detail"]
    third_key = planted.world.browser(planted.world.owner)  # the same person by another way
    assert third_key.post(f"/api/v1{path}/confirm").status_code == 403
    assert planted.second.post(f"{path}/refuse").json()["state"] == "refused"
    assert planted.second.post(f"{path}/confirm").status_code == 409
    settings_update(organisation=planted.organisation, four_eyes=False, archive_days=7)
    again = planted.ask(planted.find(CUSTOMER))
    assert planted.api.post(f"/privacy/requests/{again['id']}/confirm").status_code == 200


def test_a_legal_hold_prevents_it(planted: Planted) -> None:
    talk(planted.organisation)
    subject = planted.find(CUSTOMER)
    request = planted.ask(subject)
    put, delete = planted.api._client.put, planted.api._client.delete
    path = f"/api/v1/privacy/subjects/{subject['id']}/hold"
    held = put(path, {"reason": "Court of Chancery"}, content_type="application/json")
    assert held.json()["state"] == "held"
    assert planted.second.post(f"/privacy/requests/{request['id']}/confirm").status_code == 409
    body = {"subject_id": subject["id"], "action": "erase", "ground": "unlawful"}
    assert planted.api.post("/privacy/requests", body).status_code == 409
    assert delete(path).json()["state"] == "kept"
    assert planted.second.post(f"/privacy/requests/{request['id']}/confirm").status_code == 200
    assert put(path, {"reason": "too late"}, content_type="application/json").status_code == 409


def test_one_open_request_at_a_time(planted: Planted) -> None:
    talk(planted.organisation)
    subject = planted.find(CUSTOMER)
    planted.ask(subject)
    body = {"subject_id": subject["id"], "action": "erase", "ground": "unlawful"}
    assert planted.api.post("/privacy/requests", body).status_code == 409


def test_permissions(planted: Planted) -> None:
    talk(planted.organisation)
    subject = planted.find(CUSTOMER)
    request = planted.ask(subject)
    world = planted.world
    reader, stranger = (
        world.api("privacy:read"),
        world.api("privacy:read", "privacy:write", organisation=world.other),
    )
    body = {"subject_id": subject["id"], "action": "erase", "ground": "unlawful"}
    assert (
        world.api("support:read").post("/privacy/subjects/search", {"reference": CUSTOMER}).status_code == 403
    )
    assert reader.post("/privacy/requests", body).status_code == 403
    assert reader.post(f"/privacy/requests/{request['id']}/confirm").status_code == 403
    assert stranger.post("/privacy/subjects/search", {"reference": CUSTOMER}).json() == []
    for path in (f"/privacy/subjects/{subject['id']}", f"/privacy/requests/{request['id']}"):
        assert reader.get(path).status_code == 200
        assert stranger.get(path).status_code == 404
    assert stranger.post(f"/privacy/requests/{request['id']}/confirm").status_code == 404
    assert stranger.post("/privacy/requests", body).status_code == 404
