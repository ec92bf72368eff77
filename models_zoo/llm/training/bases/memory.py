"""Whether a training of all weights fits into memory, before anything is loaded. Plain arithmetic but for the look at
what is free: no torch on a CPU."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from models_zoo.llm.adapter_files import TARGETS, target_shape
from models_zoo.llm.card import BaseCard, BaseConfig, ModelError
from models_zoo.llm.training.bases.spec import BaseSpec, layers_of_student

# bytes of each trained parameter: itself, its gradient, AdamW's two moments, and the best state so far; float32
TRAINED, FROZEN = 20, 4
KEPT_BYTES = {"cpu": 1 << 30, "cuda": 8 << 30}  # of activations: above it layers are computed again


@dataclass(slots=True, frozen=True)
class Need:
    """Bytes: of the weights with what is kept for each, and of a batch's activations. again: layers are computed
    again for the gradient."""

    parameters: int
    weights: int
    activations: int
    again: bool

    @property
    def total(self) -> int:
        return self.weights + self.activations


def need_of(spec: BaseSpec, card: BaseCard, tied: bool, ranks: int = 1) -> Need:
    """What a training holds at its peak in each of so many processes, among which the trained weights are cut up."""
    config = replace(card.config, layers=layers_of_student(spec, card))
    trained = parameters_of(config, tied)
    teacher = parameters_of(card.config, tied) if spec.recipe == "distil" else 0
    rows = -(-spec.batch_size // ranks)
    tokens = rows * spec.max_tokens
    kept = tokens * _per_layer(config)
    again = config.layers * kept > KEPT_BYTES[spec.device.partition(":")[0]]
    if spec.recompute is not None:
        again = spec.recompute
    layers = config.layers * tokens * 4 * config.hidden_size + kept if again else config.layers * kept
    answers = (
        3 * tokens * 4 * config.vocabulary * (2 if teacher else 1)
    )  # logits, their softmax and its gradient
    return Need(trained, trained * TRAINED // ranks + teacher * FROZEN, layers + answers, again)


def parameters_of(config: BaseConfig, tied: bool) -> int:
    """How many numbers a model of this shape holds."""
    linears = sum(out * columns for out, columns in (target_shape(config, name) for name in TARGETS))
    embeddings = config.vocabulary * config.hidden_size * (1 if tied else 2)
    return embeddings + config.hidden_size + config.layers * (linears + 2 * config.hidden_size)


def check_memory(spec: BaseSpec, card: BaseCard, need: Need) -> None:
    """Raises `ModelError` with the figures where it would not fit."""
    free = free_bytes(spec.device) if spec.memory is None else spec.memory
    if need.total <= free:
        return
    what = "full fine-tuning" if spec.recipe == "full" else "distillation"
    raise ModelError(
        f"{what} of {card.name} needs {_gb(need.total)} of memory on {spec.device}, {_gb(free)} are free: "
        f"{need.parameters / 1e6:,.1f} million parameters with gradients and moments are {_gb(need.weights)}, "
        f"a batch of {spec.batch_size} times {spec.max_tokens} tokens {_gb(need.activations)}"
    )


def free_bytes(device: str) -> int:
    """What may still be taken on a device; on CPU of the machine, or of the container if that has less."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    free = _of_machine("MemAvailable")
    limit, used = (_number(Path(f"/sys/fs/cgroup/memory.{name}")) for name in ("max", "current"))
    return free if limit is None or used is None else min(free, limit - used)


def total_bytes() -> int:
    """The memory of the machine, or of the container if that may have less."""
    there, limit = _of_machine("MemTotal"), _number(Path("/sys/fs/cgroup/memory.max"))
    return there if limit is None else min(there, limit)


def _of_machine(name: str) -> int:
    told = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(told[name].split()[0]) * 1024


def _number(path: Path) -> int | None:
    """The number in a file; None where there is no file, or it says "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _per_layer(config: BaseConfig) -> int:
    """Bytes that one layer keeps of each token for the gradient, float32: inputs and normalized inputs of both halves,
    queries, keys, values and their mixture, gate, up and their product."""
    heads = (2 * config.heads + 2 * config.kv_heads) * config.head_size
    return 4 * (6 * config.hidden_size + 2 * heads + 4 * config.intermediate_size)


def _gb(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 5e7 else f"{count / 1e6:,.1f} MB"
