"""A bundle with every expert, to time: if the shipped one has no nets yet, with nets that have learned nothing.

What a score costs does not depend on what the weights are.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from models_zoo.fraud.boosting import NAME
from models_zoo.fraud.card import WEIGHTS, read_card, write_card
from models_zoo.fraud.experts import stored
from models_zoo.fraud.experts.fusion import EXPERTS, Fusion
from models_zoo.fraud.experts.stored import NETS, Deep, Scale


def with_all_experts(folder: Path, shipped: Path = WEIGHTS) -> Path:
    """The shipped bundle, or one made of its boosting in an empty folder: the fusion decides, no floor."""
    card = read_card(shipped)
    if stored.FUSION in card.experts:
        return shipped
    torch.manual_seed(1)
    shutil.copytree(shipped / NAME, folder / NAME)
    nets: dict[str, torch.nn.Module] = {name: made().eval() for name, made in NETS.items()}
    save = Deep(nets, dict.fromkeys(NETS, Scale(1.0, -4.0)), Fusion().eval(), Scale(1.0, 0.0), -50.0)
    stored.save(save, folder)
    write_card(
        folder,
        {
            "experts": dict.fromkeys((NAME, *EXPERTS[1:], stored.FUSION), ""),
            "decides": stored.FUSION,
            "thresholds": {"review": card.review, "decline": card.decline},
            "label_delay_days": card.label_delay / 86400,
        },
    )
    return folder
