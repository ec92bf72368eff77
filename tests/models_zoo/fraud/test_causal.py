"""The causal features: values that can be checked by hand, and that nothing later moves them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_zoo.fraud.causal import NAMES, features
from models_zoo.fraud.causal.view import DAY, DELAY, HOUR
from models_zoo.fraud.events import labels, payments
from models_zoo.fraud.generator import as_payments, generate
from models_zoo.fraud.history import MemoryHistory, neighbourhood
from models_zoo.fraud.streams import replay, stream_surprises, with_labels


def one(sequence=1, time=1e9, payer=1, payee=2, amount=10.0, channel=0, device=0, merchant=0):
    """A payment as a tuple."""
    return (sequence, time, payer, payee, device, merchant, amount, channel)


def of_last(rows, known=()):
    """Features by name of the last payment of a stream of tuples."""
    batch = payments(rows)
    last = features(replay(batch, labels(list(known))).rows(slice(-1, None)))[0]
    return dict(zip(NAMES, last.tolist(), strict=True))


@pytest.fixture(scope="module")
def world():
    """A generated stream and the labels of its frauds, each within the week."""
    made = generate(9, 150, 30)
    frauds = np.array([bool(row.typology) for row in made])
    delays = np.random.default_rng(0).uniform(0.5 * DAY, 6 * DAY, frauds.sum())
    return with_labels(as_payments(made), frauds, delays)


def table(batch, known, rows):
    """Features of some rows of a stream."""
    return features(replay(batch, known).rows(rows))


def test_it_works(world):
    batch, known = world
    found = table(batch, known, slice(None))
    assert found.shape == (len(batch), len(NAMES))
    assert len(set(NAMES)) == len(NAMES)
    assert not np.isinf(found).any()
    assert np.isfinite(found).any(axis=0).all()  # no column is empty: each says something of some payment


@settings(max_examples=12, deadline=None)
@given(part=st.floats(0.2, 0.95), seed=st.integers(0, 1000))
def test_nothing_later_moves_a_feature(world, part, seed):
    """Amounts, parties, clocks and labels after a sequence, made anything else."""
    batch, known = world
    rng, cut = np.random.default_rng(seed), int(part * len(batch))
    at = batch["sequence"][cut]
    changed, told = batch.copy(), known.copy()
    later = slice(cut, None)
    changed["amount"][later] = rng.uniform(0.5, 5000, len(batch) - cut)
    for name in ("payer", "payee", "device", "merchant"):
        changed[name][later] = rng.permutation(batch[name][later])
    changed["time"][later] += rng.uniform(-DAY, DAY, len(batch) - cut)
    told["fraud"][told["sequence"] >= at] ^= 1
    rows = slice(max(0, cut - 150), cut)
    assert np.array_equal(table(batch, known, rows), table(changed, told, rows), equal_nan=True)


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(part=st.floats(0.5, 0.9))
def test_earlier_amounts_and_labels_do_move_features(world, part):
    """Else the test above would show nothing."""
    batch, known = world
    cut = int(part * len(batch))
    changed, told = batch.copy(), known.copy()
    changed["amount"][:cut] *= 3
    told["fraud"][told["sequence"] < batch["sequence"][cut]] ^= 1
    rows = slice(cut, cut + 150)
    before = table(batch, known, rows)
    amounts, flipped = table(changed, known, rows), table(batch, told, rows)
    assert (~np.isclose(before, amounts, equal_nan=True)).any(axis=1).mean() > 0.8
    assert (~np.isclose(before, flipped, equal_nan=True)).any()


def test_a_batch_gives_what_the_stream_gives(world):
    """Served in batches, with the payments of a batch appended first, as the lane does."""
    batch, known = world
    surprise, history, found = stream_surprises(batch), MemoryHistory(), []
    for start in range(0, len(batch), 500):
        piece = slice(start, start + 500)
        history.append(batch[piece], surprise[piece])
        history.label(known[known["sequence"] < batch["sequence"][piece][-1]])
        found.append(features(neighbourhood(history, batch[piece])))
    assert np.array_equal(np.concatenate(found), table(batch, known, slice(None)), equal_nan=True)


def test_a_label_moves_features_from_its_own_sequence_on():
    rows = [one(1), one(3, 1e9 + HOUR, payer=3)]
    assert of_last(rows, [(2, 1e9 + 60, 1, 1)])["payee_run"] == 1
    assert of_last(rows, [(4, 1e9 + 60, 1, 1)])["payee_run"] == 0


def test_identifiers_are_no_features(world):
    """Entities under other numbers, in another order, give the same features."""
    batch, known = world
    other = batch.copy()
    for name in ("payer", "payee", "device", "merchant"):
        other[name] = np.where(batch[name] > 0, (batch[name] * 2654435761) % (2**55 - 55), 0)
    rows = slice(-800, None)
    assert np.allclose(table(batch, known, rows), table(other, known, rows), equal_nan=True)


def test_velocity_within_the_ring_is_exact():
    rows = [one(n, 1e9 + n * HOUR, amount=10 * n, payee=n % 3 + 2) for n in range(1, 31)]
    last = of_last(rows)
    assert (last["payer_out_count_1h"], last["payer_out_count_24h"], last["payer_out_count_30d"]) == (
        1,
        24,
        29,
    )
    assert last["payer_out_mean_24h"] == pytest.approx(10 * np.mean(range(6, 30)))
    assert last["payer_out_distinct_24h"] == 3


def test_velocity_beyond_the_window():
    rows = [one(n, 1e9 + n * HOUR) for n in range(1, 201)]
    last = of_last(rows)
    assert last["payer_out_count_24h"] == 24
    assert last["payer_out_count_7d"] == pytest.approx(168, rel=0.01)
    assert last["payer_out_count_30d"] == 199


def test_fan_in_counts_payers_and_new_ones():
    rows = [one(n, 1e9 + n * 60, payer=10 + n, payee=2) for n in range(1, 9)]
    rows = [
        one(1, 1e9 - 3 * DAY, payer=12, payee=2),
        *[(n + 1, *row[1:]) for n, row in enumerate(rows, start=1)],
    ]
    last = of_last(rows)
    assert (last["payee_in_distinct_24h"], last["payee_in_new_24h"], last["payee_in_distinct"]) == (7, 6, 7)


def test_amount_beside_the_payers_own():
    rows = [one(n, 1e9 + DAY * n, amount=a) for n, a in enumerate((10, 20, 30, 40, 1000, 60), start=1)]
    last = of_last(rows)
    assert last["amount_to_median"] == pytest.approx(2)
    assert last["amount_to_largest"] == pytest.approx(0.06)
    assert last["amount_to_usual"] == pytest.approx(60 / 25)
    assert last["amount_rank"] == pytest.approx(0.8)
    assert last["surprises_3d"] == 1
    assert last["surprise_since"] == pytest.approx(1)


def test_a_run_of_known_frauds_after_the_last_genuine_payment():
    times = (0, 9, 12, 13, 14)
    rows = [one(2 * n + 1, 1e9 + day * DAY, payer=n + 10) for n, day in enumerate(times)]
    known = [(4, 1e9 + 10 * DAY, 3, 1), (6, 1e9 + 12.5 * DAY, 5, 1)]
    last = of_last(rows, known)
    assert (last["payee_run"], last["payee_run_plain"], last["payee_last_label"]) == (2, 2, 1)
    assert last["payee_run_days"] == pytest.approx(5)
    assert last["payee_run_gap"] == pytest.approx(9)
    assert last["payee_genuine_since"] == pytest.approx(14)
    assert last["payee_known_7d"] == 3 - (14 * DAY > DELAY + 7 * DAY)
    assert last["payee_fraud_rate_7d"] == pytest.approx(2 / 3)


def test_money_passed_on():
    rows = [one(1, 1e9, payer=5, payee=1, amount=800), one(2, 1e9 + 600, payer=1, payee=6, amount=780)]
    last = of_last(rows)
    assert last["amount_to_last_in"] == pytest.approx(780 / 800)
    assert last["payer_in_since"] == pytest.approx(1 / 6)


def test_a_device_shared_by_strangers():
    rows = [one(n, 1e9 + n * HOUR, payer=n, device=77) for n in range(1, 6)]
    last = of_last(rows)
    assert (last["device_count_24h"], last["device_distinct_24h"], last["device_payer_count"]) == (4, 4, 0)
    assert (last["device_named"], last["merchant_events"]) == (1, 0)


def test_a_circle_of_three_is_closed():
    rows = [
        one(1, 1e9, payer=2, payee=3, amount=900),
        one(2, 1e9 + HOUR, payer=3, payee=1, amount=850),
        one(3, 1e9 + 2 * HOUR, payer=1, payee=2, amount=800),
    ]
    last = of_last(rows)
    assert last["circle_count"] == 1
    assert last["circle_since"] == pytest.approx(2 / 24)
    assert last["circle_ratio"] == pytest.approx(800 / 850)
    back = of_last(
        [rows[1], one(4, 1e9 + HOUR * 1.5, payer=2, payee=3), rows[2]]
    )  # the wrong way round in time
    assert back["circle_count"] == 0
    late = of_last([*rows[:2], one(3, 1e9 + 8 * DAY, payer=1, payee=2)])
    assert late["circle_count"] == 0


def test_money_that_came_back_or_went_straight_on():
    rows = [one(1, 1e9, payer=2, payee=1, amount=100), one(2, 1e9 + DAY, payer=1, payee=2, amount=50)]
    last = of_last(rows)
    assert (last["reverse_since"], last["reverse_ratio"]) == (pytest.approx(1), pytest.approx(0.5))
    rows = [
        one(1, 1e9, payer=5, payee=1),
        one(2, 1e9 + 60, payer=1, payee=6),
        one(3, 1e9 + HOUR, payer=1, payee=7),
    ]
    assert of_last(rows)["payer_straight_on"] == 1


def test_accounts_between_payer_and_payee():
    """Scattered by the payer and gathered by the payee; senders and receivers that they share."""
    rows = [one(n, 1e9 + n, payer=1, payee=10 + n) for n in (1, 2, 3)]
    rows += [one(10 + n, 1e9 + HOUR + n, payer=10 + n, payee=2) for n in (1, 2)]
    rows += [one(20, 1e9 + 2 * HOUR, payer=8, payee=1), one(21, 1e9 + 2 * HOUR, payer=8, payee=2)]
    rows += [one(22, 1e9 + 3 * HOUR, payer=2, payee=13), one(30, 1e9 + 4 * HOUR, payer=1, payee=2)]
    last = of_last(rows)
    assert (last["between_count"], last["shared_senders"], last["shared_receivers"]) == (2, 1, 1)
