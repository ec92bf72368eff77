"""What a plan costs beside a step of the device, and what shared prefixes save.

    python tests/bench/scheduler.py [--steps 2000]

No device: pieces are taken as run, and every sequence draws the same token. `plan_us_*` is the time of `plan` with 16
sequences decoding, while nobody or 500 of five organisations wait, or with a place free and 500 waiting for as many
adapters, all on their way from disk. `turn_us_500_waiting` is the time of `expired`, `plan` and `done` together.
`saved_by_prefixes` is the part of prompt tokens that need not be read when 64 requests begin with the same 512.
"""

import argparse
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[0:0] = [str(ROOT / "platform"), str(ROOT)]

from tests.bench.report import Bar, report  # noqa: E402
from workers.engine.scheduling import BlockPool, Limits, Scheduler, Step  # noqa: E402

BARS = [
    Bar("plan_us_500_waiting", "<=", 1000),
    Bar("plan_us_500_absent_adapters", "<=", 1000),
    Bar("saved_by_prefixes", ">=", 0.7),
]
SIZE = 16


@dataclass(eq=False)
class Sequence:
    """Writes `limit` tokens after its prompt."""

    text: list[int]
    limit: int
    organisation: str = "a"
    arrived: float = 0.0
    adapter: str | None = None
    priority: int = 0
    deadline: float | None = None
    cancelled: bool = False
    ready: bool = True
    whole: bool = False
    blocks: list[int] = field(default_factory=list)
    computed: int = 0
    cached: int = 0

    def known(self) -> int:
        """Tokens so far."""
        return len(self.text)

    def tokens(self, start: int, stop: int) -> list[int]:
        """Some of them."""
        return self.text[start:stop]


def answer(scheduler: Scheduler[Sequence], step: Step[Sequence]) -> int:
    """Run a step on nothing; how many tokens were read."""
    scheduler.done(step)
    for piece in step.pieces:
        entry = piece.entry
        if entry.computed == entry.known():
            entry.text.append(7)
            entry.limit -= 1
            if not entry.limit:
                scheduler.finish(entry)
    return sum(piece.count for piece in step.pieces)


def plan_times(waiting: int, steps: int, absent: bool = False) -> tuple[float, float]:
    """Median microseconds of a plan, and of a whole turn, while 16 decode."""
    limits = Limits(sequences=17 if absent else 16, waiting=1000)
    scheduler: Scheduler[Sequence] = Scheduler(limits, BlockPool(18 * (steps // SIZE + 8), SIZE))
    for number in range(16 + waiting):
        adapter = f"adapter {number}" if absent and number >= 16 else None
        scheduler.add(Sequence([number] * 64, 2 * steps, f"organisation {number % 5}", number, adapter))
    answer(scheduler, scheduler.plan(0.0, is_here) or Step())
    on_the_way = {f"adapter {number}" for number in range(16, 16 + waiting)} if absent else set()
    plans, turns = [], []
    for number in range(steps):
        begun = time.perf_counter()
        scheduler.expired(number)
        before = time.perf_counter()
        step = scheduler.plan(float(number), is_here, on_the_way) or Step()
        plans.append(time.perf_counter() - before)
        answer(scheduler, step)
        turns.append(time.perf_counter() - begun)
    return statistics.median(plans) * 1e6, statistics.median(turns) * 1e6


def is_here(entry: Sequence) -> bool:
    """The base alone."""
    return entry.adapter is None


def prompt_tokens_read(shared: bool) -> tuple[int, float]:
    """Prompt tokens that the device reads for 64 requests, and seconds of scheduling for it."""
    scheduler: Scheduler[Sequence] = Scheduler(Limits(), BlockPool(4096, SIZE))
    for number in range(64):
        beginning = [1] * 512 if shared else [number + 2] * 512
        scheduler.add(Sequence([*beginning, *[number + 2] * 64], 32, arrived=number))
    read, begun = 0, time.perf_counter()
    while not scheduler.idle:
        read += answer(scheduler, scheduler.plan(0.0, is_here) or Step())
    return read - 64 * 31, time.perf_counter() - begun


def run(steps: int) -> dict[str, float]:
    """All figures."""
    empty, _ = plan_times(0, steps)
    full, turn = plan_times(500, steps)
    absent, _ = plan_times(500, steps, absent=True)
    shared, seconds = prompt_tokens_read(shared=True)
    alone, _ = prompt_tokens_read(shared=False)
    return {
        "plan_us_none_waiting": round(empty, 1),
        "plan_us_500_waiting": round(full, 1),
        "plan_us_500_absent_adapters": round(absent, 1),
        "turn_us_500_waiting": round(turn, 1),
        "turns_per_second": round(1e6 / turn),
        "prompt_tokens_alone": alone,
        "prompt_tokens_shared": shared,
        "saved_by_prefixes": round(1 - shared / alone, 3),
        "seconds_to_schedule_64_requests": round(seconds, 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    report("scheduler", run(parser.parse_args().steps), BARS)
