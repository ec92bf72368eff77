"""Histories and features: what a payment may see, and that nothing later changes it."""

import numpy as np
import pytest

from models_zoo.fraud.causal import NAMES, features
from models_zoo.fraud.events import EVENT, FRAUD, GENUINE, LABEL, PAYMENT, WINDOW, events_of, labels, payments
from models_zoo.fraud.generator import as_payments, generate
from models_zoo.fraud.history import MemoryHistory, neighbourhood, surprises
from models_zoo.fraud.streams import replay, stream_surprises

DAY = 86_400.0


def one(sequence=1, time=1e9, payer=1, payee=2, amount=10.0, channel=0, device=0, merchant=0):
    """A payment as a tuple."""
    return (sequence, time, payer, payee, device, merchant, amount, channel)


def near(rows):
    """The neighbourhoods of a stream of tuples."""
    return replay(payments(rows)).rows(slice(None))


def feature(rows, name):
    """A feature of the last payment of a stream."""
    return float(features(near(rows))[-1, NAMES.index(name)])


@pytest.fixture(scope="module")
def stream():
    return as_payments(generate(3, 120, 20))


def test_it_works(stream):
    whole = replay(stream).rows(slice(None))
    found = features(whole)
    assert found.shape == (len(stream), len(NAMES))
    assert not np.isinf(found).any()


def test_later_events_change_nothing(stream):
    cut = len(stream) // 2
    changed = stream.copy()
    rng = np.random.default_rng(0)
    changed["amount"][cut:] = rng.random(len(stream) - cut) * 5000
    changed["payee"][cut:] = rng.permutation(changed["payee"][cut:])
    changed["time"][cut:] += rng.random(len(stream) - cut) * DAY
    before, after = replay(stream).rows(slice(0, cut)), replay(changed).rows(slice(0, cut))
    assert np.array_equal(features(before), features(after), equal_nan=True)


def test_earlier_events_do_change_something(stream):
    """The causality test can fail: changing the past moves the features."""
    cut = len(stream) // 2
    changed = stream.copy()
    changed["amount"][:cut] *= 7
    assert not np.array_equal(
        features(replay(stream).rows(slice(cut, None))),
        features(replay(changed).rows(slice(cut, None))),
        equal_nan=True,
    )


def test_late_event_counts_from_its_arrival():
    late = [one(1, 1e9), one(2, 1e9 + 60), one(3, 1e9 - DAY)]
    assert feature(late[:2], "payer_out_count_24h") == 1
    assert feature([late[0], late[2]], "payer_out_count_24h") == 1  # its clock is earlier, its arrival later


def test_appending_twice_changes_nothing(stream):
    once, twice = MemoryHistory(), MemoryHistory()
    surprise = stream_surprises(stream)
    once.append(stream, surprise)
    for piece in (slice(0, 900), slice(500, None), slice(None)):
        twice.append(stream[piece], surprise[piece])
    for side in ("payer", "payee"):
        assert np.array_equal(
            once.windows(stream[side], stream["sequence"]), twice.windows(stream[side], stream["sequence"])
        )


def test_window_is_strictly_before_and_right_aligned(stream):
    whole = replay(stream).rows(slice(None))
    for window in (whole.payer, whole.payee):
        assert (window["sequence"] < stream["sequence"][:, None]).all()
        assert (np.diff((window["sequence"] > 0).astype(int), axis=1) >= 0).all()
    assert (whole.payee["sequence"] > 0).sum(axis=1).max() == WINDOW


def test_unknown_account_and_empty_history_give_empty_windows(stream):
    history = MemoryHistory()
    assert not history.windows(np.array([5]), np.array([9]))["sequence"].any()
    history.append(stream, np.ones(len(stream), np.float32))
    assert not history.windows(np.array([10**12]), np.array([10**6]))["sequence"].any()


def test_a_payment_to_oneself_is_one_event():
    accounts, events = events_of(payments([one(payer=7, payee=7)]), np.ones(1, np.float32))
    assert accounts.tolist() == [7]
    assert events["outgoing"].tolist() == [1]


def test_velocity_and_spread():
    burst = [one(n, 1e9 + 60 * n, payee=10 + n) for n in range(1, 5)]
    assert feature(burst, "payer_out_count_1h") == 3
    assert feature(burst, "payer_out_new_24h") == 3
    assert feature(burst, "payer_out_distinct_24h") == 3
    assert feature(burst, "pair_count") == 0


