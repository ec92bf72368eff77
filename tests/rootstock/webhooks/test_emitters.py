"""The verticals and the registry tell what happens, once."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.fraud import ingest, labels
from apps.fraud import services as fraud
from apps.support import services as support
from rootstock.accounts import services as accounts
from rootstock.accounts.models import Role, User
from rootstock.accounts.tenancy import tenant
from rootstock.webhooks.models import WebhookEvent

LINE = b'{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}'
REASONS = [
    {
        "code": "FAN_IN",
        "text": "Many payers",
        "weight": 1.0,
        "values": {},
        "source": "rule",
        "typology": "mule",
    },
    {"code": "BURST", "text": "A burst", "weight": 0.5, "values": {}, "source": "model"},
]
RESULT = {
    "score": 0.9, "probability": 0.5, "by": ["rules"], "reasons": REASONS, "contributions": {}, "surprise": 1.0,
    "model": "m", "model_digest": "0" * 64, "rules": "rules@1-abc", "rule_score": 50.0, "shadow": None,
}  # fmt: skip


@pytest.fixture
def told(world, endpoint_at):
    """What an endpoint that wants everything is told: types and data, oldest first."""
    endpoint_at("https://hooks.example/")

    def read() -> list[tuple[str, dict]]:
        with tenant(world.organisation):
            return list(WebhookEvent.objects.order_by("id").values_list("type", "data"))

    return read


def test_a_data_set(world, told) -> None:
    api = world.api("adapters:write")
    made = [
        api.upload("/datasets", name="desk", file=SimpleUploadedFile("a.jsonl", LINE)).json()
        for _ in range(2)
    ]
    types = [kind for kind, _ in told()]
    assert types == ["file.clean", "dataset.created"]
    assert told()[1][1] == {"dataset": made[0]["id"]}


def test_a_conversation_is_closed_once(world, told) -> None:
    conversation = support.conversation_start(organisation=world.organisation)
    for _ in range(2):
        support.conversation_close(organisation=world.organisation, conversation_id=conversation.pk)
    assert told() == [("support.conversation_closed", {"conversation": str(conversation.pk)})]


def test_payments_that_were_declined_or_need_a_look(world, told) -> None:
    given = [
        ingest.NewTransaction(
            f"p-{n}", "DE-1", "shop-9", Decimal("9.90"), "EUR", "card", datetime(2026, 3, 2, tzinfo=UTC)
        )
        for n in range(3)
    ]
    with tenant(world.organisation):
        stored = ingest.payments_store(ingest.counter_lock(world.organisation), given, ingest.listed)
    results = [RESULT | {"outcome": outcome} for outcome in ("approve", "review", "decline")]
    for _ in range(2):  # a second writer changes nothing, and tells nothing
        fraud.decisions_write(
            organisation=world.organisation.pk, rows=stored.rows, results=results, latency_ms=1.0
        )
    payments = [str(row.pk) for row in stored.rows]
    assert [(kind, data["transaction"]) for kind, data in told()] == [
        ("fraud.payment_review", payments[1]), ("fraud.payment_declined", payments[2])
    ]  # fmt: skip
    alert = told()[0][1]
    assert (alert["by"], alert["reasons"], alert["typologies"]) == (["rules"], ["FAN_IN", "BURST"], ["mule"])
    assert (alert["outcome"], alert["rules"], alert["model"], alert["sequence"]) == (
        "review",
        "rules@1-abc",
        "m",
        2,
    )


def test_payments_that_were_labelled(world, told) -> None:
    given = ingest.NewTransaction(
        "p-1", "DE-1", "shop-9", Decimal("9.90"), "EUR", "card", datetime(2026, 3, 2, tzinfo=UTC)
    )
    with tenant(world.organisation):
        stored = ingest.payments_store(ingest.counter_lock(world.organisation), [given], ingest.listed)
    for _ in range(2):  # the second says nothing new
        [made] = labels.labels_record(
            organisation=world.organisation, given=[labels.NewLabel("p-1", True, "chargeback")]
        )
    data = {"transaction": str(stored.rows[0].pk), "label": str(made.pk)}
    assert told() == [("fraud.payment_labelled", data)]


def test_people_who_come_change_and_go(world, told, client) -> None:
    invitation, _ = accounts.invitation_create(
        organisation=world.organisation, email="nia@example.org", role=Role.AUDITOR
    )
    member = accounts.invitation_accept(invitation=invitation, user=world.stranger)
    given = {"organisation": world.organisation, "membership_id": member.pk}
    accounts.member_role_change(**given, role=Role.CLINICIAN)
    accounts.member_role_change(**given, role=Role.CLINICIAN)  # changes nothing
    User.objects.filter(pk=world.owner.pk).update(is_staff=True, is_superuser=True)
    client.force_login(world.owner)
    page = f"/operator/accounts/user/{world.stranger.pk}/change/"
    assert client.post(page, {"is_staff": ""}).status_code == 302
    assert client.post(page, {"is_active": "on"}).status_code == 302
    assert client.post(page, {"is_active": "on", "is_staff": "on"}).status_code == 302  # still active
    accounts.member_remove(**given)
    data = {"member": str(member.pk), "user": world.stranger.pk}
    assert told() == [
        ("person.invited", {"invitation": str(invitation.pk)}),
        *(
            (f"person.{what}", data)
            for what in ("joined", "role_changed", "deactivated", "activated", "removed")
        ),
    ]


def test_rules_and_lists(world, told) -> None:
    owner, second = world.browser(world.owner), world.browser(world.person("fraud_supervisor"))

    def post(client, path, body):
        answer = client.post(f"/api/v1/fraud{path}", body, content_type="application/json")
        assert answer.status_code in (200, 201), answer.json()
        return answer.json()

    rule = {"code": "LARGE", "text": "Large", "when": "amount > 1000", "points": 50}
    typologies = [{"name": "large", "label": "Large", "rules": [rule]}]
    made = post(owner, "/rules/versions", {"review": 40, "decline": 90, "typologies": typologies})
    asked = post(owner, "/rules/requests", {"version": made["number"], "reason": "tested"})
    post(second, f"/rules/requests/{asked['id']}/approve", {})
    post(second, "/rules/roll-back", {"reason": "too many"})
    entry = post(owner, "/lists", {"effect": "deny", "kind": "payee", "value": "DE-1", "reason": "a mule"})
    expected = {"rules": made["reference"], "request": asked["id"]}
    assert [one for one in told() if one[0].startswith("fraud.")] == [
        ("fraud.rules_requested", expected),
        ("fraud.rules_changed", expected),
        ("fraud.rules_changed", {"rules": "", "generation": 2}),
        (
            "fraud.list_changed",
            {"effect": "deny", "kind": "payee", "lists": 1, "entry": entry["id"], "change": "added"},
        ),
    ]
