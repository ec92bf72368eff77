"""The whole scoring of prepared arrays on one device: boosting as tensors, both nets, fusion; for large batches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.experts.inputs import Inputs
from models_zoo.fraud.experts.stored import load
from models_zoo.fraud.trees import read


class Scored(NamedTuple):
    """Calibrated fused logits [B], and what each of `fusion.EXPERTS` adds to them [B, 3]."""

    logit: Tensor
    parts: Tensor


class Whole:
    """A bundle's experts on a device. Raises OSError, RuntimeError."""

    def __init__(self, folder: Path, device: str) -> None:
        own = json.loads((folder / "boosting" / "card.json").read_text())["calibration"]
        self.device, self.scale, self.shift = device, own["scale"], own["shift"]
        self.trees = read(folder / "boosting", NAMES).to(device)
        self.deep = load(folder)
        for net in (*self.deep.nets.values(), self.deep.fusion):
            net.to(device)

    @torch.inference_mode()
    def __call__(self, *arrays: Tensor, exact: bool = False) -> Scored:
        """Tensors of `Inputs` (values may be float16) and causal features float32 [B, F] -> Scored.

        Nets run in bfloat16 unless `exact`; every shape depends on B alone.
        """
        payment, binned, values, *rest, features = arrays
        given = Inputs(payment, binned, values.float(), *rest)
        boosting = self.trees(features) * self.scale + self.shift
        with torch.autocast(self.device, torch.bfloat16, enabled=not exact):
            raw = {name: net(given, whole=True)[1].float() for name, net in self.deep.nets.items()}
        found = {name: self.deep.scales[name](one) for name, one in raw.items()}
        return Scored(*self.deep.fuse(boosting, found))

    def graphed(self, arrays: list[Tensor]) -> Callable[[], Scored]:
        """Scoring of what these CUDA tensors hold at the time, as one CUDA graph; its answer is overwritten."""
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self(*arrays)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            found = self(*arrays)

        def run() -> Scored:
            graph.replay()
            return found

        return run
