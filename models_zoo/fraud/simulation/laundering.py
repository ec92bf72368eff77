"""What happens to stolen money: mules who collect and pass on, circles that layer it, hubs that scatter and gather.

The people in it have honest habits beside; the ties between them are new. Part of each kind is quiet: slower,
smaller, in office hours, from the mules' own devices.
"""

from __future__ import annotations

from collections.abc import Iterator

from models_zoo.fraud.causal.view import DAY, HOUR, MINUTE
from models_zoo.fraud.simulation.records import Generated, Holder
from models_zoo.fraud.simulation.world import World
from models_zoo.fraud.typologies import CYCLE, MULE, SCATTER


class Ring:
    """Mules and the collectors they pay. `device` is the controller's, who works some of the mules' accounts."""

    def __init__(self, world: World) -> None:
        self.world, self.start = world, world.moment()
        self.device, self.fast = world.number(), world.chance(0.35)
        self.mules = [recruit(world, self.start) for _ in range(1 if self.fast else world.some(1, 4))]
        self.collectors = [world.number() for _ in range(world.some(1, 2))]
        if world.chance(0.4):
            self.collectors.append(world.pick(world.kinds("exchange")).account)

    def mule(self) -> Holder:
        """One of the ring's mules."""
        return self.world.pick(self.mules)

    def payments(self) -> Iterator[Generated]:
        """Payments of people who were talked into them over hours or days, each passed on in part or whole.

        A fast ring sells what there is not: about the same price from each within hours, kept until all have paid.
        """
        world, when, kept = self.world, self.start, 0.0
        pace, spread = (0.4, 0.15) if self.fast else (3 if world.chance(0.6) else 14, 0.9)
        usual, mule = world.amount(330 * stake(world), spread) / world.level, self.mule()
        for _ in range(world.some(4, 15)):
            when += world.wait(pace) * HOUR
            victim, value = world.somebody(when, 0.35), world.amount(usual, spread)
            if self.fast and world.chance(0.6):
                value = round(usual * world.level, -1) or value
            mule = mule if self.fast else self.mule()
            channel = "transfer" if world.chance(0.25) else "instant"
            yield world.send(victim, mule.account, when, value, channel, MULE)
            kept += value
            if not self.fast:
                yield from self.pass_on(mule, value, when)
        if self.fast:
            yield from self.pass_on(mule, kept, when, world.some(1, 4))

    def pass_on(self, mule: Holder, value: float, when: float, parts: int = 0) -> Iterator[Generated]:
        """Money leaves the mule for one or two collectors, less a commission; sometimes after a night."""
        world = self.world
        moment = when + world.wait(30 if world.chance(0.6) else 500) * MINUTE
        parts = parts or (2 if value > 300 and world.chance(0.4) else 1)
        device = self.device if world.chance(0.35) else None
        for _ in range(parts):
            part = value / parts * world.uniform(0.8, 0.98)
            moment += world.wait(10) * MINUTE
            yield world.send(mule, world.pick(self.collectors), moment, part, typology=MULE, device=device)


def stake(world: World, often: float = 0.15) -> float:
    """How much more is at stake in an episode than usually: savings and credit lines are taken too."""
    return world.factor(4, 120) if world.chance(often) else 1.0


def recruit(world: World, when: float) -> Holder:
    """A customer with an honest past, or somebody elsewhere of whom nothing is known."""
    return world.customer(when) if world.chance(0.65) else world.stranger()


def recruits(world: World, when: float, count: int) -> list[Holder]:
    """Several of them, each another."""
    found: dict[int, Holder] = {}
    while len(found) < count:
        one = recruit(world, when)
        found[one.account] = one
    return list(found.values())


def cycle(world: World) -> Iterator[Generated]:
    """Three to five accounts, up to six rounds; each hop less a commission, after minutes, hours or a day."""
    when, value = world.moment(), world.amount(450, 0.9) * stake(world)
    order = recruits(world, when, world.some(3, 5))
    quiet = world.chance(0.4)
    for _ in range(min(world.many(1, 0.6), 6)):
        for payer, payee in zip(order, order[1:] + order[:1], strict=True):
            channel = "transfer" if world.chance(0.3) else "instant"
            yield world.send(payer, payee.account, when, value, channel, CYCLE)
            when += world.wait(15 if quiet else 3) * HOUR
            if quiet and when % DAY < 7 * HOUR:
                when += 8 * HOUR
            value *= world.uniform(0.9, 0.99)


def scatter_gather(world: World) -> Iterator[Generated]:
    """One source, three to seven between, one sink; parts of unlike size, a day or two from end to end."""
    when, value = world.moment(), world.amount(260, 0.7) * stake(world)
    source, sink, *several = recruits(world, when, world.some(5, 9))
    hop = 20 if world.chance(0.4) else 5
    for between in several:
        when += world.wait(45) * MINUTE
        part, soon = value * world.uniform(0.6, 1.4), when + world.wait(hop) * HOUR
        yield world.send(source, between.account, when, part, typology=SCATTER)
        left = part * world.uniform(0.85, 0.99)
        if left > 250 and world.chance(0.3):
            yield world.send(between, sink.account, soon + world.wait(5) * HOUR, left * 0.4, typology=SCATTER)
            left *= 0.6
        yield world.send(between, sink.account, soon, left, typology=SCATTER)
