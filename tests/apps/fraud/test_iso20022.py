"""POST /api/v1/fraud/iso20022."""

import json
from decimal import Decimal

import pytest

from apps.fraud.models import Label, Transaction
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import body
from tests.apps.fraud.iso_messages import account, order, pacs002, pacs008, pain001, status, transfer
from tests.apps.fraud.test_transactions import problems

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/iso20022"
TRANSFER = "/Document/FIToFICstmrCdtTrf/CdtTrfTxInf"


def send(api, content, query="", **headers):
    return api.post(PATH + query, content, kind="application/xml", **headers)


def enveloped(*documents):
    return b"<Messages>" + b"".join(one.partition(b"?>")[2] for one in documents) + b"</Messages>"


def test_it_works(api, bank):
    response = send(api, pacs008(transfer(1), transfer(2)))
    assert response.status_code == 200, response.json()
    found = response.json()
    assert [one["external_id"] for one in found["payments"]] == ["tx-1", "tx-2"]
    first = found["payments"][0]
    assert (first["payer"], first["payee"]) == ("GB29NWBK60161331926819", "DE89370400440532013000")
    assert (first["amount"], first["currency"], first["channel"]) == ("12.50", "EUR", "transfer")
    assert (first["occurred_at"], first["sequence"]) == ("2026-03-02T09:00:00Z", 1)
    assert first["decision"]["outcome"] in ("approve", "review", "decline")
    assert found["statuses"] == []
    with tenant(bank.organisation):
        assert Transaction.objects.count() == 2


def test_names_are_not_kept(api, bank):
    answered = send(api, pacs008(transfer(RmtInf={"Ustrd": ["to Anna Example"]})))
    assert "Example" not in answered.content.decode()
    with tenant(bank.organisation):
        row = Transaction.objects.get()
        assert "Example" not in json.dumps([str(getattr(row, one.attname)) for one in row._meta.fields])


def test_orders_of_customers(api):
    found = send(api, pain001(order(1), order(2, PmtTpInf={"LclInstrm": {"Cd": "INST"}}))).json()["payments"]
    assert [one["external_id"] for one in found] == ["e2e-1", "e2e-2"]
    assert [one["channel"] for one in found] == ["transfer", "instant"]
    assert (found[0]["amount"], found[0]["currency"]) == ("99.00", "CHF")
    assert found[0]["payer"] == "GB29NWBK60161331926819"


def test_uetr_names_a_payment_best(api):
    ids = {"EndToEndId": "e2e-1", "TxId": "tx-1", "UETR": "8a562c67-ca16-48ba-b074-65581be6f001"}
    found = send(api, pacs008(transfer(PmtId=ids), transfer(PmtId={"EndToEndId": "e2e-9"}))).json()[
        "payments"
    ]
    assert [one["external_id"] for one in found] == ["8a562c67-ca16-48ba-b074-65581be6f001", "e2e-9"]


def test_a_status_that_says_fraud_is_a_label(api, bank):
    send(api, pacs008(transfer(1), transfer(2), transfer(3)))
    sent = pacs002(status(1, "FR01"), status(2, "AC06"), status(3, None, TxSts="ACSC"), status(4, "FRAD"))
    found = send(api, sent).json()["statuses"]
    assert [one["effect"] for one in found] == ["label", "not_a_label", "not_a_label", "unknown_payment"]
    assert [one["external_id"] for one in found] == ["tx-1", "tx-2", "tx-3", None]
    assert [one["reasons"] for one in found] == [["FR01"], ["AC06"], [], ["FRAD"]]
    label = found[0]["label"]
    assert (label["fraud"], label["source"], label["known_at"]) == (True, "pacs.002", "2026-03-09T09:00:00Z")
    assert send(api, sent).json()["statuses"][0]["label"] == label
    with tenant(bank.organisation):
        assert Label.objects.count() == 1


def test_a_status_of_a_whole_message_is_no_label(api):
    group = {"OrgnlMsgId": "m-1", "OrgnlMsgNmId": "pacs.008.001.08", "GrpSts": "RJCT"}
    found = send(api, pacs002(OrgnlGrpInfAndSts=[group])).json()["statuses"]
    assert [(one["status"], one["effect"], one["why"]) for one in found] == [
        ("RJCT", "not_a_label", "it names no payment")
    ]


