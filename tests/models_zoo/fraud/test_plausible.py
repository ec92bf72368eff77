"""What anybody would expect of the shipped bundle, on payments that no generator made."""

import numpy as np
import pytest

from models_zoo.fraud.card import read_card
from models_zoo.fraud.causal.view import DAY, HOUR
from models_zoo.fraud.events import channel_index, payments
from models_zoo.fraud.history import MemoryHistory, neighbourhood, surprises
from models_zoo.fraud.scorer import Scorer

NOW = 1_772_000_000.0


class Bank:
    """A bank whose payments are scored and then belong to the past."""

    def __init__(self):
        self.scorer, self.history, self.payments, self.numbers = Scorer(), MemoryHistory(), 0, 0

    def number(self):
        self.numbers += 1
        return self.numbers

    def pay(self, when, payer, payee, amount, channel="instant", device=0, merchant=0, keep=True):
        self.payments += 1
        one = (self.payments, NOW + when, payer, payee, device, merchant, amount, channel_index(channel))
        batch = payments([one])
        near = neighbourhood(self.history, batch)
        if keep:
            self.history.append(batch, surprises(batch, near.payer))
        return self.scorer.score(near)[0]

    def customer(self):
        """Account and phone of somebody with six weeks of salary, rent and shops behind them."""
        account, phone, employer, landlord = (self.number() for _ in range(4))
        shops, random = [(self.number(), self.number()) for _ in range(6)], np.random.default_rng(account)
        for day in range(42, 0, -1):
            if day in (41, 11):
                self.pay(-day * DAY + 3 * HOUR, employer, account, 2300, "transfer", device=employer)
                self.pay(-day * DAY + 9 * HOUR, account, landlord, 700, "debit")
            shop, terminal = shops[random.integers(6)]
            spent = round(float(np.exp(random.normal(3.4, 0.6))), 2)
            self.pay(-day * DAY + 14 * HOUR, account, shop, spent, "card", merchant=terminal)
        return account, phone, shops[0]


@pytest.fixture(scope="module")
def bank():
    return Bank()


@pytest.fixture(scope="module")
def somebody(bank):
    return bank.customer()


def test_everyday_payments_pass(bank, somebody):
    account, phone, (shop, terminal) = somebody
    assert bank.pay(HOUR, account, shop, 31.5, "card", merchant=terminal, keep=False).outcome == "approve"
    assert bank.pay(HOUR, account, bank.number(), 20, "transfer", phone, keep=False).outcome == "approve"


def test_nobody_empties_an_account_unseen(bank, somebody):
    """Ten times the usual and more, at once, to an account never paid before: however large, somebody looks."""
    account, phone, _ = somebody
    for amount in (500, 900, 2000, 5000, 20_000, 100_000, 1e6, 1e9):
        scored = bank.pay(2 * HOUR, account, bank.number(), amount, "instant", phone, keep=False)
        assert scored.outcome != "approve", amount


def test_a_first_payment_of_a_small_amount_passes_and_a_large_one_does_not(bank):
    outcomes = [
        bank.pay(3 * HOUR, bank.number(), bank.number(), amount, device=bank.number(), keep=False).outcome
        for amount in (5, 5000, 50_000)
    ]
    assert outcomes == ["approve", "review", "review"]


def test_an_amount_beyond_all_that_was_learned_from_is_reviewed_for_that(bank, somebody):
    account, _, (shop, terminal) = somebody
    largest = read_card().largest
    scored = bank.pay(4 * HOUR, account, shop, largest * 2, "card", merchant=terminal, keep=False)
    assert scored.outcome != "approve"
    within = bank.pay(4 * HOUR, account, shop, 31.5, "card", merchant=terminal, keep=False)
    assert "AMOUNT_UNKNOWN" not in {one.code for one in within.reasons}


def test_money_that_goes_round_is_found_however_often_it_does(bank):
    ring = [bank.customer() for _ in range(4)]
    when, value, outcomes = 5 * HOUR, 900.0, []
    for _ in range(4):
        for (payer, phone, _), (payee, _, _) in zip(ring, ring[1:] + ring[:1], strict=True):
            outcomes.append(bank.pay(when, payer, payee, round(value, 2), device=phone).outcome)
            when, value = when + 1.5 * HOUR, value * 0.96
    assert set(outcomes[4:]) == {"decline"}
