"""Encrypted columns: what is stored, what is read, and what is refused."""

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.exceptions import FieldError
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from apps.support.models import VISITOR, Conversation, Turn
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict
from rootstock.privacy.fields import ERASED, attach_keys, is_erased, sealed
from rootstock.privacy.keyring import Tampered, seal, unseal
from rootstock.privacy.models import SubjectKey
from rootstock.privacy.subjects import key_destroy, subject_ensure, subject_find

KEY = AESGCM(bytes(32))


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_what_is_sealed_opens_in_its_place(plain: bytes, place: bytes) -> None:
    assert unseal(KEY, seal(KEY, plain, place), place) == plain


@given(st.binary(max_size=60), st.integers(0, 400), st.integers(1, 255))
def test_one_changed_byte_is_noticed(plain: bytes, at: int, change: int) -> None:
    made = bytearray(seal(KEY, plain, b"here"))
    made[at % len(made)] ^= change
    with pytest.raises(Tampered):
        unseal(KEY, bytes(made), b"here")


@given(st.binary(max_size=60), st.integers(0, 90))
def test_a_cut_value_is_noticed(plain: bytes, keep: int) -> None:
    made = seal(KEY, plain, b"here")
    with pytest.raises(Tampered):
        unseal(KEY, made[: min(keep, len(made) - 1)], b"here")


@given(st.binary(max_size=60), st.binary(max_size=20), st.binary(max_size=20))
def test_another_place_or_key_does_not_open_it(plain: bytes, one: bytes, other: bytes) -> None:
    made = seal(KEY, plain, one)
    with pytest.raises(Tampered):
        unseal(AESGCM(os.urandom(32)), made, one)
    if one != other:
        with pytest.raises(Tampered):
            unseal(KEY, made, other)


def conversation(world, subject="Parcel of Ada Lovelace", reference="one") -> Conversation:
    person = subject_ensure(world.organisation, VISITOR, reference)
    return Conversation.objects.create(
        organisation=world.organisation,
        person=person,
        subject=subject,
        customer="Ada Lovelace",
        last_activity_at="2026-01-01T00:00:00Z",
    )


def turn(row: Conversation, number: int, text: str) -> Turn:
    return Turn(
        organisation_id=row.organisation_id,
        person=row.person,
        conversation=row,
        number=number,
        role="user",
        text=text,
    )


def raw(row: Conversation, column: str = "subject") -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM support_conversation WHERE id = %s", [row.pk])
        return bytes(cursor.fetchone()[0])


def test_it_works(world, django_assert_num_queries) -> None:
    with tenant(world.organisation):
        for number in range(5):
            conversation(world, f"Parcel {number}", f"person {number}")
        with django_assert_num_queries(2):  # the rows, and all their keys
            assert [row.subject for row in Conversation.objects.order_by("pk")] == [
                f"Parcel {n}" for n in range(5)
            ]
        with django_assert_num_queries(1):
            rows = list(Conversation.objects.select_related("person").order_by("pk"))
            assert rows[4].subject == "Parcel 4"
        assert b"Parcel" not in raw(rows[0])


def test_reading_after_the_transaction_needs_no_query(world, django_assert_num_queries) -> None:
    with tenant(world.organisation):
        conversation(world)
        row = Conversation.objects.get()
    with django_assert_num_queries(0):
        assert row.subject == "Parcel of Ada Lovelace"


def test_saving_what_was_not_read_keeps_it(world) -> None:
    with tenant(world.organisation):
        before = raw(made := conversation(world))
        row = Conversation.objects.get()
        row.turn_count = 7
        row.save()
        assert raw(made) == before
        row.subject = "Letter"
        row.save(update_fields=["subject"])
        assert Conversation.objects.get().subject == "Letter"
        deferred = Conversation.objects.only("state").get()
        assert deferred.subject == "Letter"
        row.refresh_from_db()
        assert row.subject == "Letter"


def test_bulk_writes(world) -> None:
    with tenant(world.organisation):
        row = conversation(world)
        Turn.objects.bulk_create(turn(row, number, f"text {number}") for number in range(1, 4))
        rows = list(row.turns.all())
        for one in rows:
            one.text += "!"
        Turn.objects.bulk_update(rows, ["text", "tokens"])
        assert rows[0].text == "text 1!"
        assert [one.text for one in row.turns.all()] == ["text 1!", "text 2!", "text 3!"]
        value = sealed(Turn, "text", row=rows[0].pk, key=row.person, value="by update")
        Turn.objects.filter(pk=rows[0].pk).update(text=value)
        assert row.turns.first().text == "by update"


def test_a_value_moved_to_another_row_does_not_open(world) -> None:
    with tenant(world.organisation):
        first, second = conversation(world), conversation(world, "Letter")
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE support_conversation SET subject = %s WHERE id = %s", [raw(first), second.pk]
            )
        with pytest.raises(Tampered):
            _ = Conversation.objects.get(pk=second.pk).subject
        with connection.cursor() as cursor:  # nor in another column of its own row
            cursor.execute("UPDATE support_conversation SET customer = subject WHERE id = %s", [first.pk])
        with pytest.raises(Tampered):
            _ = Conversation.objects.get(pk=first.pk).customer


def test_a_key_moved_to_another_person_does_not_open(world) -> None:
    with tenant(world.organisation):
        row, other = conversation(world), subject_ensure(world.organisation, VISITOR, "other")
        SubjectKey.objects.filter(pk=row.person_id).update(wrapped=other.wrapped, master_key=other.master_key)
        with pytest.raises(Tampered):
            _ = Conversation.objects.get().subject


def test_queries_on_what_is_encrypted_say_so(world) -> None:
    with tenant(world.organisation):
        conversation(world)
        for refused in (
            lambda: Conversation.objects.filter(subject="Parcel"),
            lambda: Conversation.objects.exclude(subject__icontains="Parcel"),
            lambda: Conversation.objects.order_by("-subject"),
            lambda: Turn.objects.filter(conversation__customer="Ada"),
        ):
            with pytest.raises(FieldError, match="is encrypted"):
                refused()
        with pytest.raises(TypeError, match="is encrypted"), transaction.atomic():
            Conversation.objects.update(subject="plain")
        assert Conversation.objects.filter(subject__isnull=False).count() == 1


def test_after_erasure(world) -> None:
    with tenant(world.organisation):
        row = conversation(world)
        Turn.objects.bulk_create([turn(row, 1, "My name is Ada")])
        key_destroy(SubjectKey.objects.get(pk=row.person_id))
        gone = Conversation.objects.get()
        assert gone.subject == ERASED == "erased"
        assert is_erased(gone.subject)
        assert is_erased(gone.turns.get().text)
        before = raw(gone)
        gone.state = "closed"
        gone.save()  # what is not personal can still be written
        assert raw(gone) == before
        gone.subject = "again"
        with pytest.raises(Conflict, match="erased"), transaction.atomic():
            gone.save()
        assert subject_find(world.organisation, VISITOR, "one") is None
        assert subject_ensure(world.organisation, VISITOR, "one").pk != row.person_id


def test_a_stranger_finds_no_key(world) -> None:
    with tenant(world.organisation):
        row = conversation(world)
    with tenant(world.other):
        assert not SubjectKey.objects.exists()
        assert subject_find(world.other, VISITOR, "one") is None
        fresh = [turn(row, 1, "x")]
        attach_keys(fresh)
