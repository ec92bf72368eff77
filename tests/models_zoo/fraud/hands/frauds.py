"""Frauds made by hand: the scores of their payments, in order."""

from models_zoo.fraud.causal.view import DAY, HOUR, MINUTE

SWEEP = (50, 1000, 10_000, 100_000, 1_000_000)
WIRES = (48_000, 120_000, 480_000, 1_000_000)
HOURS = (-5 * HOUR, 3 * HOUR, 9 * HOUR)
"""At night, in the morning and in the afternoon."""


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


def wires(bank, when=3 * HOUR, device=True, channel="transfer"):
    """One large payment of a firm to somebody new, each of another firm."""
    found = []
    for amount in WIRES:
        firm, computer, _ = bank.firm(device=device)
        found.append(bank.pay(when, firm, bank.number(), amount, channel, computer))
    return found


def scam(bank, amounts=(1000, 2000, 5000, 12_000)):
    """More and more to one account, every evening."""
    (account, phone, _), payee = bank.customer(), bank.number()
    return [
        bank.pay(12 * HOUR + k * DAY, account, payee, amount, "transfer", phone)
        for k, amount in enumerate(amounts)
    ]


def creditor(bank, count=30):
    """Somebody without a mandate draws from customers who do not know him."""
    people, drawer = [bank.customer() for _ in range(count)], bank.number()
    return [
        bank.pay(3 * HOUR + k * 20, account, drawer, 49.9, "debit")
        for k, (account, _, _) in enumerate(people)
    ]


def fake_shop(bank, count=15):
    """A bargain that many buy within hours, and what the shop does with the money."""
    people, shop, terminal = [bank.customer() for _ in range(count)], bank.number(), bank.number()
    for k, (account, phone, _) in enumerate(people):
        bank.pay(HOUR + k * 15 * MINUTE, account, shop, 199, "online", phone, terminal)
    return [bank.pay(6 * HOUR, shop, bank.number(), count * 190, "instant")]


def one_card(bank, count=150):
    """A number of a card that nobody knows, forty euros every sixteen seconds."""
    account, device, shop, terminal = (bank.number() for _ in range(4))
    return [bank.pay(HOUR + k * 16, account, shop, 40, "online", device, terminal) for k in range(count)]


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


def gift_cards(bank, count=6):
    """Somebody on the line wants cards of a shop that everybody knows, 200 each."""
    (account, phone, _), shop, terminal = bank.customer(), bank.number(), bank.number()
    bank.past(
        [(-k * 3 * HOUR, bank.number(), shop, 50, "online", bank.number(), terminal) for k in range(1, 60)]
    )
    return [bank.pay(3 * HOUR + k * 500, account, shop, 200, "online", phone, terminal) for k in range(count)]


def swapped(bank, amount=4900):
    """The thief's telephone answers for the victim's: one payment."""
    account, _, _ = bank.customer()
    return [bank.pay(12 * HOUR, account, bank.number(), amount, "instant", bank.number())]


def hired(bank):
    """A customer was hired to receive money and pass it on."""
    account, phone, _ = bank.customer()
    return [
        bank.pay(3 * HOUR, bank.number(), account, 4500, "transfer"),
        bank.pay(3 * HOUR + 20 * MINUTE, account, bank.number(), 4200, "instant", phone),
    ]


def slow_layering(bank):
    ring, found = [bank.customer() for _ in range(4)], []
    for hop in range(8):
        (payer, phone, _), (payee, _, _) = ring[hop % 4], ring[(hop + 1) % 4]
        value = round(9000 * 0.97**hop, 2)
        found.append(bank.pay((5 + 22 * hop) * HOUR, payer, payee, value, "transfer", phone))
    return found


def cash_out(bank, count=5):
    account, _, _ = bank.customer()
    return [
        bank.pay(12 * HOUR + k * 600, account, bank.number(), 500, "cash", 0, bank.number())
        for k in range(count)
    ]


def stolen_online(bank, count=4):
    (account, _, _), device = bank.customer(), bank.number()
    return [
        bank.pay(12 * HOUR + k * 400, account, bank.number(), 350 + 20 * k, "online", device, bank.number())
        for k in range(count)
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
    "boss at night": lambda bank: wires(bank, HOURS[0]),
    "boss in the morning": wires,
    "boss in the afternoon": lambda bank: wires(bank, HOURS[2]),
    "boss, no device": lambda bank: wires(bank, device=False),
    "boss, instant": lambda bank: wires(bank, channel="instant"),
    "scam that grows": scam,
    "creditor of 30 x 49.90": creditor,
    "money of a fake shop": fake_shop,
    "one card, 150 x 40": one_card,
    "own money to a shop of cards": gift_cards,
    "new phone, 4,900 at once": swapped,
    "new phone, 900 at once": lambda bank: swapped(bank, 900),
    "hired to pass on": hired,
    "layering, a day a hop": slow_layering,
    "emptied at machines": cash_out,
    "stolen card online": stolen_online,
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
