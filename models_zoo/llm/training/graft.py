"""Trainable parts on the frozen base: the LoRA parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models_zoo.llm.adapter_files import target_shape
from models_zoo.llm.adapter_memory import PARTS
from models_zoo.llm.card import BaseConfig
from models_zoo.llm.linear import Matrix
from models_zoo.llm.lora import part_columns
from models_zoo.llm.training.functions import Cast, FrozenProduct, LoraProduct
from models_zoo.llm.training.pause import NEVER, Pause, rows_of_a_piece
from models_zoo.llm.training.spec import TrainSpec


def scale_of(spec: TrainSpec) -> float:
    """What the product of B and A is multiplied with."""
    return spec.alpha / (math.sqrt(spec.rank) if spec.rs_lora else spec.rank)


def layers_of(config: BaseConfig, spec: TrainSpec) -> tuple[int, ...]:
    """The numbers of the layers that are adapted."""
    first = 0 if spec.last_layers is None else max(0, config.layers - spec.last_layers)
    return tuple(range(first, config.layers))


class LoraParameters(nn.Module):
    """Trainable A and B of every adapted linear, float32, applied in the decoder's compute type.

    The A of fused targets are one parameter [parts * rank, in]; each target has its B [out, rank], zero at
    first.
    """

    def __init__(self, config: BaseConfig, spec: TrainSpec, device: torch.device) -> None:
        super().__init__()
        self.rank = spec.rank
        self.scale = scale_of(spec)
        self.dropout = spec.dropout
        self.layers = layers_of(config, spec)
        self.targets = {name: tuple(t for t in parts if t in spec.targets) for name, parts in PARTS.items()}
        self.rows = {
            name: tuple(rows for target, rows in part_columns(config, name) if target in self.targets[name])
            for name in PARTS
        }
        self.pause: Pause = NEVER
        self.a = nn.ParameterDict()
        self.b = nn.ParameterDict()
        for layer in self.layers:
            for targets in self.targets.values():
                if targets:
                    self._create(config, layer, targets, device)

    def _create(self, config: BaseConfig, layer: int, targets: tuple[str, ...], device: torch.device) -> None:
        columns = target_shape(config, targets[0])[1]
        start = torch.empty(len(targets) * self.rank, columns)
        nn.init.kaiming_uniform_(start, a=math.sqrt(5))
        self.a[f"{layer}_{targets[0]}"] = nn.Parameter(start.to(device))
        for target in targets:
            self.b[f"{layer}_{target}"] = nn.Parameter(
                torch.zeros(target_shape(config, target)[0], self.rank, device=device)
            )

    def begin(self, dtype: torch.dtype, short: bool = False) -> None:
        """Before a pass: all of it, and what is computed again for its gradient, reads the same casts.

        short: products are computed a few rows at a time, with a pause before each, on the way back too.
        """
        self._short = short
        names = [*self.a, *self.b]
        values = [*self.a.values(), *self.b.values()]
        if any(value.dtype != dtype for value in values):
            values = list(Cast.apply(dtype, *values))  # type: ignore[no-untyped-call]
        casts = list(zip(names, values, strict=True))
        self._cast_a, self._cast_b = dict(casts[: len(self.a)]), dict(casts[len(self.a) :])

    def project(self, layer: int, name: str, matrix: Matrix, x: Tensor) -> Tensor:
        """The decoder's projection with this adapter grafted on."""
        adapted = bool(self.targets[name]) and layer in self.layers
        dropped = F.dropout(x, self.dropout) if adapted and self.training and self.dropout else None
        if not self._short:
            return self._product(layer, name, matrix, x, dropped)
        rows = rows_of_a_piece(matrix.rows, matrix.columns)
        parts = torch.split(x, rows)
        read = [None] * len(parts) if dropped is None else torch.split(dropped, rows)
        pieces = [self._piece(layer, name, matrix, *part) for part in zip(parts, read, strict=True)]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _piece(self, layer: int, name: str, matrix: Matrix, x: Tensor, dropped: Tensor | None) -> Tensor:
        self.pause()
        if x.requires_grad:
            x.register_hook(self._on_the_way_back)  # type: ignore[no-untyped-call]
        return self._product(layer, name, matrix, x, dropped)

    def _on_the_way_back(self, gradient: Tensor) -> None:
        self.pause()

    def _product(self, layer: int, name: str, matrix: Matrix, x: Tensor, dropped: Tensor | None) -> Tensor:
        targets = self.targets[name]
        if not targets or layer not in self.layers:
            product: Tensor = FrozenProduct.apply(x, matrix, name)  # type: ignore[no-untyped-call]
            return product
        a = self._cast_a[f"{layer}_{targets[0]}"]
        b = [self._cast_b[f"{layer}_{target}"] for target in targets]
        adapted: Tensor = LoraProduct.apply(  # type: ignore[no-untyped-call]
            x, dropped, matrix, name, self.rows[name], self.scale, a, *b
        )
        return adapted

    def matrices(self) -> Iterator[tuple[int, str, Tensor, Tensor]]:
        """(layer, target, A [rank, in], B [out, rank]) of every adapted linear."""
        for layer in self.layers:
            for targets in self.targets.values():
                for index, target in enumerate(targets):
                    start = index * self.rank
                    a = self.a[f"{layer}_{targets[0]}"][start : start + self.rank]
                    yield layer, target, a.detach(), self.b[f"{layer}_{target}"].detach()
