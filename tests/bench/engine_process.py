"""What one engine process takes: seconds to attach to a packed base, and memory. Prints one JSON object.

    python -m tests.bench.engine_process BASE [--wait]

With `--wait` it stays until its input ends, so that another process finds the weights in use.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import psutil

import models_zoo.llm  # noqa: F401  (sets OpenMP's waiting before torch is loaded)

import torch  # isort: skip

MEBI = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("--wait", action="store_true")
    options = parser.parse_args()
    process = psutil.Process()
    torch.set_num_threads(2)
    bare = process.memory_full_info()
    started = time.perf_counter()
    from models_zoo.llm.batch import Segment
    from models_zoo.llm.decoder import load_decoder
    from models_zoo.llm.paged import PagedCache

    imported = time.perf_counter()
    decoder = load_decoder(options.base)
    attached = time.perf_counter()
    cache = PagedCache(decoder.config, 256, 16, decoder.device)
    with torch.inference_mode():
        decoder.forward([Segment(list(range(100, 356)), blocks=list(range(17)))], cache, None)
        hidden = decoder.forward([Segment([5], start=256, blocks=list(range(17)))], cache, None)
        decoder.logits(hidden)
    now = process.memory_full_info()
    figures = {
        "import_s": imported - started,
        "attach_s": attached - imported,
        "resident_growth_mb": (now.rss - bare.rss) / MEBI,
        "private_growth_mb": (now.uss - bare.uss) / MEBI,
    }
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()
    if options.wait:
        sys.stdin.read()


if __name__ == "__main__":
    main()
