"""A training on the weights that a worker serves from, on CUDA: its pace, its death, and the worker's.

    python tests/bench/shared_base.py [--form fp8] [--rounds 2] [--seconds 12] [--shares 0.1,0.4]

The worker (`shared_worker.py`) writes 16 replies, each with its own adapter, in Llama-3-8B's shape with random
weights; the training is a real child process over the same memory, LoRA of rank 16 in 4 x 1,024 tokens. While
serving is measured alone the child is stopped (SIGSTOP). Figures are medians of the rounds, ratios of the rounds'
own; the budget is 1.4 times what the engine's time between tokens was alone. `--shares` adds fixed shares of the
time. Then the child is killed with -9, another is started and the worker killed, and a second worker and a third
child go on. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models_zoo.llm.card import BASE_CARD_FILE, BaseCard, write_card
from models_zoo.llm.training import TrainSpec
from tests.bench.report import Bar, report
from workers.trainer.child import Child
from workers.trainer.pacing import Pacer, loads_of

ROWS, TOKENS = 4, 1024
ABOVE_ALONE = 1.4
SETTLE_S = 4.0  # of pacing: until the engine's published figure covers what was allowed last
BARS = (
    Bar("paced_p99_ratio", "<=", 1.5),
    Bar("paced_train_tok_s", ">=", 1.0),  # it does go on
    Bar("mapped_own_gb", "<=", 1.0),
    Bar("kill_memory_left_gb", "<=", 0.1),
    Bar("worker_death_noticed_s", "<=", 2.0),
    Bar("resumed_behind_step", ">=", 1),
)
GIGA = 1e9


class Worker:
    """The serving process and what it tells."""

    def __init__(self, form: str, base: Path, run: Path) -> None:
        command = [sys.executable, "-m", "tests.bench.shared_worker", form, str(base), str(run)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.weights_gb, self.now, self._gaps = 0.0, dict[str, Any](), list[float]()
        threading.Thread(target=self._read, daemon=True).start()
        until(lambda: len(self._gaps) > 1000, "the worker writes", 150)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            self.weights_gb = told.pop("weights_gb", self.weights_gb)
            self._gaps += told.pop("gaps", [])
            self.now = told or self.now

    def load(self, budget_ms: float) -> dict[str, Any]:
        """As an engine publishes it."""
        return self.now | {"token_budget_ms": budget_ms}

    def during(self, seconds: float, meanwhile: Callable[[], None], settle: float) -> dict[str, float]:
        """Milliseconds between tokens over so long."""
        wait(settle, meanwhile)
        self._gaps.clear()
        wait(seconds, meanwhile)
        found = sorted(self._gaps)
        return {"p50_ms": found[len(found) // 2], "p99_ms": found[int(0.99 * (len(found) - 1))]}


class Training:
    """A child and what it tells, with the time of it."""

    def __init__(self, child: Child) -> None:
        self.child, self.told = child, list[tuple[float, dict[str, Any]]]()
        self.ended: float | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for event in self.child.events():
            if event is not None:
                self.told.append((time.monotonic(), event))
        self.ended = time.monotonic()

    def wait_for(self, kind: str, step: int = 0, seconds: float = 90) -> dict[str, Any]:
        """The first event of its kind at this step or later."""

        def found() -> dict[str, Any] | None:
            if self.ended is not None and self.child.failure:
                raise SystemExit(self.child.failure)
            wanted = (event for _, event in list(self.told) if event["kind"] == kind)
            return next((event for event in wanted if event.get("step", 0) >= step), None)

        until(lambda: found() is not None, f"{kind} {step}", seconds)
        return found() or {}

    def rate(self, since: float) -> float:
        """Tokens a second from the first step since then to the last."""
        steps = [moment for moment, event in self.told if moment >= since and event["kind"] == "step"]
        return (len(steps) - 1) * ROWS * TOKENS / (steps[-1] - steps[0]) if len(steps) > 1 else 0.0


def wait(seconds: float, meanwhile: Callable[[], None] = lambda: None) -> None:
    """For so long, looking in ten times a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        meanwhile()
        time.sleep(0.1)


def until(reached: Callable[[], bool], what: str, seconds: float) -> None:
    """Wait for it. Raises SystemExit when it does not come."""
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {seconds} s")
        time.sleep(0.02)


@contextmanager
def training(base: Path, run: Path, folder: Path, **changes: Any) -> Iterator[Training]:
    """A child that trains for long over the worker's memory, one step the like of another."""
    text = " ".join(f"word{number}" for number in range(600))
    messages = [{"role": "user", "content": "Go on."}, {"role": "assistant", "content": text}]
    data = folder / "data.jsonl"
    data.write_text((json.dumps({"messages": messages}) + "\n") * 64)
    spec = TrainSpec(
        base, folder / "adapter", "shared", "chat", data, max_tokens=TOKENS, batch_size=ROWS, dropout=0.0,
        epochs=1000.0, device="cuda", checkpoint=folder / "state", **changes,
    )  # fmt: skip
    path = folder / "spec.json"
    path.write_text(json.dumps(asdict(spec), default=str))
    with Child(path, run, 120.0) as child:
        started = Training(child)
        yield started
        child.end()
        until(lambda: started.ended is not None, "the training ends", 10)


