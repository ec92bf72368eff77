"""What quantization costs: the quantizers beside one another, and the demo base with its adapters as served.

    python tests/bench/damage.py [--full]

The demo base exists here only as 4-bit GGUF: quantizing its values again by groups of the same 32 would find
the old grid and prove nothing. So its channels are shuffled first (residual, inner and value channels, in every
matrix alike): the model stays the same function, its weights keep their distribution, and no group is on a grid
any more. What was lost before, when the GGUF was made, no figure here can show.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import models_zoo.llm  # noqa: F401  (first: it sets OpenMP's waiting before torch is loaded)

# isort: split
import torch
from torch import Tensor

from models_zoo.clinical.deid.generate import Entity, Example
from models_zoo.clinical.deid.measure import measure as measure_deid
from models_zoo.clinical.deid.scrub import Found
from models_zoo.llm.adapter import LoadedAdapter, load_adapter
from models_zoo.llm.card import BaseConfig, read_card
from models_zoo.llm.convert import convert
from models_zoo.llm.damage import (
    Float32,
    Model,
    Served,
    base_weights,
    head_probabilities,
    log_probabilities,
    measure,
    squared_error,
    texts_of,
)
from models_zoo.llm.damage_report import HEADING, line
from models_zoo.llm.damage_tasks import task_examples, task_figures
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.format import demo_gguf
from models_zoo.llm.quant import QuantizedMatrix
from models_zoo.llm.quantize import (
    FINE_SHARE,
    quantize_int4,
    quantize_int4_range,
    quantize_int8,
    quantize_mixed,
)
from models_zoo.llm.shapes import LINEARS
from models_zoo.llm.spans import spans_of
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.zoo.tasks import task_of
from tests.bench.report import Bar, report

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ROOTSTOCK_DATA", ROOT.parent / "shared" / "data"))
VAR = Path(os.environ.get("ROOTSTOCK_VAR", ROOT / "var"))
EMOTION, DEID = task_of("support-emotion"), task_of("clinical-deid")
BARS = (
    Bar("int4_error_of_range", "<=", 0.9),
    Bar("served_perplexity_ratio", "<=", 1.02),
    Bar("emotion_micro_f1_lost", "<=", 0.01),
    Bar("deid_recall_lost", "<=", 0.01),
)
Quantizer = Callable[[Tensor], QuantizedMatrix]
SHARES = (0.03125, 0.0625, 0.25, 0.5)  # beside the default, with --full


def say(text: str) -> None:
    """Tables go to standard error: the last line of standard output is the result."""
    print(text, file=sys.stderr, flush=True)


def texts() -> list[str]:
    """Clinical notes (ACI-Bench, CC BY 4.0), abstracts (PubMedQA, MIT) and a bank's answers, by turns."""
    with gzip.open(DATA / "ehr_aci_bench" / "valid.csv.gz", "rt", encoding="utf-8") as stream:
        notes = [row["note"] for row in csv.DictReader(stream)]
    with gzip.open(DATA / "ehr_pubmedqa" / "pqal_cv500.json.gz", "rt", encoding="utf-8") as stream:
        abstracts = ["\n".join(entry["CONTEXTS"]) for entry in json.load(stream).values()]
    with gzip.open(DATA / "support_bankfaqs" / "BankFAQs.csv.gz", "rt", encoding="utf-8") as stream:
        rows = [f"{row['Question']}\n{row['Answer']}" for row in csv.DictReader(stream)]
    faqs = ["\n\n".join(rows[start : start + 6]) for start in range(0, len(rows), 6)]
    return [text for three in zip(notes, abstracts, faqs, strict=False) for text in three]


