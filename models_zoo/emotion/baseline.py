"""The simple model that the adapter has to beat: TF-IDF of words and word pairs, logistic regression per label."""

from collections.abc import Sequence

import numpy as np

from models_zoo.emotion.dataset import Example
from models_zoo.emotion.labels import LABELS
from models_zoo.emotion.thresholds import Probabilities, targets


def fit_predict(train: Sequence[Example], *others: Sequence[Example]) -> list[Probabilities]:
    """Fit on `train` and return probabilities [examples, 28] for each of the other splits.

    Needs scikit-learn, which is part of the test dependencies (the product does not use it): ImportError without.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, strip_accents="unicode")
    features = vectorizer.fit_transform([example.text for example in train])
    model = OneVsRestClassifier(LogisticRegression(C=10.0, class_weight="balanced", solver="liblinear"))
    model.fit(features, targets([example.labels for example in train], LABELS))
    return [
        np.asarray(model.predict_proba(vectorizer.transform([example.text for example in split])))
        for split in others
    ]
