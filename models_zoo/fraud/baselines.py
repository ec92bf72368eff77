"""What the network must beat: hand rules, and logistic regression and boosting on the same tabular features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.events import Floats
from models_zoo.fraud.features import NAMES

COLUMN = {name: place for place, name in enumerate(NAMES)}


def hand_rules(features: Floats) -> NDArray[np.float64]:
    """Points [B] of seven rules an analyst would write: new payee, pace, collecting, pass-through, testing."""
    value = {name: features[:, place] for name, place in COLUMN.items()}
    stranger = (value["pair_count"] == 0) & (value["channel_instant"] > 0)
    recent = (value["in_since"] >= 0) & (value["in_since"] < np.log1p(180))
    rules = (
        (stranger & (value["out_ratio_max"] > 0.4)) * 1.0,
        (stranger & (value["out_new_24h"] >= 2)) * 1.0,
        (stranger & (value["payee_in_payers_24h"] >= 3) & (value["payee_new_payers"] > 0.5)) * 2.0,
        (stranger & (value["payee_out_count_24h"] >= 1) & (value["payee_out_to_in_24h"] > -0.7)) * 2.0,
        (stranger & recent & (value["amount_to_in_24h"] > -0.7)) * 2.0,
        ((value["small_1h"] >= 2) & (value["channel_online"] > 0)) * 2.0,
        (stranger & (value["night"] > 0)) * 1.0,
    )
    points: NDArray[np.float64] = np.sum(rules, axis=0)
    return points


def learned(
    features: Floats, labels: NDArray[np.bool_], tests: list[Floats]
) -> dict[str, list[NDArray[np.float64]]]:
    """Scores of logistic regression and histogram boosting, fitted on [N, F], for each test [M, F]."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    models = {
        "logistic_regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
        "hist_gradient_boosting": HistGradientBoostingClassifier(
            max_iter=300, learning_rate=0.06, max_leaf_nodes=15, l2_regularization=1.0, random_state=0
        ),
    }
    scores = {}
    for name, model in models.items():
        model.fit(features, labels)
        scores[name] = [model.predict_proba(test)[:, 1] for test in tests]
    return scores
