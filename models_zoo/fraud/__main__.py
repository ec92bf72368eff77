"""`python -m models_zoo.fraud train|boost` trains the network or the boosting expert on generated worlds;
`python -m models_zoo.fraud worlds` tells how far trivial rules get on such a world."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from models_zoo.fraud.card import WEIGHTS


def main() -> int:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(prog="python -m models_zoo.fraud", description=__doc__)
    commands = parser.add_subparsers(required=True)
    network = commands.add_parser("train", help="train the network and write weights and card")
    network.add_argument(
        "--out", type=Path, default=WEIGHTS, help="folder for model.safetensors and card.json"
    )
    network.add_argument("--seed", type=int, default=7)
    network.add_argument("--epochs", type=int, default=None)
    network.set_defaults(run=_network)
    boosting = commands.add_parser("boost", help="train the boosting expert and write model and card")
    boosting.add_argument(
        "--out", type=Path, default=WEIGHTS / "boosting", help="folder for model.txt and card.json"
    )
    boosting.add_argument("--seed", type=int, default=7)
    boosting.set_defaults(run=_boosting)
    worlds = commands.add_parser("worlds", help="count the frauds of a world and what trivial rules find")
    worlds.add_argument("--seed", type=int, default=1)
    worlds.add_argument("--customers", type=int, default=1000)
    worlds.add_argument("--days", type=int, default=75)
    worlds.set_defaults(run=_worlds)
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


def _network(arguments: argparse.Namespace) -> int:
    # torch takes seconds to import: not before --help
    from models_zoo.fraud.training import Plan, train

    plan = Plan(seed=arguments.seed)
    if arguments.epochs:
        plan = replace(plan, epochs=arguments.epochs)
    return _tell(train(plan, arguments.out, _say))


def _boosting(arguments: argparse.Namespace) -> int:
    from models_zoo.fraud.learning import SHIPPED, Worlds, train

    return _tell(train(Worlds(), replace(SHIPPED, seed=arguments.seed), arguments.out, _say))


def _worlds(arguments: argparse.Namespace) -> int:
    """Print the table; 1 if a trivial rule finds too much."""
    from models_zoo.fraud.difficulty import difficulty
    from models_zoo.fraud.generator import generate

    found = difficulty(generate(arguments.seed, arguments.customers, arguments.days))
    print("\n".join([found.table(), *found.easy()]))  # noqa: T201
    return 1 if found.easy() else 0


def _tell(card: dict[str, Any]) -> int:
    print(json.dumps({key: card[key] for key in ("thresholds", "figures", "seconds")}, indent=2))  # noqa: T201
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
