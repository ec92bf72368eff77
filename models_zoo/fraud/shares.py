"""What groups of features add to a raw score: TreeSHAP (Lundberg et al. 2020) from tables, LightGBM's numbers in a
fraction of its time, which counts where a flood of payments wants reasons.

What a leaf gives to the features of its path depends only on which of them turn away from it, so all 2^d answers are
worked out once. Of a payment the turns that it takes in a tree are one number; payments that take the same turns
there are looked up once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from models_zoo.fraud.boosting import Boosting
from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.events import Floats
from models_zoo.fraud.subjects import SUBJECT, SUBJECTS, by_subject
from models_zoo.fraud.trees import Tree, below, parsed

WIDEST, MOST_SPLITS = 8, 48
"""Splits on the way to a leaf, so that those that turn away fit a byte; splits of a tree, so that its turns fit 8."""
NIBBLE = 4
"""Splits that are looked up together."""
ROWS, LEAVES = 64, 256
"""Payments, and leaves of new tables, at a time."""
_at, _weights = np.polynomial.legendre.leggauss(WIDEST // 2)
POINTS, WEIGHTS = (_at + 1) / 2, _weights / 2
"""Gauss-Legendre on [0, 1], exact for what is integrated here."""

Logits = NDArray[np.float64]
Ways = dict[int, list[tuple[int, bool]]]
"""Of each feature on a path its splits, and whether the path goes on to the left."""


def shares_of(expert: Boosting) -> Callable[[Floats], Logits]:
    """What each of SUBJECTS adds to the calibrated logits of causal features float32 [B, len(NAMES)]: [B, subjects].

    From tables, which take a second to make; by LightGBM itself where the trees are too large for them.
    """
    groups = np.array([SUBJECTS.index(SUBJECT[NAMES[column]]) for column in expert.columns])
    try:
        shares = Shares(expert.model.model_to_string(), groups, len(SUBJECTS))
    except ValueError:
        return by_treeshap(expert)
    return lambda features: shares(features[:, expert.columns]) * expert.scale


def by_treeshap(expert: Boosting) -> Callable[[Floats], Logits]:
    """The same by LightGBM itself."""
    return lambda features: by_subject(expert.attributions(features)[:, :-1])


class _Leaf(NamedTuple):
    tree: int
    place: int
    value: float
    ways: Ways
    passing: list[float]
    """Of each feature the share of the training payments at its splits that went on towards the leaf."""


class Shares:
    """The tables of a model, tens of megabytes. `groups` int64 [F]: the group of each of its features, of `count`.

    Raises ValueError for trees that are too deep or too large for tables.
    """

    def __init__(self, text: str, groups: NDArray[np.int64], count: int) -> None:
        trees = parsed(text)
        splits = max(len(one.feature) for one in trees)
        if max(one.depth() for one in trees) > WIDEST or splits > MOST_SPLITS:
            raise ValueError(f"trees of {splits} splits are too deep or too large for tables")
        self._splits = -(-splits // 8) * 8
        self._feature, self._threshold = _conditions(trees, self._splits, len(groups))
        leaves = [leaf for number, tree in enumerate(trees) for leaf in _leaves(number, tree)]
        shape = len(trees), max(len(tree.values) for tree in trees)
        self._start = np.zeros(shape, np.int64)  # row 0 of the table is for leaves that are not there
        self._away = np.zeros((shape[0], self._splits // NIBBLE, 2**NIBBLE, shape[1]), np.uint8)
        _turned_away(leaves, self._away)
        self._table = torch.from_numpy(self._filled(leaves, groups, count))

    def __call__(self, features: Floats) -> Logits:
        """What each group adds to the raw scores of the model's features float32 [B, F]: [B, count]."""
        pieces = [self._added(features[at : at + ROWS]) for at in range(0, len(features), ROWS)]
        return np.concatenate(pieces) if pieces else np.zeros((0, self._table.shape[1]))

    def _added(self, features: Floats) -> Logits:
        given = features.T  # what is missing is never below a threshold, and -inf always
        either = np.concatenate([np.where(np.isnan(given), np.float32(-np.inf), given), given])
        left = either[self._feature] <= self._threshold
        turns = np.packbits(left, axis=1, bitorder="little").astype(np.int64)
        keys = (turns << (8 * np.arange(turns.shape[1]))[:, None]).sum(1)
        keys += np.arange(len(keys))[:, None] << self._splits
        ways, which = np.unique(keys, return_inverse=True)
        of_trees = torch.nn.functional.embedding_bag(self._rows(ways), self._table, mode="sum")
        trees = torch.from_numpy(np.ascontiguousarray(which.reshape(keys.shape).T))
        whole = torch.nn.functional.embedding_bag(trees, of_trees, mode="sum")
        return whole.numpy().astype(np.float64)

    def _rows(self, ways: NDArray[np.int64]) -> torch.Tensor:
        """Rows [U, leaves] of the table for the turns [U] that are taken in a tree."""
        tree, away = ways >> self._splits, np.zeros((len(ways), self._away.shape[-1]), np.uint8)
        for place in range(self._away.shape[1]):
            away |= self._away[tree, place, (ways >> (NIBBLE * place)) & (2**NIBBLE - 1)]
        return torch.from_numpy(self._start[tree] + away)

    def _filled(self, leaves: list[_Leaf], groups: NDArray[np.int64], count: int) -> Floats:
        table = [np.zeros((1, count), np.float32)]
        end = 1
        for width in sorted({len(leaf.ways) for leaf in leaves}):
            alike = [leaf for leaf in leaves if len(leaf.ways) == width]
            for first in range(0, len(alike), LEAVES):
                some = alike[first : first + LEAVES]
                for leaf in some:
                    self._start[leaf.tree, leaf.place] = end
                    end += 2**width
                table.append(_shapley(some, width, groups, count))
        return np.concatenate(table)


