"""`manage.py demo`: start everything, play three organisations' systems against it, show what came of it."""

import sys
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from rootstock.demo import DemoFailure, Show
from rootstock.demo.play import play
from rootstock.demo.seed import PASSWORD, Seeded, seed
from rootstock.operations.management.commands.up import CANNOT_START
from rootstock.operations.stack import Site, site
from rootstock.supervisor import Output


class Command(BaseCommand):
    help = "Run the main job on real input, end to end, and exit 0 only if every step did what it should."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--keep", action="store_true", help="keep serving afterwards, until Ctrl-C")

    def handle(self, *args: Any, **options: Any) -> None:
        show, log = Show(), Path(settings.VAR_DIR) / "demo.log"
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a") as stream, site(Output(stream)) as running:
                show.heading("Rootstock is up")
                show.step(f"{running.url}, ready in {running.ready_after_s:.1f} s")
                self._play(running, show, keep=options["keep"])
        except KeyboardInterrupt:
            print("\nstopped")
            sys.exit(130)
        except (DemoFailure, httpx.HTTPError) as error:
            show.failure(str(error) or type(error).__name__)
            print(f"The processes' output is in {log}")
            sys.exit(1)
        except (*CANNOT_START, OSError) as error:
            print(f"rootstock: {error}", file=sys.stderr)
            sys.exit(2)

    def _play(self, running: Site, show: Show, *, keep: bool) -> None:
        seeded = seed()
        rows = play(running.url, seeded, show)
        show.table(rows)
        self._tell_logins(running.url, seeded, keep=keep)
        if not all(row.ok for row in rows):
            raise DemoFailure("; ".join(f"{row.what}: {row.outcome}" for row in rows if not row.ok))
        if keep:
            running.supervisor.run_forever()

    def _tell_logins(self, url: str, seeded: Seeded, *, keep: bool) -> None:
        print(f"\n{url}  ({'serving until Ctrl-C' if keep else 'start it again with: make up'})")
        print(f"Sign in with the password {PASSWORD}:")
        for username, role, organisations in seeded.logins:
            print(f"  {username:<8} {role} at {organisations}")
