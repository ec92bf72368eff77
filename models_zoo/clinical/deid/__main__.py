"""Build the data and the training spec of the de-identification adapter, and measure an adapter.

python -m models_zoo.clinical.deid build --base var/models/smollm2-135m-instruct --target var/deid
python -m models_zoo.llm train var/deid/deid.toml
python -m models_zoo.clinical.deid measure --base ... --data var/deid --adapter var/deid/adapter
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from models_zoo.clinical.deid.dataset import build
from models_zoo.clinical.deid.recipe import write_spec


def main(arguments: list[str] | None = None) -> int:
    chosen = _parser().parse_args(arguments)
    return _build(chosen) if chosen.command == "build" else _patterns(chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models_zoo.clinical.deid")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("build", help="write the data and deid.toml")
    making.add_argument("--data", type=Path, default=Path(os.environ.get("ROOTSTOCK_DATA", "../shared/data")))
    making.add_argument("--target", type=Path, required=True)
    making.add_argument("--base", type=Path, required=True)
    making.add_argument("--device", default="cpu")
    making.add_argument("--seed", type=int, default=7)
    making.add_argument("--scale", type=float, default=1.0, help="share of the generated examples, for a try")
    making.add_argument("--steps", type=int, help="stop after so many steps, for a try")
    patterns = commands.add_parser("patterns", help="recall and precision of the patterns alone")
    patterns.add_argument("--data", type=Path, required=True, help="folder that `build` wrote")
    patterns.add_argument("--leaked", type=int, default=0, help="also show so many that leaked")
    return parser


def _build(chosen: argparse.Namespace) -> int:
    counts = build(chosen.data, chosen.target, chosen.seed, chosen.scale)
    spec = write_spec(chosen.target, chosen.base, device=chosen.device, seed=chosen.seed, steps=chosen.steps)
    _say({"spec": str(spec), "examples": counts})
    return 0


def _patterns(chosen: argparse.Namespace) -> int:
    # Presidio is only needed here: the data can be built where it is not installed.
    from models_zoo.clinical.deid.evaluation import evaluate

    for record in evaluate(chosen.data):
        leaked = record.pop("missed")[: chosen.leaked]
        _say(record | ({"leaked": leaked} if leaked else {}))
    return 0


def _say(record: dict[str, object]) -> None:
    print(json.dumps(record, ensure_ascii=False))  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
