"""LoRA training on the packed base beside PEFT in float32 on the same weights, interleaved in one run.

    PYTHONPATH=platform:. python tests/bench/training.py [--steps N]

Rank 16 on all linears, 4 x 128 tokens, AdamW, two threads each; both sides load the demo base, wait, and take their
steps in turns, each in a process of its own. A speed is the median over the steps' own ratios; a peak is the whole
process's, its imports and its weights too. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.format import demo_gguf
from models_zoo.llm.training.exactness import gradient_error
from tests.bench.engine_cpu import demo_base
from tests.bench.report import Bar, report
from tests.bench.training_process import ROWS, TOKENS

BARS = (
    Bar("train_peft_speed", ">=", 1.0),
    Bar("train_peft_memory", "<=", 0.7),
    Bar("train_private_weights_mb", "<=", 1.0),
)


class Side:
    """One side's process."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.bench.training_process", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.start = self._read()
        self.steps: list[dict[str, Any]] = []

    def step(self) -> None:
        """One step, recorded."""
        assert self.process.stdin is not None
        self.process.stdin.write("step\n")
        self.process.stdin.flush()
        self.steps.append(self._read())

    def end(self) -> None:
        """Let it go."""
        self.process.communicate("")

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)  # type: ignore[no-any-return]
        raise RuntimeError(f"a side ended with status {self.process.wait()}")

    @property
    def seconds(self) -> list[float]:
        """Of the steps after the first."""
        return [step["seconds"] for step in self.steps[1:]]

    @property
    def peak_mb(self) -> float:
        """Of the whole process."""
        return float(self.steps[-1]["peak_mb"])


def mapped_mb(pid: int, folder: Path) -> dict[str, float]:
    """Of the files under `folder` that a process maps: what is in memory, and what is its own alone."""
    inside, total = False, {"Rss": 0, "Private_Clean": 0, "Private_Dirty": 0}
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        first, *rest = line.split()
        if not first.endswith(":"):
            inside = bool(rest) and rest[-1].startswith(str(folder)) and rest[-1].endswith(".safetensors")
        elif inside and first[:-1] in total:
            total[first[:-1]] += int(rest[0])
    return {
        "train_mapped_weights_mb": round(total["Rss"] / 1024, 1),
        "train_private_weights_mb": round((total["Private_Clean"] + total["Private_Dirty"]) / 1024, 1),
    }


def gradients(base: Path) -> dict[str, float]:
    """The largest relative errors over the linears of one layer, packed as served, against float32 autograd."""
    decoder = load_decoder(base)
    layer = decoder.layers[len(decoder.layers) // 2]
    errors = [gradient_error(matrix) for matrix in (layer.qkv, layer.output, layer.gate_up, layer.down)]
    return {
        f"gradient_error_{name}": max(getattr(error, name) for error in errors)
        for name in ("output", "dx", "da", "db")
    }


def figures(ours: Side, peer: Side, again: Side) -> dict[str, float]:
    """Rates, peaks and ratios."""
    tokens = ROWS * TOKENS
    sides = {"train": ours, "peft": peer, "recomputing": again}
    metrics = {f"{name}_tok_s": tokens / statistics.median(side.seconds) for name, side in sides.items()}
    metrics |= {f"{name}_peak_mb": side.peak_mb for name, side in sides.items()}
    metrics |= {f"{name}_first_loss": side.steps[0]["loss"] for name, side in sides.items()}
    for name, side in (("train", ours), ("recomputing", again)):
        pairs = zip(peer.seconds, side.seconds, strict=True)
        metrics[f"{name}_peft_speed"] = statistics.median(theirs / mine for theirs, mine in pairs)
        metrics[f"{name}_peft_memory"] = side.peak_mb / peer.peak_mb
    return {name: round(value, 3) for name, value in metrics.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=None, help="converted here when not given")
    parser.add_argument("--steps", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(2)
    base = options.base or demo_base()
    sides = ours, peer, again = (
        Side("ours", str(base)),
        Side("peft", str(demo_gguf())),
        Side("ours", str(base), "--recompute"),
    )
    for _ in range(options.steps + 1):
        for side in sides:
            side.step()
    metrics = figures(ours, peer, again) | mapped_mb(ours.process.pid, base.resolve() / "packed")
    for side in sides:
        side.end()
    report("training", metrics | gradients(base), BARS)


if __name__ == "__main__":
    main()
