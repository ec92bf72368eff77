"""What long prompts cost those who are being answered, by the size of the chunks read beside decoding.

    python tests/bench/chunks.py [--base var/models/smollm2-135m-instruct] [--writers 4]

`--writers` replies are written while four prompts of 900 tokens come one after another. By size of the chunk:
`gap_ms_*` is the time between two tokens of a reply while prompts are read, `first_ms` a prompt's time to its first
token, `seconds` the time for all. Sizes are interleaved; the medians of the rounds are given.
"""

import argparse
import statistics
import sys
import threading
import time
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0:0] = [str(ROOT / "platform"), str(ROOT)]

from tests.bench.report import report  # noqa: E402
from workers.engine import local  # noqa: E402
from workers.engine.protocol import Call, Sampling  # noqa: E402

SIZES = (64, 96, 256)
PROMPTS, WORDS = 4, 900


def write(engine: local.LocalEngine, number: int, over: threading.Event, gaps: list[float]) -> None:
    """One reply after another, until all is over; the times between its tokens."""
    while not over.is_set():
        before = None
        sampling = Sampling(max_tokens=1000, ignore_end=True)
        for _ in engine.generate(
            f"Tell me about {number}.", sampling, None, Call(str(number), cancelled=over.is_set)
        ):
            now = time.perf_counter()
            if before is not None:
                gaps.append((now - before) * 1000)
            before = now


def trial(base: Path, chunk: int, writers: int) -> tuple[float, float, float, float]:
    """(median gap, 95th percentile of gaps, median time to first token) in ms, and seconds for all prompts."""
    with mock.patch.dict(local.CHUNK_BESIDE_DECODING, cpu=chunk):
        engine = local.LocalEngine(base, threads=2)
    over, gaps = threading.Event(), []  # type: ignore[var-annotated]
    threads = [threading.Thread(target=write, args=(engine, n, over, gaps)) for n in range(writers)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    gaps.clear()
    begun, firsts = time.perf_counter(), []
    for number in range(PROMPTS):
        started = time.perf_counter()
        list(engine.generate(f" {number}" + " word" * WORDS, Sampling(max_tokens=1)))
        firsts.append((time.perf_counter() - started) * 1000)
    seconds = time.perf_counter() - begun
    seen = sorted(gaps)
    over.set()
    for thread in threads:
        thread.join()
    engine.close()
    return seen[len(seen) // 2], seen[int(len(seen) * 0.95)], statistics.median(firsts), seconds


def run(base: Path, writers: int, count: int) -> dict[str, float]:
    """All figures."""
    rounds = [{size: trial(base, size, writers) for size in SIZES} for _ in range(count)]
    names = ("gap_ms_p50", "gap_ms_p95", "first_ms", "seconds")
    return {
        f"{name}_{size}": round(statistics.median(one[size][place] for one in rounds), 2)
        for size in SIZES
        for place, name in enumerate(names)
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, default=ROOT / "var" / "models" / "smollm2-135m-instruct")
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    report("chunks", run(options.base, options.writers, options.rounds), [])
