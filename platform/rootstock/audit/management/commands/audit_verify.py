"""`manage.py audit_verify`: does the audit trail still say what it said? Exit status 1 where it does not."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rootstock.accounts.models import Organisation
from rootstock.audit.offline import file_verify
from rootstock.audit.verify import Verdict, chain_verify
from rootstock.audit.witness import own_witness, witnessed


class Command(BaseCommand):
    help = "Verify the audit trail of every organisation, or of one; names the first broken place."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organisation", help="its slug; without it, all")
        parser.add_argument("--witness", help="a file that was told of the roots (ROOTSTOCK_AUDIT_WITNESS)")
        parser.add_argument("--file", help="verify an export instead of the database")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["file"]:
            verdicts = [("export", file_verify(Path(options["file"])))]
        else:
            verdicts = [
                (one.slug, self._verify(one, options["witness"]))
                for one in self._organisations(options["organisation"])
            ]
        for name, verdict in verdicts:
            self.stdout.write(line(name, verdict))
        if not all(verdict.ok for _, verdict in verdicts):
            sys.exit(1)

    def _organisations(self, slug: str | None) -> list[Organisation]:
        found = Organisation.objects.order_by("slug")
        chosen = list(found.filter(slug=slug) if slug else found)
        if slug and not chosen:
            raise CommandError(f"--organisation {slug}: there is none of that name", returncode=2)
        return chosen

    def _verify(self, organisation: Organisation, witness: str | None) -> Verdict:
        owner = str(organisation.pk)
        try:
            told = witnessed(Path(witness), owner) if witness else own_witness(owner)
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}", returncode=2) from None
        return chain_verify(organisation=organisation, witnessed=told)


def line(name: str, verdict: Verdict) -> str:
    """One organisation's result."""
    if verdict.broken:
        return f"{name}: BROKEN ({verdict.broken.fault}): {verdict.broken.says}"
    more = f", {verdict.pruned:,} taken by retention" if verdict.pruned else ""
    return (
        f"{name}: intact: {verdict.leaves:,} rows under {verdict.roots:,} roots{more}, "
        f"{verdict.waiting:,} waiting; last root {verdict.last_hash[:16]}"
    )
