"""Ending a training in full work: until its process is gone, and what memory the machine has back.

    python tests/bench/cancel.py [--rounds N]

LoRA of rank 16 on the demo base in 8 x 256 tokens, as a job's child, ended as a cancelled job ends it. `held_mb` is
what the child alone had resident, `left_processes` what is left of its process group. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import psutil

from models_zoo.llm.training import TrainSpec
from tests.bench.engine_cpu import demo_base
from tests.bench.report import Bar, report
from workers.trainer.child import Child

BARS = (Bar("gone_s_worst", "<=", 5.0), Bar("left_processes", "<=", 0))


def ended(base: Path, folder: Path) -> dict[str, float]:
    """One training, cancelled while its third step is under way."""
    text = " ".join(f"word{number}" for number in range(40))
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
    data = folder / "data.jsonl"
    data.write_text((json.dumps({"messages": messages}) + "\n") * 64)
    spec = TrainSpec(
        base.resolve(), folder / "adapter", "ended", "chat", data,
        max_tokens=256, batch_size=8, epochs=1000.0, threads=2, checkpoint=folder / "state", checkpoint_s=0.1,
    )  # fmt: skip
    path = folder / "spec.json"
    path.write_text(json.dumps(asdict(spec), default=str))
    with Child(path) as child:
        for event in child.events():
            if event and event["step"] == 2:
                held = psutil.Process(child.pid).memory_full_info().uss
                child.end()
                break
    left = 0
    with suppress(ProcessLookupError):
        os.killpg(child.pid, 0)
        left = 1
    return {"gone_s": child.ending_s, "held_mb": held / 2**20, "left": left}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    base, rounds = demo_base(), parser.parse_args().rounds
    found = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as scratch:
            found.append(ended(base, Path(scratch)))
    metrics = {
        "gone_s": statistics.median(one["gone_s"] for one in found),
        "gone_s_worst": max(one["gone_s"] for one in found),
        "held_mb": statistics.median(one["held_mb"] for one in found),
        "left_processes": sum(one["left"] for one in found),
    }
    report("cancel", {name: round(value, 3) for name, value in metrics.items()}, BARS)


if __name__ == "__main__":
    main()
