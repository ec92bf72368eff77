"""`manage.py adapt config.toml`: a training from a shell, beside a running `make up`."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rootstock.accounts.actors import Actor, acting
from rootstock.adaptation.config import config_read, named_by_file, organisation_named, sources_of
from rootstock.adaptation.following import followed
from rootstock.adaptation.selectors import training_get
from rootstock.adaptation.services import KIND
from rootstock.adaptation.words import came_out
from rootstock.errors import AWAY, DomainError
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_cancel

SUCCEEDED, FAILED, WRONG, CANCELLED, LEFT = range(5)
ENDINGS = {"succeeded": SUCCEEDED, "failed": FAILED, "cancelled": CANCELLED}
QUESTION = "\n[c]ancel the training, [l]eave it running, or Enter to go on watching: "


class Command(BaseCommand):
    help = (
        "Train an adapter or a base as a TOML file says, and follow it. Needs a running `make up`. Ends with 0 when it "
        "came out, 1 when the training failed, 2 when the file is wrong, 3 when it was cancelled, 4 when it was left "
        "running."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("config", type=Path, help="see docs/training.md")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with acting(Actor("system", "adapt")):
                status = self._train(options["config"])
        except DomainError as error:
            told = "\n".join(f"{one.field}: {one.reason}" for one in error.errors) or error.detail
            raise CommandError(told, returncode=WRONG) from None
        except AWAY:
            raise CommandError(
                "Rootstock is not running: start it with `make up`", returncode=WRONG
            ) from None
        sys.exit(status)

    def _train(self, path: Path) -> int:
        config = config_read(path)
        organisation = organisation_named(config.organisation)
        sources = sources_of(config, organisation, path.parent)
        with named_by_file():
            job = config.begin(organisation, sources)
        self.stdout.write(f"Training {config.name} for {organisation.name}: /adaptation/{job.pk}/")
        while not self._watched(job):
            if (left := self._asked(job)) is not None:
                return left
        return self._ended(job)

    def _watched(self, job: Job) -> bool:
        """Whether it has ended; False when somebody pressed Ctrl-C."""
        try:
            followed(job)
        except KeyboardInterrupt:
            return False
        return True

    def _asked(self, job: Job) -> int | None:
        """What to do now; a status when this command ends here."""
        try:
            answer = input(QUESTION).strip().lower() if sys.stdin.isatty() else "l"
        except (KeyboardInterrupt, EOFError):
            answer = "l"
        if answer.startswith("c"):
            try:
                job_cancel(organisation=job.organisation_id, job_id=job.pk)
            except DomainError as error:  # it ended meanwhile
                self.stdout.write(error.detail)
            return None
        if answer.startswith("l"):
            self.stdout.write("It goes on.")
            return LEFT
        return None

    def _ended(self, job: Job) -> int:
        job = training_get(organisation=job.organisation_id, job_id=job.pk)
        if job.result and job.kind == KIND:
            self.stdout.write(f"{came_out(job)} came out; talk to it at /playground/?a={came_out(job)}")
        elif job.result:
            self.stdout.write(
                f"{came_out(job)} came out; set ROOTSTOCK_BASE_MODEL={came_out(job)} to serve it"
            )
        elif job.error:
            self.stderr.write(f"{job.state}: {job.error['detail']}")
        else:
            self.stdout.write(f"The training was {job.state}.")
        return ENDINGS[job.state]