def shuffled(weights: dict[str, Tensor], config: BaseConfig, seed: int = 0) -> dict[str, Tensor]:
    """The same function with its channels in another order, so that every group of 32 is a new one."""
    random = torch.Generator().manual_seed(seed)
    residual = torch.randperm(config.hidden_size, generator=random)
    result = {}
    for layer in range(config.layers):
        name = f"layers.{layer}.".__add__
        inner = torch.randperm(config.intermediate_size, generator=random)
        values = torch.stack(
            [torch.randperm(config.head_size, generator=random) for _ in range(config.kv_heads)]
        )
        group = config.heads // config.kv_heads
        of_v = (values + torch.arange(config.kv_heads)[:, None] * config.head_size).flatten()
        of_o = (
            values.repeat_interleave(group, 0) + torch.arange(config.heads)[:, None] * config.head_size
        ).flatten()
        for norm in ("input_layernorm", "post_attention_layernorm"):
            result[name(norm)] = weights[name(norm)][residual]
        for part in ("self_attn.q_proj", "self_attn.k_proj"):
            result[name(part)] = weights[name(part)][:, residual]
        result[name("self_attn.v_proj")] = weights[name("self_attn.v_proj")][of_v][:, residual]
        result[name("self_attn.o_proj")] = weights[name("self_attn.o_proj")][residual][:, of_o]
        for part in ("mlp.gate_proj", "mlp.up_proj"):
            result[name(part)] = weights[name(part)][inner][:, residual]
        result[name("mlp.down_proj")] = weights[name("mlp.down_proj")][residual][:, inner]
    return result | {"embed_tokens": weights["embed_tokens"][:, residual], "norm": weights["norm"][residual]}


def quantizers(full: bool) -> dict[str, Quantizer]:
    """By the name of the form."""
    forms: dict[str, Quantizer] = {
        "int4, minimum to maximum": quantize_int4_range,
        "int4, least squares": quantize_int4,
        f"mixed, {FINE_SHARE:.1%} of the rows in 8 bits": quantize_mixed,
    }
    for share in SHARES if full else ():
        forms[f"mixed, {share:.1%}"] = lambda weight, share=share: quantize_mixed(weight, share)  # type: ignore[misc]
    return {**forms, "int8": quantize_int8}


def bits(matrix: QuantizedMatrix) -> float:
    """Stored bits a weight."""
    stored = sum(tensor.nbytes for name, tensor in matrix.tensors().items() if name != "fine")
    return 8 * stored / (matrix.rows * matrix.columns)


def random_matrices(full: bool) -> None:
    """Relative root mean square error on weights of known kind."""
    random = torch.Generator().manual_seed(0)
    normal = torch.randn(1024, 1024, generator=random)
    tails = normal / (torch.randn(1024, 1024, 5, generator=random).square().mean(dim=2)).sqrt()
    rows = normal * torch.rand(1024, 1, generator=random).mul(2).exp()
    say(
        "| form | bits a weight | normal | heavy tails (t, 5) | rows of unequal size |\n|---|---|---|---|---|"
    )
    for name, quantizer in quantizers(full).items():
        errors = [relative(weight, quantizer(weight)) for weight in (normal, tails, rows)]
        say(f"| {name} | {bits(quantizer(normal)):.2f} | {' | '.join(f'{e:.4f}' for e in errors)} |")


def relative(weight: Tensor, matrix: QuantizedMatrix) -> float:
    """Root mean square error over that of the weights."""
    return float((matrix.dequantize() - weight).norm() / weight.norm())


def forms(
    weights: dict[str, Tensor], config: BaseConfig, pieces: Sequence[Sequence[int]], full: bool
) -> dict[str, float]:
    """The shuffled demo base in every form beside itself in float32."""
    original = shuffled(weights, config)
    reference = Float32(config, original)
    expected = [log_probabilities(reference, ids) for ids in pieces]
    say("\n".join(HEADING))
    say(line("float32, channels shuffled", measure(reference, expected, pieces)))
    errors, found = {}, {}
    for name, quantizer in quantizers(full).items():
        made = {
            key: quantizer(value).dequantize() if key.endswith(LINEARS) else value
            for key, value in original.items()
        }
        errors[name] = squared_error(original, made)
        found[name] = measure(Float32(config, made), expected, pieces)
        say(f"{line(name, found[name])}   squared error {errors[name]:.2e}")
    plain, searched, mixed, *_, fine = found
    return {
        "int4_error_of_range": round(errors[searched] / errors[plain], 3),
        "int4_range_divergence": round(found[plain].divergence, 5),
        "int4_divergence": round(found[searched].divergence, 5),
        "mixed_divergence": round(found[mixed].divergence, 5),
        "int8_divergence": round(found[fine].divergence, 5),
    }


