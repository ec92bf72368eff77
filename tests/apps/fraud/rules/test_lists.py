"""/api/v1/fraud/lists: entries, what they do to payments, and that they are sealed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from apps.fraud.models import ListEntry
from apps.fraud.rules.stored import lists_at, rules_at
from rootstock.accounts.services import api_key_create
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.privacy.models import RetentionRule, SubjectKey
from rootstock.privacy.retention import retention_enforce
from tests.apps.fraud.conftest import body
from tests.apps.fraud.test_transactions import problems
from tests.fixtures.world import Api

pytestmark = pytest.mark.usefixtures("runtime", "fresh_rules")
PATH, PAY = "/fraud/lists", "/fraud/transactions"
SCOPES = ("fraud:read", "fraud:write", "fraud:rules", "fraud:approve")


def entry(**changes):
    """An entry as it is sent."""
    return {
        "effect": "deny",
        "kind": "payee",
        "value": "DE89-0001",
        "reason": "mule, told by the police",
        **changes,
    }


def soon(days=1):
    """When an entry ends."""
    return (timezone.now() + timedelta(days=days)).isoformat()


def erase(bank, account):
    """Asked by one person, confirmed by another."""
    first, second = (
        Api(
            api_key_create(
                organisation=bank.organisation,
                name="p",
                scopes=("privacy:read", "privacy:write"),
                created_by=one,
            )[1]
        )
        for one in (bank.owner, bank.person("privacy_officer"))
    )
    [subject] = first.post("/privacy/subjects/search", {"reference": account}).json()
    asked = {"subject_id": subject["id"], "action": "erase", "ground": "person_asked", "note": "by letter"}
    request = first.post("/privacy/requests", asked).json()
    return second.post(f"/privacy/requests/{request['id']}/confirm").status_code


@pytest.fixture
def keeper(bank):
    """Who may do everything with lists."""
    return bank.api(*SCOPES)


def test_it_works(keeper):
    made = keeper.post(PATH, entry())
    assert made.status_code == 201
    found = made.json()
    assert (found["effect"], found["kind"], found["value"], found["other"]) == (
        "deny",
        "payee",
        "DE89-0001",
        None,
    )
    assert keeper.get(f"{PATH}/{found['id']}").json() == found
    denied = keeper.post(PAY, body(1)).json()["decision"]
    assert (denied["outcome"], denied["by"], denied["rules"]) == ("decline", ["list"], "lists@1")
    assert denied["reasons"][0]["entry"] == found["id"]
    assert keeper.post(PAY, body(2, payee="DE89-0002")).json()["decision"]["outcome"] == "approve"
    ended = keeper.post(f"{PATH}/{found['id']}/end").json()
    assert ended["ended_at"]
    assert keeper.post(PAY, body(3)).json()["decision"]["outcome"] == "approve"
    assert keeper.post(f"{PATH}/{found['id']}/end").status_code == 409


@pytest.mark.parametrize(
    ("given", "payment"),
    [
        ({"kind": "payer", "value": "GB29-0001"}, {}),
        ({"kind": "device", "value": "phone-7"}, {"device": "phone-7"}),
        ({"kind": "merchant", "value": "Shop"}, {"merchant": "Shop"}),
        ({"kind": "pair", "value": "GB29-0001", "other": "DE89-0001"}, {}),
        ({"channel": "card"}, {}),
    ],
)
def test_every_kind_is_found(keeper, given, payment):
    assert keeper.post(PATH, entry(**given)).status_code == 201
    assert keeper.post(PAY, body(1, **payment)).json()["decision"]["outcome"] == "decline"
    other = keeper.post(PAY, body(2, payer="A", payee="B", channel="online")).json()["decision"]
    assert other["by"] == ["model"]


def test_to_allow_needs_more_and_ends(keeper, bank):
    keeper.post(PATH, entry(kind="merchant", value="Shop"))
    allowed = entry(effect="allow", kind="payer", value="GB29-0001")
    assert "expires_at" in keeper.post(PATH, allowed).json()["detail"]
    writer = bank.api("fraud:rules")
    assert writer.post(PATH, allowed | {"expires_at": soon()}).status_code == 403
    assert keeper.post(PATH, allowed | {"expires_at": soon()}).status_code == 201
    denied = keeper.post(PAY, body(1, merchant="Shop")).json()["decision"]
    assert denied["outcome"] == "decline"
    passed = keeper.post(PAY, body(2)).json()["decision"]
    assert (passed["by"], passed["reasons"][0]["code"]) == (["list"], "PAYER_ALLOW_LISTED")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"effect": "hug"}, "effect"),
        ({"kind": "person"}, "kind"),
        ({"value": ""}, "value"),
        ({"reason": " "}, "reason"),
        ({"channel": "post"}, "channel"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_bad_fields_are_named(keeper, changes, field):
    response = keeper.post(PATH, entry(**changes))
    assert response.status_code == 422
    assert list(problems(response)) == [field]
    assert "Value error" not in response.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "pair"}, "other"),
        ({"other": "DE-2"}, "other"),
        ({"effect": "watch", "kind": "pair", "other": "DE-2"}, "kind"),
        ({"value": "DE89370400440532013001"}, "value"),
        ({"kind": "pair", "other": "DE89370400440532013001"}, "other"),
        ({"effect": "allow"}, "expires_at"),
        ({"effect": "allow", "expires_at": "9999-01-01T00:00:00Z"}, "expires_at"),
    ],
)
def test_what_does_not_fit_together_is_named(keeper, changes, field):
    response = keeper.post(PATH, entry(**changes))
    assert response.status_code == 422
    assert list(problems(response)) == [field]


def test_twice_is_a_conflict(keeper):
    first = keeper.post(PATH, entry()).json()
    assert keeper.post(PATH, entry(reason="again")).status_code == 409
    assert keeper.post(PATH, entry(channel="card")).status_code == 201
    keeper.post(f"{PATH}/{first['id']}/end")
    assert keeper.post(PATH, entry(reason="again")).status_code == 201


def test_list(keeper):
    made = [
        keeper.post(PATH, one).json()
        for one in (entry(), entry(kind="device", value="phone-7"), entry(effect="watch", kind="payer"))
    ]
    ids = [one["id"] for one in made]
    listed = [one["id"] for one in keeper.get(PATH).json()["items"]]
    assert listed == ids[::-1]
    for query, expected in (
        ({"effect": "watch"}, ids[2:]), ({"kind": "device"}, ids[1:2]), ({"value": "phone-7"}, ids[1:2]),
        ({"value": "DE89-0001"}, [ids[2], ids[0]]), ({"ended": True}, []),
    ):  # fmt: skip
        assert [one["id"] for one in keeper.get(PATH, **query).json()["items"]] == expected
    assert keeper.get(PATH, kind="person").status_code == 422


def test_what_has_expired_is_listed_as_ended(keeper, bank):
    """Though nothing has changed in the lists since, and a payment from before its end still meets it."""
    stays = keeper.post(PATH, entry(kind="payer", expires_at=soon())).json()["id"]
    over = keeper.post(PATH, entry(expires_at=soon())).json()["id"]
    with tenant(bank.organisation):
        ListEntry.objects.filter(pk=over).update(expires_at=timezone.now())
    for ended, expected in ((False, [stays]), (True, [over])):
        assert [one["id"] for one in keeper.get(PATH, ended=ended).json()["items"]] == expected


def test_it_is_sealed_and_recorded(keeper, bank):
    made = keeper.post(PATH, entry()).json()
    with tenant(bank.organisation):
        with connection.cursor() as cursor:
            cursor.execute("SELECT fraud_listentry::text FROM fraud_listentry")
            [(raw,)] = cursor.fetchall()
        entries = list(AuditEntry.objects.filter(object_type="list_entry", object_id=made["id"]))
    assert "DE89" not in raw
    assert "police" not in raw
    assert [one.action for one in entries] == ["list_entry.added"]
    assert "DE89" not in str(entries[0].data)


def test_lists_of_earlier_decisions_are_still_known(keeper, bank):
    first = keeper.post(PATH, entry()).json()
    denied = keeper.post(PAY, body(1)).json()["decision"]
    keeper.post(f"{PATH}/{first['id']}/end")
    then = rules_at(organisation=bank.organisation.pk, reference=denied["rules"])
    assert sum(map(len, then.lists.entries.values())) == 1
    with tenant(bank.organisation):
        assert lists_at(2).entries == {}


def test_an_erased_account_is_on_no_list(keeper, bank):
    keeper.post(PATH, entry())
    keeper.post(PAY, body(1))
    with tenant(bank.organisation):
        old = ListEntry.objects.get().key
    assert erase(bank, "DE89-0001") == 200
    with tenant(bank.organisation):
        row = ListEntry.objects.get()
    assert (row.value, row.key == old, row.ended_by) == ("erased", False, "system:erasure")


def test_ended_entries_go_with_their_keys(keeper, bank):
    ended = [keeper.post(PATH, one).json()["id"] for one in (entry(), entry(kind="device", value="phone-7"))]
    keeper.post(PATH, entry(kind="merchant", value="Shop"))
    for one in ended:
        keeper.post(f"{PATH}/{one}/end")
    with tenant(bank.organisation) as owner:
        ListEntry.objects.filter(pk__in=ended).update(ended_at=timezone.now() - timedelta(days=40))
        RetentionRule.objects.create(
            organisation_id=owner, kind="fraud.list_entries", days=30, changed_by="test"
        )
    assert retention_enforce(bank.organisation) == {"fraud.list_entries": 2}
    with tenant(bank.organisation):
        assert [row.value for row in ListEntry.objects.all()] == ["Shop"]
        alive = SubjectKey.objects.filter(destroyed_at=None).values_list("type", flat=True)
        assert list(alive) == ["fraud.listed"]


def test_scopes_and_organisations(keeper, bank):
    made = keeper.post(PATH, entry()).json()
    assert bank.api("fraud:read").post(PATH, entry()).status_code == 403
    assert bank.api("fraud:write").get(PATH).status_code == 403
    stranger = bank.api(*SCOPES, organisation=bank.other)
    assert stranger.get(f"{PATH}/{made['id']}").status_code == 404
    assert stranger.post(f"{PATH}/{made['id']}/end").status_code == 404
    assert stranger.get(PATH).json()["items"] == []
    assert stranger.post(PAY, body(1)).json()["decision"]["outcome"] == "approve"


@pytest.mark.parametrize("name", ["effect", "kind", "value"])
def test_an_empty_filter_is_refused(keeper, name):
    response = keeper.get(PATH, **{name: ""})
    assert response.status_code == 422
    assert list(problems(response)) == [name]


def test_what_cannot_be_seen_is_in_no_entry(keeper):
    response = keeper.post(PATH, entry(value="DE-1\u200b"))
    assert list(problems(response)) == ["value"]
