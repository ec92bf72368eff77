"""Counters of what lies before the window: in any order the same, exact for bursts, right for steady rates."""

import numpy as np
import pytest

from models_zoo.fraud.causal import NAMES, features
from models_zoo.fraud.counters import DAY, HOUR, SPANS, counted, joined, nothing, running, within
from models_zoo.fraud.events import EVENT, WINDOW, payments
from models_zoo.fraud.facts import facts
from models_zoo.fraud.history import SIDES, MemoryHistory
from models_zoo.fraud.phrases import PHRASES
from models_zoo.fraud.streams import replay

NOW = 1.7e9


def sentence(code, values):
    """What is said under the first phrase of that code."""
    return next(one for one in PHRASES if one.code == code).text(values)


def events(times, outgoing=0, amount=10.0):
    """EVENT [N]."""
    found = np.zeros(len(times), EVENT)
    found["sequence"] = np.arange(1, len(times) + 1)
    found["time"], found["outgoing"], found["amount"] = times, outgoing, amount
    return found


def mixed(count, seed=0):
    """Events of a year, of both directions, as they might arrive: not in the order of their time."""
    random = np.random.default_rng(seed)
    times = NOW - random.uniform(0, 365 * DAY, count)
    return events(times, random.integers(0, 2, count), random.integers(0, 10**6, count) / 100)


def assert_same(found, expected):
    for name in ("count", "first", "last"):
        assert np.array_equal(found[name], expected[name])
    for name in ("counts", "sums"):
        assert np.allclose(found[name], expected[name], rtol=0, atol=1e-7)


def last_of(rows):
    """The features of the last payment of a stream of (time, payer, payee, amount), by name, and its facts."""
    batch = payments([(n, at, payer, payee, 0, 0, 10.0, 0) for n, (at, payer, payee) in enumerate(rows, 1)])
    table = features(replay(batch).rows(slice(-1, None)))
    return dict(zip(NAMES, table[0].tolist(), strict=True)), facts(table)[0]


@pytest.mark.parametrize("seed", range(5))
def test_any_cut_and_any_order_give_the_same(seed):
    given, random = mixed(300, seed), np.random.default_rng(seed)
    whole = counted(given[None])
    found = nothing(1, 2)
    for part in np.split(given[random.permutation(300)], np.sort(random.integers(0, 300, 4))):
        found = joined(found, counted(part[None]))
    assert_same(found, whole)
    for direction in (0, 1):
        own = given[given["outgoing"] == direction]
        assert_same(running(own)[-1], whole[0, direction])


def test_far_apart_times_neither_overflow_nor_underflow():
    given = events([1e9, NOW, NOW + DAY, 0.5])
    with np.errstate(all="raise", under="ignore"):
        whole = joined(counted(given[None, :2]), counted(given[None, 2:]))
    assert whole["count"].tolist() == [[4, 0]]
    number, _ = within(whole, np.full((1, 1), NOW + DAY))
    assert np.isfinite(number).all()
    assert 1 <= number[0, 0, 0] < 2  # how two events a day apart lie, a counter does not know


def test_nothing_counts_nothing():
    number, total = within(nothing(3, 2), np.full((3, 1), NOW))
    assert not number.any()
    assert not total.any()
    assert_same(counted(np.zeros((2, 5), EVENT)), nothing(2, 2))


@pytest.mark.parametrize("hours", [0.02, 0.5, 5.0])
def test_a_steady_rate_is_right_on_average(hours):
    """Counters of payments that come at random at one rate, asked a while after the last that they hold."""
    random, off = np.random.default_rng(1), []
    for _ in range(200):
        times = NOW - np.cumsum(random.exponential(hours * HOUR, int(60 * 24 / hours)))[::-1]
        given = events(times[:-WINDOW])
        number, total = within(counted(given[None]), np.full((1, 1), NOW))
        true = (given["time"] >= NOW - SPANS[:, None]).sum(axis=1)
        off.append(number[0, 0] - true)
        assert total[0, 0] == pytest.approx(10 * number[0, 0], rel=1e-6)
    rate = SPANS / (hours * HOUR)
    assert (np.abs(np.mean(off, axis=0)) < 0.02 * rate + 0.5).all()


@pytest.mark.parametrize("count", [10, 66, 200, 700])
def test_a_burst_is_counted_as_it_was(count):
    values, told = last_of([(NOW + n, 1, 2 + n % 3) for n in range(count + 1)])
    for span in ("1h", "24h", "7d", "30d"):
        assert values[f"payer_out_count_{span}"] == count
        assert values[f"payer_out_mean_{span}"] == pytest.approx(10)
    assert told["payer_count_24h"] == told["payer_payments"] == count
    assert told["payer_sum_24h"] == pytest.approx(10 * count)
    assert sentence("BURST", values) == f"{count} payments within an hour of this one"


