"""Who there is in a world: shops, employers and small firms with what they owe, people and their ties."""

from __future__ import annotations

from models_zoo.fraud.causal.view import DAY
from models_zoo.fraud.simulation.records import Company, Customer, Supplier, Supply
from models_zoo.fraud.simulation.world import SHOPS, World


def settle(world: World) -> World:
    """The same world with everybody in it."""
    _shops(world)
    _companies(world)
    _people(world)
    _ties(world)
    return world


def _shops(world: World) -> None:
    for kind, share, *_ in SHOPS:
        for _ in range(max(2, int(world.customers_count * share))):
            shop = world.shop(kind, world.some(1, 4))
            world.shops.append(shop)
            world.by_kind.setdefault(kind, []).append(shop)


def _companies(world: World) -> None:
    """Employers, every third in a group whose books are kept on one computer; and firms of one or two people."""
    for _ in range(max(6, world.customers_count // 18)):
        payday = int(world.rng.choice([0, 14, 24, 27]))
        world.companies.append(_company(world, payday, world.spread(0, 1.2)))
    left = world.companies[: len(world.companies) // 2]
    while len(left) >= 3:
        size = min(world.some(3, 5), len(left))
        group, left = left[:size], left[size:]
        for company in group[1:]:
            company.devices = group[0].devices
        world.groups.append(group)
    world.firms = [
        _company(world, 0, world.spread(-1, 1.0)) for _ in range(max(3, world.customers_count // 15))
    ]
    _supplies(world)


def _company(world: World, payday: int, size: float) -> Company:
    """One in four sends its payments as files, which name no device."""
    if world.chance(0.25):
        return Company(world.number(), [(0.0, 0)], payday=payday, size=size)
    return Company(world.number(), [(0.0, world.number())], restless=0.01, payday=payday, size=size)


def _supplies(world: World) -> None:
    """Some suppliers are companies of this world; one in eight really moves to another account."""
    suppliers = [Supplier(company.account) for company in world.companies]
    suppliers += [Supplier(world.number()) for _ in range(len(world.companies) + len(world.firms))]
    for supplier in suppliers:
        if world.chance(0.12 * min(1.0, world.days / 75) + 0.05):
            supplier.moves, supplier.new_account = world.uniform(0, world.days) * DAY, world.number()
    for company in (*world.companies, *world.firms):
        for _ in range(world.some(1, 3) if company in world.firms else world.some(4, 11)):
            supplier = world.pick(suppliers)
            if supplier.account != company.account:
                due = _invoices(world, company.size)
                company.supplies.append(Supply(supplier, due, world.uniform(0, 20) * DAY))


def _invoices(world: World, size: float) -> list[tuple[float, float]]:
    """Weekly to monthly from some day on: new suppliers come all the time."""
    median, every = 900 * size * world.spread(0, 1.0), (30, 30, 14, 7)[world.some(0, 3)]
    day = world.uniform(0, world.days) if world.chance(0.3) else world.uniform(0, every)
    due = []
    while day < world.days:
        due.append((world.office(day + world.uniform(-2, 2)), world.amount(median, 0.35)))
        day += every
    return due


def _people(world: World) -> None:
    landlords = [world.number() for _ in range(max(3, world.customers_count // 12))]
    world.managers = {account: world.number() for account in landlords if world.chance(0.3)}
    weights = world.rng.zipf(1.6, len(world.shops)).clip(max=30).astype(float)
    weights /= weights.sum()
    hours = world.rng.choice([14.5, 2.0, 18.0], world.customers_count, p=[0.82, 0.08, 0.10])
    for hour in hours:
        idle, wealth = world.chance(0.1), world.uniform(3, 15) if world.chance(0.04) else 1.0
        person = Customer(
            account=world.number(),
            devices=[(0.0, world.number())],
            restless=0.015,
            income=world.spread(7.7, 0.45) * world.level * wealth,
            rate=float(world.rng.gamma(2.5, 0.3)) * (0.05 if idle else 1.0),
            hour=float(hour),
            opened=world.uniform(0, world.days) if world.chance(0.15) else 0.0,
            savings=world.number(),
            landlord=world.pick(landlords),
        )
        if world.chance(0.05 + world.days / 500):
            person.devices.append((world.uniform(0, world.days) * DAY, world.number()))
        favourites = world.rng.choice(len(world.shops), world.some(6, 15), p=weights)
        person.shops = [world.shops[int(place)] for place in favourites]
        person.providers = [
            (world.pick(world.companies), 45 * world.spread(0, 0.5)) for _ in range(world.some(0, 2))
        ]
        if not idle:
            world.pick(world.companies).staff.append(person)
        world.customers.append(person)


def _ties(world: World) -> None:
    """Households of two share shops, landlord and often a tablet; families and friends pay each other."""
    for left, right in zip(world.customers[::3], world.customers[1::3], strict=False):
        left.partner, right.partner = right, left
        right.shops = right.shops[:3] + left.shops[3:]
        right.landlord = left.landlord
        if world.chance(0.4):
            left.shared = right.shared = world.number()
    for start in range(0, len(world.customers), 5):
        family = world.customers[start : start + 5]
        for person in family:
            person.family = [one for one in family if one is not person]
    for person in world.customers:
        person.friends = [world.pick(world.customers) for _ in range(world.some(2, 8))]
