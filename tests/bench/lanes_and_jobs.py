"""The bars of lanes, jobs, streams and lists, on the real stack: `python tests/bench/lanes_and_jobs.py [--kills 500]`.

Embedded PostgreSQL and Valkey, granian with the flags of `manage.py up`, one worker with an echo lane and the load
generator share the machine. Peers measured in the same minutes tell how busy it was: a view that does nothing, the
same endpoint without the lane, one round trip to Valkey. CPU milliseconds of a request hardly depend on what else runs.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0:1] = [str(ROOT / "platform"), str(ROOT)]  # not this folder: it holds no packages

from tests.bench.load import Load, Request, load, tool  # noqa: E402
from tests.bench.report import Bar, report  # noqa: E402
from tests.bench.stand import running, streams, tables  # noqa: E402

CLIENTS, REPEATS, SECONDS, STREAMS = 8, 5, 6.0, 300  # half of the streams are answers, half are jobs
BODY = {"external_id": "p-1", "payer": "DE-1", "payee": "shop-9", "amount": 49.9, "channel": "card"}
BARS = [
    Bar("lane_p99_ms", "<=", 12),
    Bar("lane_per_second", ">=", 1200),
    Bar("beside_streams_p99_ms", "<=", 60),
    Bar("streams_open", ">=", STREAMS),
    Bar("table_slowest_page_ms", "<=", 200),
]


def main() -> None:
    """Print one table and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the table whose pages are timed")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each repeat")
    parser.add_argument("--kills", type=int, default=0, help="random kills afterwards; the bar is 500")
    parser.add_argument("--without-jobs", action="store_true", help="leave job starts out")
    chosen = parser.parse_args()
    with running.running(running.prepare_environment()) as stand:
        metrics = _lanes(stand, chosen.repeats, chosen.seconds)
        metrics |= _beside_streams(stand, chosen.repeats, chosen.seconds)
        metrics |= tables.measure(stand, rows=chosen.rows)
    bars = [*BARS, *_jobs(metrics, chosen)]
    sys.stdout.write(f"load generator: {tool()}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    report("lanes_and_jobs", {name: round(value, 3) for name, value in metrics.items()}, bars)


def _lanes(stand: running.Stand, repeats: int, seconds: float) -> dict[str, float]:
    headers = {"Authorization": f"Bearer {stand.token}", "Content-Type": "application/json"}
    body = json.dumps(BODY)
    echo = Request("POST", "/api/v1/bench/echo", headers, body)
    direct = Request("POST", "/api/v1/bench/direct", headers, body)
    for each in (echo, direct):
        load(stand.port, each, clients=CLIENTS, seconds=2)  # warm
    found: dict[str, list[Load]] = {"lane": [], "direct": [], "bare": []}
    cpu: list[float] = []
    for _ in range(repeats):  # by turns, so that a busy minute meets all of them
        before = running.cpu_seconds(stand)
        found["lane"].append(load(stand.port, echo, clients=CLIENTS, seconds=seconds))
        took = running.cpu_seconds(stand) - before
        cpu.append(took * 1000 / (found["lane"][-1].per_second * seconds))
        found["direct"].append(load(stand.port, direct, clients=CLIENTS, seconds=seconds / 2))
        found["bare"].append(
            load(stand.port, Request("GET", "/bare", {}), clients=CLIENTS, seconds=seconds / 2)
        )
    failed = sum(each.failed for loads in found.values() for each in loads)
    return {
        **{f"{name}_per_second": _median(loads, "per_second") for name, loads in found.items()},
        **{f"{name}_p50_ms": _median(loads, "p50") for name, loads in found.items()},
        **{f"{name}_p99_ms": _median(loads, "p99") for name, loads in found.items()},
        "lane_best_per_second": max(each.per_second for each in found["lane"]),
        "lane_best_p99_ms": min(each.p99 for each in found["lane"]),
        "lane_cpu_ms_per_request": statistics.median(cpu),
        "valkey_round_trip_us": _valkey_round_trip(),
        "failed": failed,
    }


def _median(loads: list[Load], name: str) -> float:
    return statistics.median(getattr(each, name) for each in loads)


def _valkey_round_trip() -> float:
    from django.conf import settings

    from rootstock.resp import Line

    line = Line(settings.REDIS_URL, 5.0, 5.0)
    times = []
    for _ in range(2000):
        began = time.perf_counter()
        line.ask(["PING"])
        times.append((time.perf_counter() - began) * 1e6)
    return statistics.median(times)


def _beside_streams(stand: running.Stand, repeats: int, seconds: float) -> dict[str, float]:
    headers = {"Authorization": f"Bearer {stand.token}"}
    asked = Request("GET", "/api/v1/jobs?limit=20", headers)
    with streams.opened(stand, STREAMS) as readers:
        loads = [load(stand.alone_port, asked, clients=2, seconds=seconds) for _ in range(repeats)]
        alive = readers.alive()
    return {
        "streams_open": alive,
        "streams_events": readers.events,
        "beside_streams_p50_ms": _median(loads, "p50"),
        "beside_streams_p99_ms": _median(loads, "p99"),
        "beside_streams_per_second": _median(loads, "per_second"),
        "beside_streams_failed": sum(each.failed for each in loads),
    }


def _jobs(metrics: dict[str, float], chosen: argparse.Namespace) -> list[Bar]:
    """Job starts and random kills: each in processes and services of its own."""
    bars: list[Bar] = []
    if not chosen.without_jobs:
        from tests.bench import job_start

        metrics |= {name: value for name, value in job_start.measure().items() if name.endswith("_ms")}
        bars += job_start.BARS
    if chosen.kills:
        from tests.bench import random_kills

        metrics |= random_kills.measure(kills=chosen.kills)
        bars += random_kills.BARS
    return bars


if __name__ == "__main__":
    main()
