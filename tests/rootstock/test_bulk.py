"""Many rows in one statement are what `save()` would have stored."""

from rootstock.accounts.tenancy import tenant
from rootstock.bulk import rows_insert
from rootstock.idempotency.models import IdempotentRequest
from rootstock.privacy.models import SubjectKey

AWKWARD = 'it\'s "awkward" \\ \u2028 \n \U0001f600 %s'


def row(world, number, **given):
    return IdempotentRequest(
        organisation=world.organisation, caller=AWKWARD, key_hash=f"{number}", request_hash="x", **given
    )


def test_it_works(world) -> None:
    rows = [row(world, 1, status=200, answer=b"\x00\xff"), row(world, 2)]
    with tenant(world.organisation):
        assert rows_insert(rows) == {one.pk for one in rows}
        stored = list(IdempotentRequest.objects.order_by("key_hash"))
    names = [field.attname for field in IdempotentRequest._meta.concrete_fields if field.name != "answer"]
    for one, made in zip(stored, rows, strict=True):
        assert [getattr(one, name) for name in names] == [getattr(made, name) for name in names]
        assert not made._state.adding
    assert [one.answer and bytes(one.answer) for one in stored] == [b"\x00\xff", None]


def test_known_rows_are_left_as_they_are(world) -> None:
    with tenant(world.organisation):
        first, second, again = row(world, 1, status=1), row(world, 2), row(world, 1, status=2)
        assert rows_insert([first]) == {first.pk}
        assert rows_insert([again, second], ignore_conflicts=True) == {second.pk}
        assert IdempotentRequest.objects.get(key_hash="1").status == 1
        assert rows_insert([]) == set()


def test_keys_are_stored_as_bytes(world) -> None:
    with tenant(world.organisation) as owner:
        key = SubjectKey.make(owner, "test.person", b"\x01" * 32)
        rows_insert([key])
        assert bytes(SubjectKey.objects.get().reference_index or b"") == b"\x01" * 32