def measure(
    worker: Worker, run: Training, rounds: int, seconds: float, shares: list[float]
) -> dict[str, float]:
    """Alone, beside one that nobody holds back, paced, and at fixed shares."""
    rows: list[dict[str, float]] = []
    for _ in range(rounds):
        row: dict[str, float] = {}
        for way in ("alone", "unpaced", "paced", *(f"share_{share}" for share in shares)):
            os.kill(run.child.pid, signal.SIGSTOP if way == "alone" else signal.SIGCONT)
            run.child.allow(float(way.removeprefix("share_")) if way.startswith("share") else 1.0)
            budget = ABOVE_ALONE * row.get("alone_token_ms", 0.0)
            pacer = Pacer(lambda budget=budget: loads_of([worker.load(budget)]), run.child.allow)  # type: ignore[misc]
            meanwhile = pacer if way == "paced" else (lambda: None)
            since = time.monotonic()
            quick = way in ("alone", "unpaced")
            settle, lasting = (1.0, min(seconds, 3.0)) if quick else (SETTLE_S, seconds)
            row |= {
                f"{way}_{name}": value for name, value in worker.during(lasting, meanwhile, settle).items()
            }
            row[f"{way}_token_ms"] = worker.now["token_ms"]
            if way != "alone":
                row[f"{way}_train_tok_s"] = run.rate(since)
                row[f"{way}_p99_ratio"] = row[f"{way}_p99_ms"] / row["alone_p99_ms"]
                row[f"{way}_p50_ratio"] = row[f"{way}_p50_ms"] / row["alone_p50_ms"]
            if way == "paced":
                row["paced_share"] = pacer.share
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()
        rows.append(row)
    return {name: statistics.median(row[name] for row in rows) for name in rows[-1]}


def death_of_the_training(worker: Worker, run: Training, free: float, seconds: float) -> dict[str, float]:
    """In full work."""
    run.child.allow(1.0)
    wait(2.0)
    with_it = worker.now["free"]
    os.kill(run.child.pid, signal.SIGKILL)
    after = worker.during(0.5 * seconds, lambda: None, 2.0)
    return {
        **{f"after_kill_{name}": value for name, value in after.items()},
        "training_took_gb": (free - with_it) / GIGA,
        "kill_memory_left_gb": (free - worker.now["free"]) / GIGA,
    }


def death_of_the_worker(worker: Worker, form: str, base: Path, run: Path, folder: Path) -> dict[str, float]:
    """A second training, the worker's end, a second worker and a third child."""
    folder.mkdir()
    with training(base, run, folder, checkpoint_s=1.0) as second:
        second.wait_for("step", 3)
        until((folder / "state").exists, "a checkpoint", 60)
        killed = time.monotonic()
        worker.process.kill()
        until(lambda: second.ended is not None, "the training ends", 30)
    sys.stdout.write(f"{second.child.failure}\n")
    if not second.child.lost:
        raise SystemExit("the training did not end as it should")
    other = Worker(form, base, run)
    with training(base, run, folder, checkpoint_s=1.0) as third:
        resumed = third.wait_for("resumed")
        step = third.wait_for("step")
    other.process.kill()
    return {
        "worker_death_noticed_s": (second.ended or killed) - killed,
        "resumed_behind_step": resumed["step"],
        "resumed_next_step": step["step"],
    }


def base_folder(folder: Path) -> Path:
    """A card of the random base, and a tokenizer: what a training reads of a folder whose weights it maps."""
    from tests.bench.gpu_model import LLAMA_8B

    found = Path(os.environ.get("ROOTSTOCK_VAR", "var")) / "models" / "smollm2-135m-instruct"
    folder.mkdir()
    for path in found.glob("*token*"):
        shutil.copy(path, folder)
    write_card(BaseCard("random-8b", "0" * 64, 0, LLAMA_8B, 1, 2, 2, "", "", ""), folder / BASE_CARD_FILE)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--form", choices=("int4", "fp8", "bfloat16"), default="fp8")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--shares", default="")
    parser.add_argument("--pace-alone", action="store_true", help="leave out the deaths")
    options = parser.parse_args()
    shares = [float(share) for share in options.shares.split(",") if share]
    with tempfile.TemporaryDirectory() as place:
        folder, run = Path(place), Path(place) / "run"
        base = base_folder(folder / "base")
        worker = Worker(options.form, base, run)
        try:
            wait(2.0)
            free = worker.now["free"]
            with training(base, run, folder, checkpoint_s=3600.0) as first:
                told = first.wait_for("base")
                sys.stdout.write(f"{told['text']}\n")
                wait(1.0)
                figures = {
                    "weights_gb": worker.weights_gb,
                    "mapped_own_gb": (free - worker.now["free"]) / GIGA,
                }
                first.wait_for("step", 3)
                figures |= measure(worker, first, options.rounds, options.seconds, shares)
                figures |= death_of_the_training(worker, first, free, options.seconds)
            if not options.pace_alone:
                figures |= death_of_the_worker(worker, options.form, base, run, folder / "again")
        finally:
            worker.process.kill()
    figures = {name: round(value, 3) for name, value in figures.items()}
    report("shared_base", figures, [bar for bar in BARS if bar.name in figures])


if __name__ == "__main__":
    main()
