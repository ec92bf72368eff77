"""Run by test_conversion: plain rows as they were once stored, migrated, and read through today's models."""

import django
from django.core.management import call_command
from django.db import connections

ORGANISATION = "00000000-0000-7000-8000-000000000001"
AT = "2026-03-02T09:00:00Z"


def identity(number: int) -> str:
    """An id."""
    return f"00000000-0000-7000-8000-{number:012d}"


def insert(table: str, **values: object) -> None:
    """One row."""
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join("%s" for _ in values)
    with connections["admin"].cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(values.values()))


def plant() -> None:
    """One person in each vertical."""
    own = {"organisation_id": ORGANISATION}
    insert("accounts_organisation", id=ORGANISATION, name="Old", slug="old", created_at=AT)
    insert(
        "fraud_transaction", id=identity(10), **own, sequence=1, external_id="p-1", payer="ACC-Lovelace",
        payee="ACC-Lovelace", payer_key=5, payee_key=5, amount="1.00", currency="EUR", channel="card",
        occurred_at=AT, received_at=AT,
    )  # fmt: skip
    for number, customer in ((20, "Ada Lovelace"), (21, "")):
        insert(
            "support_conversation", id=identity(number), **own, subject="Parcel of Ada Lovelace",
            customer=customer, state="open", turn_count=1, last_label="", last_group="", created_at=AT,
            last_activity_at=AT,
        )  # fmt: skip
        insert(
            "support_turn", id=identity(number + 10), **own, conversation_id=identity(number), number=1,
            role="user", state="finished", text="I am Ada Lovelace", emotion_label="", emotion_group="",
            adapter="", model_fingerprint="", stream_id="", finish_reason="", tokens=0, created_at=AT,
        )  # fmt: skip
    plant_records(own)


def plant_records(own: dict[str, str]) -> None:
    """A patient, and a Bundle that was not stored yet."""
    insert(
        "ehr_importedbundle", id=identity(40), **own, digest="d" * 64, identifier="", type="collection",
        state="received", content='{"name": "Ada Lovelace"}', report="{}", received_at=AT,
    )  # fmt: skip
    insert(
        "ehr_patient", id=identity(41), **own, header='{"family": "Lovelace", "given": ["Ada"]}',
        birth_date="1815-12-10", sex="female", news2_rank=-1, created_at=AT,
    )  # fmt: skip
    patient = {**own, "patient_id": identity(41)}
    insert(
        "ehr_patientidentifier", id=identity(42), **patient, system="urn:mrn", value="MRN-Lovelace", type="MR"
    )
    resource = {
        "type": "Patient",
        "bundle_id": identity(40),
        "content": '{"resourceType": "Patient", "id": "Lovelace"}',
    }
    insert("ehr_resource", id=identity(43), **patient, key="Patient/1", **resource)
    insert(
        "ehr_resource", id=identity(44), **own, key="Practitioner/1", **{**resource, "type": "Practitioner"}
    )
    event = {**patient, "resource_id": identity(43), "unit": ""}
    insert(
        "ehr_event",
        id=identity(45),
        **event,
        kind="person",
        time="1815-12-10T00:00:00Z",
        code="MEDS_BIRTH",
        display="Born",
        text="",
    )
    insert(
        "ehr_event",
        id=identity(46),
        **event,
        kind="condition",
        code="TEXT//fell at Lovelace",
        display="fell at Lovelace",
        text="active",
    )
    insert(
        "ehr_note", id=identity(47), **patient, resource_id=identity(43), part="content[0]", title="Note on Lovelace",
        state="ready", original="Ada Lovelace came", text="[NAME] came", redactions="[]", model="",
    )  # fmt: skip


def read() -> None:
    """Everything reads as it was written."""
    from apps.ehr import events, models, selectors
    from apps.fraud.models import Transaction
    from apps.fraud.payload import account_key
    from apps.support.models import Turn
    from apps.support.selectors import ConversationFilter, conversation_page
    from rootstock.accounts.models import Organisation
    from rootstock.accounts.tenancy import tenant

    organisation = Organisation.objects.get()
    with tenant(organisation):
        payment = Transaction.objects.get()
        assert (payment.payer, payment.payee) == ("ACC-Lovelace", "ACC-Lovelace")
        assert payment.payer_key == payment.payee_key == account_key(organisation.pk, "ACC-Lovelace")
        print("fraud")
        assert {turn.text for turn in Turn.objects.all()} == {"I am Ada Lovelace"}
    found, _ = conversation_page(organisation, ConversationFilter(search="ada lovelace"))
    assert {row.customer for row in found} == {"Ada Lovelace", ""}
    print("support")
    [shown], _ = selectors.patient_page(organisation=organisation, identifier="urn:mrn|MRN-Lovelace")
    assert shown.patient.name == "Lovelace, Ada"
    assert str(shown.patient.birth_date) == "1815-12-10"
    wanted = selectors.TimelineFilter(code="TEXT//fell at Lovelace")
    [event], _ = selectors.timeline_page(
        organisation=organisation, patient_id=shown.patient.pk, wanted=wanted
    )
    assert (events.shown_code(event), event.status) == ("TEXT//fell at Lovelace", "active")
    with tenant(organisation):
        birth = models.Event.objects.get(code="MEDS_BIRTH")
        assert (birth.text, str(birth.time)[:10]) == ("1815-12-10", "1815-01-01")
        note = models.Note.objects.get()
        assert (note.title, note.original, note.text) == (
            "Note on Lovelace",
            "Ada Lovelace came",
            "[NAME] came",
        )
        assert {row.content["id"] for row in models.Resource.objects.all()} == {"Lovelace"}
        assert models.ImportedBundle.objects.get().content == {"name": "Ada Lovelace"}
    print("ehr")


def check_stored() -> None:
    """No table holds the name in plain."""
    shapes = ["%lovelace%", f"%{b'Lovelace'.hex()}%"]  # as text, and as PostgreSQL shows bytes
    with connections["admin"].cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}" AS t WHERE t::text ILIKE ANY(%s)', [shapes])
            assert cursor.fetchone()[0] == 0, table
    print("stored")


if __name__ == "__main__":
    django.setup()
    for app in ("fraud", "support", "ehr"):
        call_command("migrate", app, "0001", database="admin", verbosity=0)
    plant()
    call_command("migrate", database="admin", verbosity=0)
    read()
    check_stored()
