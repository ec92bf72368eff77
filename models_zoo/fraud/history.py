"""Account histories: what an account did before a given ingest sequence.

One interface with two homes: `MemoryHistory` here for training and back-tests, and the serving one beside
the application's store. Both answer the same question, so training and serving read the same features.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from models_zoo.fraud.events import EVENT, WINDOW, Integers, Records, events_of


class History(Protocol):
    """The last events per account, strictly before a sequence."""

    def append(self, batch: Records) -> None:
        """Add PAYMENT [N] to the histories of both accounts; adding a payment twice changes nothing."""

    def before(self, accounts: Integers, sequences: Integers) -> Records:
        """EVENT [B, WINDOW] of `accounts[b]` with sequence < `sequences[b]`, oldest first, right-aligned."""


class MemoryHistory:
    """All events of all accounts, sorted by account and sequence. `append` sorts anew: add in large pieces."""

    def __init__(self) -> None:
        self._accounts = np.zeros(0, np.int64)
        self._events = np.zeros(0, EVENT)
        self._known = np.zeros(0, np.int64)
        self._keys = np.zeros(0, np.int64)
        self._stride = 1

    def append(self, batch: Records) -> None:
        """See `History.append`."""
        accounts, events = events_of(batch)
        accounts = np.concatenate([self._accounts, accounts])
        events = np.concatenate([self._events, events])
        order = np.lexsort((events["sequence"], accounts))
        accounts, events = accounts[order], events[order]
        fresh = np.ones(len(accounts), bool)
        fresh[1:] = (accounts[1:] != accounts[:-1]) | (events["sequence"][1:] != events["sequence"][:-1])
        self._accounts, self._events = accounts[fresh], events[fresh]
        self._index()

    def _index(self) -> None:
        """One ascending key per event: (rank of its account) * stride + sequence, for binary search."""
        self._known, rank = np.unique(self._accounts, return_inverse=True)
        self._stride = int(self._events["sequence"].max(initial=0)) + 2
        self._keys = rank * self._stride + self._events["sequence"]

    def before(self, accounts: Integers, sequences: Integers) -> Records:
        """See `History.before`."""
        if not len(self._known):
            return np.zeros((len(accounts), WINDOW), EVENT)
        rank = np.minimum(np.searchsorted(self._known, accounts), len(self._known) - 1)
        known = self._known[rank] == accounts
        first = np.searchsorted(self._keys, rank * self._stride)
        end = np.searchsorted(self._keys, rank * self._stride + np.minimum(sequences, self._stride - 1))
        places = end[:, None] - np.arange(WINDOW, 0, -1)
        filled = (places >= first[:, None]) & known[:, None]
        window = self._events[np.where(filled, places, 0)]
        window[~filled] = np.zeros((), EVENT)
        return window
