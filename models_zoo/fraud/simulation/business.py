"""What companies do: payroll, invoices, cash pooling within a group, and marketplaces that collect and pay out."""

from __future__ import annotations

from collections.abc import Iterator

from models_zoo.fraud.causal.view import DAY, HOUR, MINUTE
from models_zoo.fraud.simulation.everyday import month
from models_zoo.fraud.simulation.records import Company, Generated, Shop
from models_zoo.fraud.simulation.world import World


def business(world: World) -> Iterator[Generated]:
    """All of it, in no order."""
    for company in world.companies:
        yield from _payroll(world, company)
    for company in (*world.companies, *world.firms):
        yield from _invoices(world, company)
        yield from _occasional(world, company)
        yield from _dues(world, company)
        yield from _investments(world, company)
    for group in world.groups:
        yield from _pooling(world, group)
    yield from _marketplaces(world)


def _payroll(world: World, company: Company) -> Iterator[Generated]:
    """Everybody within the hour, from the company's computer, and who helped out this month; then what each of them
    does with it."""
    for start in range(0, world.days + 30, 30):
        day = start + company.payday + world.some(0, 1)
        run = day * DAY + world.uniform(1, 9) * HOUR
        for person in company.staff:
            if not person.opened <= day < min(world.days, person.closed):
                continue
            paid, wage = run + world.wait(8) * MINUTE, person.income
            yield world.send(company, person.account, paid, wage, "transfer", device=company.devices[0][1])
            yield from month(world, person, paid)
        for _ in range(world.some(0, 2)):
            person, wage = world.customer(run), world.amount(1500, 0.6)
            yield world.send(company, person.account, run + world.wait(8) * MINUTE, wage, "transfer")


def _invoices(world: World, company: Company) -> Iterator[Generated]:
    """To each supplier's account; after a move some go to the old one for a while."""
    for supply in company.supplies:
        for when, amount in supply.due:
            payee = supply.supplier.account_at(when - supply.slow)
            yield world.send(company, payee, when, amount, _channel(world))


def _occasional(world: World, company: Company) -> Iterator[Generated]:
    """Craftsmen, hotels, freelancers, refunds: paid once, as much as any invoice, to customers of this bank too."""
    often = 0.08 if company.staff else 0.04
    for _ in range(int(world.rng.poisson(world.days * often))):
        when, amount = world.office(world.uniform(0, world.days)), world.amount(600 * company.size, 1.2)
        payee = world.customer(when).account if world.chance(0.4) else world.outsider()
        yield world.send(company, payee, when, amount, _channel(world))


def _investments(world: World, company: Company) -> Iterator[Generated]:
    """A machine, a van, a house: far above any invoice, to a supplier, a notary or somebody new, some in two parts."""
    for _ in range(int(world.rng.poisson(world.days * 0.008))):
        value = world.amount(900 * company.size * world.factor(2, 60), 0.4)
        when, first = world.office(world.uniform(0, world.days)), world.chance(0.3)
        payee, draw = world.outsider(), world.uniform(0, 1)
        if draw < 0.4 and company.supplies:
            payee = world.pick(company.supplies).supplier.account
        elif draw < 0.6:
            payee = world.pick(world.offices)
        elif draw < 0.75:
            payee = world.customer(when).account
        if first:
            yield world.send(company, payee, when, round(value * 0.3, 2), _channel(world))
            when, value = world.office(when / DAY + world.uniform(5, 30)), value * 0.7
        yield world.send(company, payee, when, value, _channel(world))


def _dues(world: World, company: Company) -> Iterator[Generated]:
    """Taxes and premiums are drawn from the account, unlike from month to month, now and then a year's at once."""
    for start in range(0, world.days, 30):
        if world.chance(0.7):
            due = world.amount(1500 * company.size, 1.0) * (
                world.uniform(5, 30) if world.chance(0.05) else 1.0
            )
            payee, when = world.pick(world.offices), world.office(start + world.uniform(0, 30))
            yield Generated(when, company.account, payee, round(due, 2), "debit")


def _channel(world: World) -> str:
    return "instant" if world.chance(0.2) else "transfer"


def _pooling(world: World, group: list[Company]) -> Iterator[Generated]:
    """Surplus goes round the group every week or two and comes back less what each of them keeps."""
    day = world.uniform(0, 10)
    while day < world.days:
        when, value = world.office(day), world.amount(2500 * group[0].size, 0.8)
        order = [group[int(place)] for place in world.rng.permutation(len(group))]
        for company, following in zip(order, order[1:] + order[:1], strict=True):
            yield world.send(company, following.account, when, value, _channel(world))
            when += world.wait(7) * HOUR
            value *= world.uniform(0.9, 1.0)
        day += world.uniform(7, 14)


def _marketplaces(world: World) -> Iterator[Generated]:
    """Buyers pay the market, the market pays sellers a day later less its commission."""
    markets = [
        Shop(world.number(), "market", 55.0, 0.9, "online", (world.number(), world.number()))
        for _ in range(max(1, world.customers_count // 400))
    ]
    sellers = [world.pick(world.customers).account for _ in range(max(2, world.customers_count // 30))]
    for _ in range(int(world.rng.poisson(world.scale * 12))):
        market = world.pick(markets)
        when = int(world.uniform(0, world.days)) * DAY + world.hour(17)
        price = world.amount(market.median, market.spread)
        yield world.buy(world.customer(when), market, when, price)
        seller = world.pick(sellers) if world.chance(0.7) else world.outsider()
        on = when + world.uniform(0.2, 30) * HOUR
        yield Generated(on, market.account, seller, round(price * world.uniform(0.86, 0.97), 2), "transfer")
