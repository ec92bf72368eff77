"""How many names of persons the report of a data set finds, and how often it sees one where there is none.

    python tests/bench/names.py [--threads 2]

As a worker does, with the shipped de-identification adapter on the demo base, on what it was not made for: utterances
of a television series (MELD, development part) that call one of its six friends by name, and questions to a bank
(banking77, test part), of which none holds a person's name. Of either so many as a report looks at. The last line is
one JSON object.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import django

from tests.bench.engine_cpu import demo_base

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FRIENDS = re.compile(r"\b(?:Monica|Chandler|Ross|Rachel|Joey|Phoebe)\b")


def column(path: Path, name: str) -> Iterator[str]:
    """The texts of one column of a packed CSV file."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        yield from (row[name] for row in csv.DictReader(stream))


def main() -> None:
    """Look, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path, default=DATA)
    given = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "rootstock.settings"
    django.setup()
    from models_zoo.clinical.deid.labels import Label
    from rootstock.registry.datasets.names import AT_ONCE, ROWS, sample
    from workers.engine.local import LocalEngine
    from workers.names import FOLDER

    engine = LocalEngine(demo_base(), device="cpu", threads=given.threads)
    engine.load("names", FOLDER)
    meld = column(given.data / "support_meld" / "dev_sent_emo.csv.gz", "Utterance")
    bank = column(given.data / "support_banking77" / "test.csv.gz", "text")
    sets = {"meld": [text for text in meld if FRIENDS.search(text)], "banking77": list(bank)}
    figures = {}
    for name, texts in sets.items():
        chosen = [texts[at] for at in sample(texts, ROWS, name)]
        began = time.monotonic()
        tagged = [
            spans
            for at in range(0, len(chosen), AT_ONCE)
            for spans in engine.tag(chosen[at : at + AT_ONCE], "names")
        ]
        took = time.monotonic() - began
        hits = sum(any(span.label == Label.NAME for span in spans) for spans in tagged)
        characters = sum(map(len, chosen))
        print(f"{name}: a name in {hits} of {len(chosen)} texts, {characters:,} characters in {took:.1f} s")
        figures[name] = {"texts": len(chosen), "with_names": hits, "seconds": round(took, 1)}
    engine.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
