"""The Fraud Detection Handbook's simulated card payments, its split and its metrics.

Customers are payers, terminals payees. Labels arrive seven days after their payments; cards with a fraud that is
known by then are taken out of the test days, as in the book (chapter 3, "Baseline modeling").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models_zoo.fraud import metrics
from models_zoo.fraud.boosting import Settings, grow
from models_zoo.fraud.causal import GROUPS, NAMES
from models_zoo.fraud.causal.view import DAY, DELAY
from models_zoo.fraud.events import PAYMENT, WINDOW, Records
from models_zoo.fraud.streams import Past, replay, table, with_labels

FILE = "fraud_handbook_transactions/transactions_2018-04-01_2018-08-31.parquet"
SUNDAY = 1_522_540_800.0
"""2018-04-01 00:00 UTC, second 0 of the set."""
TERMINALS = 1_000_000
"""Added to a terminal's number: one key space for all entities."""
TEST_WEEK, VALIDATION_WEEK = 115, 108
"""First day of the training week; its test week begins 14 days later."""
WARM_UP = 30
Rows = NDArray[np.int64]


@dataclass(slots=True, frozen=True)
class Handbook:
    """The stream, with frauds bool [N], day int [N] and scenario int [N] (for the report alone, 0: genuine)."""

    past: Past
    frauds: NDArray[np.bool_]
    day: NDArray[np.int64]
    scenario: NDArray[np.int64]


