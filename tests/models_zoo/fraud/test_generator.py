"""The generated world: what it says is true of every seed."""

import math
from collections import Counter

import numpy as np
import pytest

from models_zoo.fraud.baselines import hand_rules
from models_zoo.fraud.causal.view import DAY
from models_zoo.fraud.generator import START, as_payments, generate
from models_zoo.fraud.streams import replay, table
from models_zoo.fraud.typologies import GENUINE, TYPOLOGIES
from models_zoo.fraud.worlds import labelled


@pytest.fixture(scope="module")
def made():
    return generate(4, 300, 30)


def test_it_works(made):
    kinds = Counter(one.typology for one in made)
    assert set(kinds) == {GENUINE, *TYPOLOGIES}
    assert 0.006 < 1 - kinds[GENUINE] / len(made) < 0.016
    assert all(one.amount > 0 and one.payer != one.payee for one in made)
    assert (np.diff([one.time for one in made]) >= 0).all()
    assert 0 <= made[0].time <= made[-1].time < 30 * DAY


def test_a_seed_gives_the_same_world_and_another_seed_another():
    assert generate(4, 40, 10) == generate(4, 40, 10)
    assert generate(4, 40, 10) != generate(5, 40, 10)


def test_without_fraud_all_is_genuine():
    assert {one.typology for one in generate(4, 60, 10, fraud=0)} == {GENUINE}


@pytest.mark.parametrize("seed", range(8))
def test_the_smallest_worlds_are_worlds(seed):
    assert all(one.payer != one.payee for one in generate(seed, 1 + seed // 3, 1 + seed % 4))


@pytest.mark.slow
def test_each_typology_has_about_the_share_that_is_documented():
    worlds = [generate(seed, 500, 75) for seed in range(31, 35)]
    total = sum(len(one) for one in worlds)
    counts = Counter(payment.typology for one in worlds for payment in one)
    for name, kind in TYPOLOGIES.items():
        assert kind.share / 1.7 < counts[name] / total < kind.share * 1.7, name


@pytest.mark.slow
def test_genuine_payments_trip_simple_rules_too(made):
    labels = np.array([bool(one.typology) for one in made])
    points = hand_rules(table(replay(as_payments(made))))
    assert (points[~labels] >= 2).sum() > labels.sum()


def test_fraud_becomes_known_later_and_some_never(made):
    known = [one.known - one.time for one in made if one.typology]
    assert all(delay > 0 for delay in known)
    assert 0.03 < np.mean(np.isinf(known)) < 0.5
    assert all(math.isinf(one.known) for one in made if not one.typology)


def test_a_take_over_is_reported_sooner_than_a_circle():
    delays = {name: [] for name in TYPOLOGIES}
    for seed in range(4):
        for one in generate(seed, 300, 30):
            if one.typology and math.isfinite(one.known):
                delays[one.typology].append((one.known - one.time) / DAY)
    assert np.median(delays["account_takeover"]) < 3 < 10 < np.median(delays["layering_cycle"])


def test_devices_and_terminals_belong_to_the_channel(made):
    for one in made:
        assert bool(one.merchant) == (one.channel in ("card", "online", "cash"))
        assert not (one.device and one.channel in ("debit", "cash"))
    phones = [{one.device for one in generate(seed, 60, 10) if one.channel == "card"} for seed in range(8)]
    assert sum(len(named) > 1 for named in phones) in range(2, 7), "some banks tell the phone that paid"


def test_honest_people_share_devices_and_change_them_too(made):
    """A household's tablet and a library are as shared as a thief's device; new devices are mostly honest."""
    users, seen, new = {}, {}, Counter()
    for one in made:
        if one.device:
            users.setdefault(one.device, set()).add(one.payer)
            mine = seen.setdefault(one.payer, set())
            new[bool(one.typology)] += bool(mine) and one.device not in mine
            mine.add(one.device)
    frauds = {one.device for one in made if one.typology}
    shared = [device for device, payers in users.items() if len(payers) >= 2]
    assert sum(device not in frauds for device in shared) > sum(device in frauds for device in shared) > 0
    assert new[False] > 3 * new[True] > 0


def test_numbers_of_accounts_devices_and_terminals_are_of_one_row(made):
    accounts = {one.payer for one in made} | {one.payee for one in made}
    devices, terminals = {one.device for one in made} - {0}, {one.merchant for one in made} - {0}
    assert not accounts & devices
    assert not accounts & terminals
    assert not devices & terminals


def test_payments_carry_devices_and_terminals(made):
    batch = as_payments(made)
    assert batch["device"].tolist() == [one.device for one in made]
    assert batch["merchant"].tolist() == [one.merchant for one in made]


def test_reports_take_their_own_places_in_the_stream_when_they_arrive(made):
    payments, labels = labelled(made)
    assert sorted([*payments["sequence"], *labels["sequence"]]) == list(
        range(1, len(payments) + len(labels) + 1)
    )
    both = sorted([*payments[["sequence", "time"]].tolist(), *labels[["sequence", "time"]].tolist()])
    assert (np.diff([time for _, time in both]) >= 0).all()
    truth = dict(zip(payments["sequence"].tolist(), made, strict=True))
    told = {int(label["payment"]): label for label in labels}
    assert all(truth[payment].typology and label["fraud"] for payment, label in told.items())
    assert all(label["sequence"] > payment for payment, label in told.items())
    end = payments["time"].max()
    late = [place for place, one in truth.items() if one.typology and place not in told]
    assert len(late) > 10
    assert all(START + truth[place].known > end for place in late)
    same = as_payments(made)
    assert all((payments[name] == same[name]).all() for name in same.dtype.names if name != "sequence")
