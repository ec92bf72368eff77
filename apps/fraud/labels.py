"""Labels: what became known of payments, each with a number of its own in the stream."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from apps.fraud.ingest import MOST_PROBLEMS, Field, NewTransaction, counter_lock, numbers_take, refuse_repeats
from apps.fraud.models import IngestCounter, Label, Transaction
from apps.fraud.selectors import shown
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import FieldProblem, InvalidInput, NotFound
from rootstock.paging import refuse_empty, take_page
from rootstock.privacy.keys import SubjectKey
from rootstock.privacy.subjects import subjects_locked
from rootstock.webhooks.services import events_emit

EVENT = "fraud.payment_labelled"


@dataclass(slots=True, frozen=True)
class NewLabel:
    """A label as a caller sent it, valid in itself; the external id is the payment's."""

    external_id: str
    fraud: bool
    source: str
    known_at: datetime | None = None
    note: str | None = None


def labelled(index: int, name: str) -> str:
    """Path of a field in a list of labels."""
    return f"labels.{index}.{name}"


def labels_record(
    *, organisation: Organisation, given: Sequence[NewLabel], field: Field = labelled
) -> list[Label]:
    """Give payments their labels. One that says what the payment's newest says already is that one.

    Raises InvalidInput naming every external id that is unknown or comes twice, every note that names a party, and
    every moment before the payment's own.
    """
    refuse_repeats([one.external_id for one in given], field)
    with tenant(organisation):
        rows, made = labels_store(counter_lock(organisation), given, field)
        _tell(organisation, made, len(given))
    return rows


def labels_store(
    counter: IngestCounter, given: Sequence[NewLabel], field: Field = labelled
) -> tuple[list[Label], list[Label]]:
    """The labels in their order, and those of them that are new; nobody is told."""
    payments = _payments(given, field)
    _refuse(
        FieldProblem(field(index, name), reason)
        for index, one in enumerate(given)
        for name, reason in unfitting(one, payments[one.external_id])
    )
    newest = [payments[one.external_id].label for one in given]
    known = {one.external_id: label for one, label in zip(given, newest, strict=True) if label}
    fresh = [one for one, label in zip(given, newest, strict=True) if not label or differing(one, label)]
    made = _create(counter, fresh, payments) if fresh else {}
    current = known | made
    return [current[one.external_id] for one in given], list(made.values())


def labels_page(
    *,
    organisation: Organisation,
    external_id: str | None = None,
    fraud: bool | None = None,
    source: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Label], str | None]:
    """Labels, newest first, superseded ones among them. Raises InvalidInput."""
    refuse_empty(external_id=external_id, source=source)
    wanted = {"transaction__external_id": external_id, "fraud": fraud, "source": source}
    with tenant(organisation):
        found = Label.objects.select_related("transaction").filter(
            **{name: value for name, value in wanted.items() if value is not None}
        )
        return take_page(found, cursor=cursor, limit=limit)


def label_get(*, organisation: Organisation, label_id: UUID) -> Label:
    """One label. Raises NotFound."""
    with tenant(organisation):
        row = Label.objects.select_related("transaction").filter(pk=label_id).first()
    if row is None:
        raise NotFound("no such label")
    return row


def _payments(given: Sequence[NewLabel], field: Field) -> dict[str, Transaction]:
    wanted = [one.external_id for one in given]
    found = {row.external_id: row for row in shown(Transaction.objects.filter(external_id__in=wanted))}
    _refuse(
        FieldProblem(field(index, "external_id"), "is no payment's")
        for index, one in enumerate(wanted)
        if one not in found
    )
    return found


def unfitting(label: NewLabel, payment: NewTransaction | Transaction) -> Iterator[tuple[str, str]]:
    """Fields of a label that do not fit its payment, with the reason."""
    if label.known_at and label.known_at < payment.occurred_at:
        yield "known_at", "lies before the payment itself"
    note = (label.note or "").casefold()  # about the case: accounts and devices have no place in it
    parties = (payment.payer, payment.payee, payment.device, payment.merchant)
    if any(name.casefold() in note for name in parties if name):
        yield "note", "must not hold the payment's accounts, device or merchant"


def differing(label: NewLabel, known: NewLabel | Label) -> list[str]:
    """The fields in which a label says something else than one of the same payment."""
    names = ("fraud", "source", "known_at", "note")
    return [name for name in names if getattr(label, name) != getattr(known, name)]


def _refuse(found: Iterable[FieldProblem]) -> None:
    problems = list(found)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise InvalidInput(
            f"{problems[0].field}: {problems[0].reason}{more}", errors=problems[:MOST_PROBLEMS]
        )


def _create(
    counter: IngestCounter, fresh: Sequence[NewLabel], payments: dict[str, Transaction]
) -> dict[str, Label]:
    noted = {payments[one.external_id].payer_subject_id for one in fresh if one.note}
    keys: dict[UUID, SubjectKey] = {key.pk: key for key in subjects_locked(noted, "note")} if noted else {}
    rows = {}
    for sequence, one in zip(numbers_take(counter, len(fresh)), fresh, strict=True):
        payment = payments[one.external_id]
        row = Label(
            organisation_id=counter.organisation_id,
            sequence=sequence,
            transaction=payment,
            subject_id=payment.payer_subject_id,
            fraud=one.fraud,
            source=one.source,
            known_at=one.known_at,
            note=one.note,
        )
        if one.note:
            row.subject = keys[payment.payer_subject_id]
        rows[one.external_id] = row
    Label.objects.bulk_create(rows.values(), batch_size=2000)
    return rows


def _tell(organisation: Organisation, made: Sequence[Label], sent: int) -> None:
    if not made:
        return
    ids = [{"transaction": str(one.transaction_id), "label": str(one.pk)} for one in made]
    audit_record(
        organisation=organisation,
        action="payment.labelled",
        object_type="payment",
        object_id=made[0].transaction_id if len(made) == 1 else "",
        data={"new": len(made), "known": sent - len(made), "labels": [one["label"] for one in ids]},
    )
    events_emit(organisation=organisation, type=EVENT, data=ids)
