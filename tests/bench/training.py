"""LoRA training on the resident weights beside PEFT, interleaved in one run.

    python tests/bench/training.py [--steps N] [--device cuda]

Rank 16 on all linears, AdamW; the sides load their model, wait, and take their steps in turns, each in a process of
its own. A speed is the median over the steps' own ratios. On CPU both train the demo base, ours packed, PEFT's the
same weights in float32, on 4 x 128 tokens with two threads; a peak is the whole process's, its imports and weights
too. On CUDA both have Llama-3-8B's shape and random weights, PEFT's in bfloat16, on 4 x 1024 tokens, and compute
layers again for the gradient; a peak is what was allocated on the device. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from models_zoo.llm.decoder import Layer, load_decoder
from models_zoo.llm.format import demo_gguf
from models_zoo.llm.linear import Matrix
from models_zoo.llm.training.exactness import gradient_error
from tests.bench.engine_cpu import demo_base
from tests.bench.report import Bar, report
from tests.bench.training_process import shape

BARS = (
    Bar("train_peft_speed", ">=", 1.0),
    Bar("train_peft_memory", "<=", 0.7),
    Bar("train_private_weights_mb", "<=", 1.0),
)

CUDA_BARS = (Bar("int4_peft_speed", ">=", 1.7), Bar("int4_peft_memory", "<=", 0.5))
CUDA_FORMS = ("int4", "fp8", "bfloat16")


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


def linears(layer: Layer) -> tuple[Matrix, ...]:
    """Of one layer."""
    return layer.qkv, layer.output, layer.gate_up, layer.down


def gradient_errors(matrices: Mapping[str, Iterable[Matrix]], dtype: torch.dtype) -> dict[str, float]:
    """By form, the largest relative errors over its matrices, against float32 autograd."""
    found = {
        form: [gradient_error(matrix, dtype=dtype) for matrix in each] for form, each in matrices.items()
    }
    return {
        f"{form}_gradient_error_{name}": max(getattr(error, name) for error in errors)
        for form, errors in found.items()
        for name in ("output", "dx", "da", "db")
    }


def take_turns(sides: Mapping[str, Side], steps: int) -> None:
    """Each a step, and so on; the first is not measured."""
    for _ in range(steps + 1):
        for side in sides.values():
            side.step()


def figures(sides: Mapping[str, Side], tokens: int) -> dict[str, float]:
    """Rates, peaks and first losses of all; ratios of all to PEFT."""
    metrics: dict[str, float] = {}
    peer = sides["peft"]
    for name, side in sides.items():
        metrics[f"{name}_tok_s"] = tokens / statistics.median(side.seconds)
        metrics[f"{name}_peak_mb"] = side.peak_mb
        metrics[f"{name}_first_loss"] = side.steps[0]["loss"]
        if side is not peer:
            pairs = zip(peer.seconds, side.seconds, strict=True)
            metrics[f"{name}_peft_speed"] = statistics.median(theirs / mine for theirs, mine in pairs)
            metrics[f"{name}_peft_memory"] = side.peak_mb / peer.peak_mb
    return {name: round(value, 3) for name, value in metrics.items()}


def on_cpu(base: Path, steps: int) -> dict[str, float]:
    """The demo base."""
    sides = {
        "train": Side("ours", str(base)),
        "peft": Side("peft", str(demo_gguf())),
        "recomputing": Side("ours", str(base), "--recompute"),
    }
    take_turns(sides, steps)
    rows, tokens = shape(cuda=False)
    metrics = figures(sides, rows * tokens)
    metrics |= mapped_mb(sides["train"].process.pid, base.resolve() / "packed")
    for side in sides.values():
        side.end()
    return metrics | gradient_errors({"packed": linears(load_decoder(base).layers[0])}, torch.float32)


def on_cuda(steps: int) -> dict[str, float]:
    """Llama-3-8B's shape in every form."""
    from tests.bench.gpu_model import LLAMA_8B, random_decoder

    sides = {form: Side("ours", form, "--cuda") for form in CUDA_FORMS}
    sides["peft"] = Side("peft", "bfloat16", "--cuda")
    take_turns(sides, steps)
    rows, tokens = shape(cuda=True)
    metrics = figures(sides, rows * tokens)
    for side in sides.values():
        side.end()
    layers = {form: random_decoder(form, replace(LLAMA_8B, layers=1)).layers[0] for form in CUDA_FORMS}
    matrices = {form: linears(layer) for form, layer in layers.items()}
    return metrics | gradient_errors(matrices, torch.bfloat16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=None, help="converted here when not given")
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(2)
    if options.device == "cuda":
        report("training_cuda", on_cuda(options.steps), CUDA_BARS)
    else:
        report("training", on_cpu(options.base or demo_base(), options.steps), BARS)


if __name__ == "__main__":
    main()
