"""`manage.py master_keys`: which master keys wrap what, and their rotation."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rootstock.errors import DomainError
from rootstock.privacy import keyring, rotation


class Command(BaseCommand):
    help = (
        "status: the master keys, and how many keys each still wraps. add NAME: make a new active key in the "
        "local file. rewrap: wrap everything under the active key; may be stopped and run again, and fails, after "
        "doing the rest, where a key is missing. drop NAME: say whether a key can go, and take it out of the "
        "local file."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["status", "add", "rewrap", "drop"])
        parser.add_argument("name", nargs="?", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        action = {"status": self._status, "add": self._add, "rewrap": self._rewrap, "drop": self._drop}
        try:
            action[options["action"]](options["name"])
        except DomainError as error:
            raise CommandError(error.detail) from None

    def _status(self, name: str) -> None:
        for key in rotation.status():
            words = ["active"] if key.active else []
            words += [] if key.present else ["NOT CONFIGURED"]
            words += [f"{key.in_use:,} keys" if key.in_use else "not in use: can be dropped"]
            self.stdout.write(f"{key.id}: {', '.join(words)}")

    def _add(self, name: str) -> None:
        path = self._file("put the new key first, as the variable says, and start every process with it")
        if not name:
            raise CommandError("add: give the new key a name")
        text = f"{keyring.new_key(name)},{path.read_text().strip()}"
        self._write(path, text)
        self.stdout.write(
            f"{name} is active, in running processes too: they read the file again as it changes; "
            "now run `manage.py master_keys rewrap`"
        )

    def _rewrap(self, name: str) -> None:
        done = rotation.rewrap_all(self.stdout.write)
        self.stdout.write(f"{done:,} keys are now wrapped by {keyring.ring().active.id}")
        if left := rotation.missing():
            told = ", ".join(f"{key.id} ({key.in_use:,})" for key in left)
            raise CommandError(f"left as they are, for their master key is not here: {told}")

    def _drop(self, name: str) -> None:
        found = next((key for key in rotation.status() if key.id == name), None)
        if found is None:
            raise CommandError(f"there is no master key {name!r}")
        if found.active or found.in_use:
            why = (
                "it is the active one"
                if found.active
                else f"it still wraps {found.in_use:,} keys: run rewrap"
            )
            raise CommandError(f"{name} cannot be dropped: {why}")
        path = self._file(f"nothing is wrapped by {name} any more; it can be taken out of the variable")
        kept = [part for part in path.read_text().strip().split(",") if not part.startswith(f"{name}:")]
        self._write(path, ",".join(kept))
        self.stdout.write(f"{name} is gone")

    def _file(self, otherwise: str) -> Path:
        source: Any = settings.MASTER_KEYS
        if not isinstance(source, Path):
            raise CommandError(f"the keys come from {keyring.VARIABLE}: {otherwise}")
        return source

    def _write(self, path: Path, text: str) -> None:
        """Whole or not at all; only the owner may read it."""
        keyring.parse(text, str(path))
        temporary = path.with_suffix(".new")
        temporary.touch(mode=0o600)
        temporary.write_text(text)
        temporary.replace(path)
