"""What adapters lose when the device's pool holds them in 8 bits: a random one, and the shipped ones on their tasks.

    python tests/bench/adapter_codes.py [--texts N]

The codes are those that the pool copies to the device; they are put back into numbers and served on the CPU, whose
own error is thus in all figures of serving. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import models_zoo.llm  # noqa: F401  (first: it sets OpenMP's waiting before torch is loaded)

# isort: split
import torch

from models_zoo.llm.adapter import LoadedAdapter, load_adapter
from models_zoo.llm.card import BaseCard, BaseConfig, read_card
from models_zoo.llm.cuda.pool import StackedPool
from models_zoo.llm.damage import Float32, Model, Served, base_weights, head_probabilities
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.lora import LoraWeights, part_columns
from models_zoo.llm.tokenizer import ChatTokenizer
from tests.bench.damage import DATA, DEID, EMOTION, VAR, deid_recall, emotion_f1, read_jsonl, read_split, say
from tests.bench.report import Bar, report

# Llama-3-8B's, of one layer
LARGE = BaseConfig(4096, 14336, 1, 32, 8, 128, 128256, 8192, 500000.0, 1e-5)
BARS = (
    Bar("random_error", "<=", 0.02),
    Bar("emotion_micro_f1_lost", "<=", 0.01),
    Bar("deid_recall_lost", "<=", 0.01),
)


def in_codes(config: BaseConfig, weights: LoraWeights) -> LoraWeights:
    """The adapter as the pool holds it in 8 bits, in numbers again."""
    coded = StackedPool(config, torch.device("cpu"), 1, "int8").prepare(weights)
    matrices = {}
    for (layer, name), scale in coded.scale.items():
        shrink = (coded.shrink[layer, name][0] * scale).t()
        for index, (part, columns) in enumerate(part_columns(config, name)):
            own = shrink[index * coded.rank :][: weights.rank]
            expand = coded.expand[layer, name][0, : weights.rank, columns].float().t()
            if (layer, part) in weights.matrices:
                matrices[layer, part] = own.contiguous(), expand.contiguous()
    return LoraWeights(weights.rank, matrices)


def error(weights: LoraWeights, coded: LoraWeights) -> float:
    """Of all that the adapter adds, relative root of squares."""
    lost = whole = 0.0
    for key, (a, b) in weights.matrices.items():
        other_a, other_b = coded.matrices[key]
        lost += float((b @ a - other_b @ other_a).square().sum())
        whole += float((b @ a).square().sum())
    return float((lost / whole) ** 0.5)


def random_weights() -> LoraWeights:
    """Normal numbers, rank 16, on one layer's q, gate and down of Llama-3-8B's shape."""
    random, hidden, inner = torch.Generator().manual_seed(0), LARGE.hidden_size, LARGE.intermediate_size
    shapes = {"q_proj": (hidden, hidden), "gate_proj": (inner, hidden), "down_proj": (hidden, inner)}
    return LoraWeights(
        16,
        {
            (0, part): (torch.randn(16, columns, generator=random), torch.randn(rows, 16, generator=random))
            for part, (rows, columns) in shapes.items()
        },
    )


def log_odds(model: Model, adapter: LoadedAdapter, texts: Sequence[Sequence[int]]) -> torch.Tensor:
    """What the head says of some texts."""
    said = [head_probabilities(model, adapter, ids).clamp(1e-6, 1 - 1e-6).logit().flatten() for ids in texts]
    return torch.cat(said)


def texts_for(name: str, adapter: LoadedAdapter, tokenizer: ChatTokenizer) -> list[list[int]]:
    """Some of the task's own, as token ids."""
    if name == "emotion":
        texts = [example.text for example in read_split(DATA / "support_goemotions", "dev")[:60]]
    else:
        texts = [example.text for example in read_jsonl(VAR / "deid" / "test_clinical.jsonl")[:20]]
    ids = (tokenizer.encode_units(text)[0][: adapter.card.max_tokens] for text in texts)
    return [row for row in ids if row]


def shipped(name: str, card: BaseCard, decoder: Decoder, size: int) -> dict[str, float]:
    """A shipped adapter exact and in codes, in float32 and as served on the CPU."""
    folder, score = {"emotion": (EMOTION, emotion_f1), "deid": (DEID, deid_recall)}[name]
    base = VAR / "models" / "smollm2-135m-instruct"
    adapter, tokenizer, weights = load_adapter(folder, card), ChatTokenizer(base), base_weights(base)
    coded = in_codes(card.config, adapter.weights)
    models: dict[str, Model] = {
        "float32": Float32(card.config, weights, adapter.weights),
        "float32_coded": Float32(card.config, weights, coded),
        "served": Served(decoder, adapter.weights),
        "served_coded": Served(decoder, coded),
    }
    figures = {f"{name}_error": error(adapter.weights, coded)}
    scores = {way: score(model, adapter, tokenizer, size) for way, model in models.items()}
    said = {
        way: log_odds(model, adapter, texts_for(name, adapter, tokenizer)) for way, model in models.items()
    }
    for way in models:
        figures |= {f"{what}_{way}": value for what, value in scores[way].items()}
        apart = (said[way] - said["float32"]).norm() / said["float32"].norm()
        figures[f"{name}_log_odds_{way}"] = float(apart)
    for what in scores["served"]:
        figures[f"{what}_lost"] = scores["served"][what] - scores["served_coded"][what]
    say(f"{name}: {figures}")
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--texts", type=int, default=300, help="emotion's; a fifth of them for de-identification"
    )
    texts = parser.parse_args().texts
    torch.set_num_threads(2)
    base = VAR / "models" / "smollm2-135m-instruct"
    card, decoder, drawn = read_card(base), load_decoder(base), random_weights()
    figures = {"random_error": error(drawn, in_codes(LARGE, drawn))}
    for name, size in (("emotion", texts), ("deid", texts // 5)):
        figures |= shipped(name, card, decoder, size)
    report("adapter_codes", {name: round(value, 5) for name, value in figures.items()}, BARS)


if __name__ == "__main__":
    main()
