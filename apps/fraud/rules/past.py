"""An organisation's stream of payments as it arrived, in memory: what rules would have found, as of each payment.

Labels of payments that nobody decided on came with a file of historic ones, sooner than they would have been known:
they say what was fraud, and are in no fact.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from apps.fraud import records
from apps.fraud.models import Decision, IngestCounter
from apps.fraud.rules.ruleset import Hits, Rules, RuleSet
from models_zoo.fraud.causal import features
from models_zoo.fraud.events import LABEL, PAYMENT, Integers, Records
from models_zoo.fraud.facts import facts
from models_zoo.fraud.history import Neighbourhood
from models_zoo.fraud.streams import Past, replay
from rootstock.accounts.tenancy import tenant

AT_ONCE = 5_000
PIECE = 1_024
MOST = 500_000
"""Payments and labels that are read: the newest. What came before them is not seen."""
Told = Callable[[int, int, str], object]


@dataclass(slots=True, frozen=True)
class History:
    """PAYMENT [N] with what each could see, the model's probability float [N] (NaN: undecided), and LABEL [M]."""

    past: Past
    probability: NDArray[np.float64]
    labels: Records

    @property
    def payment(self) -> Records:
        """PAYMENT [N]."""
        return self.past.payment

    def between(self, since: datetime | None, until: datetime | None) -> Integers:
        """The rows of payments made in a time."""
        time = self.payment["time"]
        wanted = np.ones(len(time), bool)
        if since:
            wanted &= time >= since.timestamp()
        if until:
            wanted &= time < until.timestamp()
        return np.nonzero(wanted)[0]

    def fraud(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """By all labels that there are now: which payments are labelled, and which are fraud; bool [N] each."""
        newest = dict(zip(self.labels["payment"].tolist(), self.labels["fraud"].tolist(), strict=True))
        known = [newest.get(one) for one in self.payment["sequence"].tolist()]
        return np.array([one is not None for one in known], bool), np.array(
            [bool(one) for one in known], bool
        )


def history_of(organisation: UUID, told: Told) -> History:
    """The stream from PostgreSQL. `told(done, total, message)` hears of the progress."""
    with tenant(organisation):
        counter = IngestCounter.objects.first()
    last = counter.last if counter else 0
    first = max(0, last - MOST)
    payments, labels = [np.zeros(0, PAYMENT)], [np.zeros(0, LABEL)]
    probability: dict[int, float] = {}
    for after in range(first, last, AT_ONCE):
        until = min(after + AT_ONCE, last)
        payments.append(records.payments_between(organisation, after, until))
        labels.append(records.labels_between(organisation, after, until)[0])
        probability |= _probabilities(organisation, after, until)
        told(until - first, 2 * (last - first), "reading payments")
    batch = np.concatenate(payments)
    found = np.array([probability.get(one, np.nan) for one in batch["sequence"].tolist()], np.float64)
    whole = np.concatenate(labels)
    decided = np.isin(whole["payment"], batch["sequence"][~np.isnan(found)])
    return History(replay(batch, whole[decided]), found, whole)


def _probabilities(organisation: UUID, after: int, last: int) -> dict[int, float]:
    with tenant(organisation):
        found = Decision.objects.filter(sequence__gt=after, sequence__lte=last)
        return dict(found.values_list("sequence", "probability"))


def hits_of(history: History, rows: Integers, versions: list[Rules], delay: float) -> Iterator[list[Hits]]:
    """Which rules of each version held for these rows, bool [R, B] each, some rows at a time.

    Facts are those of serving, as of each payment's sequence. Without lists; without a decision `score` is 0.
    """
    for start in range(0, len(rows), PIECE):
        part = rows[start : start + PIECE]
        near = history.past.rows(part)
        payments = _payloads(near)
        found = facts(features(near, delay))
        scores = np.nan_to_num(history.probability[part]).tolist()
        yield [one.hits(RuleSet(one).columns(scores, found, payments), len(part)) for one in versions]


def _payloads(near: Neighbourhood) -> list[dict[str, float]]:
    names = near.payment.dtype.names or ()
    columns = [near.payment[name].tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
