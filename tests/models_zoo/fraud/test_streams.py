"""Streams: labels among the payments, several worlds as one, pasts read when asked for."""

import numpy as np
import pytest

from models_zoo.fraud.causal import NAMES
from models_zoo.fraud.causal.view import DAY
from models_zoo.fraud.events import FRAUD, payments
from models_zoo.fraud.history import SIDES
from models_zoo.fraud.streams import Stream, joined, replay, table, thinned, with_labels


def batch_of(times, payer=1):
    """Payments of one payer at these days."""
    return payments(
        [(place, 1e9 + day * DAY, payer, 2, 0, 0, 10.0, 0) for place, day in enumerate(times, start=1)]
    )


@pytest.fixture(scope="module")
def streams():
    rng, made = np.random.default_rng(0), []
    for world in range(2):
        batch = batch_of(np.sort(rng.uniform(0, 20, 150)))
        batch["payer"], batch["amount"] = rng.integers(1, 9, 150), rng.uniform(1, 100, 150) * (1 + world)
        frauds = rng.random(150) < 0.2
        numbered, known = with_labels(batch, frauds, 3 * DAY)
        made.append(Stream(replay(numbered, known), frauds, (batch["time"] - 1e9) / DAY))
    return made


def test_it_works(streams):
    whole = joined(streams)
    apart = np.concatenate([table(one.near) for one in streams])
    assert np.array_equal(table(whole.near), apart, equal_nan=True)
    order = np.random.default_rng(1).permutation(len(whole.labels))
    assert np.array_equal(table(whole.part(order).near), apart[order], equal_nan=True)


def test_labels_take_their_own_sequences_when_they_arrive():
    batch, known = with_labels(batch_of([0, 1, 2, 9]), np.array([True, True, False, True]), 2 * DAY)
    assert batch["sequence"].tolist() == [1, 2, 4, 6]  # a label comes before the payment of its own moment
    assert known["sequence"].tolist() == [3, 5, 7]
    assert known["payment"].tolist() == [1, 2, 6]
    window = replay(batch, known).rows(slice(None)).payer
    assert (window["fraud"][2] == FRAUD).sum() == 1
    assert (window["fraud"][3] == FRAUD).sum() == 2


def test_a_label_follows_its_payment_even_when_clocks_say_otherwise():
    """A payment that is booked late, and reported at once: the label cannot come before the payment."""
    batch, known = with_labels(batch_of([5, 6, 1]), np.array([False, False, True]), DAY)
    assert known["sequence"][0] > batch["sequence"][2]


def test_thinning_keeps_every_fraud(streams):
    some = thinned(joined(streams), 0.1, 3)
    assert some.labels.sum() == sum(one.labels.sum() for one in streams)
    assert 0 < (~some.labels).sum() < 60


def test_pieces_are_the_whole(streams):
    near = streams[0].near
    pieces, whole = list(near.pieces(40)), near.rows(slice(None))
    for side in SIDES:
        assert np.array_equal(np.concatenate([getattr(one, side) for one in pieces]), getattr(whole, side))


def test_a_stream_without_payments_has_no_rows(streams):
    assert table(streams[0].near.part(slice(0, 0))).shape == (0, len(NAMES))
