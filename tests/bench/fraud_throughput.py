"""Scoring on an accelerator: `python tests/bench/fraud_throughput.py --device cuda`.

What is timed on the device is everything from prepared arrays to the calibrated fused probability and each expert's
part: boosting as tensor tree traversal, both nets for every payment (no floor) in bfloat16, fusion. The arrays are
what `causal.features` and `experts.inputs` make of neighbourhoods, on the processor: how many of them a core makes a
second, and all cores together, is measured beside, and so is the device with copying them to it. Reasons, rules,
histories and storing are not included. Payments of a generated world, repeated to fill the batches.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[0:1] = [str(ROOT / "platform"), str(ROOT)]  # not this folder: it holds no packages
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from models_zoo.fraud.card import WEIGHTS  # noqa: E402
from models_zoo.fraud.experts.batched import Whole  # noqa: E402
from models_zoo.fraud.experts.rows import Rows, rows_of  # noqa: E402
from models_zoo.fraud.worlds import WARM_UP, stream  # noqa: E402
from tests.bench.fraud.untrained import with_all_experts  # noqa: E402
from tests.bench.report import Bar, report  # noqa: E402

BARS = [Bar("device_per_second", ">=", 100_000)]
PAYMENTS = 4096


def some(_: int = 0) -> Rows:
    """Prepared rows of payments that no weights have seen."""
    torch.set_num_threads(1)
    world = stream(909, 300, 30)
    return rows_of(world.between(WARM_UP, 1e9).part(torch.arange(PAYMENTS).numpy()))


def preparing(seconds: float) -> float:
    """Payments a second that one process brings from windows to arrays."""
    torch.set_num_threads(1)
    world = stream(909, 150, 20).between(WARM_UP, 1e9).part(torch.arange(1024).numpy())
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        rows_of(world)
        count += len(world.labels)
    return count / (time.perf_counter() - began)


def timed(work: Callable[[], object], device: str, seconds: float) -> float:
    """Seconds of one call, the device waited for at the end."""
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    for _ in range(3):
        work()
    wait()
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for _ in range(5):
            work()
        wait()
        count += 5
    return (time.perf_counter() - began) / count


def main() -> None:
    """Print the figures and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=16384)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--bundle", type=Path, default=WEIGHTS)
    given = parser.parse_args()
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        cores = list(pool.map(preparing, [given.seconds] * (os.cpu_count() or 1)))
    rows = some()
    times = -(-given.batch // len(rows))
    held = [
        torch.cat([one] * times)[: given.batch].contiguous() for one in (*rows.given.tensors(), rows.features)
    ]
    with TemporaryDirectory() as folder:
        whole = Whole(with_all_experts(Path(folder), given.bundle), given.device)
    metrics = {"preparing_per_core_per_second": sum(cores) / len(cores), "preparing_per_second": sum(cores)}
    metrics |= device(whole, held, given.device, given.seconds)
    report("fraud_throughput", {name: round(value, 4) for name, value in metrics.items()}, BARS)


def device(whole: Whole, held: list[Tensor], name: str, seconds: float) -> dict[str, float]:
    """Payments a second on the device, alone and with copying, and how far bfloat16 is from float32."""
    there = [one.to(name) for one in held]
    exact = whole(*there, exact=True).logit
    count = len(held[0])
    run = whole.graphed(there) if name == "cuda" else (lambda: whole(*there))
    took = timed(run, name, seconds)
    apart = (torch.sigmoid(run().logit.float()) - torch.sigmoid(exact.float())).abs()
    pinned = [one.pin_memory() for one in held] if name == "cuda" else held

    def copied() -> object:
        for target, source in zip(there, pinned, strict=True):
            target.copy_(source, non_blocking=True)
        return run()

    return {
        "batch": count,
        "device_per_second": count / took,
        "device_batch_ms": took * 1000,
        "device_with_copies_per_second": count / timed(copied, name, seconds),
        "bytes_each": sum(one.numel() * one.element_size() for one in held) / count,
        "bfloat16_mean_difference": float(apart.mean()),
        "bfloat16_largest_difference": float(apart.max()),
    }


if __name__ == "__main__":
    main()