def test_a_burst_that_was_cut_off_counts_less_the_longer_ago_it_was():
    burst, rest = [NOW + n for n in range(500)], [NOW + HOUR + 60 * n for n in range(1, WINDOW + 2)]
    values, told = last_of([(at, 1, 2) for at in burst + rest])
    assert values["payer_out_count_1h"] < WINDOW
    assert told["payer_count_24h"] == 500 + WINDOW


def test_an_estimate_is_told_as_one():
    """A steady 120 an hour: the ring holds half an hour of it, counters as much as a steady rate would have."""
    values, _ = last_of([(NOW + 30 * n, 1, 2) for n in range(1000)])
    assert values["payer_out_count_1h"] == pytest.approx(120, rel=0.05)
    assert sentence("BURST", values).startswith("About 1")


def test_what_is_said_of_a_late_payment_is_true():
    """Two payments an hour after the one that comes last, and money that came in after it."""
    rows = [(NOW + HOUR, 1, 2), (NOW + HOUR, 1, 3), (NOW + 0.2 * HOUR, 9, 1), (NOW, 1, 4)]
    values, _ = last_of(rows)
    assert sentence("BURST", values) == "2 payments within an hour of this one"
    assert sentence("FUNDS_PASSED_ON", values) == "Money comes in and leaves within 12 min"
    assert sentence("NEW_ACCOUNT", values).endswith("lie within 60 min of this one")


def test_a_busy_accounts_own_past_is_told():
    values, told = last_of([(NOW + n * HOUR, 1, 2) for n in range(1000)])
    assert told["payer_payments"] == 999
    assert told["payer_days_known"] == pytest.approx(999 / 24, abs=0.01)
    assert values["payer_out_count_7d"] == pytest.approx(168, rel=0.01)
    assert values["payer_burst"] == pytest.approx(1, rel=0.1)


def test_when_money_last_went_the_other_way_is_known_beyond_the_window():
    rows = [(NOW, 1, 2), *[(NOW + n * 60, 3, 1) for n in range(1, 101)], (NOW + 101 * 60, 1, 4)]
    values, _ = last_of(rows)
    assert values["payer_out_since"] == pytest.approx(101 / 60, rel=1e-5)
    assert values["payer_out_count_24h"] == 1


def test_entities_with_no_more_than_a_window_have_no_counters():
    times = NOW + np.arange(WINDOW + 2)
    near = replay(payments([(n, at, 1, 2, 0, 0, 5.0, 0) for n, at in enumerate(times, 1)])).rows(slice(None))
    assert near.counters["count"].sum(axis=(1, 2)).tolist() == [0] * (WINDOW + 1) + [2]


def test_memory_knows_the_counters_as_of_every_sequence():
    given, history = mixed(400), MemoryHistory()
    for part in np.split(given[np.random.default_rng(2).permutation(400)], 4):
        history.add(np.full(100, 7), part)
    for sequence in (0, 1, 64, 65, 66, 128, 300, 401, 10**6):
        found = history.before(np.array([7, 8]), np.full(2, sequence))
        older = given[: max(0, min(sequence - 1, 400) - WINDOW)]
        assert_same(found.counters[0], counted(older[None])[0])
        assert_same(found.counters[1], nothing(2))


def test_nets_read_no_counters():
    near = replay(payments([(n, NOW + n, 1, 2, 0, 0, 5.0, 0) for n in range(1, 100)])).rows(slice(-1, None))
    assert near.counters["count"].tolist() == [[[0, 34], [34, 0], [0, 0], [0, 0]]]
    assert not near.newest(32).counters["count"].any()
    assert [getattr(near.newest(32), side).shape for side in SIDES] == [(1, 32)] * 4


@pytest.mark.parametrize("before", [62 * 60, 90 * 60, 25 * HOUR, 40 * DAY, 700 * DAY])
@pytest.mark.parametrize("count", [150, 200, 299])
def test_a_burst_after_one_early_payment_is_told_as_it_was(before, count):
    values, told = last_of([(NOW - before, 1, 9), *[(NOW + 3 * n, 1, 2 + n % 3) for n in range(count + 1)]])
    for span, seconds in zip(("1h", "24h", "7d", "30d"), SPANS, strict=True):
        true = count + (before + 3 * count <= seconds)
        assert values[f"payer_out_count_{span}"] == pytest.approx(true, rel=0.03), span
    assert told["payer_payments"] == count + 1


@pytest.mark.parametrize("count", [200, 300, 900])
def test_a_machine_that_begins_is_told_at_its_rate(count):
    """Three payments a minute after one that came ninety minutes before."""
    rows = [(NOW - 90 * 60, 1, 9), *[(NOW + 20 * n, 1, 2) for n in range(count + 1)]]
    values, _ = last_of(rows)
    assert values["payer_out_count_1h"] == pytest.approx(min(count, 180), rel=0.06)


@pytest.mark.parametrize("seed", range(3))
def test_a_longer_time_has_no_less_and_none_has_more_than_there_were(seed):
    given = mixed(500, seed)
    number, total = within(counted(given[None]), np.full((1, 1), NOW))
    assert (np.diff(number, axis=-1) >= 0).all()
    assert number.max() <= 500
    assert np.isfinite(total).all()
