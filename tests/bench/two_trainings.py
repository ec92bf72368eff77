"""Two trainings on one base: at once, each in a child of its own, against one after the other.

    python tests/bench/two_trainings.py [--rounds N] [--steps S]

LoRA of rank 16 on the demo base in 4 x 128 tokens, as jobs train. In turn each has two threads; at once each has one,
or each has two. Ways take turns; a ratio is the median over the rounds' own. `wall` runs from the first child's start
to the last one's end, `steps` leaves out what a child does before its first step and after its last. CPU seconds are
of the children: on a machine that others use too they say more than the clock. `joint_step` is what a step of twice
the batch takes against two steps, in one process: the most that batching two jobs' micro-batches in one child could
save, since both would share every weight that is dequantized and nothing else. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from models_zoo.llm.training import TrainSpec, train_lora
from tests.bench.engine_cpu import demo_base
from tests.bench.report import Bar, report
from workers.trainer.child import Child

BATCH = 4
BARS = (Bar("at_once_wall", "<=", 1.0),)


@dataclass
class Course:
    """Of one child: by the clock, when its first step was done and its last; and what it computed."""

    first: float = 0.0
    last: float = 0.0
    cpu: float = 0.0


def spec_in(base: Path, folder: Path, steps: int, threads: int, batch: int = BATCH) -> TrainSpec:
    """A training of so many steps; its files are in `folder`."""
    text = " ".join(f"word{number}" for number in range(15))
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
    folder.mkdir(parents=True)
    data = folder / "data.jsonl"
    data.write_text((json.dumps({"messages": messages}) + "\n") * 64)
    return TrainSpec(
        base.resolve(), folder / "adapter", "two", "chat", data,
        max_tokens=128, batch_size=batch, epochs=1000.0, max_steps=steps, threads=threads,
    )  # fmt: skip


def follow(spec: TrainSpec, course: Course) -> None:
    """Run a child to its end."""
    path = spec.target.parent / "spec.json"
    path.write_text(json.dumps(asdict(spec), default=str))
    with Child(path) as child:
        process = psutil.Process(child.pid)
        for event in child.events():
            if event and event["kind"] == "step":
                course.first = course.first or time.perf_counter()
                course.last = time.perf_counter()
                times = process.cpu_times()
                course.cpu = times.user + times.system
        assert child.failure is None, child.failure


def timed(base: Path, folder: Path, steps: int, threads: int, at_once: bool) -> dict[str, float]:
    """Two children."""
    courses = [Course(), Course()]
    began = time.perf_counter()
    jobs = [
        threading.Thread(target=follow, args=(spec_in(base, folder / str(number), steps, threads), course))
        for number, course in enumerate(courses)
    ]
    for job in jobs:
        job.start()
        if not at_once:
            job.join()
    for job in jobs:
        job.join()
    wall = time.perf_counter() - began
    one, two = courses
    spent = (
        max(one.last, two.last) - min(one.first, two.first)
        if at_once
        else one.last - one.first + two.last - two.first
    )
    return {"wall": wall, "steps": spent, "cpu": one.cpu + two.cpu}


WAYS = {"in_turn": (2, False), "at_once": (1, True), "at_once_two_threads": (2, True)}


def joint_step(base: Path, folder: Path, steps: int) -> float:
    """The median of the pairs' own ratios."""
    runs = {
        batch: train_lora(spec_in(base, folder / f"batch{batch}", 2 * steps + 2, 2, batch))
        for batch in (BATCH, 2 * BATCH)
    }
    found = []
    for number in range(steps + 1):
        spent = {}
        for batch, events in runs.items():
            since = time.perf_counter()
            for _ in range(2 if batch == BATCH else 1):
                next(events)
            spent[batch] = time.perf_counter() - since
        if number:
            found.append(spent[2 * BATCH] / spent[BATCH])
    return statistics.median(found)


def measure(base: Path, rounds: int, steps: int) -> dict[str, float]:
    """All figures."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        joint = joint_step(base, Path(scratch), steps)
        for number in range(rounds):
            inside = Path(scratch) / str(number)
            rows.append({way: timed(base, inside / way, steps, *how) for way, how in WAYS.items()})
            sys.stderr.write(f"{joint:.3f} {json.dumps(rows[-1])}\n")
    names = ("wall", "steps", "cpu")
    figures = {f"in_turn_{name}_s": statistics.median(row["in_turn"][name] for row in rows) for name in names}
    for way in list(WAYS)[1:]:
        for name in names:
            figures[f"{way}_{name}"] = statistics.median(
                row[way][name] / row["in_turn"][name] for row in rows
            )
    return {name: round(value, 3) for name, value in (figures | {"joint_step": joint}).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8)
    options = parser.parse_args()
    report("two_trainings", measure(demo_base(), options.rounds, options.steps), BARS)


if __name__ == "__main__":
    main()
