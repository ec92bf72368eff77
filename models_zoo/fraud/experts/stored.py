"""The nets and their fusion as parts of a bundle: safetensors and a small JSON each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import Tensor, nn

from models_zoo.fraud.experts.fusion import EXPERTS, Fusion
from models_zoo.fraud.experts.graph import GraphExpert
from models_zoo.fraud.experts.inputs import Inputs
from models_zoo.fraud.experts.sequence import SequenceExpert

NETS: dict[str, type[SequenceExpert] | type[GraphExpert]] = {"sequence": SequenceExpert, "graph": GraphExpert}
FUSION = "fusion"
Net = TypeVar("Net", bound=nn.Module)
WEIGHTS, SETTINGS = "model.safetensors", "settings.json"


@dataclass(slots=True, frozen=True)
class Scale:
    """Platt scaling of a raw logit, and `usual`, the mean calibrated logit of genuine payments."""

    scale: float
    shift: float
    usual: float = 0.0

    def __call__(self, raw: Tensor) -> Tensor:
        return raw * self.scale + self.shift


@dataclass(slots=True, frozen=True)
class Deep:
    """The nets with their scales, and the fusion with its own.

    floor: the calibrated logit of boosting below which the nets are not asked, as nothing is found there.
    """

    nets: dict[str, nn.Module]
    scales: dict[str, Scale]
    fusion: Fusion
    fused: Scale
    floor: float

    @torch.inference_mode()
    def logits(self, given: Inputs) -> dict[str, Tensor]:
        """Calibrated logits [B] of each net."""
        return {name: self.scales[name](net(given)[1]) for name, net in self.nets.items()}

    @torch.inference_mode()
    def fuse(self, boosting: Tensor, found: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Calibrated fused logit [B], and what each of EXPERTS adds to it beyond what is usual [B, 3]."""
        fused = self.fusion(torch.stack([boosting, *(found[name] for name in EXPERTS[1:])], 1))
        parts = (fused.parts - self.fusion.usual) * self.fused.scale
        return self.fused(fused.logit), parts


def save(deep: Deep, folder: Path) -> None:
    """Write nets and fusion into a bundle's folder; the bundle's card is written after them."""
    settings = {name: vars_of(scale) for name, scale in deep.scales.items()}
    settings[FUSION] = vars_of(deep.fused) | {"floor": deep.floor}
    for name, net in {**deep.nets, FUSION: deep.fusion}.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        weights = {key: value.detach().cpu().contiguous() for key, value in net.state_dict().items()}
        save_file(weights, folder / name / WEIGHTS)
        (folder / name / SETTINGS).write_text(json.dumps(settings[name], indent=2) + "\n")


def vars_of(scale: Scale) -> dict[str, object]:
    """A scale as JSON has it."""
    return {"scale": scale.scale, "shift": scale.shift, "usual": scale.usual}


def load(folder: Path) -> Deep:
    """The nets and the fusion of a bundle. Raises OSError if one is missing, RuntimeError if weights do not fit."""
    settings = {name: json.loads((folder / name / SETTINGS).read_text()) for name in (*NETS, FUSION)}
    scales = {name: Scale(one["scale"], one["shift"], one["usual"]) for name, one in settings.items()}
    nets: dict[str, nn.Module] = {name: _filled(made(), folder / name) for name, made in NETS.items()}
    fusion = _filled(Fusion(), folder / FUSION)
    return Deep(
        nets=nets,
        scales={name: scales[name] for name in NETS},
        fusion=fusion,
        fused=scales[FUSION],
        floor=settings[FUSION]["floor"],
    )


def _filled(net: Net, folder: Path) -> Net:
    net.load_state_dict(load_tensors((folder / WEIGHTS).read_bytes()))
    return net.eval()
