"""What an adapter is reckoned to take is what it takes, in every form in which a worker holds it."""

from typing import Any

import pytest
import torch

from models_zoo.llm.adapter_files import TARGETS, target_shape
from models_zoo.llm.adapter_memory import pinned_bytes, resident_bytes
from models_zoo.llm.card import AdapterCard, BaseConfig
from models_zoo.llm.cuda.pool import StackedPool
from models_zoo.llm.heads import build_head
from models_zoo.llm.lora import LoraPool, LoraWeights

CONFIG = BaseConfig(96, 208, 3, 6, 2, 16, 300, 128, 10_000.0, 1e-5)
CPU = torch.device("cpu")
SHAPES: list[tuple[int, tuple[str, ...], int]] = [
    (1, ("q_proj",), 3), (16, ("v_proj", "down_proj"), 2), (17, TARGETS, 1), (64, TARGETS, 3),
]  # fmt: skip


def weights(rank: int, targets: tuple[str, ...], layers: int) -> LoraWeights:
    shapes = {target: target_shape(CONFIG, target) for target in targets}
    return LoraWeights(
        rank,
        {
            (layer, target): (torch.ones(rank, columns), torch.ones(out, rank))
            for layer in range(layers)
            for target, (out, columns) in shapes.items()
        },
    )


@pytest.mark.parametrize(("rank", "targets", "layers"), SHAPES)
def test_it_is_what_the_pools_take(rank: int, targets: tuple[str, ...], layers: int) -> None:
    card, made = AdapterCard("a", "chat", "f"), weights(rank, targets, layers)
    reckon: Any = lambda form: resident_bytes(CONFIG, card, rank, targets, layers, form)  # noqa: E731
    for pool in (LoraPool(CONFIG, CPU, torch.float32), LoraPool(CONFIG, CPU, torch.bfloat16, native=True)):
        assert pool.prepare(made).bytes == reckon(pool.memory_form)
    for form in ("int8", "bfloat16"):
        stacked = StackedPool(CONFIG, CPU, 2, form)  # type: ignore[arg-type]
        assert pinned_bytes(stacked.prepare(made).bytes) == reckon(stacked.memory_form)


@pytest.mark.parametrize("task", ["classification", "tagging"])
def test_its_head_counts(task: Any) -> None:
    card = AdapterCard("a", task, "f", ("one", "two", "three"))
    head = build_head(card, CONFIG.hidden_size)
    assert head is not None
    plain = resident_bytes(CONFIG, AdapterCard("a", "chat", "f"), 4, ("q_proj",), 3, "bfloat16")
    assert resident_bytes(CONFIG, card, 4, ("q_proj",), 3, "bfloat16") - plain == sum(
        parameter.nbytes for parameter in head.parameters()
    )