def served(
    weights: dict[str, Tensor], base: Path, pieces: Sequence[Sequence[int]], sizes: tuple[int, int]
) -> dict[str, float]:
    """The demo base as it serves beside its own values in float32, alone and with the shipped adapters."""
    card, decoder = read_card(base), load_decoder(base)
    reference = Float32(card.config, weights)
    expected = [log_probabilities(reference, ids) for ids in pieces]
    plain, ours = (measure(m, expected, pieces) for m in (reference, Served(decoder)))
    say("\n".join((*HEADING, line("GGUF's values, float32", plain), line("as served", ours))))
    figures = {
        "perplexity_float32": round(plain.perplexity, 3),
        "served_perplexity_ratio": round(ours.perplexity / plain.perplexity, 4),
        "served_divergence": round(ours.divergence, 5),
    }
    tokenizer = ChatTokenizer(base)
    say("| adapter | float32 | as served | its head alone, without LoRA |\n|---|---|---|---|")
    for task, score, size in ((EMOTION, emotion_f1, sizes[0]), (DEID, deid_recall, sizes[1])):
        adapter = load_adapter(task.adapter, card)
        models: list[Model] = [
            Float32(card.config, weights, adapter.weights),
            Served(decoder, adapter.weights),
            Served(decoder),
        ]
        scores = [score(model, adapter, tokenizer, size) for model in models]
        for name in scores[0]:
            float32, ours, bare = (found[name] for found in scores)
            say(f"| {name}, {size} texts | {float32:.4f} | {ours:.4f} | {bare:.4f} |")
            figures |= {f"{name}_served": round(ours, 4), f"{name}_lost": round(float32 - ours, 4)}
    return figures


def emotion_f1(model: Model, adapter: LoadedAdapter, tokenizer: ChatTokenizer, size: int) -> dict[str, float]:
    """F1 over the first `size` comments of GoEmotions' validation split: of all decisions together, and the
    mean over the labels that occur (a label that occurs twice weighs as much as any other)."""
    rows = EMOTION.examples(DATA, "validation")[:size]
    found = task_figures(model, adapter, task_examples(DATA, rows, adapter, tokenizer))
    return {
        "emotion_micro_f1": found["micro F1"],
        "emotion_macro_f1": found["mean F1 of labels that occur"],
    }


def deid_recall(
    model: Model, adapter: LoadedAdapter, tokenizer: ChatTokenizer, size: int
) -> dict[str, float]:
    """Share of identifiers found whole, half of the texts Presidio's sentences, half generated notes."""
    rows = [
        row for part in ("test_presidio", "test_clinical") for row in DEID.examples(DATA, part)[: size // 2]
    ]
    examples = [Example(row["text"], tuple(Entity(*span) for span in row["spans"]), "") for row in rows]
    found = [tagged(model, adapter, tokenizer, example.text) for example in examples]
    return {"deid_recall": measure_deid(examples, found).recall}


def tagged(model: Model, adapter: LoadedAdapter, tokenizer: ChatTokenizer, text: str) -> list[Found]:
    """What the adapter takes for an identifier; each unit's tag is that of its first token."""
    ids, units = tokenizer.encode_units(text)
    if not ids:
        return []
    probabilities, tags = head_probabilities(model, adapter, ids[: adapter.card.max_tokens]).max(dim=-1)
    units = [unit for unit in units if unit.first_token < len(tags)]
    chosen = [int(tags[unit.first_token]) for unit in units]
    scores = [float(probabilities[unit.first_token]) for unit in units]
    return [Found(s.start, s.end, s.label, "") for s in spans_of(units, chosen, scores, adapter.card.labels)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="more text, all shares of mixed, whole test sets")
    full = parser.parse_args().full
    base = VAR / "models" / "smollm2-135m-instruct"
    card = convert(demo_gguf(), base)
    # 1,077 tokens are the first documents whole
    pieces = texts_of(ChatTokenizer(base), texts(), 8192 if full else 1077)
    weights = base_weights(base)
    say(f"{sum(map(len, pieces))} tokens of text")
    random_matrices(full)
    figures = forms(weights, card.config, pieces, full)
    figures |= served(weights, base, pieces, (5426, 700) if full else (300, 60))
    report("damage", figures, BARS)


if __name__ == "__main__":
    main()
