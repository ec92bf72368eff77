"""A bank whose payments are made by hand: what anybody would expect of a model, on payments no generator made.

Each scenario gives the scores of its payments in order. `python -m tests.models_zoo.fraud.hands [FOLDER]` prints them.
"""

import sys
from pathlib import Path

import numpy as np

from models_zoo.fraud.causal.view import DAY, HOUR, MINUTE
from models_zoo.fraud.events import channel_index, payments
from models_zoo.fraud.history import MemoryHistory, neighbourhood, surprises
from models_zoo.fraud.scorer import Scorer

NOW = 1_772_000_000.0
"""Wednesday 2026-02-25 06:13 UTC."""
SWEEP = (50, 1000, 10_000, 100_000, 1_000_000)


class Bank:
    """A bank whose payments are scored and then belong to the past. `wallet`: card payments name the phone too."""

    def __init__(self, scorer, wallet=False):
        self.scorer, self.wallet = scorer, wallet
        self.history, self.payments, self.numbers = MemoryHistory(), 0, 0

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
        return self.scorer.glance(near)[0]

    def past(self, rows):
        """Payments that are not scored: (when, payer, payee, amount, channel, device, merchant)."""
        made = []
        for when, payer, payee, amount, channel, device, merchant in sorted(rows):
            self.payments += 1
            made.append(
                (self.payments, NOW + when, payer, payee, device, merchant, amount, channel_index(channel))
            )
        batch = payments(made)
        near = neighbourhood(self.history, batch)
        self.history.append(batch, surprises(batch, near.payer))

    def customer(self, days=42):
        """Account, phone and a shop of somebody with six weeks of salary, rent and shops behind them."""
        account, phone, employer, landlord = (self.number() for _ in range(4))
        shops, random = [(self.number(), self.number()) for _ in range(6)], np.random.default_rng(account)
        rows = []
        for day in range(days, 0, -1):
            if day in (41, 11):
                rows.append((-day * DAY + 3 * HOUR, employer, account, 2300, "transfer", employer, 0))
                rows.append((-day * DAY + 9 * HOUR, account, landlord, 700, "debit", 0, 0))
            shop, terminal = shops[random.integers(6)]
            spent = round(float(np.exp(random.normal(3.4, 0.6))), 2)
            rows.append(
                (-day * DAY + 8 * HOUR, account, shop, spent, "card", phone if self.wallet else 0, terminal)
            )
        self.past(rows)
        return account, phone, shops[0]

    def firm(self, invoices=6, device=True):
        """Account, computer and supplier of a firm that pays one supplier weekly and a few others now and then."""
        firm, computer, supplier = self.number(), self.number() if device else 0, self.number()
        rows = [
            (-(invoices - k) * 7 * DAY + 4 * HOUR, firm, supplier, 5000 + k * 100, "transfer", computer, 0)
            for k in range(invoices)
        ]
        self.past(rows)
        return firm, computer, supplier


def bust_out(bank, channel="online", count=12, amount=900):
    account, phone, _ = bank.customer()
    device = phone if channel == "online" or bank.wallet else 0
    return [
        bank.pay(HOUR * (1 + k / 2), account, bank.number(), amount, channel, device, bank.number())
        for k in range(count)
    ]


def mule(bank, count=12, amount=500):
    people, fresh, own = [bank.customer() for _ in range(count)], bank.number(), bank.number()
    came = [
        bank.pay(HOUR + k * 10 * MINUTE, account, fresh, amount, "instant", phone)
        for k, (account, phone, _) in enumerate(people)
    ]
    gone = [
        bank.pay(3 * HOUR + k * 10 * MINUTE, fresh, bank.number(), count * amount * 0.32, "instant", own)
        for k in range(3)
    ]
    return came + gone


def carding(bank, count=75):
    device, shop, terminal = bank.number(), bank.number(), bank.number()
    return [
        bank.pay(HOUR + k * 2.4, bank.number(), shop, (1, 1.5, 2, 25, 40)[k % 5], "online", device, terminal)
        for k in range(count)
    ]


def tried_and_hit(bank, tries=8):
    (account, _, _), device = bank.customer(), bank.number()
    shops = [(bank.number(), bank.number()) for _ in range(4)]
    found = [
        bank.pay(HOUR + k * 40, account, shops[k % 4][0], 1 + k % 3 * 0.5, "online", device, shops[k % 4][1])
        for k in range(tries)
    ]
    return [
        *found,
        bank.pay(HOUR + tries * 40 + 220, account, bank.number(), 480, "online", device, bank.number()),
    ]


def invoice(bank, device=True, invoices=6):
    firm, computer, _ = bank.firm(invoices, device)
    return [bank.pay(3 * HOUR, firm, bank.number(), 5400, "transfer", computer)]


def pushed(bank, channel="transfer"):
    account, phone, _ = bank.customer()
    payee = bank.number()
    return [bank.pay(HOUR + k * 120, account, payee, 2000, channel, phone) for k in range(5)]


def taken_over(bank, channel="instant"):
    (account, _, _), device = bank.customer(), bank.number()
    return [
        bank.pay(20 * HOUR + k * 300, account, bank.number(), 900 + 45 * k, channel, device) for k in range(3)
    ]


def sweep(bank, channel, phone=True, merchant=True):
    found = []
    for amount in SWEEP:
        account, own, _ = bank.customer()
        terminal = bank.number() if merchant and channel in ("card", "online") else 0
        device = own if phone and (channel not in ("card", "debit") or bank.wallet) else 0
        found.append(bank.pay(2 * HOUR, account, bank.number(), amount, channel, device, terminal))
    return found


