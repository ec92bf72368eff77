"""A run's state on disk, so that one that was killed goes on where it was: safetensors, replaced as a whole."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models_zoo.llm.card import BaseCard, ModelError, adapter_digest, file_sha256
from models_zoo.llm.training.ranks import as_laid, whole
from models_zoo.llm.training.spec import DATA, TrainSpec, spec_record

ELSEWHERE = (
    "target",
    "checkpoint",
    "checkpoint_s",
    "threads",
)  # of the spec: change nothing of what is learned


@dataclass(slots=True, frozen=True)
class Identity:
    """What a run is of, as digests: another spec, base or data makes it another run."""

    spec: str
    base: str
    data: str


@dataclass(slots=True, frozen=True)
class State:
    """A run after `step` steps. The schedule and the place in the data follow from `step` and the spec.

    parameters  LoRA and head, in order; best: those of the best evaluation, if there was one
    moments     AdamW's first and second moment of each parameter
    updates     how often each parameter was updated
    random      the generator's state, uint8: the device's own, which dropout draws from
    waited      evaluations in a row that were no better
    scale       the loss scale, and steps in a row that did not overflow
    seconds     that the run took so far, in all its attempts
    """

    step: int
    parameters: list[Tensor]
    moments: list[tuple[Tensor, Tensor]]
    updates: list[int]
    random: Tensor
    best: list[Tensor] = field(default_factory=list)
    best_score: float | None = None
    best_metrics: dict[str, float] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    waited: int = 0
    scale: tuple[float, int] = (1.0, 0)
    seconds: float = 0.0


REST = ("step", "updates", "best_score", "best_metrics", "thresholds", "waited", "scale", "seconds")


def identity_of(spec: TrainSpec, base: BaseCard) -> Identity:
    """Of the run that `spec` describes."""
    record = {key: value for key, value in spec_record(spec).items() if key not in ELSEWHERE}
    files = [file_sha256(path) for name in DATA if (path := getattr(spec, name)) is not None]
    if spec.start_from is not None:
        files.append(adapter_digest(spec.start_from))
    text = json.dumps(record, sort_keys=True, default=str)
    return Identity(_digest(text), base.fingerprint, _digest(" ".join(files)))


def save_state(path: Path, identity: Identity, state: State, write: bool = True) -> None:
    """Write `state`, in place of an older one or not at all. Of several processes all gather it, and one writes it."""
    tensors = {"random": state.random.cpu()}
    for name, values in _lists(state).items():
        tensors |= {f"{name}.{number}": whole(value, write) for number, value in enumerate(values)}
    if not write:
        return
    rest = {name: getattr(state, name) for name in REST}
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        save_file(
            tensors, partial, metadata={"identity": json.dumps(asdict(identity)), "rest": json.dumps(rest)}
        )
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load_state(path: Path, identity: Identity) -> State | None:
    """The state of a run that was killed; None where there is none.

    Raises `ModelError` for a file that is damaged, or of a run with another spec, base or data, naming which.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        found, rest = json.loads(metadata["identity"]), json.loads(metadata["rest"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise ModelError(f"{path}: the checkpoint is damaged ({error}); remove it to begin anew") from error
    other = [name for name, digest in asdict(identity).items() if found.get(name) != digest]
    if other:
        raise ModelError(
            f"{path}: the checkpoint is of another {' and '.join(other)}; remove it to begin anew"
        )
    return State(
        parameters=_list(tensors, "parameters"),
        moments=list(zip(_list(tensors, "first"), _list(tensors, "second"), strict=True)),
        random=tensors["random"],
        best=_list(tensors, "best"),
        **rest,
    )


def random_state(device: torch.device) -> Tensor:
    """Of the generator that dropout on `device` draws from."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def set_random_state(device: torch.device, state: Tensor) -> None:
    """Draw on from `state`."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    else:
        torch.set_rng_state(state)


def _lists(state: State) -> dict[str, Sequence[Tensor]]:
    first, second = ([pair[index] for pair in state.moments] for index in (0, 1))
    return {"parameters": state.parameters, "first": first, "second": second, "best": state.best}


def _list(tensors: dict[str, Tensor], name: str) -> list[Tensor]:
    count = sum(key.startswith(f"{name}.") for key in tensors)
    return [tensors[f"{name}.{number}"] for number in range(count)]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def restore_optimizer(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], state: State) -> None:
    """Give the optimizer its moments back, of the parameters that it has updated."""
    for parameter, updates, (first, second) in zip(parameters, state.updates, state.moments, strict=True):
        if updates:
            optimizer.state[parameter] = {
                "step": torch.tensor(float(updates), device=parameter.device),
                "exp_avg": as_laid(first.clone(), parameter),
                "exp_avg_sq": as_laid(second.clone(), parameter),
            }


def moments_of(
    optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor]
) -> tuple[list[tuple[Tensor, Tensor]], list[int]]:
    """AdamW's moments of each parameter, zero before its first update, and how many it has had."""
    found: list[tuple[Tensor, Tensor]] = []
    updates: list[int] = []
    for parameter in parameters:
        own: dict[str, Any] = optimizer.state.get(parameter, {})
        first, second = (
            own[name] if own else torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")
        )
        found.append((first, second))
        updates.append(int(own.get("step", 0)))
    return found, updates
