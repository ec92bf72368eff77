"""What the scoring function alone costs: `python tests/bench/fraud_scoring.py`.

Payments of a generated world that no weights have seen, their neighbourhoods already read, in batches of 100: causal
features, experts, outcome, contributions, and reasons where the outcome is not "approve". Processor time of one core,
and payments a second of one and of two processes by the clock (which other work on the machine slows).
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0:1] = [str(ROOT / "platform"), str(ROOT)]  # not this folder: it holds no packages
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402

from models_zoo.fraud.scorer import Scorer  # noqa: E402
from models_zoo.fraud.worlds import WARM_UP, stream  # noqa: E402
from tests.bench.report import Bar, report  # noqa: E402

BATCH = 100
BARS = [Bar("two_cores_per_second", ">=", 5000)]


def measured(seconds: float) -> tuple[float, float, float]:
    """Payments a second by the clock, processor microseconds a payment, and the share that got reasons."""
    scorer, near = Scorer(), stream(909, 300, 40).between(WARM_UP, 1e9).near
    batches = [near.rows(slice(at, at + BATCH)) for at in range(0, len(near) - BATCH, BATCH)]
    scorer.score(batches[0])
    count = told = 0
    used, began = time.process_time(), time.perf_counter()
    while time.perf_counter() - began < seconds:
        scores = scorer.score(batches[count % len(batches)])
        told += sum(bool(one.reasons) for one in scores)
        count += 1
    took, used = time.perf_counter() - began, time.process_time() - used
    return count * BATCH / took, used * 1e6 / (count * BATCH), told / (count * BATCH)


def main() -> None:
    """Print the figures and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10)
    seconds = parser.parse_args().seconds
    with ProcessPoolExecutor(2) as pool:
        alone = pool.submit(measured, seconds).result()
        both = [one.result() for one in [pool.submit(measured, seconds) for _ in range(2)]]
    micros = float(np.mean([one[1] for one in both]))
    sys.stdout.write(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    metrics = {
        "one_core_per_second": alone[0],
        "two_cores_per_second": sum(one[0] for one in both),
        "cpu_us_each": micros,
        "two_whole_cores_per_second": 2e6 / micros,
        "share_with_reasons": alone[2],
    }
    report("fraud_scoring", {name: round(value, 4) for name, value in metrics.items()}, BARS)


if __name__ == "__main__":
    main()
