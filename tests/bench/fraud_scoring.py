"""What the scoring function alone costs: `python tests/bench/fraud_scoring.py`.

Payments of a generated world that no weights have seen, their neighbourhoods already read, in batches of 100: causal
features, experts, outcome, contributions, and reasons where the outcome is not "approve". As served (boosting, and
the nets of the bundle above the floor of its card), and with both nets and the fusion for every payment. Payments a
second of two processes by the clock, which other work on the machine slows, and processor time, which it hardly does.
`--growth` adds how the cost of the nets grows with events and hops, and that of reading and features with accounts;
`--plot PATH` draws it as well.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
sys.path[0:1] = [str(ROOT / "platform"), str(ROOT)]  # not this folder: it holds no packages
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from models_zoo.fraud.card import WEIGHTS  # noqa: E402
from models_zoo.fraud.causal import features  # noqa: E402
from models_zoo.fraud.experts.graph import GraphExpert  # noqa: E402
from models_zoo.fraud.experts.inputs import inputs  # noqa: E402
from models_zoo.fraud.experts.sequence import SequenceExpert  # noqa: E402
from models_zoo.fraud.scorer import Scorer  # noqa: E402
from models_zoo.fraud.worlds import WARM_UP, stream  # noqa: E402
from tests.bench.curves import Panel, svg  # noqa: E402
from tests.bench.fraud.untrained import with_all_experts  # noqa: E402
from tests.bench.report import Bar, report  # noqa: E402

BATCH = 100
EVENTS, HOPS, CUSTOMERS = (8, 16, 32), (1, 2, 3), (100, 300, 1000, 3000)
BARS = [
    Bar("served_two_cores_per_second", ">=", 5000),
    Bar("all_two_cores_per_second", ">=", 2000),
]


def measured(folder: Path, always: bool, seconds: float) -> tuple[float, float, float]:
    """Payments a second by the clock, processor microseconds a payment, and the share that got reasons."""
    torch.set_num_threads(1)
    scorer = Scorer(folder, nets_always=always)
    near = stream(909, 300, 40).between(WARM_UP, 1e9).near
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


def micros(work: Callable[[], object], rounds: int = 12) -> float:
    """Processor microseconds a payment of a batch, the median of several."""
    work()
    times = []
    for _ in range(rounds):
        began = time.thread_time()
        work()
        times.append(time.thread_time() - began)
    return float(np.median(times)) * 1e6 / BATCH


@torch.inference_mode()
def growth() -> dict[str, float]:
    """Microseconds a payment with more events, hops and accounts."""
    torch.set_num_threads(1)
    world = stream(909, 300, 40)
    near, found = world.near.rows(slice(-BATCH, None)), {}
    for events in EVENTS:
        given = inputs(near, events=events)
        found[f"inputs_{events}_events_us"] = micros(partial(inputs, near, events=events))
        for hops in HOPS:
            graph = GraphExpert(hops=hops).eval()
            found[f"graph_{events}_events_{hops}_hops_us"] = micros(partial(graph, given))
        for kind in ("dense", "window", "topk"):
            sequence = SequenceExpert(kind=kind).eval()
            found[f"sequence_{events}_events_{kind}_us"] = micros(partial(sequence, given))
    for customers in CUSTOMERS:
        many = stream(909, customers, 20)
        index = np.arange(len(many.labels) - BATCH, len(many.labels))
        accounts = np.unique([many.near.payment[side] for side in ("payer", "payee")])
        found[f"accounts_of_{customers}_customers"] = len(accounts)
        found[f"reading_{customers}_customers_us"] = micros(partial(many.near.rows, index))
        rows = many.near.rows(index)
        found[f"features_{customers}_customers_us"] = micros(partial(features, rows))
    return found


def picture(found: dict[str, float]) -> str:
    """What `growth` found, as SVG."""

    def line(name: str, points: tuple[int, ...]) -> list[float]:
        return [found[name.format(point)] for point in points]

    return svg(
        [
            Panel(
                "µs a payment by events of a side (K)", "K", list(EVENTS),
                {
                    "sequence": line("sequence_{}_events_dense_us", EVENTS),
                    "graph, 2 hops": line("graph_{}_events_2_hops_us", EVENTS),
                    "inputs": line("inputs_{}_events_us", EVENTS),
                },
            ),
            Panel(
                "µs a payment by hops, graph", "hops", list(HOPS),
                {f"K = {events}": line(f"graph_{events}_events_{{}}_hops_us", HOPS) for events in reversed(EVENTS)},
            ),
            Panel(
                "µs a payment by accounts", "accounts (logarithmic)", line("accounts_of_{}_customers", CUSTOMERS),
                {
                    "features": line("features_{}_customers_us", CUSTOMERS),
                    "reading": line("reading_{}_customers_us", CUSTOMERS),
                },
                logarithmic=True,
            ),
        ],
        "How the cost of scoring grows with events, hops and accounts",
    )  # fmt: skip


def main() -> None:
    """Print the figures and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--plot", type=Path, metavar="PATH", help="with --growth, drawn into this SVG")
    given = parser.parse_args()
    metrics: dict[str, float] = {}
    with TemporaryDirectory() as folder, ProcessPoolExecutor(2) as pool:
        for which, bundle in (("served", WEIGHTS), ("all", with_all_experts(Path(folder)))):
            tasks = [pool.submit(measured, bundle, which == "all", given.seconds) for _ in range(2)]
            both = [one.result() for one in tasks]
            each = float(np.mean([one[1] for one in both]))
            metrics |= {
                f"{which}_two_cores_per_second": sum(one[0] for one in both),
                f"{which}_cpu_us_each": each,
                f"{which}_two_whole_cores_per_second": 2e6 / each,
                "share_with_reasons": both[0][2],
            }
    sys.stdout.write(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    if given.growth or given.plot:
        metrics |= growth()
    if given.plot:
        given.plot.write_text(picture(metrics))
    report("fraud_scoring", {name: round(value, 4) for name, value in metrics.items()}, BARS)


if __name__ == "__main__":
    main()
