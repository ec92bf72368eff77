"""`manage.py fraud_rebuild`: fill the state of payments in Valkey from PostgreSQL."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.fraud.rebuilding import state_rebuild
from rootstock.accounts.models import Organisation
from rootstock.errors import DomainError


class Command(BaseCommand):
    help = (
        "Fill the state of payments in Valkey from PostgreSQL, after Valkey was wiped or moved. Payments are scored "
        "meanwhile, and to the same scores; without this, rings come back as they are asked for."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", default="", help="its short name; without it all of them")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Organisation.objects.order_by("slug")
        if options["organisation"]:
            wanted = wanted.filter(slug=options["organisation"])
            if not wanted:
                raise CommandError(f"there is no organisation {options['organisation']!r}")
        for organisation in wanted:
            self._rebuild(organisation)

    def _rebuild(self, organisation: Organisation) -> None:
        def told(side: str, rings: int) -> None:
            self.stdout.write(f"{organisation.slug}: {rings:,} rings ({side}s)")

        try:
            count = state_rebuild(organisation, told)
        except DomainError as error:
            raise CommandError(f"{organisation.slug}: {error.detail}") from None
        self.stdout.write(f"{organisation.slug}: {count:,} rings are there")
