"""Accounts as nodes, without time: boosting on aggregates of one and of two hops (AMLSim, Tolokers).

Transductive, as published: a test node's unlabelled links are used. Not the serving path; it shows what a second hop
is worth where fraud is in the graph.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from pathlib import Path

import lightgbm as lgb
import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from models_zoo.fraud import metrics

GRAPH = "fraud_amlsim_20k/20K_fanin200cycle200"
TOLOKERS = "fraud_tolokers_graph/tolokers.npz"
SETTINGS = {
    "objective": "binary", "num_leaves": 15, "min_data_in_leaf": 20, "bagging_freq": 1, "lambda_l2": 5,
    "verbose": -1, "num_threads": 1, "deterministic": True,
}  # fmt: skip
AMLSIM = SETTINGS | {"learning_rate": 0.05, "feature_fraction": 0.5, "bagging_fraction": 0.8}
WORKERS = SETTINGS | {"learning_rate": 0.03, "feature_fraction": 0.4, "bagging_fraction": 0.7}
Matrix = NDArray[np.float64]
Labels = NDArray[np.bool_]


def amlsim(root: Path, say: Callable[[str], None]) -> dict[str, float]:
    """Average precision of accounts over five folds, one hop against one and two, with the paired interval."""
    labels, one, two = _amlsim_features(root)
    say(
        f"AMLSim: {len(labels)} accounts, {int(labels.sum())} fraud; {one.shape[1]} and {two.shape[1]} aggregates"
    )
    first, second = (_folds(rows, labels) for rows in (one, np.hstack([one, two])))
    gain, low, high = metrics.paired_interval(labels, second, first)
    return {
        "amlsim_1hop_ap": _mean_ap(labels, first),
        "amlsim_2hop_ap": _mean_ap(labels, second),
        "amlsim_hop_gain": round(_mean_ap(labels, second) - _mean_ap(labels, first), 4),
        "amlsim_hop_gain_pooled": gain,
        "amlsim_hop_gain_low": low,
        "amlsim_hop_gain_high": high,
    }


def _split(labels: Labels) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import StratifiedKFold

    return list(StratifiedKFold(5, shuffle=True, random_state=0).split(labels, labels))


def _folds(rows: Matrix, labels: Labels) -> NDArray[np.float64]:
    scores = np.zeros(len(labels))
    for train, test in _split(labels):
        scores[test] = lgb.train(AMLSIM, lgb.Dataset(rows[train], labels[train]), 250).predict(rows[test])
    return scores


def _mean_ap(labels: Labels, scores: NDArray[np.float64]) -> float:
    found = [metrics.average_precision(labels[test], scores[test]) for _, test in _split(labels)]
    return round(float(np.mean(found)), 4)


def _amlsim_features(root: Path) -> tuple[Labels, Matrix, Matrix]:
    with gzip.open(root / f"{GRAPH}.nodes.csv.gz", "rt") as lines:
        nodes = list(csv.DictReader(lines))
    with gzip.open(root / f"{GRAPH}.transactions.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines))
    place = {row["nodeid"]: at for at, row in enumerate(nodes)}
    source, target = (np.array([place[row[f"{end}NodeId"]] for row in rows]) for end in ("source", "target"))
    value, time = (
        np.array([float(row["value"]) for row in rows]),
        np.array([float(row["time"]) for row in rows]),
    )
    count = len(nodes)
    ends = ((source, target), (target, source))
    sides = [_aggregates(key, other, value, time, count) for key, other in ends]
    balance = np.array([[float(row["init_balance"])] for row in nodes])
    both = np.hstack([_spread(key, np.hstack(sides)[other], count) for key, other in ends])
    labels = np.array([row["isFraud"] == "1" for row in nodes])
    return labels, np.hstack([*sides, balance]), both


def _aggregates(
    key: NDArray[np.int64], other: NDArray[np.int64], value: Matrix, time: Matrix, count: int
) -> Matrix:
    """Per account [count, 12]: number, sum, mean, spread, quantiles, first and last time, different peers and so on."""
    order = np.argsort(key, kind="stable")
    cuts = np.searchsorted(key[order], np.arange(count + 1))
    found = np.full((count, 12), np.nan)
    for node in np.nonzero(np.diff(cuts))[0]:
        own = order[cuts[node] : cuts[node + 1]]
        amounts, times = value[own], time[own]
        found[node] = (
            len(own), amounts.sum(), amounts.mean(), amounts.std(), amounts.min(), np.median(amounts), amounts.max(),
            times.min(), times.max(), len(set(other[own])), len(set(amounts)), len(set(times)),
        )  # fmt: skip
    return found


def _spread(key: NDArray[np.int64], rows: Matrix, count: int) -> Matrix:
    """Mean, least and largest of the neighbours' rows [E, F] at each account: [count, 3 F]."""
    filled, known = np.nan_to_num(rows), np.isfinite(rows)
    shape = (count, rows.shape[1])
    total, number = np.zeros(shape), np.zeros(shape)
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
    np.add.at(total, key, filled)
    np.add.at(number, key, known)
    np.minimum.at(low, key, np.where(known, rows, np.inf))
    np.maximum.at(high, key, np.where(known, rows, -np.inf))
    found = np.hstack([total / np.where(number > 0, number, np.nan), low, high])
    found[~np.isfinite(found)] = np.nan
    return found


def tolokers(root: Path, splits: int, say: Callable[[str], None]) -> dict[str, float]:
    """AUC over the fixed splits: own features, means of one and two hops, and training labels of the neighbours."""
    given = np.load(root / TOLOKERS)
    labels, edges = given["node_labels"].astype(bool), given["edges"]
    count = len(labels)
    ends = np.concatenate([edges, edges[:, ::-1]])
    links = sparse.csr_matrix((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), (count, count))
    degree = np.asarray(links.sum(axis=1)).ravel()
    mean = sparse.diags(1 / np.maximum(degree, 1)) @ links
    own = given["node_features"].astype(float)
    near = mean @ own
    fixed = np.column_stack([own, degree, near, mean @ near, mean @ degree, mean @ (mean @ degree)])
    found = []
    for at in range(splits):
        train, test = (given[f"{part}_masks"][at].astype(bool) for part in ("train", "test"))
        rows = np.column_stack([fixed, *_neighbour_labels(links, degree, labels, train)])
        data = lgb.Dataset(rows[train], labels[train], free_raw_data=False)
        models = [lgb.train(WORKERS | {"seed": seed}, data, 300) for seed in range(3)]
        scores = np.sum([model.predict(rows[test]) for model in models], axis=0)
        found.append(metrics.roc_auc(labels[test], scores))
        say(f"Tolokers, split {at}: AUC {found[-1]:.4f}")
    return {
        "tolokers_auc": round(float(np.mean(found)), 4),
        "tolokers_auc_deviation": round(float(np.std(found)), 4),
    }


def _neighbour_labels(
    links: sparse.csr_matrix, degree: NDArray[np.float64], labels: Labels, train: Labels
) -> list[NDArray[np.float64]]:
    """Rate of the training labels one and two hops away (a node's own left out), and their number."""
    said, known, prior = (labels & train).astype(float), train.astype(float), labels[train].mean()
    one, number = links @ said, links @ known
    two, further = links @ one - degree * said, links @ number - degree * known
    return [(one + 5 * prior) / (number + 5), (two + 5 * prior) / (further + 5), number]
