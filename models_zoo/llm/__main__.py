"""Command line: `python -m models_zoo.llm convert --source FILE.gguf --target FOLDER`, `... train
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
    convert = commands.add_parser("convert", help="make a base folder from a GGUF file, once")
    convert.add_argument("--source", type=Path, help="default: the demo base from its wheel")
    convert.add_argument("--target", type=Path, required=True)
    train = commands.add_parser("train", help="train an adapter from a TOML or JSON spec")
    train.add_argument("spec", type=Path)
    options = parser.parse_args(arguments)
    try:
        return (
            _convert(options.source, options.target) if options.command == "convert" else _train(options.spec)
        )
    except (ModelError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def _convert(source: Path | None, target: Path) -> int:
    from models_zoo.llm.format import convert_gguf, demo_gguf

    card = convert_gguf(source or demo_gguf(), target)
    sys.stdout.write(
        f"{card.name}: {card.bytes / 1e6:.0f} MB, fingerprint {card.fingerprint[:12]}, in {target}\n"
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
