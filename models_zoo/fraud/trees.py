"""The boosting expert's trees as tensors: the same raw scores as LightGBM's, on any device, without LightGBM.

Every tree is walked level by level for all payments at once; a leaf is a node that leads to itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models_zoo.fraud.events import Floats

MISSING_IS_NAN, DEFAULT_LEFT, CATEGORICAL = 8, 2, 1
"""Bits of LightGBM's decision_type (bits 2 and 3 together say what counts as missing)."""


class Trees(nn.Module):
    """T trees of at most M nodes. Reads its columns of causal features float32 [B, F]; gives raw scores [B]."""

    feature: Tensor
    threshold: Tensor
    missing_left: Tensor
    branches: Tensor
    values: Tensor
    offset: Tensor

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        """From LightGBM's text format; `names` are the features' in their order. Raises ValueError for other trees."""
        super().__init__()
        head = text.split("\nTree=")[0]
        read = next(line for line in head.splitlines() if line.startswith("feature_names=")).split("=")[1]
        place = [names.index(name) for name in read.split()]
        trees = parsed(text)
        size = max(len(one.values) + len(one.feature) for one in trees)
        self.depth = max(one.depth() for one in trees)
        rows = [one.padded(size, place) for one in trees]
        for number, name in enumerate(("feature", "threshold", "missing_left", "branches", "values")):
            self.register_buffer(name, torch.stack([row[number] for row in rows]))
        self.register_buffer("offset", torch.arange(len(rows))[:, None] * size)

    def forward(self, features: Tensor) -> Tensor:
        """Raw scores float32 [B] of causal features float32 [B, F]."""
        given = features.T.contiguous()
        count = given.shape[1]
        row = torch.arange(count, device=given.device)
        node = self.offset.expand(-1, count)  # [T, B]: which node of all trees each payment is at
        feature, threshold = self.feature.flatten(), self.threshold.flatten()
        missing_left, branches = self.missing_left.flatten(), self.branches.view(-1, 2)
        for _ in range(self.depth):
            value = given[feature[node], row]
            left = torch.where(torch.isnan(value), missing_left[node], value <= threshold[node])
            node = branches[node, (~left).long()] + self.offset
        found: Tensor = self.values.flatten()[node].sum(0)
        return found


class Tree:
    """One tree of the text format: of its splits feature, threshold, kind and children (leaf n is ~n), of its leaves
    the values, of both how many training payments came there."""

    def __init__(self, text: str) -> None:
        lines = dict(line.split("=", 1) for line in text.splitlines()[1:] if "=" in line)
        self.values = [float(one) for one in lines["leaf_value"].split()]
        many = len(self.values) > 1
        self.feature = [int(one) for one in lines["split_feature"].split()] if many else []
        self.threshold = [float(one) for one in lines["threshold"].split()] if many else []
        self.kind = [int(one) for one in lines["decision_type"].split()] if many else []
        self.left = [int(one) for one in lines["left_child"].split()] if many else []
        self.right = [int(one) for one in lines["right_child"].split()] if many else []
        self.counts = [int(one) for one in lines["internal_count"].split()] if many else []
        self.leaf_counts = [int(one) for one in lines["leaf_count"].split()] if many else []
        if any(one & CATEGORICAL for one in self.kind):
            raise ValueError("a tree splits on categories")

    def depth(self) -> int:
        """Splits on the longest way to a leaf."""
        deep, waiting = 0, [(0, 1)] if self.feature else []
        while waiting:
            node, level = waiting.pop()
            deep = max(deep, level)
            waiting += [(child, level + 1) for child in (self.left[node], self.right[node]) if child >= 0]
        return deep

    def size(self, node: int) -> int:
        """Training payments that came to a split or a leaf."""
        return self.counts[node] if node >= 0 else self.leaf_counts[~node]

    def missing_left(self, split: int) -> bool:
        """Where a split sends what is not measured; if it knows nothing of that, as if it were 0."""
        kind = self.kind[split]
        nan = kind & 12 == MISSING_IS_NAN
        return bool(kind & DEFAULT_LEFT) if nan else self.threshold[split] >= 0

    def padded(self, size: int, place: list[int]) -> list[Tensor]:
        """feature, threshold, missing_left [size], children [size, 2] and values [size]; leaves follow the splits."""
        splits = len(self.feature)
        feature, values = torch.zeros(size, dtype=torch.long), torch.zeros(size)
        threshold, missing_left = torch.zeros(size), torch.zeros(size, dtype=torch.bool)
        threshold[:splits] = torch.from_numpy(below(self.threshold))
        children = torch.arange(size)[:, None].repeat(1, 2)
        for node in range(splits):
            feature[node] = place[self.feature[node]]
            missing_left[node] = self.missing_left(node)
            for side, child in enumerate((self.left[node], self.right[node])):
                children[node, side] = child if child >= 0 else splits + ~child
        values[splits : splits + len(self.values)] = torch.tensor(self.values)
        return [feature, threshold, missing_left, children, values]


def parsed(text: str) -> list[Tree]:
    """The trees of LightGBM's text format. Raises ValueError for trees that split on categories."""
    return [Tree(one) for one in text.split("\nTree=")[1:]]


def below(threshold: Sequence[float]) -> Floats:
    """The largest float32 that are not above float64 thresholds: what is compared with them is float32."""
    exact = np.array(threshold, np.float64)
    near = exact.astype(np.float32)
    found: Floats = np.where(near > exact, np.nextafter(near, np.float32(-np.inf)), near)
    return found


def read(folder: Path, names: tuple[str, ...]) -> Trees:
    """The trees of a boosting expert's folder."""
    return Trees((folder / "model.txt").read_text(), names)
