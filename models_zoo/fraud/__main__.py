"""`python -m models_zoo.fraud train` trains the shipped bundle on generated worlds;
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
    train = commands.add_parser(
        "train", help="train the bundle on generated worlds and write weights and card"
    )
    train.add_argument("--out", type=Path, default=WEIGHTS, help="folder of the bundle")
    train.add_argument("--seed", type=int, default=7)
    _nets_options(train)
    train.set_defaults(run=_train)
    nets = commands.add_parser("nets", help="train nets and fusion for a bundle that has its boosting")
    nets.add_argument("--out", type=Path, default=WEIGHTS, help="folder of the bundle")
    nets.add_argument("--seed", type=int, default=7)
    _nets_options(nets)
    nets.set_defaults(run=_nets)
    worlds = commands.add_parser("worlds", help="count the frauds of a world and what trivial rules find")
    worlds.add_argument("--seed", type=int, default=1)
    worlds.add_argument("--customers", type=int, default=1000)
    worlds.add_argument("--days", type=int, default=75)
    worlds.set_defaults(run=_worlds)
    arguments = parser.parse_args()
    return int(arguments.run(arguments))


def _nets_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="cpu", help="for the nets: cpu or cuda")
    parser.add_argument("--processes", type=int, default=1, help="that generate worlds")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--small", action="store_true", help="three small worlds, to try it out")


def _train(arguments: argparse.Namespace) -> int:
    # LightGBM takes a second to import: not before --help
    from models_zoo.fraud.learning import SHIPPED, train
    from models_zoo.fraud.splits import SMALL, Worlds

    worlds = SMALL if arguments.small else Worlds()
    train(worlds, replace(SHIPPED, seed=arguments.seed), arguments.out, _say)
    return _nets(arguments)


def _nets(arguments: argparse.Namespace) -> int:
    # torch takes seconds to import: not before --help
    from models_zoo.fraud.experts.build import MORE, build, prepare, worlds_of
    from models_zoo.fraud.experts.training import Plan
    from models_zoo.fraud.splits import SMALL, Worlds

    worlds, more = (SMALL, ()) if arguments.small else (Worlds(), MORE)
    data = prepare(worlds_of(worlds, more), arguments.processes, arguments.device)
    plan = Plan(seed=arguments.seed, epochs=arguments.epochs)
    card = build(arguments.out, data, plan, _say, {"more_worlds": list(more)})
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