def test_several_messages_in_an_envelope(api):
    sent = enveloped(pacs002(status(2)), pacs008(transfer(1), transfer(2)), pain001(order(1)))
    found = send(api, sent).json()
    assert [one["external_id"] for one in found["payments"]] == ["tx-1", "tx-2", "e2e-1"]
    assert [(one["external_id"], one["effect"]) for one in found["statuses"]] == [("tx-2", "label")]


def test_payments_and_labels_are_stored_at_once(api, bank):
    """A label that cannot be takes the message's payments with it; one that can shows at its payment at once."""
    early = enveloped(pacs008(transfer(1), at="2026-03-09T09:00:01Z"), pacs002(status(1)))
    refused = send(api, early)
    assert refused.status_code == 422
    assert problems(refused) == {
        "/Messages/Document[2]/FIToFIPmtStsRpt/GrpHdr/CreDtTm": "lies before the payment itself"
    }
    with tenant(bank.organisation):
        assert not Transaction.objects.exists()
        assert not Label.objects.exists()
    found = send(api, enveloped(pacs008(transfer(1), transfer(2)), pacs002(status(1)))).json()
    assert [one["label"] for one in found["payments"]] == [found["statuses"][0]["label"], None]
    assert all(one["decision"] for one in found["payments"])


def test_sent_again_it_is_known(api):
    first = send(api, pacs008(transfer())).json()
    assert send(api, pacs008(transfer())).json() == first
    keyed = send(api, pacs008(transfer(2)), **{"Idempotency-Key": "k1"})
    again = send(api, pacs008(transfer(2)), **{"Idempotency-Key": "k1"})
    assert (again.json(), again["Idempotent-Replayed"]) == (keyed.json(), "true")
    other = send(api, pacs008(transfer(3)), **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


def test_another_content_is_a_conflict_at_its_xpath(api):
    send(api, pacs008(transfer(1)))
    changed = transfer(1, IntrBkSttlmAmt={"value": Decimal("13"), "Ccy": "EUR"})
    response = send(api, pacs008(transfer(2), changed))
    assert response.status_code == 409
    assert list(problems(response)) == [f"{TRANSFER}[2]/IntrBkSttlmAmt"]
    twice = send(api, pacs008(transfer(3), transfer(3)))
    assert problems(twice) == {f"{TRANSFER}[2]/PmtId/TxId": "appears twice in this request"}


def test_a_payment_by_json_is_the_same_payment(api):
    api.post("/fraud/transactions", body(external_id="tx-1"))
    found = send(api, pacs002(status(1))).json()["statuses"]
    assert (found[0]["external_id"], found[0]["effect"]) == ("tx-1", "label")


def test_a_time_needs_a_zone(api):
    bare = pacs008(transfer(), at="2026-03-02T09:00:00")
    refused = problems(send(api, bare))
    assert list(refused) == ["/Document/FIToFICstmrCdtTrf/GrpHdr/CreDtTm"]
    assert "no offset from UTC" in refused["/Document/FIToFICstmrCdtTrf/GrpHdr/CreDtTm"]
    found = send(api, bare, "?zone=Europe/Berlin").json()["payments"]
    assert found[0]["occurred_at"] == "2026-03-02T08:00:00Z"
    assert list(problems(send(api, bare, "?zone=Mars/Olympus"))) == ["zone"]


def test_when_it_was_accepted_is_when_it_was_paid(api):
    accepted = transfer(AccptncDtTm="2026-03-02T10:15:30.250+02:00")
    assert send(api, pacs008(accepted)).json()["payments"][0]["occurred_at"] == "2026-03-02T08:15:30.250Z"


@pytest.mark.parametrize(
    ("change", "path", "reason"),
    [
        (("<MsgId>m-1</MsgId>", ""), "/GrpHdr/MsgId", "is missing"),
        (("m-1", "m" * 36), "/GrpHdr/MsgId", "at most 35"),
        (("<NbOfTxs>1<", "<NbOfTxs>7<"), "/GrpHdr/NbOfTxs", "says 7, and 1 are here"),
        (("12.50", "-1"), "/CdtTrfTxInf/IntrBkSttlmAmt", "at least 0"),
        (("12.50", "12,50"), "/CdtTrfTxInf/IntrBkSttlmAmt", "decimal"),
        (("12.50", "1.123456"), "/CdtTrfTxInf/IntrBkSttlmAmt", "5 digits"),
        (("12.50", "1.125"), "/CdtTrfTxInf/IntrBkSttlmAmt", "2 decimal"),
        (("12.50", "0"), "/CdtTrfTxInf/IntrBkSttlmAmt", "greater than 0"),
        (('Ccy="EUR"', 'Ccy="euro"'), "/CdtTrfTxInf/IntrBkSttlmAmt/@Ccy", "written as"),
        (('Ccy="EUR"', 'Ccy="XAU"'), "/CdtTrfTxInf/IntrBkSttlmAmt/@Ccy", "must be one of"),
        (('Ccy="EUR"', ""), "/CdtTrfTxInf/IntrBkSttlmAmt/@Ccy", "is missing"),
        (('Ccy="EUR"', 'Ccy="EUR" Cc="x"'), "/CdtTrfTxInf/IntrBkSttlmAmt/@Cc", "not an attribute"),
        (("SLEV", "FREE"), "/CdtTrfTxInf/ChrgBr", "must be one of"),
        ((">CLRG<", "><X/><"), "/GrpHdr/SttlmInf/SttlmMtd/X", "not allowed"),
        (("2026-03-02T09:00:00Z", "yesterday"), "/GrpHdr/CreDtTm", "a date with a time"),
        (("2026-03-02T09:00:00Z", "1026-03-02T09:00:00Z"), "/GrpHdr/CreDtTm", "after 2000"),
        (("<DbtrAgt>", "<PmtTpInf/><DbtrAgt>"), "/CdtTrfTxInf/PmtTpInf", "must stand before DbtrAcct"),
        (("<DbtrAgt>", "<Dbtr/><DbtrAgt>"), "/CdtTrfTxInf/Dbtr[2]", "must not come more than once"),
        (("<IBAN>DE89370400440532013000</IBAN>", ""), "/CdtTrfTxInf/CdtrAcct/Id", "exactly one of IBAN, Othr"),
        (("DE89", "DE98"), "/CdtTrfTxInf/CdtrAcct", "check digits do not fit"),
        (("<TxId>", "<Tx>"), "", "XML"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_by_its_xpath(api, bank, change, path, reason):
    content = pacs008(transfer()).decode().replace("xmlns:ns0", "xmlns").replace("ns0:", "")
    changed = content.replace(*change)
    assert changed != content
    response = send(api, changed.encode())
    found = problems(response)
    place = f"/Document/FIToFICstmrCdtTrf{path}" if path else "body"
    assert reason in found[place], found
    with tenant(bank.organisation):
        assert not Transaction.objects.exists()


def test_what_is_no_message_of_ours(api):
    document = b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"/>'
    assert "pacs.008.001.02 to .13" in problems(send(api, document))["/Document"]
    assert problems(send(api, b"<Other/>")) == {"/": "holds no element Document"}
    assert list(problems(send(api, b"{}"))) == ["body"]
    assert list(problems(send(api, pain001(order(), PmtMtd="CHK")))) == [
        "/Document/CstmrCdtTrfInitn/PmtInf/PmtMtd"
    ]


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/octet-stream", ""])
def test_a_body_of_another_type(api, kind):
    answer = api.post(PATH, pacs008(transfer()), kind=kind)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert problems(answer) == {"Content-Type": "must be application/xml"}


def test_a_report_finds_its_payment_however_accents_were_typed(api):
    send(api, pacs008(transfer(PmtId={"EndToEndId": "caf\u00e9"})))
    told = pacs002(status(OrgnlTxId="cafe\u0301"))
    assert send(api, told).json()["statuses"][0]["effect"] == "label"


def test_an_account_is_needed(api):
    without = transfer()
    del without["DbtrAcct"]
    found = problems(send(api, pacs008(without, transfer(2, CdtrAcct=account("77-1")))))
    assert list(found) == [f"{TRANSFER}[1]/DbtrAcct"]


def test_all_or_nothing(api, bank):
    sent = enveloped(pacs008(transfer(1)), pain001(order(1), PmtMtd="CHK"))
    assert list(problems(send(api, sent))) == ["/Messages/Document[2]/CstmrCdtTrfInitn/PmtInf/PmtMtd"]
    with tenant(bank.organisation):
        assert not Transaction.objects.exists()


@pytest.mark.slow
def test_at_most_a_thousand(api):
    found = problems(send(api, pacs008(*(transfer(number) for number in range(1001)))))
    assert found == {"/": "holds 1,001 payments and statuses, at most 1,000 are taken"}


def test_scopes_and_isolation(api, bank):
    assert send(bank.api("fraud:read"), pacs008(transfer())).status_code == 403
    send(api, pacs008(transfer()))
    with tenant(bank.other):
        assert not Transaction.objects.exists()