def _conditions(trees: list[Tree], splits: int, features: int) -> tuple[NDArray[np.int64], Floats]:
    """Feature [T, splits] and threshold [T, splits, 1]; where what is missing goes right, `features` are added."""
    feature, threshold = (
        np.zeros((len(trees), splits), np.int64),
        np.zeros((len(trees), splits, 1), np.float32),
    )
    for number, tree in enumerate(trees):
        own = range(len(tree.feature))
        feature[number, own] = [tree.feature[one] + features * (not tree.missing_left(one)) for one in own]
        threshold[number, own, 0] = below(tree.threshold)
    return feature, threshold


def _leaves(number: int, tree: Tree) -> list[_Leaf]:
    """The leaves of a tree; one that is nothing but a leaf gives nothing to any feature."""
    found: list[_Leaf] = []
    waiting: list[tuple[int, Ways, dict[int, float]]] = [(0, {}, {})] if tree.feature else []
    while waiting:
        node, ways, passing = waiting.pop()
        if node < 0:
            found.append(_Leaf(number, ~node, tree.values[~node], ways, list(passing.values())))
            continue
        feature = tree.feature[node]
        for child, left in ((tree.left[node], True), (tree.right[node], False)):
            share = tree.size(child) / tree.size(node)
            further = ways | {feature: [*ways.get(feature, []), (node, left)]}
            waiting.append((child, further, passing | {feature: passing.get(feature, 1.0) * share}))
    return found


def _turned_away(leaves: list[_Leaf], away: NDArray[np.uint8]) -> None:
    """Set, for the turns of each nibble [T, splits / 4, 16, leaves], the bits of the features that turn away."""
    turned = np.array(
        [
            (leaf.tree, leaf.place, split, left, bit)
            for leaf in leaves
            for bit, ways in enumerate(leaf.ways.values())
            for split, left in ways
        ],
        np.int64,
    ).reshape(-1, 5)
    turns = np.arange(2**NIBBLE)
    for place in range(NIBBLE):
        for left in (0, 1):  # a split is on a path once, so no cell is met twice here
            chosen = turned[(turned[:, 2] % NIBBLE == place) & (turned[:, 3] == left)]
            tree, leaf, split, _, bit = chosen.T[:, :, None]
            wrong = turns[(turns >> place) & 1 != left]
            away[tree, split // NIBBLE, wrong, leaf] |= (1 << bit).astype(np.uint8)


def _shapley(leaves: list[_Leaf], width: int, groups: NDArray[np.int64], count: int) -> Floats:
    """Rows [L * 2^width, count]: what leaves of `width` features give to the groups, by the features that turn away.

    A feature's weight is the mean over all orders of the other ones, an integral over [0, 1] of their product.
    """
    stays = 1 - ((np.arange(2**width)[:, None] >> np.arange(width)) & 1).astype(np.float32)
    passing = np.array([leaf.passing for leaf in leaves], np.float32)[:, None, :]
    value = np.array([leaf.value for leaf in leaves])[:, None]
    rows = np.zeros((len(leaves), 2**width, count), np.float32)
    weight = np.zeros((len(leaves), 2**width, width), np.float32)
    for at, share in zip(POINTS.tolist(), WEIGHTS.tolist(), strict=True):
        factor = passing * (1 - at) + stays * at
        weight += share * factor.prod(-1, keepdims=True) / factor
    every = np.arange(len(leaves))
    for place in range(width):
        group = groups[[list(leaf.ways)[place] for leaf in leaves]]
        rows[every, :, group] += value * ((stays - passing) * weight)[..., place]
    return rows.reshape(-1, count)
