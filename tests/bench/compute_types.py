"""Whether a training in bfloat16 learns as one in float32 does: the same seeds in both, on the demo base.

    python tests/bench/compute_types.py [--seeds 3] [--steps 20] [--dropout 0.05]

Questions and answers on health (MedQuAD), at our default learning rate and rank. Each run has the same examples, order
and first parameters in both types; which inputs are dropped may differ, since each type draws its own. What stays
float32 is in docs/training.md. The spread over seeds says what of a difference between the types is noise. The last
line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pyarrow.parquet as pq

from models_zoo.llm.training import TrainSpec, train_lora
from models_zoo.llm.training.spec import Compute
from tests.bench.engine_cpu import demo_base

DATA = (
    Path(__file__).resolve().parents[3] / "shared" / "data" / "ehr_medquad" / "medquad_with_answers.parquet"
)
TYPES: tuple[Compute, ...] = ("float32", "bfloat16")
ROWS, HELD_OUT, CHARACTERS = 80, 16, 240
SHOWN = (1, 2, 3, 5, 10, 15, 20)


def conversations(path: Path, count: int) -> list[dict[str, Any]]:
    """Every hundredth question with the beginning of its answer."""
    table = pq.read_table(path, columns=["question", "answer"]).to_pylist()[::100][:count]
    return [
        {
            "messages": [
                {"role": "user", "content": one["question"]},
                {"role": "assistant", "content": one["answer"][:CHARACTERS]},
            ]
        }
        for one in table
    ]


def losses(folder: Path, compute: Compute, seed: int, steps: int, dropout: float) -> list[float]:
    """Of every step, and last that of the held-out examples."""
    spec = TrainSpec(
        base=demo_base(), target=folder / f"{compute}-{seed}", name="bench", task="chat",
        train=folder / "train.jsonl", evaluation=folder / "held-out.jsonl", evaluate_every=steps, max_steps=steps,
        epochs=100.0, batch_size=4, learning_rate=2e-3, max_tokens=128, dropout=dropout,
        compute=compute, seed=seed, threads=2,
    )  # fmt: skip
    events = list(train_lora(spec))
    told = [event.loss for event in events if event.kind == "step" and event.loss is not None]
    return [*told, next(event.metrics["loss"] for event in events if event.kind == "evaluation")]


def row(name: str, runs: Sequence[Sequence[float]], steps: int) -> str:
    """A line of the table: means over the seeds, with the spread where there are several."""
    places = [step - 1 for step in SHOWN if step <= steps] + [steps]
    cells = [f"{mean(run[at] for run in runs):.3f}" for at in places]
    spread = f" ± {stdev(run[-1] for run in runs):.3f}" if len(runs) > 1 else ""
    return f"| {name} | " + " | ".join(cells) + spread + " |"


def main() -> None:
    """Train each and print the losses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--dropout", type=float, default=0.05)
    parser.add_argument("--data", type=Path, default=DATA)
    given = parser.parse_args()
    found: dict[str, list[list[float]]] = {name: [] for name in TYPES}
    with tempfile.TemporaryDirectory() as name:
        folder, lines = Path(name), [json.dumps(one) for one in conversations(given.data, ROWS + HELD_OUT)]
        (folder / "train.jsonl").write_text("\n".join(lines[:ROWS]))
        (folder / "held-out.jsonl").write_text("\n".join(lines[ROWS:]))
        for seed in range(given.seeds):
            for compute in TYPES:
                run = losses(folder, compute, seed, given.steps, given.dropout)
                found[compute].append(run)
                print(f"seed {seed} {compute}: " + " ".join(f"{loss:.3f}" for loss in run), flush=True)
    for compute, runs in found.items():
        print(row(compute, runs, given.steps))
    print(json.dumps({"dropout": given.dropout, **found}))


if __name__ == "__main__":
    main()
