"""`python -m models_zoo.fraud train` trains the network on generated worlds and writes its weights and card;
`python -m models_zoo.fraud worlds` tells how far trivial rules get on such a world."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from models_zoo.fraud.card import WEIGHTS


def main() -> int:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(prog="python -m models_zoo.fraud", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("train", help="train and write weights and card")
    command.add_argument(
        "--out", type=Path, default=WEIGHTS, help="folder for model.safetensors and card.json"
    )
    command.add_argument("--seed", type=int, default=7)
    command.add_argument("--epochs", type=int, default=None)
    command.set_defaults(run=_train)
    command = commands.add_parser("worlds", help="count the frauds of a world and what trivial rules find")
    command.add_argument("--seed", type=int, default=1)
    command.add_argument("--customers", type=int, default=1000)
    command.add_argument("--days", type=int, default=75)
    command.set_defaults(run=_worlds)
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


def _train(arguments: argparse.Namespace) -> int:
    # torch takes seconds to import: not before --help
    from models_zoo.fraud.training import Plan, train

    plan = Plan(seed=arguments.seed)
    if arguments.epochs:
        plan = replace(plan, epochs=arguments.epochs)
    card = train(plan, arguments.out, lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    print(json.dumps({key: card[key] for key in ("thresholds", "figures", "seconds")}, indent=2))  # noqa: T201
    return 0


def _worlds(arguments: argparse.Namespace) -> int:
    """Print the table; 1 if a trivial rule finds too much."""
    from models_zoo.fraud.difficulty import difficulty
    from models_zoo.fraud.generator import generate

    found = difficulty(generate(arguments.seed, arguments.customers, arguments.days))
    print("\n".join([found.table(), *found.easy()]))  # noqa: T201
    return 1 if found.easy() else 0


if __name__ == "__main__":
    sys.exit(main())
