"""POST and GET /api/v1/fraud/labels, and where a label shows."""

import pytest

from apps.fraud.models import IngestCounter, Label
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from tests.apps.fraud.conftest import body
from tests.apps.fraud.test_transactions import problems

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/labels"


def label(number=1, **changes):
    """A label as it is sent."""
    return {"external_id": f"p-{number}", "fraud": True, "source": "chargeback", **changes}


@pytest.fixture
def sent(api):
    """Three payments."""
    return api.post("/fraud/transactions", [body(n) for n in (1, 2, 3)]).json()["items"]


def test_it_works(api, sent):
    given = label(2, known_at="2026-03-04T08:00:00Z", note="card reported stolen")
    response = api.post(PATH, given)
    assert response.status_code == 200
    found = response.json()
    assert (found["sequence"], found["external_id"], found["transaction_id"]) == (4, "p-2", sent[1]["id"])
    assert (found["fraud"], found["source"], found["note"]) == (True, "chargeback", "card reported stolen")
    assert api.get(f"{PATH}/{found['id']}").json() == found
    shown = {name: found[name] for name in found if name not in ("transaction_id", "external_id")}
    assert api.get(f"/fraud/transactions/{sent[1]['id']}").json()["label"] == shown
    listed = api.get("/fraud/transactions").json()["items"]
    assert [one["label"] for one in listed] == [None, shown, None]
    assert api.post("/fraud/transactions", body(2)).json()["label"] == shown
    assert api.post("/fraud/transactions", body(4)).json()["sequence"] == 5


def test_sent_again_it_is_the_same(api, bank, sent):
    first = api.post(PATH, [label(1), label(2, fraud=False)]).json()["items"]
    again = api.post(PATH, [label(1), label(2, fraud=False), label(3)]).json()["items"]
    assert again[:2] == first
    with tenant(bank.organisation):
        assert list(Label.objects.order_by("sequence").values_list("sequence", flat=True)) == [4, 5, 6]
        assert IngestCounter.objects.get().last == 6


def test_a_later_one_supersedes_and_changes_nothing(api, sent):
    first = api.post(PATH, label()).json()
    second = api.post(PATH, label(fraud=False, source="analyst")).json()
    assert api.get(f"{PATH}/{first['id']}").json() == first
    payment = api.get(f"/fraud/transactions/{sent[0]['id']}").json()
    assert payment["label"]["id"] == second["id"]
    assert [one["id"] for one in payment["labels"]] == [second["id"], first["id"]]


def test_an_unknown_payment_is_named_and_nothing_is_stored(api, bank, sent):
    response = api.post(PATH, [label(1), label(8), label(2), label(9)])
    assert response.status_code == 422
    assert list(problems(response)) == ["labels.1.external_id", "labels.3.external_id"]
    assert list(problems(api.post(PATH, label(9)))) == ["external_id"]
    with tenant(bank.organisation):
        assert not Label.objects.exists()
        assert IngestCounter.objects.get().last == 3


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"fraud": "yes"}, "fraud"),
        ({"fraud": 1}, "fraud"),
        ({"fraud": None}, "fraud"),
        ({"source": ""}, "source"),
        ({"source": "Charge Back"}, "source"),
        ({"source": "x" * 41}, "source"),
        ({"known_at": "2026-03-02T09:00:00"}, "known_at"),
        ({"known_at": 1772442000}, "known_at"),
        ({"known_at": "2999-01-01T00:00:00Z"}, "known_at"),
        ({"note": ""}, "note"),
        ({"note": "x" * 501}, "note"),
        ({"note": "called GB29-0001"}, "note"),
        ({"note": "called gb29-0001"}, "note"),
        ({"known_at": "2026-03-02T09:00:59Z"}, "known_at"),
        ({"known_at": "2019-03-02T09:00:00Z"}, "known_at"),
        ({"external_id": ""}, "external_id"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_fields_are_named(api, sent, changes, field):
    response = api.post(PATH, label(**changes))
    assert response.status_code == 422
    assert list(problems(response)) == [field]


@pytest.mark.parametrize("given", [[], [label()] * 1001, 3, None])
def test_what_is_no_label_is_refused(api, given):
    assert api.post(PATH, given).status_code == 422


def test_the_same_payment_twice_in_a_list_is_refused(api, sent):
    assert list(problems(api.post(PATH, [label(1), label(1, fraud=False)]))) == ["labels.1.external_id"]


def test_a_key_answers_as_elsewhere(api, sent):
    first = api.post(PATH, label(), **{"Idempotency-Key": "k"})
    api.post(PATH, label(fraud=False))
    again = api.post(PATH, label(), **{"Idempotency-Key": "k"})
    assert (again.json(), again["Idempotent-Replayed"]) == (first.json(), "true")


def test_list(api, sent):
    made = api.post(PATH, [label(1), label(2, fraud=False), label(3, source="analyst")]).json()["items"]
    assert [one["id"] for one in api.get(PATH).json()["items"]] == [one["id"] for one in reversed(made)]
    page = api.get(PATH, limit=2).json()
    assert [one["id"] for one in api.get(PATH, cursor=page["next"]).json()["items"]] == [made[0]["id"]]
    for query, expected in (
        ({"external_id": "p-2"}, made[1:2]), ({"fraud": "false"}, made[1:2]), ({"source": "analyst"}, made[2:])
    ):  # fmt: skip
        assert api.get(PATH, **query).json()["items"] == expected


def test_it_is_recorded(api, bank, sent):
    found = api.post(PATH, label()).json()
    api.post(PATH, label())
    api.get(PATH)
    with tenant(bank.organisation):
        [entry] = AuditEntry.objects.filter(action="payment.labelled")
        assert entry.data == {"new": 1, "known": 0, "labels": [found["id"]]}
        assert AuditEntry.objects.filter(action="payment.listed", data__what="labels").count() == 1


def test_the_page_shows_it(api, bank, sent):
    api.post(PATH, label(note="card reported stolen"))
    api.post(PATH, label(fraud=False, source="analyst"))
    html = bank.browser(bank.owner).get(f"/fraud/{sent[0]['id']}/").content.decode()
    assert "Labelled genuine" in html
    assert "card reported stolen" in html
    assert "superseded" in html


def test_scopes_and_organisations(bank, api, sent):
    assert bank.api("fraud:read").post(PATH, label()).status_code == 403
    assert bank.api("fraud:write").get(PATH).status_code == 403
    found = api.post(PATH, label()).json()
    stranger = bank.api("fraud:read", "fraud:write", organisation=bank.other)
    assert stranger.get(f"{PATH}/{found['id']}").status_code == 404
    assert stranger.get(PATH).json()["items"] == []
    assert list(problems(stranger.post(PATH, label()))) == ["external_id"]


@pytest.mark.parametrize("name", ["external_id", "source"])
def test_an_empty_filter_is_refused(api, name):
    response = api.get("/fraud/labels", **{name: ""})
    assert response.status_code == 422
    assert list(problems(response)) == [name]