def test_pass_through():
    quick = [one(1, 1e9, payer=5, payee=1, amount=800), one(2, 1e9 + 600, payer=1, payee=6, amount=780)]
    assert feature(quick, "amount_to_in_24h") == pytest.approx(780 / 800, abs=1e-4)
    assert feature(quick, "payer_in_since") == pytest.approx(1 / 6, abs=1e-4)


def test_amount_relative_to_own_history():
    rows = [one(n, 1e9 + DAY * n, amount=20) for n in range(1, 9)] + [one(9, 1e9 + 9 * DAY, amount=200)]
    assert feature(rows, "amount_to_largest") == pytest.approx(10, abs=1e-4)
    assert feature(rows, "amount_rank") == 1


def test_packed_size_of_records():
    assert (PAYMENT.itemsize, EVENT.itemsize, LABEL.itemsize) == (53, 43, 25)


def test_every_entity_that_a_payment_names_has_an_event():
    history = MemoryHistory()
    history.append(payments([one(5, device=70, merchant=80)]), np.full(1, 2.5, np.float32))
    events = history.windows(np.array([1, 2, 70, 80, 0]), np.full(5, 6))[:, -1]
    assert events["sequence"].tolist() == [5, 5, 5, 5, 0]
    assert events["other"].tolist() == [2, 1, 1, 1, 0]
    assert events["outgoing"].tolist() == [1, 0, 0, 0, 0]
    assert events["surprise"].tolist() == [2.5, 2.5, 2.5, 2.5, 0]


def test_sides_that_a_payment_does_not_name_are_empty():
    history = MemoryHistory()
    batch = payments([one(1, device=70), one(2), one(3, device=70)])
    history.append(batch, np.ones(3, np.float32))
    found = neighbourhood(history, batch)
    assert (found.device["sequence"] > 0).sum(axis=1).tolist() == [0, 0, 1]
    assert not found.merchant["sequence"].any()


def test_a_label_is_seen_from_its_own_sequence_on():
    history = MemoryHistory()
    history.append(payments([one(1), one(3)]), np.ones(2, np.float32))
    for _ in range(2):  # a label that comes twice is one label
        history.label(labels([(4, 1e9, 1, 1), (6, 1e9, 1, 0)]))
    seen = history.windows(np.full(5, 2), np.array([3, 4, 5, 6, 7]))
    first = [row[row["sequence"] == 1][0] for row in seen]
    assert [int(event["fraud"]) for event in first] == [0, 0, FRAUD, FRAUD, GENUINE]
    assert [int(event["labelled"]) for event in first] == [0, 0, 4, 4, 6]


def test_a_label_may_come_before_its_payment_is_appended():
    history = MemoryHistory()
    history.label(labels([(2, 1e9, 1, 1)]))
    history.append(payments([one(1)]), np.ones(1, np.float32))
    assert history.windows(np.array([1]), np.array([9]))["fraud"][0, -1] == FRAUD


def test_surprise_is_the_amount_over_the_payers_median():
    rows = [one(n, amount=amount) for n, amount in enumerate((10, 30, 20, 50, 60), start=1)]
    assert stream_surprises(payments(rows)).tolist() == [1, 1, 1, 2.5, pytest.approx(60 / 25)]


@pytest.mark.parametrize("size", [1, 3, 100, 5000])
def test_surprises_batch_by_batch_are_those_of_the_stream(stream, size):
    """Whatever the batch, and whether its payments are in the history already or not."""
    part = stream[: 400 * size] if size < 10 else stream
    whole, history, found = stream_surprises(part), MemoryHistory(), []
    for start in range(0, len(part), max(size, 100)):
        ahead = part[start : start + max(size, 100)]
        for at in range(0, len(ahead), size):
            batch = ahead[at : at + size]
            found.append(surprises(batch, history.windows(batch["payer"], batch["sequence"])))
            history.append(batch, found[-1])
            again = surprises(batch, history.windows(batch["payer"], batch["sequence"]))
            assert np.array_equal(again, found[-1])
    assert np.array_equal(np.concatenate(found), whole)
