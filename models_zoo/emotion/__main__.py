"""`python -m models_zoo.emotion`: data for the recipe, thresholds for its adapter, and how good it is."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models_zoo.emotion.evaluation import Setup

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DATA = Path(os.environ.get("ROOTSTOCK_DATA", ROOT.parent / "shared" / "data")) / "support_goemotions"
WORK = ROOT / "var" / "emotion"
BASE = Path(os.environ.get("ROOTSTOCK_VAR", ROOT / "var")) / "models" / "smollm2-135m-instruct"
SHIPPED = HERE / "adapter"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a missing data set or a refused file is one line on stderr and exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (OSError, ValueError, _model_error()) as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models_zoo.emotion", description=__doc__)
    commands = parser.add_subparsers(required=True)
    dataset = commands.add_parser("dataset", help="write train.jsonl, dev.jsonl and test.jsonl")
    dataset.add_argument(
        "--data", type=Path, default=DATA, help="GoEmotions' folder (default: ROOTSTOCK_DATA's)"
    )
    dataset.add_argument("--out", type=Path, default=WORK)
    dataset.add_argument("--limit", type=int, help="only the first N examples of each split: a smoke run")
    dataset.set_defaults(run=_dataset)
    thresholds = commands.add_parser("thresholds", help="choose thresholds on dev and write them to the card")
    evaluate = commands.add_parser("evaluate", help="macro-F1 on test, beside the simple baseline")
    for command, run in ((thresholds, _thresholds), (evaluate, _evaluate)):
        command.add_argument("adapter", type=Path, nargs="?", default=SHIPPED)
        command.add_argument("--base", type=Path, default=BASE, help="the converted base's folder")
        command.add_argument("--data", type=Path, default=DATA)
        command.add_argument("--device", default="cpu", help="cpu (as served by default) or cuda")
        command.add_argument("--threads", type=int)
        command.add_argument("--limit", type=int, help="only the first N examples of each split")
        command.set_defaults(run=run)
    return parser


def _dataset(options: argparse.Namespace) -> int:
    from models_zoo.emotion.dataset import SPLITS, read_split, write_jsonl

    for split in SPLITS:
        examples = read_split(options.data, split)[: options.limit]
        digest = write_jsonl(examples, options.out / f"{split}.jsonl")
        print(f"{split}: {len(examples):,} examples, sha256 {digest[:12]}")  # noqa: T201
    return 0


def _thresholds(options: argparse.Namespace) -> int:
    from models_zoo.emotion.evaluation import settle_thresholds

    print(settle_thresholds(_setup(options)))  # noqa: T201
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from models_zoo.emotion.evaluation import evaluate

    print(evaluate(_setup(options)))  # noqa: T201
    return 0


def _setup(options: argparse.Namespace) -> "Setup":
    from models_zoo.emotion.evaluation import Setup

    return Setup(options.base, options.adapter, options.data, options.device, options.threads, options.limit)


def _model_error() -> type[Exception]:
    from models_zoo.llm.card import ModelError

    return ModelError


if __name__ == "__main__":
    sys.exit(main())
