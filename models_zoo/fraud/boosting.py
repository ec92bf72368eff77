"""The boosting expert: LightGBM on the causal features, its native text model as weights.

Frauds are rare, so training may see a part of the genuine payments only (`Settings.keep`, see `learning`); the scaling
that makes the raw score a probability is fitted on validation payments that are not thinned, which undoes it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.calibrating import calibration, sigmoid
from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.events import Floats

NAME = "boosting"
"""Of the expert, and of its folder in a bundle."""
FOLDER = Path(__file__).parent / "weights" / NAME
MODEL, CARD = "model.txt", "card.json"
Labels = NDArray[np.bool_]
Scores = NDArray[np.float64]


class BoostingError(Exception):
    """The model is not the one that its card speaks of, or reads features that are not computed here."""


@dataclass(slots=True, frozen=True)
class Settings:
    """keep: share of genuine payments trained on. Trees stop after `patience` without a better validation AP.

    depth: splits on the longest way to a leaf, -1 without a bound; what TreeSHAP costs grows with its square.
    """

    rate: float = 0.04
    leaves: int = 15
    depth: int = -1
    rounds: int = 400
    patience: int = 80
    smallest_leaf: int = 20
    feature_share: float = 0.5
    row_share: float = 0.8
    l2: float = 5.0
    keep: float = 0.3
    seed: int = 7


@dataclass(slots=True, frozen=True)
class Boosting:
    """A trained model with the scale and shift of its raw score. LightGBM runs on the calling thread alone."""

    model: lgb.Booster
    scale: float
    shift: float
    columns: NDArray[np.int64]

    def logits(self, features: Floats) -> Scores:
        """Calibrated logit float64 [N] of causal features float32 [N, len(NAMES)]."""
        if not len(features):
            return np.zeros(0)
        raw = self.model.predict(features[:, self.columns], raw_score=True, num_threads=1)
        return np.asarray(raw, np.float64) * self.scale + self.shift

    def probabilities(self, features: Floats) -> Scores:
        """Calibrated probability of fraud float64 [N]."""
        return sigmoid(self.logits(features))

    def attributions(self, features: Floats) -> Scores:
        """What each feature adds to the calibrated logit, float64 [N, len(NAMES) + 1], the constant last (TreeSHAP)."""
        found = np.zeros((len(features), len(NAMES) + 1))
        if len(features):
            shares = self.model.predict(features[:, self.columns], pred_contrib=True, num_threads=1)
            found[:, [*self.columns, len(NAMES)]] = np.asarray(shares) * self.scale
            found[:, -1] += self.shift
        return found


def fit(
    features: Floats,
    labels: Labels,
    later: Floats,
    later_labels: Labels,
    settings: Settings,
    names: tuple[str, ...] = NAMES,
    threads: int = 1,
) -> Boosting:
    """Train on [N, len(NAMES)], with rounds and calibration from later payments [M, len(NAMES)].

    Reads the features of `names` alone. Raises ValueError without frauds or genuine payments in either.
    """
    for which in (labels, later_labels):
        if which.all() or not which.any():
            raise ValueError("training and validation need both frauds and genuine payments")
    grown = grow(features, labels, settings, names, (later, later_labels), threads)
    scale, shift = calibration(grown.logits(later), later_labels)
    return replace(grown, scale=scale, shift=shift)


def grow(
    features: Floats,
    labels: Labels,
    settings: Settings,
    names: tuple[str, ...] = NAMES,
    later: tuple[Floats, Labels] | None = None,
    threads: int = 1,
) -> Boosting:
    """Train on all of [N, len(NAMES)], not calibrated; all rounds, or until `later` payments are ranked no better."""
    columns = np.array([NAMES.index(name) for name in names])
    train = lgb.Dataset(features[:, columns], labels, feature_name=list(names))
    if later is None:
        return Boosting(lgb.train(_parameters(settings, threads), train, settings.rounds), 1.0, 0.0, columns)
    validation = train.create_valid(later[0][:, columns], later[1])
    stop = lgb.early_stopping(settings.patience, verbose=False)
    model = lgb.train(
        _parameters(settings, threads), train, settings.rounds, valid_sets=[validation], callbacks=[stop]
    )
    best = lgb.Booster(model_str=model.model_to_string(num_iteration=model.best_iteration))
    return Boosting(best, 1.0, 0.0, columns)


def _parameters(settings: Settings, threads: int) -> dict[str, Any]:
    return {
        "objective": "binary",
        "metric": "average_precision",
        "learning_rate": settings.rate,
        "num_leaves": settings.leaves,
        "max_depth": settings.depth,
        "min_data_in_leaf": settings.smallest_leaf,
        "feature_fraction": settings.feature_share,
        "bagging_fraction": settings.row_share,
        "bagging_freq": 1,
        "lambda_l2": settings.l2,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbose": -1,
    }


def save(expert: Boosting, folder: Path, card: dict[str, Any]) -> dict[str, Any]:
    """Write the model and its card, completed by digest, calibration and features; returns the card."""
    folder.mkdir(parents=True, exist_ok=True)
    expert.model.save_model(str(folder / MODEL))
    raw = (folder / MODEL).read_bytes()
    whole = card | {
        "digest": sha256(raw).hexdigest(),
        "bytes": len(raw),
        "trees": expert.model.num_trees(),
        "calibration": {"scale": expert.scale, "shift": expert.shift},
        "features": expert.model.feature_name(),
    }
    (folder / CARD).write_text(json.dumps(whole, indent=2) + "\n")
    return whole


def load(folder: Path = FOLDER) -> Boosting:
    """The expert of a folder. Raises BoostingError if its parts do not belong together, OSError if one is missing."""
    card, raw = json.loads((folder / CARD).read_text()), (folder / MODEL).read_bytes()
    if sha256(raw).hexdigest() != card["digest"]:
        raise BoostingError(f"{folder}: {MODEL} is not the one of {CARD}")
    model = lgb.Booster(model_str=raw.decode())
    strange = sorted(set(model.feature_name()) - set(NAMES))
    if strange:
        raise BoostingError(f"{folder}: reads features that are not computed: {', '.join(strange)}")
    columns = np.array([NAMES.index(name) for name in model.feature_name()])
    return Boosting(model, card["calibration"]["scale"], card["calibration"]["shift"], columns)
