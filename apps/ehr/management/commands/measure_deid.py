"""`manage.py measure_deid`: the de-identification adapter beside the patterns, as it is served."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from rootstock.registry.base import base_folder


class Command(BaseCommand):
    """Recall and precision on templates that were not trained on; `--card` writes them into the adapter's card."""

    help = __doc__ or ""
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where the test sets and the adapter are."""
        parser.add_argument(
            "--data", type=Path, required=True, help="folder of `models_zoo.clinical.deid build`"
        )
        parser.add_argument("--adapter", type=Path, help="adapter folder; the shipped one if left out")
        parser.add_argument("--leaked", type=int, default=0, help="also show so many identifiers that leaked")
        parser.add_argument("--card", action="store_true", help="write the figures into the adapter's card")

    def handle(self, *args: Any, **options: Any) -> None:
        """Measure and print one line of JSON for each set and detector."""
        from apps.ehr.handlers import FOLDER
        from models_zoo.clinical.deid.evaluation import evaluate, write_figures
        from workers.engine.local import LocalEngine

        folder: Path = options["adapter"] or FOLDER
        engine = LocalEngine(base_folder(), device="cpu", threads=2)
        try:
            engine.load("measured", folder)
            figures = evaluate(options["data"], lambda texts: _tag(engine, texts))
        finally:
            engine.close()
        for record in figures:
            shown = {name: value for name, value in record.items() if name != "missed"}
            leaked = {"leaked": record["missed"][: options["leaked"]]} if options["leaked"] else {}
            self.stdout.write(json.dumps(shown | leaked, ensure_ascii=False))
        if options["card"]:
            write_figures(folder, figures)


def _tag(engine: Any, texts: Sequence[str]) -> list[list[Any]]:
    from models_zoo.clinical.deid.scrub import Found

    found = [
        spans
        for start in range(0, len(texts), 16)
        for spans in engine.tag(texts[start : start + 16], "measured")
    ]
    return [[Found(span.start, span.end, span.label, "adapter") for span in spans] for spans in found]
