"""Decoding beside a training on the same weights: alone, beside one that nobody holds back, beside one that is paced.

    python tests/bench/pacing.py [--rounds N] [--seconds S]

Four replies are written all the time, by an engine with two threads; the training, LoRA of rank 16 on the demo base
in 4 x 128 tokens, is a child process as in a job. While serving is measured alone the child is stopped (SIGSTOP).
Ways take turns; a figure is the median over the rounds. At the end the child is killed with -9 in full work; what
follows is measured once. The budget is 1.25 times what the engine's time between tokens was alone. The last line is
one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import psutil

from models_zoo.llm.training import TrainSpec
from tests.bench.engine_cpu import demo_base
from tests.bench.report import Bar, report
from workers.engine.local import LocalEngine
from workers.engine.protocol import Sampling
from workers.trainer.child import Child
from workers.trainer.pacing import Load, Pacer, loads_of

REPLIES = 4
SETTLE_S = 5.0  # after a change, before it is measured
ABOVE_ALONE = 1.25
BARS = (Bar("paced_p99_ratio", "<=", 1.5),)


class Readers:
    """Somebody who reads each reply, and asks again when it ends; keeps the time between its tokens."""

    def __init__(self, engine: LocalEngine) -> None:
        self._engine, self._ended, self.gaps = engine, threading.Event(), list[float]()
        self._threads = [threading.Thread(target=self._read, daemon=True) for _ in range(REPLIES)]
        for thread in self._threads:
            thread.start()

    def _read(self) -> None:
        while not self._ended.is_set():
            last = None
            sampling = Sampling(max_tokens=256, ignore_end=True)
            for chunk in self._engine.generate("Once upon a time", sampling):
                now = time.perf_counter()
                if last is not None and chunk.tokens:
                    self.gaps.append((now - last) * 1000 / chunk.tokens)
                last = now
                if self._ended.is_set():
                    break

    def during(self, seconds: float, meanwhile: Callable[[], None]) -> dict[str, float]:
        """Time between tokens, ms, over so long."""
        self._wait(SETTLE_S, meanwhile)
        self.gaps.clear()
        self._wait(seconds, meanwhile)
        found = sorted(self.gaps)
        return {"p50_ms": found[len(found) // 2], "p99_ms": found[int(0.99 * (len(found) - 1))]}

    def end(self) -> None:
        """They leave."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _wait(self, seconds: float, meanwhile: Callable[[], None]) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            meanwhile()
            time.sleep(0.1)


def training(base: Path, folder: Path, threads: int) -> Path:
    """The spec's file of a training that lasts."""
    text = " ".join(f"word{number}" for number in range(15))
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
    data = folder / "data.jsonl"
    data.write_text((json.dumps({"messages": messages}) + "\n") * 400)
    spec = TrainSpec(
        base.resolve(), folder / "adapter", "pacing", "chat", data,
        max_tokens=128, batch_size=4, epochs=1000.0, threads=threads,
    )  # fmt: skip
    path = folder / "spec.json"
    path.write_text(json.dumps(asdict(spec), default=str))
    return path


def cpu_seconds(child: Child) -> float:
    """What it has computed so far."""
    times = psutil.Process(child.pid).cpu_times()
    return float(times.user + times.system)


def measure(engine: LocalEngine, child: Child, rounds: int, seconds: float) -> list[dict[str, float]]:
    """One dictionary for each round."""
    readers, found = Readers(engine), []

    def look() -> list[Load]:
        return loads_of([asdict(engine.stats())])

    for _ in range(rounds):
        row: dict[str, float] = {}
        for way in ("alone", "unpaced", "paced"):
            os.kill(child.pid, signal.SIGSTOP if way == "alone" else signal.SIGCONT)
            child.allow(1.0)
            pace = Pacer(look, child.allow) if way == "paced" else (lambda: None)
            before, since = cpu_seconds(child), time.monotonic()
            row |= {f"{way}_{name}": value for name, value in readers.during(seconds, pace).items()}
            row[f"{way}_trainer_cores"] = (cpu_seconds(child) - before) / (time.monotonic() - since)
            if way == "alone":
                engine._token_ms = ABOVE_ALONE * engine.stats().token_ms
        found.append(row)
    child.allow(1.0)
    time.sleep(1.0)
    os.kill(child.pid, signal.SIGKILL)
    found[-1] |= {f"after_kill_{name}": v for name, v in readers.during(seconds, lambda: None).items()}
    readers.end()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=None, help="converted here when not given")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    base = options.base or demo_base()
    engine = LocalEngine(base, threads=options.threads)
    with (
        tempfile.TemporaryDirectory() as folder,
        Child(training(base, Path(folder), options.threads)) as child,
    ):
        if not any(child.events()):  # its first step
            raise SystemExit(child.failure)
        rows = measure(engine, child, options.rounds, options.seconds)
    engine.close()
    rows = [{name: value for name, value in row.items() if name != "alone_trainer_cores"} for row in rows]
    metrics = {name: statistics.median(row[name] for row in rows if name in row) for name in rows[-1]}
    for way in ("unpaced", "paced", "after_kill"):
        ratios = [row[f"{way}_p99_ms"] / row["alone_p99_ms"] for row in rows if f"{way}_p99_ms" in row]
        metrics[f"{way}_p99_ratio"] = statistics.median(ratios)
    report("pacing", {name: round(value, 2) for name, value in metrics.items()}, BARS)


if __name__ == "__main__":
    main()
