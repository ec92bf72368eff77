"""POST /api/v1/fraud/backfills: historic payments by file, and the job behind it."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections

from apps.fraud import backfill, records
from apps.fraud.models import BACKFILL, BackfillPart, Decision, Label, Transaction
from apps.fraud.payload import payloads_of
from apps.fraud.state import ValkeyHistory
from rootstock.accounts.tenancy import tenant
from rootstock.jobs.models import Job
from rootstock.privacy.models import SubjectKey
from tests.apps.fraud.conftest import BASE, body
from tests.apps.fraud.test_batches import Died, expire_lease, run
from tests.apps.fraud.test_transactions import problems

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/backfills"
HEADER = ["external_id", "payer", "payee", "amount", "currency", "channel", "occurred_at"]


def rows(numbers, **changes):
    """Payments as rows."""
    return [{name: body(number)[name] for name in HEADER} | changes for number in numbers]


def as_csv(given, name="history.csv"):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(given[0]))
    writer.writeheader()
    writer.writerows(given)
    return SimpleUploadedFile(name, out.getvalue().encode(), "text/csv")


def as_parquet(given):
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(given), out)
    return SimpleUploadedFile("history.parquet", out.getvalue())


def submit(api, file, **form):
    response = api.upload(PATH, file=file, **form)
    assert response.status_code == 202, response.json()
    return response.json()


def finish(bank, found, function=backfill.run):
    return run(bank, found["job"]["id"], function)


def rejected(api, found):
    """The file of rejected rows: line, field, reason."""
    place = f"/jobs/{found['job']['id']}/artefacts"
    [artefact] = api.get(place).json()
    assert artefact["name"] == "rejected-rows.csv"
    content = api.get(f"{place}/{artefact['id']}")
    told = list(csv.reader(io.StringIO(b"".join(content.streaming_content).decode())))
    assert told[0] == ["line", "field", "reason"]
    return told[1:]


def test_it_works(api, bank):
    given = [
        row | {"fraud": "1" if place % 100 == 0 else ""} for place, row in enumerate(rows(range(1, 1201)))
    ]
    found = submit(api, as_csv(given))
    assert (found["rows"], found["job"]["kind"], found["job"]["total"]) == (1200, "fraud.backfill", 1200)
    assert found["columns"]["payer"] == "payer"
    job = finish(bank, found)
    assert (job.state, job.done) == ("succeeded", 1200)
    assert job.result == {"rows": 1200, "payments": 1200, "known": 0, "labels": 12, "rejected": 0}
    with tenant(bank.organisation):
        assert Transaction.objects.count() == 1200
        assert not Decision.objects.exists()
        assert Label.objects.filter(fraud=True, source="backfill").count() == 12
        assert not BackfillPart.objects.exists()
        assert SubjectKey.objects.get(type=BACKFILL).is_destroyed
    shown = api.get("/fraud/transactions").json()["items"][0]
    assert (shown["external_id"], shown["decision"]) == ("p-1200", None)


def test_the_history_serves_the_payments_after_it(api, bank, valkey):
    finish(bank, submit(api, as_csv(rows(range(1, 601)))))
    sent = api.post("/fraud/transactions", body(601)).json()
    with tenant(bank.organisation):
        row = Transaction.objects.get(pk=sent["id"])
    near, _ = ValkeyHistory(valkey, bank.organisation.pk).neighbourhood(records.payments(payloads_of([row])))
    assert np.array_equal(near.payer["sequence"][0], np.arange(row.sequence - 64, row.sequence))


def test_decisions_if_they_are_asked_for(api, bank):
    job = finish(bank, submit(api, as_csv(rows(range(1, 31))), decide="true"))
    assert sum(job.result["outcomes"].values()) == 30
    with tenant(bank.organisation):
        assert Decision.objects.count() == 30


def test_parquet_with_moments_and_decimals(api, bank):
    """As tools write them: neither is text, and neither is a number of JSON."""
    given = {
        "external_id": ["p-1", "p-2"],
        "payer": [4711, 4712],
        "payee": ["a", "b"],
        "amount": pa.array([Decimal("12.5000"), Decimal("7.0000")], pa.decimal128(18, 4)),
        "channel": ["card", "card"],
        "occurred_at": pa.array([BASE, BASE + timedelta(hours=1)], pa.timestamp("ns", "Europe/Berlin")),
    }
    out = io.BytesIO()
    pq.write_table(pa.table(given), out)
    job = finish(bank, submit(api, SimpleUploadedFile("history.parquet", out.getvalue())))
    assert (job.result["payments"], job.result["rejected"]) == (2, 0)
    with tenant(bank.organisation):
        found = [(one.payer, one.amount, one.occurred_at) for one in Transaction.objects.order_by("sequence")]
    assert found == [
        ("4711", Decimal("12.50"), BASE), ("4712", Decimal("7.00"), BASE + timedelta(hours=1)),
    ]  # fmt: skip


def test_a_column_that_cannot_be_read_is_said_so(api):
    given = [{name: body(1)[name] for name in HEADER} | {"occurred_at": BASE.date()}]
    response = api.upload(PATH, file=as_parquet(given))
    assert response.status_code == 422
    assert "dates without a time" in problems(response)["columns.occurred_at"]


def test_parquet_with_other_names(api, bank):
    names = {"external_id": "Id", "payer": "Debtor", "payee": "Who", "occurred_at": "TX_DATETIME"}
    given = [
        {
            names.get(name, name): int(value[2:]) if name == "external_id" else value
            for name, value in row.items()
        }
        | {"is_fraud": number % 2 == 0}
        for number, row in enumerate(rows(range(1, 11)))
    ]
    found = submit(api, as_parquet(given), columns='{"payee": "Who"}')
    assert found["columns"]["occurred_at"] == "TX_DATETIME"
    assert finish(bank, found).result["labels"] == 10
    with tenant(bank.organisation):
        assert {row.external_id for row in Transaction.objects.all()} == {str(n) for n in range(1, 11)}


def test_rejected_rows_are_a_file(api, bank):
    given = rows(range(1, 9))
    given[1]["amount"] = "-4"
    given[3]["channel"], given[3]["occurred_at"] = "pigeon", "2026-03-02T09:00:00"
    given[5] = given[4] | {"amount": "99.00"}  # the same id with other content
    given[6] = given[4]
    api.post("/fraud/transactions", body(8, amount="1.00"))
    found = submit(api, as_csv(given))
    result = finish(bank, found).result
    assert result == {"rows": 8, "payments": 3, "known": 1, "labels": 0, "rejected": 4}
    assert [(line, field) for line, field, _ in rejected(api, found)] == [
        ("3", "amount"), ("5", "channel"), ("5", "occurred_at"), ("7", "amount"), ("9", "amount"),
    ]  # fmt: skip


def test_a_torn_row_is_rejected_and_the_others_are_taken(api, bank):
    """A quote left open, one too few cells; a text of two lines in a column that nobody reads is none of that."""
    lines = as_csv([row | {"text": "x"} for row in rows(range(1, 521))]).read().decode().splitlines()
    lines[3] = lines[3].replace(",GB29", ',"GB29')
    lines[5] = lines[5].rpartition(",")[0]
    lines[515] = '"' + lines[515]
    lines[8] = lines[8].removesuffix("x") + '"two\nlines"'
    found = submit(api, SimpleUploadedFile("history.csv", "\n".join(lines).encode()))
    assert found["rows"] == 520
    result = finish(bank, found).result
    assert (result["payments"], result["rejected"]) == (517, 3)
    assert rejected(api, found) == [
        ["4", "row", "has a quote that is not closed"],
        ["6", "row", "has 7 cells, the header has 8"],
        ["517", "row", "has a quote that is not closed"],
    ]


def test_a_name_is_the_same_however_its_accents_were_typed(api, bank):
    """In rows that contradict each other or what is known too."""
    given = [row | {"fraud": ""} for row in rows(range(1, 5))]
    for row, name in zip(given, ("caf\u00e9", "cafe\u0301", "the\u0301", "th\u00e9"), strict=True):
        row["external_id"] = name
    given[0]["amount"] = given[1]["amount"] = "9.00"
    given[1]["occurred_at"] = given[0]["occurred_at"]
    given[2] |= {"fraud": "1"}
    given[3] |= {"fraud": "0"}
    api.post("/fraud/transactions", body(1, external_id="caf\u00e9", amount="8.00"))
    found = submit(api, as_csv(given))
    assert finish(bank, found).result["rejected"] == 4
    assert [one[:2] for one in rejected(api, found)] == [
        ["2", "amount"],
        ["3", "amount"],
        ["4", "fraud"],
        ["5", "fraud"],
    ]


def test_a_row_that_contradicts_an_earlier_label_is_rejected(api, bank):
    """In the same part of the file, in a later one, and beside a label that was sent meanwhile."""
    given = [row | {"fraud": "", "known_at": "", "source": ""} for row in rows(range(1, 511))]
    given[0]["fraud"], given[1]["fraud"] = "1", "1"
    given[2:4] = [given[0] | {"source": "police"}, given[0]]
    given[507:509] = [given[1] | {"known_at": "2026-03-04T00:00:00Z"}, given[1]]
    given[509]["fraud"] = "1"
    found = submit(api, as_csv(given))
    api.post("/fraud/transactions", body(510))
    api.post("/fraud/labels", {"external_id": "p-510", "fraud": False, "source": "analyst"})
    job = finish(bank, found)
    assert (job.result["labels"], job.result["known"], job.result["rejected"]) == (2, 2, 3)
    assert [one[:2] for one in rejected(api, found)] == [
        ["4", "source"], ["509", "known_at"], ["511", "fraud"], ["511", "source"]
    ]  # fmt: skip
    with tenant(bank.organisation):
        told = {row.transaction.external_id: row.fraud for row in Label.objects.select_related("transaction")}
    assert told == {"p-1": True, "p-2": True, "p-510": False}


def test_rows_that_call_a_payment_fraud_and_genuine_are_all_rejected(api, bank):
    """Whichever comes first, in one part of the file or in two; rows that say nothing of it are taken."""
    given = [row | {"fraud": ""} for row in rows(range(1, 511))]
    given[0]["fraud"], given[1]["fraud"], given[2]["fraud"] = "1", "0", "1"
    given[3] = given[0] | {"fraud": "no"}
    given[508:510] = [given[1] | {"fraud": "true"}, given[1] | {"fraud": ""}]
    found = submit(api, as_csv(given))
    job = finish(bank, found)
    assert (job.result["payments"], job.result["labels"], job.result["rejected"]) == (506, 1, 4)
    told = rejected(api, found)
    assert [one[:2] for one in told] == [["2", "fraud"], ["3", "fraud"], ["5", "fraud"], ["510", "fraud"]]
    assert {one[2] for one in told} == {backfill.BOTH_LABELS}
    with tenant(bank.organisation):
        assert [row.transaction.external_id for row in Label.objects.select_related("transaction")] == ["p-3"]
        assert not Transaction.objects.filter(external_id="p-1").exists()
        assert Transaction.objects.filter(external_id="p-2").exists()


def test_labels_that_do_not_fit_their_payment_are_rejected(api, bank):
    given = [row | {"fraud": "1", "known_at": "", "note": ""} for row in rows(range(1, 4))]
    given[0]["known_at"] = "2019-03-02T09:00:00Z"
    given[1]["note"] = "called gb29-0001"
    found = submit(api, as_csv(given))
    assert finish(bank, found).result["rejected"] == 2
    assert [one[:2] for one in rejected(api, found)] == [["2", "known_at"], ["3", "note"]]


def test_sent_again_everything_is_known(api, bank):
    for known in (0, 20):
        result = finish(bank, submit(api, as_csv(rows(range(1, 21), fraud="no")))).result
        assert (result["payments"], result["known"], result["labels"]) == (20 - known, known, 20 - known)


@pytest.mark.slow
@pytest.mark.parametrize("decide", [False, True])
def test_a_worker_that_dies_goes_on(api, bank, monkeypatch, decide):
    """It dies with a part stored and nothing done after it, and again in the middle of storing one."""
    monkeypatch.setattr(backfill, "PART", 20)
    found = submit(api, as_csv(rows(range(1, 101), fraud="0")), decide=str(decide).lower())
    bring_up, labels_store = backfill._bring_up, backfill.labels_store

    def die(*given):
        with tenant(bank.organisation):
            if Transaction.objects.count() >= 40:
                raise Died
        return bring_up(*given)

    def die_storing(*given):
        with tenant(bank.organisation):
            if Transaction.objects.count() >= 80:
                raise Died
        return labels_store(*given)

    for place, deadly, stored in (("_bring_up", die, 40), ("labels_store", die_storing, 60)):
        with monkeypatch.context() as patch:
            patch.setattr(backfill, place, deadly)
            with pytest.raises(Died):
                finish(bank, found)
        with tenant(bank.organisation):
            assert Transaction.objects.count() == Label.objects.count() == stored
        expire_lease(bank, found["job"]["id"])
    job = finish(bank, found)
    assert (job.state, job.attempts) == ("succeeded", 3)
    assert (job.result["payments"], job.result["labels"]) == (100, 100)
    with tenant(bank.organisation):
        assert Transaction.objects.count() == Label.objects.count() == 100
        assert Decision.objects.count() == (100 if decide else 0)


def test_a_cancelled_one_leaves_nothing_of_the_file(api, bank):
    found = submit(api, as_csv(rows(range(1, 11))))
    admin = bank.api("jobs:read", "jobs:write", "fraud:write")
    assert admin.post(f"/jobs/{found['job']['id']}/cancel").status_code in (200, 202)
    with tenant(bank.organisation):
        assert Job.objects.get(pk=found["job"]["id"]).state == "cancelled"
        assert not BackfillPart.objects.exists()
        assert SubjectKey.objects.get(type=BACKFILL).is_destroyed


def test_nothing_of_it_lies_open(api, bank):
    submit(api, as_csv(rows(range(1, 11))))
    with connections["default"].cursor() as cursor, tenant(bank.organisation):
        cursor.execute("SELECT rows FROM fraud_backfillpart")
        [row] = cursor.fetchall()
        assert len(row[0]) > 500
        assert b"GB29" not in bytes(row[0])


@pytest.mark.parametrize(
    ("file", "form", "field"),
    [
        (as_csv([{"external_id": "1", "payer": "a"}]), {}, "columns.amount"),
        (as_csv(rows([1])), {"columns": '{"payer": "nope"}'}, "columns.payer"),
        (as_csv(rows([1])), {"columns": '{"colour": "payer"}'}, "columns.colour"),
        (as_csv(rows([1])), {"columns": "{"}, "columns"),
        (SimpleUploadedFile("a.csv", ",".join(HEADER).encode()), {}, "file"),
        (SimpleUploadedFile("a.csv", b""), {}, "file"),
        (SimpleUploadedFile("a.csv", b"\xff\xfea"), {}, "file"),
        (SimpleUploadedFile("a.parquet", b"PAR1 and no more"), {}, "file"),
        (SimpleUploadedFile("a.jsonl", b"{}"), {}, "file"),
    ],
)
def test_what_cannot_be_read_is_refused_and_nothing_stays(api, bank, file, form, field):
    file.seek(0)
    response = api.upload(PATH, file=file, **form)
    assert response.status_code == 422
    assert field in problems(response)
    with tenant(bank.organisation):
        assert not Job.objects.exists()
        assert not BackfillPart.objects.exists()


def test_scope_is_needed(bank):
    assert bank.api("fraud:read").upload(PATH, file=as_csv(rows([1]))).status_code == 403
