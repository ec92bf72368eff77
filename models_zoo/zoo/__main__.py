"""`python -m models_zoo.zoo`: make a shipped adapter, measure it, and say what is known about its data."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models_zoo.llm.card import ModelError
from models_zoo.zoo.cards import CARDS
from models_zoo.zoo.files import BASE, DATA, WORK
from models_zoo.zoo.tasks import MODULES, Task, task_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a missing data set or a refused file is one line on stderr and exit code 2."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options, task_of(options.name) if options.command != "list" else None)
    except (OSError, ValueError, ModelError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models_zoo.zoo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the adapters, and which are here").set_defaults(run=_list)
    told = {
        "make": (_make, "prepare, teachers and distil where the recipe has them, train, thresholds"),
        "prepare": (_prepare, "write the data that is trained on"),
        "train": (_train, "train; goes on where a run that was cut off had come to"),
        "distil": (_distil, "give the prepared training data the mean of what teachers say of it"),
        "thresholds": (_thresholds, "choose thresholds on validation and write them to the adapter's card"),
        "evaluate": (_evaluate, "every figure on the test parts, on the int4 base as served"),
        "leakage": (_leakage, "what of the test parts is in the training data"),
    }
    for name, (run, words) in told.items():
        command = commands.add_parser(name, help=words)
        command.add_argument("name", metavar="NAME", help=f"one of {', '.join(MODULES)}")
        command.add_argument("--data", type=Path, default=DATA, help="folder of the public data sets")
        command.add_argument(
            "--work", type=Path, help="where prepared data and the adapter go (var/zoo/NAME)"
        )
        command.add_argument("--base", type=Path, default=BASE, help="the converted base's folder")
        command.add_argument("--device", default="cpu", help="cpu or cuda")
        command.add_argument("--threads", type=int)
        command.add_argument("--limit", type=int, help="only the first so many examples of each part")
        command.set_defaults(run=run)
        if name in ("make", "prepare", "train"):
            command.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", dest="changes")
        if name == "distil":
            command.add_argument("--teacher", type=Path, action="append", required=True, dest="teachers")
            command.add_argument("--hard", type=float, default=0.4, help="share of the true labels")
        if name in ("thresholds", "evaluate"):
            command.add_argument("--adapter", type=Path, help="its folder; default: the shipped one")
        if name == "evaluate":
            command.add_argument(
                "--card", action="store_true", help="write the figures into the adapter's card"
            )
            command.add_argument("--cards", type=Path, default=CARDS, help="and into the one in this folder")
    return parser


def _list(options: argparse.Namespace, task: Task | None) -> None:
    for name in MODULES:
        found = task_of(name)
        state = (
            "measured only" if not found.ships else "here" if found.adapter.is_dir() else "not trained yet"
        )
        _say(f"{name}: {state}")


def _make(options: argparse.Namespace, task: Task) -> None:
    from models_zoo.zoo.making import make
    from models_zoo.zoo.recipe import changed

    made = make(
        task,
        options.name,
        base=options.base,
        data=options.data,
        work=_work(options),
        device=options.device,
        changes={**changed(options.changes), **({"threads": options.threads} if options.threads else {})},
        tell=_say,
        limit=options.limit,
    )
    _say(f"made: {made}")


def _prepare(options: argparse.Namespace, task: Task) -> None:
    from models_zoo.zoo.making import prepare
    from models_zoo.zoo.recipe import changed

    prepare(task, options.data, _work(options), options.limit, _say, changed(options.changes))


def _train(options: argparse.Namespace, task: Task) -> None:
    from models_zoo.zoo.making import train
    from models_zoo.zoo.recipe import changed, training_spec

    spec = training_spec(task, _work(options), options.base, options.device, changed(options.changes))
    train(options.name, replace(spec, threads=options.threads) if options.threads else spec, _say)


def _distil(options: argparse.Namespace, task: Task) -> None:
    from models_zoo.zoo.distil import soften

    train = _work(options) / "train.jsonl"
    count = soften(options.base, options.teachers, train, train, options.device, options.hard)
    _say(f"train: {count:,} examples, with probabilities of {len(options.teachers)} teachers")


def _thresholds(options: argparse.Namespace, task: Task) -> None:
    from models_zoo.zoo.evaluation import settle_thresholds
    from models_zoo.zoo.served import Served

    adapter = options.adapter or task.adapter
    served = Served(options.base, adapter, options.device, options.threads)
    found = settle_thresholds(task, served, options.data, adapter, options.limit)
    _say(json.dumps(found))


def _evaluate(options: argparse.Namespace, task: Task) -> None:
    from models_zoo.zoo.evaluation import evaluate, table, write_metrics
    from models_zoo.zoo.served import Served

    adapter = options.adapter or task.adapter
    found = evaluate(
        task, Served(options.base, adapter, options.device, options.threads), options.data, options.limit
    )
    _say(table(options.name, found.results))
    if options.card:
        from models_zoo.zoo.cards import card_write
        from models_zoo.zoo.leakage import leakage
        from models_zoo.zoo.recipe import read_recipe

        write_metrics(adapter, found.results)
        _, words = read_recipe(task)
        leaked = {part: one.record() for part, one in leakage(task, options.data).items()}
        path = card_write(
            adapter,
            purpose=words.purpose,
            data=words.data,
            limits=words.limits,
            figures=tuple(one.record() for one in found.results),
            failures=tuple(found.failures),
            leakage=leaked,
            folder=options.cards,
        )
        _say(f"written: {path}")


def _leakage(options: argparse.Namespace, task: Task) -> None:
    from models_zoo.zoo.leakage import leakage

    for part, found in leakage(task, options.data, options.limit).items():
        _say(
            f"{part}: {found.examples:,} examples, {found.exact} exactly and {found.near} nearly in training"
        )
        for text, like in found.shown:
            _say(f"  {text!r} ~ {like!r}")


def _work(options: argparse.Namespace) -> Path:
    work: Path = options.work or WORK / options.name
    return work


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
