"""Honest payments made by hand: their scores, in order or by what they are."""

from models_zoo.fraud.causal.view import DAY, HOUR, MINUTE


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
        ("first rent of 850", 850, "transfer", False),
        ("dentist of 800", 800, "transfer", False),
        ("own savings of 1,000", 1000, "transfer", False),
        ("250 to a nephew", 250, "instant", False),
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


def game(bank, count=5):
    """A child buys from an app."""
    (account, phone, _), shop, terminal = bank.customer(), bank.number(), bank.number()
    bank.past(
        [
            (-k * DAY - 60, bank.number(), shop, 0.99 * k, "online", bank.number(), terminal)
            for k in range(1, 25)
        ]
    )
    return [
        bank.pay(12 * HOUR + k * 5 * MINUTE, account, shop, 0.99, "online", phone, terminal)
        for k in range(count)
    ]


def evening(bank):
    """From place to place, that others of the town know."""
    account, phone, _ = bank.customer()
    places, device = [(bank.number(), bank.number()) for _ in range(5)], phone if bank.wallet else 0
    bank.past(
        [
            (-k * 3 * HOUR, bank.number(), at[0], 10 + 2 * k, "card", 0, at[1])
            for at in places
            for k in range(1, 20)
        ]
    )
    return [
        bank.pay(12 * HOUR + k * 40 * MINUTE, account, shop, (18, 9, 34, 22, 12)[k], "card", device, terminal)
        for k, (shop, terminal) in enumerate(places)
    ]


def supplies(bank):
    """A firm's van by its usual supplier, a craftsman, a new supplier's first invoice."""
    firm, computer, supplier = bank.firm()
    return [
        bank.pay(when * HOUR, firm, payee, amount, "transfer", computer)
        for when, payee, amount in (
            (3, supplier, 14_000),
            (4, bank.number(), 480),
            (5, bank.number(), 1900.5),
        )
    ]


def refunds(bank, count=12):
    """A shop pays back what was bought there."""
    people, shop, terminal = [bank.customer() for _ in range(count)], bank.number(), bank.number()
    bank.past(
        [
            (-k * 3 * HOUR, account, shop, 30 + 5 * k, "online", phone, terminal)
            for k, (account, phone, _) in enumerate(people * 3, 1)
        ]
    )
    return [
        bank.pay(3 * HOUR + k * 120, shop, account, 40 + 3 * k, "transfer")
        for k, (account, _, _) in enumerate(people)
    ]


def insurer(bank):
    """Premiums come in, damages are paid."""
    people, payer = [bank.customer() for _ in range(6)], bank.number()
    bank.past(
        [(-k * 5 * HOUR, account, payer, 60, "debit", 0, 0) for k, (account, *_) in enumerate(people * 4, 1)]
    )
    return [
        bank.pay((3 + k / 4) * HOUR, payer, account, (800, 5000, 220, 12_000, 1500, 90)[k], "transfer")
        for k, (account, _, _) in enumerate(people)
    ]


def builder(bank):
    """Savings come back and pay a builder."""
    (account, phone, _), savings = bank.customer(), bank.number()
    bank.past([(-k * 5 * DAY, account, savings, 300, "transfer", phone, 0) for k in range(1, 8)])
    return [
        bank.pay(3 * HOUR, savings, account, 12_000, "instant"),
        bank.pay(4 * HOUR, account, bank.number(), 12_000, "transfer", phone),
    ]


def student(bank):
    """The parents' money pays the rent."""
    (parent, phone, _), child, landlord, own = bank.customer(), *(bank.number() for _ in range(3))
    months = (30, 60)
    bank.past([(-k * DAY, parent, child, 600, "transfer", phone, 0) for k in months])
    bank.past([(HOUR - k * DAY, child, landlord, 450, "transfer", own, 0) for k in months])
    return [
        bank.pay(3 * HOUR, parent, child, 600, "transfer", phone),
        bank.pay(4 * HOUR, child, landlord, 450, "transfer", own),
    ]


def freelancer(bank):
    """A firm pays a customer for the first time, who lays some of it by."""
    (firm, computer, _), (account, phone, _) = bank.firm(), bank.customer()
    return [
        bank.pay(3 * HOUR, firm, account, 3000, "transfer", computer),
        bank.pay(6 * HOUR, account, bank.number(), 1000, "transfer", phone),
    ]


def wedding(bank, count=20):
    """Guests give, the couple pays for the hall."""
    people, (account, phone, _), hall = (
        [bank.customer() for _ in range(count)],
        bank.customer(),
        bank.number(),
    )
    bank.past([(-k * 3 * DAY, bank.number(), hall, 400, "card", 0, hall) for k in range(1, 14)])
    given = [
        bank.pay((3 + 1.3 * k) * HOUR, guest, account, (50, 100, 75)[k % 3], "instant", own)
        for k, (guest, own, _) in enumerate(people)
    ]
    return [*given, bank.pay(40 * HOUR, account, hall, 1500, "transfer", phone)]


def new_phone(bank):
    """A friend, then somebody new, then a bill, all from a phone that is new."""
    (account, phone, _), (friend, _, _), new = bank.customer(), bank.customer(), bank.number()
    bank.past([(-9 * DAY, account, friend, 30, "instant", phone, 0)])
    return [
        bank.pay(12 * HOUR, account, friend, 40, "instant", new),
        bank.pay(13 * HOUR, account, bank.number(), 60, "instant", new),
        bank.pay(14 * HOUR, account, bank.number(), 180, "transfer", new),
    ]


HONEST = {
    "shop's first day": opening,
    "payroll": payroll,
    "treasurer": treasurer,
    "day abroad": spree,
    "refunds": refunds,
    "insurer pays": insurer,
    "house built": builder,
    "son who studies": student,
    "freelancer": freelancer,
    "wedding": wedding,
    "new phone": new_phone,
    "game": game,
    "evening out": evening,
    "a firm's day": supplies,
}
