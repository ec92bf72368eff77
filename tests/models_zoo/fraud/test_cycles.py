"""Temporal cycles, against a plain search of every path on tiny graphs."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models_zoo.fraud.causal.view import HOUR
from models_zoo.fraud.cycles import Search, cycles
from models_zoo.fraud.events import payments
from models_zoo.fraud.generator import as_payments, generate

DENSE = Search(least_hops=3, most_hops=5, window=20, least_share=0.5, most_share=1.05)
BOUNDS = ("looked_at", "followed", "paths", "starts")


def batch(*rows):
    """PAYMENT rows from (time, payer, payee, amount), numbered in this order."""
    made = [
        (n, time, payer, payee, 0, 0, amount, 0)
        for n, (time, payer, payee, amount) in enumerate(rows, start=1)
    ]
    return payments(made)


def ring(length, start=0.0, step=HOUR, first=1, amount=1000.0):
    """A circle of accounts, each hop with a tenth less."""
    names = [first + place for place in range(length)]
    return [(start + n * step, names[n], names[(n + 1) % length], amount * 0.9**n) for n in range(length)]


def plain(rows, search):
    """Every cycle by trying every path: sets of row tuples."""

    def later(one, other):
        return (rows["time"][one], rows["sequence"][one]) < (rows["time"][other], rows["sequence"][other])

    def fits(path, following):
        last, share = path[-1], float(rows["amount"][following]) / float(rows["amount"][path[-1]])
        return (
            rows["payer"][following] == rows["payee"][last]
            and later(last, following)
            and rows["time"][following] - rows["time"][path[0]] <= search.window
            and search.least_share <= share <= search.most_share
        )

    def grown(path):
        accounts = {int(rows["payer"][one]) for one in path}
        if rows["payee"][path[-1]] == rows["payer"][path[0]]:
            return [tuple(path)] if len(path) >= search.least_hops else []
        if len(path) == search.most_hops or int(rows["payee"][path[-1]]) in accounts:
            return []
        found = [grown([*path, one]) for one in range(len(rows)) if fits(path, one)]
        return [one for several in found for one in several]

    return {cycle for start in range(len(rows)) for cycle in grown([start])}


def found_in(rows, search):
    """What the search finds, as a set of row tuples; none of them twice."""
    result = cycles(rows, search)
    paths = [tuple(path[:hops].tolist()) for path, hops in zip(result.rows, result.hops, strict=True)]
    assert len(set(paths)) == len(paths)
    return set(paths), result.cut


def uncut(cut):
    return all(getattr(cut, name) == 0 for name in BOUNDS)


streams = st.lists(
    st.tuples(
        st.integers(0, 40), st.integers(1, 6), st.integers(1, 6), st.sampled_from([60.0, 90.0, 100.0, 105.0])
    ),
    max_size=24,
).map(lambda rows: batch(*rows))


def test_it_works():
    rows = batch(*ring(4), *ring(6, first=10), *ring(3, first=20), *ring(7, first=30))
    found = cycles(rows, Search())
    assert sorted(found.hops.tolist()) == [4, 6]
    assert {tuple(one[one >= 0].tolist()) for one in found.rows} == {(0, 1, 2, 3), (4, 5, 6, 7, 8, 9)}
    assert uncut(found.cut)


def test_nothing_in_nothing():
    assert cycles(batch(), Search()).rows.shape == (0, 6)
    assert len(cycles(batch((1, 5, 5, 10.0)), Search()).rows) == 0


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        (ring(4, step=25 * HOUR), "longer than the window"),
        (list(reversed([(4 - n, *one[1:]) for n, one in enumerate(ring(4))])), "back in time"),
        ([*ring(3), (4 * HOUR, 4, 1, 700.0)], "a gap"),
        ([(0, 1, 2, 1000.0), (1, 2, 3, 900.0), (2, 3, 4, 400.0), (3, 4, 1, 390.0)], "a hop keeps too little"),
        ([(0, 1, 2, 100.0), (1, 2, 3, 90.0), (2, 3, 4, 95.0), (3, 4, 1, 94.0)], "a hop grows too much"),
        ([(0, 1, 2, 100.0), (1, 2, 3, 99.0), (2, 3, 2, 98.0), (3, 2, 4, 97.0), (4, 4, 1, 96.0)], "an account twice"),
    ],
)  # fmt: skip
def test_what_is_no_cycle(rows, why):
    assert len(cycles(batch(*rows), Search()).rows) == 0, why


def test_equal_times_count_in_order_of_arrival():
    rows = batch(*ring(4, step=0.0))
    assert cycles(rows, Search()).hops.tolist() == [4]
    assert len(cycles(batch(*reversed(ring(4, step=0.0))), Search()).rows) == 0


@given(streams, st.integers(3, 5), st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_it_finds_every_cycle_and_nothing_else(rows, least, window):
    search = replace(DENSE, least_hops=least, window=float(window))
    found, cut = found_in(rows, search)
    assert found == plain(rows, search)
    assert uncut(cut)


@given(streams, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_rows_says_nothing(rows, random):
    place = list(range(len(rows)))
    random.shuffle(place)
    found, _ = found_in(rows[place], DENSE)
    assert {tuple(place[one] for one in path) for path in found} == found_in(rows, DENSE)[0]


@given(streams, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_bounds_leave_out_and_say_so(rows, looked_at, followed, paths):
    search = replace(DENSE, looked_at=looked_at, followed=followed, paths=paths)
    found, cut = found_in(rows, search)
    every = plain(rows, DENSE)
    assert found <= every
    assert found == every or not uncut(cut)


@given(streams, st.integers(0, 40), st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_what_comes_later_changes_nothing(rows, until, looked_at, followed, paths):
    """With bounds that bite, as well: cycles that had ended are those that are found without what came after."""
    search = replace(DENSE, looked_at=looked_at, followed=followed, paths=paths)
    early = np.nonzero(rows["time"] <= until)[0]
    then = {tuple(early[list(path)].tolist()) for path in found_in(rows[early], search)[0]}
    now = {path for path in found_in(rows, search)[0] if rows["time"][path[-1]] <= until}
    assert then == now


def test_the_newest_come_first_when_there_are_too_many():
    rows = batch(*(one for n in range(9) for one in ring(4, start=n * 100 * HOUR, first=10 * n + 1)))
    found = cycles(rows, replace(Search(), most=3))
    assert found.rows[:, 0].tolist() == [32, 28, 24]
    assert found.cut.starts == 6
    assert cycles(rows, Search()).cut.starts == 0


def test_tired_of_steps(monkeypatch):
    monkeypatch.setattr("models_zoo.fraud.cycles.STARTS", 1)
    rows = batch(*(one for n in range(9) for one in ring(4, start=n * 100 * HOUR, first=10 * n + 1)))
    found = cycles(rows, replace(Search(), steps=1))
    assert (len(found.rows), found.cut.starts > 0) == (1, True)


def test_a_hub_is_cut_and_said():
    salaries = [(1.0 + n, 1, 100 + n, 50.0) for n in range(40)]
    rows = batch((0.0, 9, 1, 60.0), *salaries, (100.0, 139, 200, 45.0), (101.0, 200, 9, 44.0))
    found = cycles(rows, Search())
    assert (len(found.rows), found.cut.followed) == (0, 1)
    assert cycles(rows, replace(Search(), followed=40)).hops.tolist() == [4]


@pytest.mark.parametrize(
    "changes",
    [
        {"least_hops": 2}, {"most_hops": 9}, {"least_hops": 7}, {"window": 0}, {"window": float("nan")},
        {"least_share": 0}, {"least_share": 2.0}, {"followed": 0}, {"most": 0},
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(changes):
    with pytest.raises(ValueError, match="must"):
        replace(Search(), **changes)


def test_a_generated_world():
    rows = as_payments(generate(31, 300, 40))
    told = []
    found = cycles(rows, Search(), lambda done, total: told.append((done, total)))
    assert len(found.rows) > 3
    assert uncut(found.cut)
    assert told[-1][0] == told[-1][1] > 0
    for path, hops in zip(found.rows, found.hops, strict=True):
        own = rows[path[:hops]]
        assert own["payee"].tolist() == [*own["payer"][1:].tolist(), own["payer"][0]]
        assert len(set(own["payer"].tolist())) == hops
        assert all(one["time"] <= two["time"] for one, two in pairwise(own))
        assert own["time"][-1] - own["time"][0] <= 72 * HOUR
