"""`manage.py verify_certificate FILE`: whether an erasure's certificate is genuine."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from rootstock.privacy import signing


class Command(BaseCommand):
    help = "Check the signature of a certificate file, by this installation's key or by the one given."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--public-key", default="", help="base64; of the installation that issued it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = json.loads(options["file"].read_text())
            document, signature = found["document"], found["signature"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CommandError(
                f"{options['file']}: not a certificate file ({type(error).__name__})"
            ) from None
        key = options["public_key"] or signing.public_key()
        if not signing.is_signed(document, signature, key):
            raise CommandError("NOT genuine: it was changed, or another key signed it")
        self.stdout.write(f"genuine: {document['subject']['type']} {document['subject']['id']}")
        self.stdout.write(f"erased at {document['erased_at']}, key {document['key']['fingerprint']}")
