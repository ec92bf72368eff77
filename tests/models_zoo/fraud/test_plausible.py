"""What anybody would expect of the shipped bundle, on payments that no generator made: see `hands`."""

import pytest

from models_zoo.fraud.card import read_card
from models_zoo.fraud.causal.view import DAY, HOUR
from models_zoo.fraud.scorer import Scorer
from tests.models_zoo.fraud.hands import frauds
from tests.models_zoo.fraud.hands.bank import Bank
from tests.models_zoo.fraud.hands.frauds import FRAUDS, SWEEP
from tests.models_zoo.fraud.hands.honest import HONEST, ordinary


@pytest.fixture(scope="module")
def scorer():
    return Scorer()


@pytest.fixture(params=[False, True], ids=["cards", "phones"])
def bank(scorer, request):
    """Its own for each test: people's habits follow from their numbers."""
    return Bank(scorer, request.param)


def seen(scores):
    return [one.outcome != "approve" for one in scores]


def test_everyday_payments_pass_and_dear_ones_are_looked_at_at_most(bank):
    found = {name: one.outcome for name, one in ordinary(bank).items()}
    dear = {"used car of 8,500", "holiday of 1,200"}
    assert {name for name, outcome in found.items() if outcome != "approve"} <= dear
    assert {found[name] for name in dear} <= {"approve", "review"}


@pytest.mark.parametrize("name", HONEST)
def test_honest_crowds_and_journeys_pass(bank, name):
    """Of eight purchases of one day at shops that nobody here has seen, the dear ones may be looked at."""
    scores = HONEST[name](bank)
    assert sum(seen(scores)) <= (3 if name == "day abroad" else 1)
    assert all(one.outcome != "decline" for one in scores)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("bust-out online", 4),
        ("bust-out by card", 4),
        ("boss at night", 0),
        ("boss in the morning", 0),
        ("boss in the afternoon", 0),
        ("boss, no device", 0),
        ("boss, instant", 0),
        ("scam that grows", 1),
        ("creditor of 30 x 49.90", 1),
        ("money of a fake shop", 0),
        ("one card, 150 x 40", 2),
        ("invoice of a small firm", 0),
        ("invoice, no device", 0),
        ("invoice, 12 before", 0),
        ("own money to a shop of cards", 1),
        ("new phone, 4,900 at once", 0),
        ("new phone, 900 at once", 0),
        ("hired to pass on", 1),
        ("layering, a day a hop", 1),
        ("emptied at machines", 1),
        ("stolen card online", 1),
        ("mule, 12 known payers of 500", 2),
        ("mule, 9 known payers of 1200", 2),
        ("75 cards on one device", 3),
        ("pushed, transfer", 2),
        ("pushed, instant", 2),
        ("taken over", 1),
        ("taken over, transfer", 2),
        ("layering", 3),
        ("scatter-gather", 5),
    ],
)
def test_fraud_is_seen_from_its_first_payments_on_and_does_not_fade(bank, name, first):
    """From payment `first` (0 is the first) at least nine in ten are looked at."""
    later = seen(FRAUDS[name](bank))[first:]
    assert sum(later) >= 0.9 * len(later)


def test_a_purchase_after_many_trials_is_seen(bank):
    assert seen(frauds.tried_and_hit(bank))[-1]


@pytest.mark.parametrize("name", [name for name in FRAUDS if name.startswith("sweep")])
def test_nobody_empties_an_account_unseen(bank, name):
    """A hundred times the usual and more, at once, to somebody never paid before: somebody looks."""
    scores = dict(zip(SWEEP, FRAUDS[name](bank), strict=True))
    assert scores[50].probability < 0.1
    assert [one.probability for one in scores.values()] == sorted(one.probability for one in scores.values())
    assert all(seen([scores[100_000], scores[1_000_000]]))


def test_a_first_payment_of_a_small_amount_passes_and_a_large_one_does_not(bank):
    outcomes = [
        bank.pay(3 * HOUR, bank.number(), bank.number(), amount, device=bank.number(), keep=False).outcome
        for amount in (5, 5000, 50_000)
    ]
    assert outcomes[0] == "approve"
    assert "approve" not in outcomes[1:]


def test_an_amount_beyond_all_that_was_learned_from_is_reviewed_for_that(bank):
    account, _, (shop, terminal) = bank.customer()
    largest = read_card().largest
    when = 4 * HOUR
    assert (
        bank.pay(when, account, shop, largest * 2, "card", merchant=terminal, keep=False).outcome != "approve"
    )
    within = bank.pay(when, account, shop, 31.5, "card", merchant=terminal, keep=False)
    assert "AMOUNT_UNKNOWN" not in {one.code for one in within.reasons}


def test_money_that_goes_round_is_found_however_often_it_does(bank):
    later = frauds.layering(bank, laps=4)[4:]
    assert {one.outcome for one in later} == {"decline"}


@pytest.mark.parametrize("late", [HOUR, 2 * DAY, 20 * DAY])
def test_a_payment_that_arrives_late_is_judged_like_one_in_order(bank, late):
    account, phone, (shop, terminal) = bank.customer()
    scores = [
        bank.pay(
            4 * HOUR - by, account, shop, 31.5, "card", phone if bank.wallet else 0, terminal, keep=False
        )
        for by in (0, late)
    ]
    assert {one.outcome for one in scores} == {"approve"}
