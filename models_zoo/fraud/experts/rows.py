"""Rows that nets are trained and measured on: inputs of payments as tensors, with what boosting says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models_zoo.fraud.causal import NAMES, features
from models_zoo.fraud.causal.view import DELAY
from models_zoo.fraud.experts.inputs import Inputs, arrays
from models_zoo.fraud.generator import generate
from models_zoo.fraud.splits import LACKING, split
from models_zoo.fraud.streams import Stream, thinned
from models_zoo.fraud.typologies import TYPOLOGIES
from models_zoo.fraud.worlds import WARM_UP, stream

KINDS = ("", *TYPOLOGIES)
"""Values of `Rows.kind`."""


@dataclass(slots=True, frozen=True)
class Rows:
    """N payments: inputs (values in float16), causal features float32 [N, F] or [N, 0] where nobody asks boosting,
    labels bool [N], day float64 [N], payee int64 [N] (only to draw bootstraps by) and kind uint8 [N] of KINDS."""

    given: Inputs
    features: Tensor
    labels: Tensor
    day: Tensor
    payee: Tensor
    kind: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def tensors(self) -> tuple[Tensor, ...]:
        """All of them, in order."""
        return (*self.given.tensors(), self.features, self.labels, self.day, self.payee, self.kind)

    @staticmethod
    def of(tensors: tuple[Tensor, ...]) -> Rows:
        """From `tensors`."""
        return Rows(Inputs(*tensors[:-5]), *tensors[-5:])

    def part(self, index: Tensor) -> Rows:
        """Some of them."""
        return Rows.of(tuple(one[index] for one in self.tensors()))

    def to(self, device: str) -> Rows:
        """The same on another device."""
        return Rows.of(tuple(one.to(device) for one in self.tensors()))


def joined(many: list[Rows]) -> Rows:
    """Several one after another."""
    return Rows.of(tuple(torch.cat(each) for each in zip(*(one.tensors() for one in many), strict=True)))


def rows_of(
    part: Stream, delay: float = DELAY, with_features: bool = True, kind: np.ndarray | None = None
) -> Rows:
    """The rows of a part of a stream; kinds [N] if they are known."""
    pieces, tables = [], []
    for near in part.near.pieces(2048):
        one = arrays(near, delay)
        pieces.append([array.astype(np.float16) if array.ndim == 4 else array for array in one])
        tables.append(features(near, delay) if with_features else np.zeros((len(near), 0), np.float32))
    whole = [torch.from_numpy(np.concatenate(each)) for each in zip(*pieces, strict=True)]
    kinds = np.zeros(len(part.labels), np.uint8) if kind is None else kind
    rest = (np.concatenate(tables), part.labels, part.day, part.near.payment["payee"], kinds)
    return Rows(Inputs(*whole), *(torch.from_numpy(np.ascontiguousarray(one)) for one in rest))


@dataclass(slots=True, frozen=True)
class World:
    """A generated world to prepare. `use`: "learn" from a thinned training part and validation, with test days if they
    are `tested`; "measure" all after the warm-up, or only the days before it, "cold", when nobody has a past."""

    seed: int
    lack: int
    use: str
    customers: int = 1000
    days: int = 90
    keep: float = 0.4
    tested: bool = True


@dataclass(slots=True, frozen=True)
class Written:
    """Files of rows by use, and how many payments the training days had before they were thinned."""

    files: dict[str, Path]
    payments: int


def prepare(world: World, folder: Path) -> Written:
    """Write the rows of a world's parts into files of a folder: the work of one process."""
    torch.set_num_threads(1)
    whole = stream(world.seed, world.customers, world.days, without=LACKING[world.lack])
    payments = 0
    if world.use == "learn":  # from the first day: nobody has a past then, as in the first days at a bank
        parts = split(whole, warm_up=0)
        payments = len(parts.train.labels)
        found = {
            "train": rows_of(thinned(parts.train, world.keep, world.seed)),
            "validation": rows_of(parts.validation),
        }
        if world.tested:
            found["test"] = rows_of(parts.test)
    else:
        made = generate(world.seed, world.customers, world.days)
        kind = np.array([KINDS.index(one.typology) for one in made], np.uint8)
        index = np.nonzero((whole.day < WARM_UP) == (world.use == "cold"))[0]
        found = {world.use: rows_of(whole.part(index), kind=kind[index])}
    files = {}
    for name, rows in found.items():
        rows.payee.add_(world.seed * 10**7)  # other worlds' accounts are others
        files[name] = folder / f"{world.seed}-{world.lack}-{name}.npz"
        np.savez(files[name], *(one.numpy() for one in rows.tensors()))
    return Written(files, payments)


def read(path: Path) -> Rows:
    """Rows that `prepare` wrote."""
    with np.load(path, allow_pickle=False) as kept:
        return Rows.of(tuple(torch.from_numpy(kept[name]) for name in kept.files))


def boosting_logits(
    trees: torch.nn.Module, scale: float, shift: float, rows: Rows, size: int = 4096
) -> Tensor:
    """Calibrated logits float32 [N] of boosting's trees."""
    if rows.features.shape[1] != len(NAMES):
        raise ValueError("these rows were made without features")
    with torch.inference_mode():
        raw = [trees(rows.features[at : at + size]) for at in range(0, len(rows), size)]
    return torch.cat(raw) * scale + shift
