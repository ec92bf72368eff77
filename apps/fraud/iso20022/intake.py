"""What becomes of messages: their transfers are scored like other payments, and statuses that say fraud are labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from apps.fraud import labels, services
from apps.fraud.ingest import NewTransaction, counter_lock, payments_store
from apps.fraud.iso20022.messages import messages_of, refuse
from apps.fraud.iso20022.reading import FRAUD, Payment, Status, payments_of, statuses_of
from apps.fraud.labels import NewLabel
from apps.fraud.models import Label, Transaction
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import FieldProblem, InvalidInput

MOST = 1000


@dataclass(slots=True, frozen=True)
class Reported:
    """A status and what came of it: the payment that it is about, if it is known here, and the label it became."""

    status: Status
    external_id: str | None
    label: Label | None

    @property
    def why(self) -> str:
        """In words, why it became a label or did not."""
        if self.label:
            return "; ".join(FRAUD[one] for one in self.status.reasons if one in FRAUD)
        if self.external_id is None:
            return "no payment is known by its ids" if self.status.ids else "it names no payment"
        return "it does not say fraud"


@dataclass(slots=True, frozen=True)
class Taken:
    """Payments and statuses, each in the order in which they were sent."""

    payments: list[Transaction]
    statuses: list[Reported]


def messages_take(*, organisation: Organisation, body: bytes, zone: tzinfo | None = None) -> Taken:
    """Take all of the messages or none. Payments come before statuses, so that a file may report on its own.

    They and the labels are stored at once, before the payments are scored.

    Raises BadBody, TooLarge, InvalidInput and Conflict, with XPaths.
    """
    payments, statuses = _read(body, zone)
    with tenant(organisation):
        stored = payments_store(
            counter_lock(organisation),
            [NewTransaction(**one.given.model_dump()) for one in payments],
            lambda index, name: payments[index].path(name),
        )
        reported = _report(organisation, statuses) if statuses else []
    labelled = {one.label.transaction_id for one in reported if one.label}
    rows = services.stored_score(organisation=organisation, stored=stored, labelled=labelled)
    return Taken(rows, reported)


def _read(body: bytes, zone: tzinfo | None) -> tuple[list[Payment], list[Status]]:
    messages = messages_of(body)
    found = [
        one
        for message in messages
        for one in (statuses_of if message.name == "pacs.002" else payments_of)(message, zone)
    ]
    refuse(one for one in found if isinstance(one, FieldProblem))
    if len(found) > MOST:
        raise InvalidInput.field(
            "/", f"holds {len(found):,} payments and statuses, at most {MOST:,} are taken"
        )
    payments = [one for one in found if isinstance(one, Payment)]
    return payments, [one for one in found if isinstance(one, Status)]


def _report(organisation: Organisation, statuses: Sequence[Status]) -> list[Reported]:
    """Call it inside `tenant()`."""
    wanted = {name for one in statuses for name in one.ids}
    found = Transaction.objects.filter(external_id__in=wanted)
    known = set(found.values_list("external_id", flat=True))
    about = [next((name for name in one.ids if name in known), None) for one in statuses]
    frauds = {name: one for one, name in zip(statuses, about, strict=True) if name and one.says_fraud}
    telling = list(frauds.values())
    given = [NewLabel(**one.label(name).model_dump()) for name, one in frauds.items()]
    made = (
        labels.labels_record(
            organisation=organisation, given=given, field=lambda index, name: telling[index].path(name)
        )
        if given
        else []
    )
    by_name = dict(zip(frauds, made, strict=True))
    return [
        Reported(one, name, by_name.get(name) if name and one.says_fraud else None)
        for one, name in zip(statuses, about, strict=True)
    ]
