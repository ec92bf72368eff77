"""What the models must beat: hand rules, and logistic regression and boosting on the same features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.events import CHANNELS, Floats

COLUMN = {name: place for place, name in enumerate(NAMES)}
INSTANT, ONLINE = CHANNELS.index("instant"), CHANNELS.index("online")


def hand_rules(features: Floats) -> NDArray[np.float64]:
    """Points [B] of seven rules an analyst would write on causal features [B, F]: new payee, pace, collecting,
    pass-through, testing. A comparison with NaN does not hold."""
    value = {name: features[:, place] for name, place in COLUMN.items()}
    stranger = (value["pair_count"] == 0) & (value["channel"] == INSTANT)
    recent = value["payer_in_since"] < 3
    rules = (
        (stranger & (value["amount_to_largest"] > 1.5)) * 1.0,
        (stranger & (value["payer_out_new_24h"] >= 2)) * 1.0,
        (stranger & (value["payee_in_distinct_24h"] >= 3) & (value["payee_in_new_share"] > 0.5)) * 2.0,
        (stranger & (value["payee_out_count_24h"] >= 1) & (value["payee_out_to_in_24h"] > 0.5)) * 2.0,
        (stranger & recent & (value["amount_to_in_24h"] > 0.5)) * 2.0,
        ((value["small_1h"] >= 2) & (value["channel"] == ONLINE)) * 2.0,
        (stranger & (value["night"] > 0)) * 1.0,
    )
    points: NDArray[np.float64] = np.sum(rules, axis=0)
    return points


def learned(
    features: Floats, labels: NDArray[np.bool_], tests: list[Floats]
) -> dict[str, list[NDArray[np.float64]]]:
    """Scores of logistic regression and histogram boosting, fitted on [N, F], for each test [M, F].

    Logistic regression reads what is not measured as 0.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    regression = make_pipeline(
        FunctionTransformer(np.nan_to_num), StandardScaler(), LogisticRegression(max_iter=200)
    )
    models = {
        "logistic_regression": regression,
        "hist_gradient_boosting": HistGradientBoostingClassifier(
            max_iter=300, learning_rate=0.06, max_leaf_nodes=15, l2_regularization=1.0, random_state=0
        ),
    }
    measured = np.isfinite(features).any(axis=0)  # the sides that no payment names are no columns for these
    scores = {}
    for name, model in models.items():
        model.fit(features[:, measured], labels)
        scores[name] = [model.predict_proba(test[:, measured])[:, 1] for test in tests]
    return scores
