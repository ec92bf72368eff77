"""`python -m models_zoo.fraud train` trains the shipped bundle on generated worlds;
`python -m models_zoo.fraud worlds` tells how far trivial rules get on such a world."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from models_zoo.fraud.card import WEIGHTS


def main() -> int:
    """Parse the command line and run it."""
    parser = argparse.ArgumentParser(prog="python -m models_zoo.fraud", description=__doc__)
    commands = parser.add_subparsers(required=True)
    train = commands.add_parser(
        "train", help="train the bundle on generated worlds and write weights and card"
    )
    train.add_argument("--out", type=Path, default=WEIGHTS, help="folder of the bundle")
    train.add_argument("--device", default="cpu", help="for the nets: cpu or cuda")
    train.add_argument(
        "--processes", type=int, default=1, help="that generate worlds, then threads of boosting"
    )
    train.add_argument("--nets-only", action="store_true", help="beside the boosting that is there")
    train.add_argument("--small", action="store_true", help="two small worlds, to try it out")
    train.set_defaults(run=_train)
    worlds = commands.add_parser("worlds", help="count the frauds of a world and what trivial rules find")
    worlds.add_argument("--seed", type=int, default=1)
    worlds.add_argument("--customers", type=int, default=1000)
    worlds.add_argument("--days", type=int, default=75)
    worlds.set_defaults(run=_worlds)
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


def _train(arguments: argparse.Namespace) -> int:
    # torch and LightGBM take seconds to import: not before --help
    from models_zoo.fraud.experts.build import build
    from models_zoo.fraud.experts.shipped import boost, prepare, worlds_of
    from models_zoo.fraud.experts.training import Plan
    from models_zoo.fraud.splits import SMALL, Worlds

    worlds = SMALL if arguments.small else Worlds()
    data = prepare(worlds_of(worlds), arguments.processes)
    if not arguments.nets_only:
        boost(arguments.out, data, worlds, arguments.processes, _say)
    plan = Plan(epochs=2, batch=512) if arguments.small else Plan()
    card = build(arguments.out, data.to(arguments.device), plan, _say)
    print(json.dumps({key: card[key] for key in ("decides", "thresholds", "figures")}, indent=2))  # noqa: T201
    return 0


def _worlds(arguments: argparse.Namespace) -> int:
    """Print the table; 1 if a trivial rule finds too much."""
    from models_zoo.fraud.difficulty import difficulty
    from models_zoo.fraud.generator import generate

    found = difficulty(generate(arguments.seed, arguments.customers, arguments.days))
    print("\n".join([found.table(), *found.easy()]))  # noqa: T201
    return 1 if found.easy() else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
