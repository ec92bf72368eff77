"""`manage.py replay_decision`: make a decision again from what had arrived by then."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.fraud.bundles.serving import Models
from apps.fraud.models import Transaction
from apps.fraud.replaying import BUCKET, Replayed, codes, decided_payment, decision_replay
from rootstock.accounts.models import Organisation
from rootstock.errors import DomainError, NotFound


class Command(BaseCommand):
    help = (
        "Make a decision again from the payments and labels that had arrived by then, with the model and the rules "
        "that it names. Prints both; exit code 0 if the score's bucket, the outcome and the reasons agree, 1 if they "
        "do not, 2 if it cannot be done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=UUID, help="of the payment, or of its decision")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            replayed = decision_replay(row=_found(options["id"]), models=Models())
        except DomainError as error:
            raise CommandError(error.detail, returncode=2) from None
        self._tell(replayed)
        if not replayed.agrees:
            raise CommandError("it does not agree", returncode=1)
        self.stdout.write(f"agrees: score within {BUCKET}, outcome and reasons")

    def _tell(self, found: Replayed) -> None:
        then, again = found.then, found.again
        at = then.decided_at.isoformat(timespec="seconds")
        self.stdout.write(f"payment {then.transaction_id}, number {then.sequence}, decided {at}")
        self.stdout.write(f"model   {then.model}; {then.rules or 'no rules'}")
        for name, one in (("then", then), ("again", again)):
            told = ", ".join(codes(one.reasons)) or "none"
            self.stdout.write(f"{name:7} score {one.score:.6f}, {one.outcome}; reasons: {told}")
        for note in found.gone:
            self.stdout.write(f"note    {note}")


def _found(id: UUID) -> Transaction:
    for organisation in Organisation.objects.order_by("slug"):
        try:
            return decided_payment(organisation=organisation.pk, id=id)
        except NotFound:
            continue
    raise NotFound(f"no payment and no decision has the id {id}")
