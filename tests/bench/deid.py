"""De-identification by patterns, by the shipped adapter, and by both, as a note is read in service.

ROOTSTOCK_DATA=../shared/data python tests/bench/deid.py [--limit 100]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import models_zoo.llm  # noqa: F401  (first: it sets OpenMP's waiting before torch is loaded)
from models_zoo.clinical.deid.generate import Entity, Example
from models_zoo.clinical.deid.measure import measure
from models_zoo.clinical.deid.recognisers import find_patterns, recognisers
from models_zoo.clinical.deid.scrub import Found
from models_zoo.llm.convert import convert
from models_zoo.llm.format import demo_gguf
from models_zoo.zoo.files import BASE, DATA
from models_zoo.zoo.served import Served
from models_zoo.zoo.tasks import task_of
from tests.bench.report import report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    convert(demo_gguf(), BASE)
    task, using = task_of("clinical-deid"), recognisers()
    served = Served(BASE, task.adapter)
    figures: dict[str, float] = {}
    for part in task.measures:
        rows = task.examples(options.data, part)[: options.limit]
        examples = [Example(row["text"], tuple(Entity(*span) for span in row["spans"]), "") for row in rows]
        patterns = [list(find_patterns(row["text"], using)) for row in rows]
        adapter = [[Found(*span, "adapter") for span in spans] for spans in served.given(rows)]
        both = [one + other for one, other in zip(patterns, adapter, strict=True)]
        for name, found in (("patterns", patterns), ("adapter", adapter), ("both", both)):
            told = measure(examples, found)
            figures[f"{part} {name} recall"] = round(told.recall, 4)
            figures[f"{part} {name} precision"] = round(told.precision, 4)
            sys.stderr.write(f"{part} {name}: recall {told.recall:.4f}, precision {told.precision:.4f}\n")
    report("deid", figures, ())


if __name__ == "__main__":
    main()
