"""`manage.py audit_prune`: retention of the audit trail, on record. Needs the owner's connection."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.models import Organisation
from rootstock.audit.retention import trail_prune
from rootstock.errors import DomainError


class Command(BaseCommand):
    help = "Delete an organisation's audit rows sealed before a date. Its roots stay; the trail records it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", required=True, help="its slug")
        parser.add_argument("--before", required=True, help="a date, as 2024-01-31")
        parser.add_argument("--reason", required=True, help="the rule that asks for it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            before = datetime.fromisoformat(options["before"])
        except ValueError:
            raise CommandError(f"--before {options['before']}: is not a date", returncode=2) from None
        organisation = Organisation.objects.filter(slug=options["organisation"]).first()
        if organisation is None:
            raise CommandError(f"--organisation {options['organisation']}: there is none", returncode=2)
        before = before if before.tzinfo else before.replace(tzinfo=UTC)
        try:
            with acting(Actor("system", "retention")):
                taken = trail_prune(organisation=organisation, before=before, reason=options["reason"])
        except DomainError as error:
            raise CommandError(error.detail) from None
        self.stdout.write(f"{taken.rows:,} rows deleted, up to root {taken.through_sequence}")
