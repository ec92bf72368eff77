"""What quantizing costs the base on PubMedQA (Jin et al., 2019): yes, no or maybe, from the abstract, without training.

    ROOTSTOCK_DATA=../shared/data python tests/bench/pubmedqa.py [--limit 100]

The answer is the likeliest of the three next words. The demo base exists only as 4-bit GGUF, so its channels are
shuffled first: see damage.py for why, and for what that shows and what not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import models_zoo.llm  # noqa: F401  (first: it sets OpenMP's waiting before torch is loaded)

# isort: split
import torch

from models_zoo.llm.convert import convert
from models_zoo.llm.damage import Float32, Model, Served, base_weights
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.format import demo_gguf
from models_zoo.llm.quantize import quantize_int4
from models_zoo.llm.shapes import LINEARS
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.zoo.files import BASE, DATA, read_text
from tests.bench.damage import shuffled
from tests.bench.report import report

ANSWERS = ("yes", "no", "maybe")
CONTEXT = 1200  # characters of an abstract that are read


def questions(data: Path, limit: int) -> list[tuple[str, str]]:
    """(prompt, answer)"""
    found = json.loads(read_text(data / "ehr_pubmedqa" / "pqal_cv500.json.gz")).values()
    return [
        (
            f"{' '.join(one['CONTEXTS'])[:CONTEXT]}\nQuestion: {one['QUESTION']}\nAnswer (yes, no or maybe):",
            one["final_decision"],
        )
        for one in list(found)[:limit]
    ]


@torch.inference_mode()
def chosen(model: Model, prompts: Sequence[Sequence[int]], words: Sequence[int]) -> list[str]:
    """The likeliest of the answers behind each prompt."""
    return [ANSWERS[int(model.logits(ids)[-1][list(words)].argmax())] for ids in prompts]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--limit", type=int, default=100)
    options = parser.parse_args()
    card = convert(demo_gguf(), BASE)
    tokenizer = ChatTokenizer(BASE)
    asked = questions(options.data, options.limit)
    prompts = [tokenizer.encode(prompt) for prompt, _ in asked]
    words = [tokenizer.encode(f" {answer}")[0] for answer in ANSWERS]
    original = shuffled(base_weights(BASE), card.config)
    again = {
        name: quantize_int4(value).dequantize() if name.endswith(LINEARS) else value
        for name, value in original.items()
    }
    models: dict[str, Model] = {
        "unquantized": Float32(card.config, original),
        "int4": Float32(card.config, again),
        "as_served": Served(load_decoder(BASE)),
    }
    given = {name: chosen(model, prompts, words) for name, model in models.items()}
    right = {
        f"accuracy_{name}": sum(one == wanted for one, (_, wanted) in zip(answers, asked, strict=True))
        / len(asked)
        for name, answers in given.items()
    }
    same = sum(one == other for one, other in zip(given["unquantized"], given["int4"], strict=True)) / len(
        asked
    )
    majority = Counter(wanted for _, wanted in asked).most_common(1)[0][1] / len(asked)
    sys.stderr.write(f"{len(asked)} questions; always the commonest answer: {majority:.3f}\n")
    figures = {name: round(value, 4) for name, value in right.items()}
    report("pubmedqa", {**figures, "same_answer": round(same, 4), "majority": round(majority, 4)}, ())


if __name__ == "__main__":
    main()
