"""`manage.py retrain NAME --base X`: a shipped adapter made again for another base."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from models_zoo.llm.card import BASE_CARD_FILE, ModelError, read_card
from rootstock.registry.base import base_folder
from rootstock.registry.shipped import retrained_folder


class Command(BaseCommand):
    help = (
        "Make an adapter that comes with Rootstock again on another base: a GGUF file, a Hugging Face folder, or one "
        "that is converted already. Workers that serve that base then take it in place of the one that came. Prints "
        "its figures on the test data. Needs the public data sets (ROOTSTOCK_DATA) and no running site."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="see `python -m models_zoo.zoo list`")
        parser.add_argument("--base", type=Path, help="default: the base that this installation serves")
        parser.add_argument("--data", type=Path, help="folder of the public data sets")
        parser.add_argument("--device", default="cpu", help="cpu or cuda")
        parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", dest="changes")
        parser.add_argument("--limit", type=int, help="of each test part only the first so many examples")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._retrain(options)
        except (ModelError, OSError, ValueError) as error:
            raise CommandError(str(error)) from None

    def _retrain(self, options: dict[str, Any]) -> None:
        from models_zoo.zoo.evaluation import evaluate, table, write_metrics
        from models_zoo.zoo.files import DATA
        from models_zoo.zoo.making import make
        from models_zoo.zoo.recipe import changed
        from models_zoo.zoo.served import Served
        from models_zoo.zoo.tasks import task_of

        name, device, data = options["name"], options["device"], options["data"] or DATA
        task, base = task_of(name), self._base(options["base"])
        if not task.ships:
            raise CommandError(
                f"{name} is for measurement only: the licence of its data does not let it ship"
            )
        target = retrained_folder(read_card(base).fingerprint, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        work = target.with_name(f".{name}.work")  # kept until the end: a run that was cut off goes on
        tell = self.stdout.write
        changes = changed(options["changes"])
        adapter = make(task, name, base=base, data=data, work=work, device=device, changes=changes, tell=tell)
        found = evaluate(task, Served(base, adapter, device), data, options["limit"])
        write_metrics(adapter, found.results)
        self.stdout.write(table(name, found.results))
        _put(adapter, target)
        shutil.rmtree(work)
        self.stdout.write(f"{target}: taken by workers that serve {read_card(base).name}, when they start")

    def _base(self, given: Path | None) -> Path:
        """The converted base's folder; what is not converted yet is, into the models' folder."""
        if given is None:
            return base_folder()
        if (given / BASE_CARD_FILE).is_file():
            return given
        from models_zoo.llm.convert import convert

        target = Path(settings.MODELS_DIR) / (given.stem if given.is_file() else given.name).lower()
        convert(given, target)
        self.stdout.write(f"{given} is converted: {target}")
        return target


def _put(adapter: Path, target: Path) -> None:
    """In place of an older one, whole or not at all."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as aside:
        if target.exists():
            target.rename(Path(aside) / "old")
        adapter.rename(target)