def read(root: Path, window: int = WINDOW) -> Handbook:
    """The set in order of time; histories give `window` events."""
    names = (
        "TX_TIME_SECONDS",
        "CUSTOMER_ID",
        "TERMINAL_ID",
        "TX_AMOUNT_CENTS",
        "TX_FRAUD",
        "TX_FRAUD_SCENARIO",
    )
    table = pq.read_table(root / FILE, columns=["TRANSACTION_ID", *names])
    column = {name: table[name].to_numpy().astype(np.int64) for name in table.column_names}
    order = np.lexsort((column["TRANSACTION_ID"], column["TX_TIME_SECONDS"]))
    seconds, payer, payee, cents, fraud, scenario = (column[name][order] for name in names)
    batch: Records = np.zeros(len(order), PAYMENT)
    batch["time"], batch["amount"] = SUNDAY + seconds, cents / 100
    batch["payer"], batch["payee"] = payer + 1, payee + 1 + TERMINALS
    batch, labels = with_labels(batch, fraud == 1, DELAY)
    return Handbook(replay(batch, labels, window), fraud == 1, (seconds // DAY).astype(np.int64), scenario)


def test_rows(book: Handbook, first: int) -> Rows:
    """Rows of the test week that belongs to the training week from day `first` on."""
    payer, day = book.past.payment["payer"], book.day
    known = np.unique(payer[(day >= first) & (day < first + 7) & book.frauds])
    rows = []
    for after in range(7):
        known = np.union1d(known, payer[(day == first + 6 + after) & book.frauds])
        today = np.nonzero(day == first + 14 + after)[0]
        rows.append(today[~np.isin(payer[today], known)])
    return np.concatenate(rows)


def training_rows(book: Handbook, first: int, everything: bool, keep: float, seed: int) -> Rows:
    """Rows of the training week, or all before its end after a month of warm-up with a share of the genuine ones."""
    if not everything:
        return np.nonzero((book.day >= first) & (book.day < first + 7))[0]
    kept = book.frauds | (np.random.default_rng(seed).random(len(book.day)) < keep)
    return np.nonzero(kept & (book.day >= WARM_UP) & (book.day < first + 7))[0]


def unknowable(book: Handbook, rows: Rows) -> NDArray[np.bool_]:
    """Which rows are frauds of a taken-over terminal of which no fraud was known by then."""
    found = np.zeros(len(rows), bool)
    taken = np.nonzero((book.scenario[rows] == 2) & book.frauds[rows])[0]
    payee, time = book.past.payment["payee"], book.past.payment["time"]
    for place in taken.tolist():
        row = rows[place]
        earlier = (payee[:row] == payee[row]) & (book.scenario[:row] == 2) & (time[:row] <= time[row] - DELAY)
        found[place] = not (earlier & (time[:row] > time[row] - 28 * DAY - DELAY)).any()
    return found


def card_precision(book: Handbook, rows: Rows, scores: NDArray[np.float64], most: int = 100) -> float:
    """The book's card precision: frauds among the `most` cards with the highest score of each day; found cards go."""
    payer, day, gone, hits = book.past.payment["payer"][rows], book.day[rows], set[int](), []
    for today in np.unique(day):
        at = np.nonzero((day == today) & ~np.isin(payer, list(gone)))[0]
        cards, place = np.unique(payer[at], return_inverse=True)
        best, caught = np.full(len(cards), -np.inf), np.zeros(len(cards), bool)
        np.maximum.at(best, place, scores[at])
        np.logical_or.at(caught, place, book.frauds[rows][at])
        top = np.argsort(-best, kind="stable")[:most]
        gone |= set(cards[top][caught[top]].tolist())
        hits.append(int(caught[top].sum()) / most)
    return float(np.mean(hits))


BOOK = (
    "amount",
    "weekend",
    "night",
    *(f"payer_out_{kind}_{span}" for kind in ("count", "mean") for span in ("24h", "7d", "30d")),
    *(f"payee_{kind}_{span}" for kind in ("known", "fraud_rate") for span in ("1d", "7d", "30d")),
)
"""The book's fifteen features, by their names here."""
OURS = tuple(name for name in NAMES if name not in GROUPS["payer_labels"])
"""All but what is known of the card itself: cards with a known fraud are in the training days and not in the test's."""
ALL, WEEK = Settings(rounds=400, keep=0.06), Settings(rounds=150, leaves=8, keep=1.0)
"""A model of all history and one of the book's week alone, fixed before the test days were looked at."""


def figures(book: Handbook, say: Callable[[str], None]) -> dict[str, float]:
    """Both models on the test week, and on the validation week one week earlier; beside the book's own features."""
    found: dict[str, float] = {}
    for week, first in (("", TEST_WEEK), ("validation_", VALIDATION_WEEK)):
        rows = test_rows(book, first)
        later, labels = table(book.past.part(rows)), book.frauds[rows]
        found |= {f"{week}rows": len(rows), f"{week}frauds": int(labels.sum())}
        scores = {}
        for window, settings in (("all", ALL), ("book", WEEK)):
            trained = training_rows(book, first, window == "all", settings.keep, settings.seed)
            features = table(book.past.part(trained))
            for which, names in (("", OURS), ("_plain", BOOK)):
                say(f"Handbook, {week}{window}{which}: {len(trained)} payments, {len(names)} features")
                expert = grow(features, book.frauds[trained], settings, names)
                scores[f"{window}{which}"] = expert.logits(later)
        known = ~unknowable(book, rows)
        for name, own in scores.items():
            found[f"{week}{name}_ap"] = round(metrics.average_precision(labels, own), 4)
            found[f"{week}{name}_auc"] = round(metrics.roc_auc(labels, own), 4)
        for name in ("all", "book"):
            own = scores[name]
            found[f"{week}{name}_auc_knowable"] = round(metrics.roc_auc(labels[known], own[known]), 4)
            found[f"{week}{name}_cp100"] = round(card_precision(book, rows, own), 4)
            found[f"{week}{name}_recall_at_fpr_0.3"] = round(
                metrics.recall_at_false_positives(labels, own, 0.003), 4
            )
            gain = metrics.paired_interval(
                labels, own, scores[f"{name}_plain"], book.past.payment["payee"][rows]
            )
            for end, value in zip(("gain", "gain_low", "gain_high"), gain, strict=True):
                found[f"{week}{name}_{end}"] = value
    return {f"handbook_{name}": value for name, value in found.items()}
