"""`python -m models_zoo.fraud train`: train the network on generated worlds and write its weights and card."""

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
    command = parser.add_subparsers(required=True).add_parser(
        "train", help="train and write weights and card"
    )
    command.add_argument(
        "--out", type=Path, default=WEIGHTS, help="folder for model.safetensors and card.json"
    )
    command.add_argument("--seed", type=int, default=7)
    command.add_argument("--epochs", type=int, default=None)
    arguments = parser.parse_args()
    # torch takes seconds to import: not before --help
    from models_zoo.fraud.training import Plan, train

    plan = Plan(seed=arguments.seed)
    if arguments.epochs:
        plan = replace(plan, epochs=arguments.epochs)
    card = train(plan, arguments.out, lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201
    print(json.dumps({key: card[key] for key in ("thresholds", "figures", "seconds")}, indent=2))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
