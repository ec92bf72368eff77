"""Scores for serving: one forward for a batch, with contributions and reasons."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor

from models_zoo.fraud.card import WEIGHTS, Card, read_card
from models_zoo.fraud.features import GROUPS, NAMES
from models_zoo.fraud.history import Neighbourhood
from models_zoo.fraud.nets import PARTS, FraudNet, Inputs
from models_zoo.fraud.reasons import Reason, reasons


class WeightsError(Exception):
    """The weights are not those that the card speaks of, or not of this network."""


@dataclass(slots=True, frozen=True)
class Score:
    """Calibrated probability of fraud, its outcome, each part's share in logits, and the reasons."""

    probability: float
    outcome: str
    contributions: dict[str, float]
    reasons: list[Reason]


class Scorer:
    """The shipped network on the CPU. Not for use by two threads at once."""

    def __init__(self, folder: Path = WEIGHTS) -> None:
        self.card: Card = read_card(folder)
        raw = (folder / "model.safetensors").read_bytes()
        if sha256(raw).hexdigest() != self.card.digest:
            raise WeightsError(f"{folder}: model.safetensors is not the one of card.json")
        self.net = FraudNet()
        try:
            self.net.load_state_dict(load(raw))
        except RuntimeError as error:
            raise WeightsError(f"{folder}: {error}") from None
        self.net.eval()
        self._groups = _group_mask()

    @torch.inference_mode()
    def score(self, near: Neighbourhood) -> list[Score]:
        """A score for each of the B payments, in order."""
        if not len(near):
            return []
        given = Inputs.of(near)
        parts = self.net.parts(given)
        logit = self.net.calibrated(self.net.fuse(parts))
        moved = logit[:, None] - self._without_groups(given.features, parts)
        shares = self.net.contributions(parts)
        rows = zip(
            torch.sigmoid(logit).tolist(),
            given.features.tolist(),
            moved.tolist(),
            shares.tolist(),
            strict=True,
        )
        return [self._score(*row) for row in rows]

    def _without_groups(self, features: Tensor, parts: Tensor) -> Tensor:
        """Calibrated logit [B, G] with each group of features put to a typical genuine payment's."""
        count, width = len(self._groups), self.net.width
        mixed = torch.where(self._groups[None], self.net.typical, features[:, None])
        tabular = self.net.tabular(mixed.flatten(0, 1)).view(-1, count, width)
        others = parts[:, None, 1:].expand(-1, count, -1, -1)
        fused = self.net.fuse(torch.cat([tabular[:, :, None], others], 2).flatten(0, 1))
        return self.net.calibrated(fused).view(-1, count)

    def _score(self, probability: float, row: list[float], moved: list[float], shares: list[float]) -> Score:
        contributions = {part: round(share, 4) for part, share in zip(PARTS, shares, strict=True)}
        outcome = self.card.outcome(probability)
        values = dict(zip(NAMES, row, strict=True))
        by_group = dict(zip(GROUPS, moved, strict=True))
        told = reasons(values, by_group, contributions)
        return Score(round(probability, 6), outcome, contributions, told)


def _group_mask() -> Tensor:
    """Mask [G, F]: which columns belong to each group."""
    mask = torch.zeros(len(GROUPS), len(NAMES), dtype=torch.bool)
    for place, names in enumerate(GROUPS.values()):
        mask[place, [NAMES.index(name) for name in names]] = True
    return mask
