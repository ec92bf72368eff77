"""What a training keeps of a pass for the gradient, and what it takes of memory and time in all. No torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from models_zoo.llm.adapter_files import target_shape
from models_zoo.llm.card import BaseConfig
from models_zoo.llm.training.spec import ALL_TARGETS

# of intermediate results, where the spec does not say whether to keep them
KEPT_BYTES = {"cpu": 1 << 30, "cuda": 3 << 29}
STATE_BYTES = 20  # of a trained number: itself, its gradient, Adam's two moments, and the best state seen
LOGIT_ROWS = 256  # whose logits exist at once, twice


@dataclass(slots=True, frozen=True)
class Keeping:
    """Layers that keep all they compute, which are the last, and those before them that keep gate|up's product."""

    whole: int
    wide: int


def what_fits(layers: int, budget: int, whole: int, wide: int) -> Keeping:
    """As much as `budget` holds: `whole` and `wide` are the bytes that a layer keeps when it is not computed again,
    and when gate|up's product is not. That product comes first: it is half of a layer's time, a third of its bytes.
    """
    some = min(layers, budget // wide)
    all_ = min(some, (budget - some * wide) // (whole - wide))
    return Keeping(all_, some - all_)


def bytes_per_token(config: BaseConfig, itemsize: int) -> int:
    """What one layer keeps of each token for the gradient: its two inputs in float32, and in the compute type, of
    `itemsize` bytes, the two that were normalized, queries, keys, values and their mixture, gate, up and their
    product."""
    hidden, heads = config.hidden_size, config.heads * config.head_size
    return 8 * hidden + itemsize * (2 * hidden + 4 * heads + 3 * config.intermediate_size)


def keeping_of(
    config: BaseConfig, itemsize: int, recompute: bool | None, device: str, tokens: int
) -> Keeping:
    """What is kept of a pass over so many tokens. recompute: see `TrainSpec`."""
    if recompute is not None:
        return Keeping(0 if recompute else config.layers, 0)
    whole = tokens * bytes_per_token(config, itemsize)
    wide = tokens * itemsize * 2 * config.intermediate_size
    return what_fits(config.layers, KEPT_BYTES[device], whole, wide)


@dataclass(slots=True, frozen=True)
class Adapted:
    """What is trained: LoRA of `rank` on `targets` of the last `last_layers` layers (None: of all), with dropout or
    without."""

    rank: int
    targets: Collection[str] = ALL_TARGETS
    last_layers: int | None = None
    dropout: bool = False

    def layers(self, config: BaseConfig) -> int:
        """How many layers are adapted."""
        return config.layers if self.last_layers is None else min(self.last_layers, config.layers)

    def parameters(self, config: BaseConfig) -> int:
        """Numbers that are trained."""
        shapes = (target_shape(config, target) for target in self.targets)
        return self.layers(config) * self.rank * sum(out + columns for out, columns in shapes)


def activation_bytes(
    config: BaseConfig, adapted: Adapted, itemsize: int, recompute: bool | None, device: str, tokens: int
) -> int:
    """What a pass over so many tokens holds at once: what is kept, with dropout also each linear's input as it was
    dropped, the other adapted layers' inputs in float32, and one layer at work twice over, there and back."""
    layers, per_token = adapted.layers(config), bytes_per_token(config, itemsize)
    if adapted.dropout:
        inputs = 2 * config.hidden_size + config.heads * config.head_size + config.intermediate_size
        per_token += itemsize * inputs
    keeping = keeping_of(config, itemsize, recompute, device, tokens)
    whole = min(keeping.whole, layers)
    wide = min(keeping.wide, layers - whole)
    kept = whole * per_token + wide * itemsize * 2 * config.intermediate_size
    return tokens * (kept + (layers - whole) * 4 * config.hidden_size + 2 * per_token)


def work_of(config: BaseConfig, adapted: Adapted, recompute: bool | None) -> float:
    """Multiplications and additions that a token takes in a step: each linear once on the way there and, of adapted
    layers, once on the way back, since no weight has a gradient, and once more where it is computed again."""
    again = 1 if recompute else 0
    linears = sum(out * columns for out, columns in (target_shape(config, target) for target in ALL_TARGETS))
    return 2.0 * linears * (config.layers + adapted.layers(config) * (1 + again))


def head_work_of(config: BaseConfig) -> float:
    """The same of a token that is learned: its logits, and their gradient."""
    return 4.0 * config.vocabulary * config.hidden_size


def head_bytes(config: BaseConfig, itemsize: int) -> int:
    """The head as the loss needs it, and the logits that exist at once."""
    return config.vocabulary * (config.hidden_size * itemsize + 2 * LOGIT_ROWS * 4)
