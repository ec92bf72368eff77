"""`manage.py prepare`: what must be there before the processes start. `up` does it by itself."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from rootstock.operations.preflight import Refusal
from rootstock.operations.preparation import prepare


class Command(BaseCommand):
    help = "Migrate the database, collect static files, convert the base model: each only when it is due."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            prepare(self.stdout.write)
        except Refusal as error:
            raise CommandError(str(error), returncode=2) from None
