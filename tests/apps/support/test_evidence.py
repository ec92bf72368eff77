"""The support desk's decisions are on record, in the transaction that stores the turn, and without its words."""

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry, DecisionRecord
from rootstock.audit.roots import roots_write


def test_it_works(desk, api, conversation) -> None:
    said = "I am furious, my parcel is late"
    sent = api.post(f"{conversation}/messages", {"text": said, "stream": False}).json()
    with tenant(desk.organisation):
        emotion, reply = DecisionRecord.objects.order_by("id")
    assert (emotion.kind, emotion.subject_id) == ("support.emotion", sent["message_id"])
    assert emotion.output["label"] == "anger"
    assert emotion.adapter == "support-emotion@aaaaaaaaaaaa"
    assert emotion.base == "f" * 64
    assert (reply.kind, reply.subject_id) == ("support.reply", sent["answer_id"])
    assert reply.output["finish_reason"] == "stop"
    assert reply.output["text_length"] == len(sent["answer"]["text"])
    assert reply.latency_ms > 0
    for record in (emotion, reply):
        assert said not in str(record.output)
        assert sent["answer"]["text"] not in str(record.output)
    roots_write(organisation=desk.organisation)


def test_reading_a_conversation_is_recorded_once(desk, api, conversation) -> None:
    for _ in range(3):
        api.get(conversation)
        api.get("/support/conversations")
    browser = desk.browser(desk.owner)
    for _ in range(2):
        browser.get(f"/support/{conversation.rsplit('/', 1)[1]}/")
    with tenant(desk.organisation):
        reads = AuditEntry.objects.filter(action="conversation.read")
        assert [one.actor_kind for one in reads.order_by("id")] == ["key", "person"]
        assert AuditEntry.objects.filter(action="conversation.listed").count() == 1


def test_a_list_taken_as_csv_is_read_by_the_person_who_asked(desk, conversation) -> None:
    answer = desk.browser(desk.owner).get("/support/?format=csv", headers={"x-request-id": "asked-for-csv"})
    assert b"".join(answer.streaming_content).count(b"\r\n") == 2
    with tenant(desk.organisation):
        entries = AuditEntry.objects.filter(action__in=("conversation.listed", "table.exported"))
        told = {(one.action, one.actor_kind, one.actor_id, one.request_id) for one in entries}
    who = ("person", str(desk.owner.pk), "asked-for-csv")
    assert told == {("conversation.listed", *who), ("table.exported", *who)}


def test_a_reason_is_sealed_with_the_customers_key(desk, api, conversation) -> None:
    from apps.support.models import Conversation
    from rootstock.audit.models import ActionReason

    sent = api.post(f"{conversation}/messages", {"text": "How are you", "stream": False}).json()
    with tenant(desk.organisation):
        record = DecisionRecord.objects.get(kind="support.reply", subject_id=sent["answer_id"])
    said = api.post(
        f"/audit/decisions/{record.pk}/actions", {"action": "overridden", "reason": "Ms Byrne wants a person"}
    )
    assert said.status_code == 201
    with tenant(desk.organisation):
        reason = ActionReason.objects.get()
        assert reason.subject_id == Conversation.objects.get().person_id


def test_closing_shows_no_turns_to_a_key_that_may_only_write(desk, conversation) -> None:
    answer = desk.api("support:write").post(f"{conversation}/close")
    assert answer.status_code == 200
    assert answer.json() == {"id": conversation.rsplit("/", 1)[1], "state": "closed"}
    with tenant(desk.organisation):
        assert not AuditEntry.objects.filter(action="conversation.read").exists()


def test_changes_are_recorded(desk, api, conversation) -> None:
    api.post(f"{conversation}/close")
    client = api._client
    changed = client.patch(
        "/api/v1/support/desk", '{"greeting": "Good day to you"}', content_type="application/json"
    )
    assert changed.status_code == 200
    with tenant(desk.organisation):
        done = AuditEntry.objects.filter(object_type__in=("conversation", "desk")).order_by("id")
        assert [one.action for one in done if one.action != "conversation.read"] == [
            "conversation.started",
            "conversation.closed",
            "desk.changed",
        ]
        assert done.get(action="desk.changed").data["fields"] == ["greeting"]
        assert all("Good day" not in str(one.data) for one in done)


def test_who_only_writes_stops_an_answer_without_reading_it(desk, conversation):
    api = desk.api("support:read", "support:write")
    posted = api.post(f"{conversation}/messages", {"text": "Where is my parcel?", "stream": False}).json()
    assert posted["answer"]["text"]
    stopped = desk.api("support:write").post(f"{conversation}/messages/{posted['answer_id']}/cancel")
    assert stopped.status_code == 202
    assert stopped.json() == {"id": posted["answer_id"], "state": "finished"}
