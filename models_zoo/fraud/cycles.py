"""Temporal cycles: money that leaves an account and comes back to it over several others, each time a little less.

A bounded temporal search from every payment, of what "2SCENT: An Efficient Algorithm for Enumerating All Simple
Temporal Cycles" (Kumar and Calders, PVLDB 11, 2018) enumerates: no account comes twice, each payment is later than the
one before it, and the whole lies within a window. Here amounts bind the hops as well; they prune what 2SCENT prunes
with its candidate sets. Followers of a payment and paths of a first payment are bounded, the soonest first: so what is
found of a first payment does not depend on what came after a cycle's last one, and what was left out is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models_zoo.fraud.causal.view import HOUR, Mask
from models_zoo.fraud.events import Integers, Records

LEAST_HOPS, MOST_HOPS = 3, 8
STARTS = 1024
"""First payments whose paths are followed at a time."""
PAIRS = 1 << 20
"""Pairs of payments that are held at a time."""
Told = Callable[[int, int], object]
"""Hears how many of how many first payments are done."""


@dataclass(slots=True, frozen=True)
class Search:
    """Which cycles are looked for, and how far.

    hops: payments from least to most. window: seconds from the first to the last. Each amount is between least_share
    and most_share of the one before it. Of what a receiver pays within the window after a payment, the `looked_at`
    soonest are looked at and the `followed` soonest that fit are followed. Of a first payment the `paths` soonest open
    and closed ones of each length are kept. No further first payment is taken up after `most` cycles or `steps` steps.
    Raises ValueError.
    """

    least_hops: int = 4
    most_hops: int = 6
    window: float = 72 * HOUR
    least_share: float = 0.5
    most_share: float = 1.05
    looked_at: int = 1024
    followed: int = 32
    paths: int = 256
    most: int = 10_000
    steps: int = 250_000_000

    def __post_init__(self) -> None:
        if not LEAST_HOPS <= self.least_hops <= self.most_hops <= MOST_HOPS:
            raise ValueError(f"hops must satisfy {LEAST_HOPS} <= least_hops <= most_hops <= {MOST_HOPS}")
        if not self.window > 0:
            raise ValueError("window must be above 0")
        if not 0 < self.least_share <= self.most_share:
            raise ValueError("shares must satisfy 0 < least_share <= most_share")
        if min(self.looked_at, self.followed, self.paths, self.most, self.steps) < 1:
            raise ValueError("looked_at, followed, paths, most and steps must be at least 1")


@dataclass(slots=True)
class Cut:
    """What the bounds left out; all 0 and the search was complete.

    looked_at: payments whose receiver paid more often than was looked at. followed: payments with more followers than
    were followed. paths: first payments with more paths than were kept. starts: first payments, the oldest, of which
    nothing or not all was kept.
    """

    looked_at: int = 0
    followed: int = 0
    paths: int = 0
    starts: int = 0


@dataclass(slots=True, frozen=True)
class Cycles:
    """rows int64 [C, most_hops]: of each cycle its payments as rows of the batch, -1 after the last; hops int64 [C]."""

    rows: Integers
    hops: Integers
    cut: Cut


def cycles(batch: Records, search: Search, told: Told = lambda done, total: None) -> Cycles:
    """The temporal cycles among PAYMENT [N], whatever the order of its rows; those that began last come first.

    Later means a later time, and at equal times a higher sequence.
    """
    apart = np.nonzero(batch["payer"] != batch["payee"])[0]
    order = apart[np.lexsort((batch["sequence"][apart], batch["time"][apart]))]
    links = _Links(batch[order], search)
    starts, done = links.starts(), 0
    found: list[Integers] = []
    while done < len(starts) and not links.tired(sum(map(len, found))):
        told(done, len(starts))
        found += _paths(links, starts[done : done + STARTS])
        done += STARTS
    links.cut.starts = max(len(starts) - done, 0)
    told(len(starts), len(starts))
    rows = _newest(found, links)
    return Cycles(np.where(rows < 0, -1, order[rows]), (rows >= 0).sum(axis=1), links.cut)


def _newest(found: list[Integers], links: _Links) -> Integers:
    """The cycles as one table [C, most_hops], those that began last first, no more than `most`."""
    search = links.search
    rows = np.full((sum(map(len, found)), search.most_hops), -1, np.int64)
    at = 0
    for paths in found:
        rows[at : at + len(paths), : paths.shape[1]] = paths
        at += len(paths)
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    links.cut.starts += len(np.unique(rows[search.most :, 0]))
    return rows[: search.most]


class _Links:
    """Payments in order of time, and of each the later ones that may be its next hop, as compressed rows."""

    def __init__(self, batch: Records, search: Search) -> None:
        self.cut, self.search, self.size, self.steps = Cut(), search, len(batch), 0
        accounts, codes = np.unique(np.concatenate([batch["payer"], batch["payee"]]), return_inverse=True)
        self.payer, self.payee = codes.astype(np.int64).reshape(2, -1)
        self.amount = batch["amount"].astype(np.float64)
        self.ends: Integers = np.searchsorted(batch["time"], batch["time"] + search.window, "right")
        self._accounts = len(accounts)
        self.pairs = np.unique(self._pair(self.payer, self.payee))
        self.first, self.last, self.follower = self._followers()
        self.back = self._last_to(self.payer)

    def tired(self, found: int) -> bool:
        """Whether no further first payment is to be taken up."""
        return found >= self.search.most or self.steps >= self.search.steps

    def starts(self) -> Integers:
        """Payments that money may come back from, the newest first."""
        return np.nonzero((self.back >= 0) & (self.last > self.first))[0][::-1]

    def paid(self, payer: Integers, payee: Integers) -> Mask:
        """Whether one ever paid the other, bool [N]."""
        wanted = self._pair(payer, payee)
        place = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        found: Mask = self.pairs[place] == wanted
        return found

    def _pair(self, payer: Integers, payee: Integers) -> Integers:
        found: Integers = payer * self._accounts + payee
        return found

    def _after(self, account: Integers, side: Integers) -> tuple[Integers, Integers, Integers]:
        """Payments sorted by who is on their `side`; and of account [N] from where to where its own are among them
        that come after payment n, within the window."""
        own = np.argsort(side, kind="stable")
        keys = side[own] * self.size + own
        first = np.searchsorted(keys, account * self.size + np.arange(self.size), "right")
        return own, first, np.searchsorted(keys, account * self.size + self.ends - 1, "right")

    def _last_to(self, account: Integers) -> Integers:
        """The last payment to account [N] within the window after payment n, -1 for none."""
        own, first, last = self._after(account, self.payee)
        found: Integers = np.where(last > first, own[np.maximum(last - 1, 0)], -1)
        return found

    def _followers(self) -> tuple[Integers, Integers, Integers]:
        search = self.search
        own, first, last = self._after(self.payee, self.payer)
        counts = np.minimum(last - first, search.looked_at)
        self.cut.looked_at = int((last - first > search.looked_at).sum())
        sizes, found = np.zeros(self.size, np.int64), [np.zeros(0, np.int64)]
        for part in _slices(counts):
            row, place = _ragged(part, counts[part])
            after = own[first[row] + place]
            share = self.amount[after] / np.maximum(self.amount[row], 1e-9)
            fits = (share >= search.least_share) & (share <= search.most_share)
            fits &= self.payee[after] != self.payer[row]
            row, after = row[fits], after[fits]
            nth = _nth(row)
            self.cut.followed += len(np.unique(row[nth >= search.followed]))
            found.append(after[nth < search.followed])
            sizes += np.bincount(row[nth < search.followed], minlength=self.size)
        ends = np.cumsum(sizes)
        return ends - sizes, ends, np.concatenate(found)


def _paths(links: _Links, starts: Integers) -> list[Integers]:
    """The cycles that begin with these payments: int64 [C, hops] of each number of hops."""
    search, paths = links.search, starts[:, None]
    found: list[Integers] = []
    over: list[Integers] = [starts[:0]]
    for hops in range(2, search.most_hops + 1):
        if hops == search.most_hops:  # only the way back is left
            paths = paths[links.paid(links.payee[paths[:, -1]], links.payer[paths[:, 0]])]
        closed, opened = _Soonest(hops, search.paths), _Soonest(hops, search.paths)
        for step in _steps(links, paths):
            shut, more = _kinds(links, step)
            closed.add(step[shut])
            opened.add(step[more])
        if hops >= search.least_hops:
            found.append(closed.kept())
            over += closed.over
        if hops < search.most_hops:
            paths = opened.kept()
            over += opened.over
    links.cut.paths += len(np.unique(np.concatenate(over)))
    return found


def _steps(links: _Links, paths: Integers) -> Iterator[Integers]:
    """The paths [P, hops], each with each of its followers, as [M, hops + 1]; some at a time."""
    counts = links.last[paths[:, -1]] - links.first[paths[:, -1]]
    for part in _slices(counts):
        row, place = _ragged(part, counts[part])
        links.steps += len(row)
        yield np.column_stack([paths[row], links.follower[links.first[paths[row, -1]] + place]])


def _kinds(links: _Links, step: Integers) -> tuple[Mask, Mask]:
    """Which paths [M, hops] are closed by their last payment, and which may still be: bool [M] each."""
    start, last = step[:, 0], step[:, -1]
    reached, back = links.payee[last], links.back[start]
    shut = reached == links.payer[start]
    more = ~shut & (last < back)
    for place in range(1, step.shape[1] - 1):
        more &= links.payer[step[:, place]] != reached
    return shut & (last <= back), more


class _Soonest:
    """Paths [*, hops] of which `most` are kept of each first payment, those whose last payment is soonest.

    `over` holds first payments that had more.
    """

    def __init__(self, hops: int, most: int) -> None:
        self.most, self.over = most, [np.zeros(0, np.int64)]
        self._parts = [np.zeros((0, hops), np.int64)]

    def add(self, paths: Integers) -> None:
        """More paths."""
        self._parts.append(self._soonest(paths))

    def kept(self) -> Integers:
        """Those that are kept, by first payment from the newest on, then by last payment."""
        self._parts = [self._soonest(np.concatenate(self._parts))]
        return self._parts[0]

    def _soonest(self, paths: Integers) -> Integers:
        paths = paths[np.lexsort((paths[:, -1], -paths[:, 0]))]
        nth = _nth(paths[:, 0])
        self.over.append(np.unique(paths[nth >= self.most, 0]))
        return paths[nth < self.most]


def _slices(counts: Integers) -> Iterator[Integers]:
    """The rows with a count, so many at a time that their counts are about PAIRS together."""
    rows = np.nonzero(counts)[0]
    total = np.cumsum(counts[rows])
    cuts = np.searchsorted(total, np.arange(PAIRS, total[-1] if len(total) else 0, PAIRS), "right")
    yield from (part for part in np.split(rows, np.unique(cuts)) if len(part))


def _ragged(rows: Integers, counts: Integers) -> tuple[Integers, Integers]:
    """Each row as often as its count, and 0, 1, … within each."""
    begin = np.cumsum(counts) - counts
    return np.repeat(rows, counts), np.arange(counts.sum()) - np.repeat(begin, counts)


def _nth(values: Integers) -> NDArray[np.int64]:
    """Of values that lie in runs: 0, 1, … within each run."""
    new = np.ones(len(values), bool)
    new[1:] = values[1:] != values[:-1]
    place = np.arange(len(values))
    return place - np.maximum.accumulate(np.where(new, place, 0))
