"""The simple thing beside every shipped adapter, learned from the same training data and measured by the same figures.

    ROOTSTOCK_DATA=../shared/data python tests/bench/zoo_baselines.py [--only NAME]

Classifiers: TF-IDF of words and pairs of words with logistic regression, thresholds chosen as the adapter's are.
Taggers: the mentions of the training data, the longest first, where they were marked more often than not. Summaries:
the first sentences of the conversation. Narratives: the facts as they stand. An adapter that is no better than this
does not ship.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import MultiLabelBinarizer

from models_zoo.llm.card import AdapterCard
from models_zoo.llm.scores import given_labels
from models_zoo.zoo.cards import CARDS, card_read
from models_zoo.zoo.files import DATA, Row
from models_zoo.zoo.measures import measured
from models_zoo.zoo.recipe import read_recipe
from models_zoo.zoo.tasks import TRAIN, VALIDATION, Task, shipped, task_of
from tests.bench.report import report

Given = Callable[[Sequence[Row]], list[Any]]
"""What is given for each example of a part."""
WORDS = 60  # of a summary
STRENGTH = 10.0  # of the regression: scikit-learn's C


def words_and_regression(task: Task, data: Path, several: bool) -> Given:
    """TF-IDF and logistic regression; several: any number of labels a text."""
    rows = task.examples(data, TRAIN)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    table = words.fit_transform(row["text"] for row in rows)
    regression = LogisticRegression(C=STRENGTH, max_iter=300)
    if several:
        names = MultiLabelBinarizer()
        model = OneVsRestClassifier(regression).fit(
            table, names.fit_transform([row["labels"] for row in rows])
        )
        labels = tuple(map(str, names.classes_))
    else:
        model = regression.fit(table, [row["labels"][0] for row in rows])
        labels = tuple(map(str, model.classes_))

    def probabilities(some: Sequence[Row]) -> NDArray[np.float64]:
        found = model.predict_proba(words.transform(row["text"] for row in some))
        return np.asarray(
            found[:, -len(labels) :], dtype=np.float64
        )  # of one label alone: the chance of none too

    held = task.examples(data, VALIDATION)
    thresholds = task.settle(probabilities(held), held, labels) if task.settle else {}
    card = AdapterCard("words", "classification", "", labels, several, thresholds=thresholds)
    return lambda some: [
        given_labels(card, dict(zip(labels, one, strict=True))) for one in probabilities(some)
    ]


def known_mentions(task: Task, data: Path) -> Given:
    """Mentions of the training data, where more of their occurrences are marked than not."""
    rows = task.examples(data, TRAIN)
    marked: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for start, end, label in row["spans"]:
            marked[row["text"][start:end].lower()][label] += 1
    seen: Counter[str] = Counter()
    every = _any_of(marked)
    for row in rows:
        seen.update(found.group().lower() for found in every.finditer(row["text"]))
    kept = {
        text: labels.most_common(1)[0][0]
        for text, labels in marked.items()
        if 2 * labels.total() > seen[text]
    }
    pattern = _any_of(kept)
    return lambda some: [
        [(one.start(), one.end(), kept[one.group().lower()]) for one in pattern.finditer(row["text"])]
        for row in some
    ]


def _any_of(texts: Any) -> re.Pattern[str]:
    longest = sorted(texts, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", re.IGNORECASE)


def first_words(some: Sequence[Row]) -> list[str]:
    """What is asked about, without the order that stands before it, cut after so many words."""
    texts = [row["messages"][0]["content"].partition("\n\n")[2] for row in some]
    return [" ".join(text.split()[:WORDS]) for text in texts]


def simple(task: Task, data: Path) -> Given:
    """The simple thing for a task."""
    values, _ = read_recipe(task)
    if values["task"] == "classification":
        return words_and_regression(task, data, bool(values.get("multi_label")))
    return known_mentions(task, data) if values["task"] == "tagging" else first_words


def figures_of(name: str) -> dict[tuple[str, str], float]:
    """What the adapter's card says; nothing where it is not measured yet."""
    if not (CARDS / f"{name}.json").is_file():
        return {}
    return {(one["part"], one["name"]): one["value"] for one in card_read(name).figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for name in options.only or shipped():
        task = task_of(name)
        given = simple(task, options.data)
        ours = figures_of(name)
        for part, measure in task.measures.items():
            rows = task.examples(options.data, part)
            for figure, found in measured(measure, rows, given(rows)).items():
                figures[f"{name} {part} {figure}"] = round(found.value, 4)
                told = f"{found.value:.4f}, adapter {ours.get((part, figure), float('nan')):.4f}"
                sys.stderr.write(f"{name} {part} {figure}: {told}\n")
    report("zoo_baselines", figures, ())


if __name__ == "__main__":
    main()
