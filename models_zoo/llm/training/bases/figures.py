"""How well three models answer the same examples: the old base, what was trained, and that quantized again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from models_zoo.llm.damage import Served
from models_zoo.llm.damage_tasks import of_answers
from models_zoo.llm.decoder import load_decoder
from models_zoo.llm.training.data import Example


def side_by_side(
    old: Path, new: Path, device: str, trained: float, examples: Sequence[Example]
) -> dict[str, float]:
    """Loss (nats a token) and perplexity of the answers, by three models.

    original     the old base in the folder `old`, as it is served
    trained      what was trained, unquantized: its loss is given
    requantized  the new base in the folder `new`, as it is served; also under "loss" and "perplexity" alone
    lost_by_quantization  how much more its loss is than that of what it was made from
    """
    requantized = served_loss(new, device, examples)
    losses = {
        "original": served_loss(old, device, examples),
        "trained": trained,
        "requantized": requantized,
    }
    figures = {"loss": requantized, "perplexity": math.exp(requantized)}
    for name, loss in losses.items():
        figures |= {f"{name}_loss": loss, f"{name}_perplexity": math.exp(loss)}
    return figures | {"lost_by_quantization": requantized - trained}


def served_loss(folder: Path, device: str, examples: Sequence[Example]) -> float:
    """Mean loss of the answers' tokens, nats, by the base in `folder` as it is served on `device`."""
    model = Served(load_decoder(folder, device))
    losses = torch.cat([of_answers(model, example)[0] for example in examples])
    return float(losses.mean())