def layering(bank, laps=2):
    ring, when, value, found = [bank.customer() for _ in range(4)], 5 * HOUR, 4000.0, []
    for _ in range(laps):
        for (payer, phone, _), (payee, _, _) in zip(ring, ring[1:] + ring[:1], strict=True):
            found.append(bank.pay(when, payer, payee, round(value, 2), device=phone))
            when, value = when + HOUR, value * 0.97
    return found


def scattered(bank):
    source, phone, _ = bank.customer()
    several, sink = [(bank.number(), bank.number()) for _ in range(6)], bank.number()
    found = [
        bank.pay(HOUR + k * 60, source, one, 700, "instant", phone) for k, (one, _) in enumerate(several)
    ]
    return found + [
        bank.pay(2 * HOUR + k * 600, one, sink, 665, "instant", device)
        for k, (one, device) in enumerate(several)
    ]


FRAUDS = {
    "bust-out online": bust_out,
    "bust-out by card": lambda bank: bust_out(bank, "card"),
    "mule, 12 known payers of 500": mule,
    "mule, 9 known payers of 1200": lambda bank: mule(bank, 9, 1200),
    "75 cards on one device": carding,
    "tried 8 times, then 480": tried_and_hit,
    "invoice of a small firm": invoice,
    "invoice, no device": lambda bank: invoice(bank, False),
    "invoice, 12 before": lambda bank: invoice(bank, True, 12),
    "pushed, transfer": pushed,
    "pushed, instant": lambda bank: pushed(bank, "instant"),
    "taken over": taken_over,
    "taken over, transfer": lambda bank: taken_over(bank, "transfer"),
    "layering": layering,
    "scatter-gather": scattered,
    "sweep card": lambda bank: sweep(bank, "card"),
    "sweep online": lambda bank: sweep(bank, "online"),
    "sweep transfer": lambda bank: sweep(bank, "transfer"),
    "sweep transfer, no device": lambda bank: sweep(bank, "transfer", phone=False),
    "sweep instant": lambda bank: sweep(bank, "instant"),
    "sweep debit": lambda bank: sweep(bank, "debit"),
}


def ordinary(bank):
    """Payments that nobody should look at, by what they are."""
    account, phone, (shop, terminal) = bank.customer()
    friend, _, _ = bank.customer()
    found = {
        "usual shop": bank.pay(HOUR, account, shop, 31.5, "card", 0, terminal),
        "usual shop, new phone": bank.pay(2 * HOUR, account, shop, 35, "card", bank.number(), terminal),
        "20 to somebody new": bank.pay(3 * HOUR, account, bank.number(), 20, "transfer", phone),
        "50 to a friend": bank.pay(8 * HOUR, account, friend, 50, "instant", phone),
    }
    office = bank.number()
    bank.past(
        [(-k * DAY + 3 * HOUR, bank.number(), office, 300 + 70 * k, "transfer", 0, 0) for k in range(1, 21)]
    )
    for name, amount, channel, merchant in (
        ("holiday of 1,200", 1200, "online", True),
        ("used car of 8,500", 8500, "transfer", False),
        ("taxes of 1,900", 1900, "transfer", False),
        ("washing machine of 640", 640, "card", True),
        ("bill of 120 by debit", 120, "debit", False),
        ("taxi", 22, "card", True),
    ):
        account, phone, _ = bank.customer()
        device = phone if channel in ("online", "transfer") or bank.wallet else 0
        payee = office if name.startswith("taxes") else bank.number()
        found[name] = bank.pay(
            4 * HOUR, account, payee, amount, channel, device, bank.number() if merchant else 0
        )
    return found


def opening(bank, count=80):
    """Card payments of new customers at a shop on its first day."""
    shop, terminal = bank.number(), bank.number()
    return [
        bank.pay(
            2 * HOUR + 90 * k,
            bank.number(),
            shop,
            10 + k % 40,
            "card",
            bank.number() if bank.wallet else 0,
            terminal,
        )
        for k in range(count)
    ]


def payroll(bank, count=60):
    """A firm pays its people, most of whom nobody knows yet."""
    firm, computer, _ = bank.firm()
    return [
        bank.pay(2 * HOUR + k, firm, bank.number(), 2000 + 13 * k, "transfer", computer) for k in range(count)
    ]


def treasurer(bank, count=12):
    """Members of a club pay in their share."""
    people, (treasurer, _, _) = [bank.customer() for _ in range(count)], bank.customer()
    return [
        bank.pay(HOUR + k * 40 * MINUTE, account, treasurer, 25, "instant", phone)
        for k, (account, phone, _) in enumerate(people)
    ]


def spree(bank, count=8):
    """A day abroad: shops nobody here has seen."""
    account, phone, _ = bank.customer()
    device = phone if bank.wallet else 0
    return [
        bank.pay(
            HOUR * (2 + k), account, bank.number(), (12, 35, 60, 110)[k % 4], "card", device, bank.number()
        )
        for k in range(count)
    ]


HONEST = {
    "shop's first day": opening,
    "payroll": payroll,
    "treasurer": treasurer,
    "day abroad": spree,
}


def told(scores):
    return " ".join(f"{one.probability:.3f}{one.outcome[0]}" for one in scores)


def main(folder):
    scorer = Scorer(folder) if folder else Scorer()
    for wallet in (False, True):
        print(f"--- the bank {'tells' if wallet else 'does not tell'} the phone that paid by card;", end=" ")
        print(f"review from {scorer.card.review:.3f}")
        for name, one in ordinary(Bank(scorer, wallet)).items():
            print(f"  {name:32} {told([one])}")
        for name, scenario in (HONEST | FRAUDS).items():
            print(f"  {name:32} {told(scenario(Bank(scorer, wallet)))[:230]}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
