"""One int4 base with an adapter for each task beside an encoder for each task: memory, and time for one turn of a
customer and one clinical note.

    python tests/bench/zoo_encoders.py [--rounds 5] [--threads 2]

The encoders have BERT-base's shape (Devlin et al., 2019) with random weights, by transformers, in float32 and
dynamically quantized to int8: time and memory are those of fine-tuned ones, quality is not measured by them. Both sides
are measured in a process of their own, by turns, so that memory is what each takes alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from tests.bench.report import report

TURN = "I was charged twice for my new card last week and nobody answers my e-mails, this is really annoying!"
NOTE = (
    "Mrs. Okafor is a 67-year-old woman admitted with shortness of breath. History of chronic obstructive pulmonary "
    "disease and type 2 diabetes, on metformin 500 mg twice a day. Chest X-ray shows consolidation of the left lower "
    "lobe; started on amoxicillin. No known allergies. Her daughter Ada was called on 12 March. "
) * 2
TURN_TASKS = ("support-emotion", "support-intent", "bank-intent", "prompt-guard")
NOTE_TASKS = ("clinical-deid", "clinical-chemicals-diseases", "clinical-diseases", "clinical-anatomy")
SIDES = ("adapters", "encoders", "encoders_int8")
LABELS = 30  # of an encoder's head: its size changes nothing here
KB = 1024


def adapters(rounds: int, threads: int) -> dict[str, float]:
    """Our engine with every adapter that is here; those that are not trained yet are stood in for by one that is."""
    from models_zoo.zoo.files import BASE
    from models_zoo.zoo.tasks import task_of
    from workers.engine.local import LocalEngine

    engine = LocalEngine(BASE, threads=threads, sequences=8, kv_bytes=64 << 20)
    stand_in = {TURN_TASKS: "support-emotion", NOTE_TASKS: "clinical-deid"}
    try:
        for tasks, other in stand_in.items():
            for name in tasks:
                here = task_of(name).adapter
                engine.load(name, here if here.is_dir() else task_of(other).adapter)
        return {
            "turn_ms": timed(lambda: [engine.classify([TURN], name) for name in TURN_TASKS], rounds),
            "note_ms": timed(lambda: [engine.tag([NOTE], name) for name in NOTE_TASKS], rounds),
            "memory_mb": memory(),
            "stood_in": float(sum(not task_of(n).adapter.is_dir() for n in (*TURN_TASKS, *NOTE_TASKS))),
        }
    finally:
        engine.close()


def encoders(rounds: int, threads: int, int8: bool = False) -> dict[str, float]:
    """As many encoders as tasks, all in memory."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertForTokenClassification

    torch.set_num_threads(threads)
    config = BertConfig(num_labels=LABELS)

    def made(kind: type) -> torch.nn.Module:
        model: torch.nn.Module = kind(config).eval()
        if int8:
            model = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
        return model

    of_turn = [made(BertForSequenceClassification) for _ in TURN_TASKS]
    of_note = [made(BertForTokenClassification) for _ in NOTE_TASKS]
    turn, note = (torch.randint(0, 30000, (1, tokens_of(text))) for text in (TURN, NOTE))
    with torch.inference_mode():
        return {
            "turn_ms": timed(lambda: [model(turn) for model in of_turn], rounds),
            "note_ms": timed(lambda: [model(note) for model in of_note], rounds),
            "memory_mb": memory(),
        }


def tokens_of(text: str) -> int:
    """As our tokenizer counts; BERT's vocabulary of 30,000 needs about as many for English."""
    from models_zoo.llm.tokenizer import ChatTokenizer
    from models_zoo.zoo.files import BASE

    return len(ChatTokenizer(BASE).encode(text))


def timed(run: Callable[[], object], rounds: int) -> float:
    """Median milliseconds of one call, after two that warm up."""
    times = []
    for _ in range(rounds + 2):
        began = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(times[2:]), 1)


def memory() -> float:
    """Resident megabytes of this process that are its own, shared pages of files counted in proportion."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as stream:
        return round(next(int(line.split()[1]) for line in stream if line.startswith("Pss:")) / KB, 0)


def run_side(side: str, rounds: int, threads: int) -> dict[str, float]:
    """In a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--rounds", str(rounds), "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--side", choices=SIDES)
    options = parser.parse_args()
    if options.side:
        made = {
            "adapters": adapters,
            "encoders": encoders,
            "encoders_int8": lambda rounds, threads: encoders(rounds, threads, int8=True),
        }
        print(json.dumps(made[options.side](options.rounds, options.threads)))
        return
    found = {side: run_side(side, options.rounds, options.threads) for side in SIDES}
    sys.stderr.write("| | " + " | ".join(SIDES) + " |\n|---|" + "---|" * len(SIDES) + "\n")
    for name in ("turn_ms", "note_ms", "memory_mb"):
        sys.stderr.write(f"| {name} | " + " | ".join(f"{found[side][name]:g}" for side in SIDES) + " |\n")
    figures = {f"{side}_{name}": value for side, told in found.items() for name, value in told.items()}
    figures["memory_of_encoders"] = round(found["adapters"]["memory_mb"] / found["encoders"]["memory_mb"], 3)
    report("zoo_encoders", figures, ())


if __name__ == "__main__":
    main()
