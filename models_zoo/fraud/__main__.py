"""`python -m models_zoo.fraud train|boost`: train the network or the boosting expert on generated worlds."""

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
    arguments = parser.parse_args()
    card = arguments.run(arguments)
    print(json.dumps({key: card[key] for key in ("thresholds", "figures", "seconds")}, indent=2))  # noqa: T201
    return 0


def _network(arguments: argparse.Namespace) -> dict[str, Any]:
    # torch takes seconds to import: not before --help
    from models_zoo.fraud.training import Plan, train

    plan = Plan(seed=arguments.seed)
    if arguments.epochs:
        plan = replace(plan, epochs=arguments.epochs)
    return train(plan, arguments.out, _say)


def _boosting(arguments: argparse.Namespace) -> dict[str, Any]:
    from models_zoo.fraud.learning import SHIPPED, Worlds, train

    return train(Worlds(), replace(SHIPPED, seed=arguments.seed), arguments.out, _say)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
