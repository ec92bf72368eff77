"""What trainings were estimated to take, and what they took: seconds and memory, of three on the demo base.

    python tests/bench/estimate.py [--threads 2]

Each trains in a process of its own, as a job does. Seconds are estimated from constants alone, as on an installation
that has trained nothing yet. Beside the seconds by the clock stands what the clock would say were nobody else there:
the processor's seconds, those of the steps over the threads. On a machine that others use too, the estimate is to be
judged by these. A ratio is estimated by measured. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from tests.bench.engine_cpu import demo_base
from tests.bench.report import Bar, report

SHORT = ["Where is it?", "My parcel is late.", "How do I pay?", "Can I change my address?"]
LONG = "It left our shop on Monday, went through the sorting centre on Tuesday and is on its way to you since then. "
CASES: dict[str, tuple[int, int, dict[str, Any]]] = {  # examples, length of their answers, settings
    "short": (40, 1, {"batch_size": 8, "rank": 8, "max_tokens": 256}),
    "last_layers": (20, 5, {"batch_size": 4, "rank": 16, "max_tokens": 256, "last_layers": 10}),
    "again": (16, 5, {"batch_size": 4, "rank": 16, "max_tokens": 128, "recompute": True}),
}
BARS = tuple(
    Bar(f"{name}_{what}", relation, want)
    for name in CASES
    for what, low, high in (("seconds_ratio", 0.5, 2.0), ("memory_ratio", 0.75, 1.35))
    for relation, want in ((">=", low), ("<=", high))
)


def rows_of(count: int, length: int) -> list[dict[str, Any]]:
    """Conversations that differ."""
    return [
        {
            "messages": [
                {"role": "user", "content": f"{SHORT[n % 4]} Order {n}."},
                {"role": "assistant", "content": f"{n}: {LONG * length}"},
            ]
        }
        for n in range(count)
    ]


def estimated(rows: list[dict[str, Any]], base: Path, settings: dict[str, Any]) -> tuple[float, int, int]:
    """Seconds, bytes, tokens."""
    from models_zoo.llm.card import read_card
    from models_zoo.llm.tokenizer import ChatTokenizer
    from rootstock.registry.datasets.estimating import peak_bytes, plan_of, seconds_of
    from rootstock.registry.datasets.looking import Look

    card = read_card(base)
    about = {"name": card.name, "fingerprint": card.fingerprint}
    found = Look("chat", ChatTokenizer(base), []).report(rows, about)
    plan = plan_of(settings, {"dataset": found})
    return seconds_of(plan, settings, card), peak_bytes(plan, settings, card), round(plan.tokens)


def trained(
    rows: list[dict[str, Any]], base: Path, settings: dict[str, Any], threads: int
) -> dict[str, float]:
    """What one took."""
    with tempfile.TemporaryDirectory() as folder:
        data, spec = Path(folder) / "data.jsonl", Path(folder) / "spec.json"
        data.write_text("\n".join(map(json.dumps, rows)))
        told = {"base": str(base.resolve()), "target": f"{folder}/adapter", "name": "bench", "task": "chat"}
        spec.write_text(json.dumps({**told, "train": str(data), "threads": threads, **settings}))
        began = time.monotonic()
        command = [sys.executable, "-m", "workers.trainer.child", str(spec)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        peak, tokens_s, spent = 0, list[float](), list[float]()
        for line in process.stdout or ():
            event = json.loads(line)
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(
                peak, *(int(one.split()[1]) << 10 for one in status.splitlines() if one.startswith("VmHWM"))
            )
            if event["kind"] == "step":
                tokens_s.append(event["tokens_per_second"])
                spent.append(processor_seconds(process.pid))
        process.wait()
    of_steps = (spent[-1] - spent[0]) / (len(spent) - 1) * len(spent)
    return {
        "clock_s": time.monotonic() - began,
        "begin_s": spent[-1] - of_steps,
        "alone_s": spent[-1] - of_steps + of_steps / threads,
        "peak_mb": peak / 2**20,
        "tok_s": sorted(tokens_s)[len(tokens_s) // 2],
    }


def processor_seconds(pid: int) -> float:
    """That a process has computed so far."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    os.environ |= {"DJANGO_SETTINGS_MODULE": "rootstock.settings", "ROOTSTOCK_THREADS": str(options.threads)}
    import django

    django.setup()
    base, metrics = demo_base(), dict[str, float]()
    for name, (count, length, settings) in CASES.items():
        settings = {"epochs": 1.0, "learning_rate": 1e-3, **settings}
        rows = rows_of(count, length)
        seconds, bytes_, tokens = estimated(rows, base, settings)
        took = trained(rows, base, settings, options.threads)
        metrics |= {
            f"{name}_tokens": tokens,
            f"{name}_estimated_s": round(seconds, 1),
            **{f"{name}_{what}": round(value, 1) for what, value in took.items()},
            f"{name}_estimated_mb": round(bytes_ / 2**20),
            f"{name}_seconds_ratio": round(seconds / took["alone_s"], 3),
            f"{name}_memory_ratio": round(bytes_ / 2**20 / took["peak_mb"], 3),
        }
    report("estimate", metrics, BARS)


if __name__ == "__main__":
    main()
