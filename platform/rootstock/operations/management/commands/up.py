"""`manage.py up`: run Rootstock on this machine until Ctrl-C."""

import sys
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand

from rootstock.embedded import EmbeddedError
from rootstock.operations.preflight import Refusal
from rootstock.operations.stack import site
from rootstock.supervisor import SupervisorError

CANNOT_START = (Refusal, EmbeddedError, SupervisorError, ImproperlyConfigured)


class Command(BaseCommand):
    help = "Start web, workers, trainer and beat with their database, and keep serving until Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with site() as running:
                print(
                    f"\nRootstock: {running.url}  (ready in {running.ready_after_s:.1f} s, Ctrl-C stops it)\n"
                )
                running.supervisor.run_forever()
        except KeyboardInterrupt:
            print("\nstopped")
        except CANNOT_START as error:
            print(f"rootstock: {error}", file=sys.stderr)
            sys.exit(2)
