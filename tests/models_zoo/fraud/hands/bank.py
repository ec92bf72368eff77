"""A bank whose payments are made by hand."""

import numpy as np

from models_zoo.fraud.causal.view import DAY, HOUR
from models_zoo.fraud.events import channel_index, payments
from models_zoo.fraud.history import MemoryHistory, neighbourhood, surprises

NOW = 1_772_000_000.0
"""Wednesday 2026-02-25 06:13 UTC."""


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
