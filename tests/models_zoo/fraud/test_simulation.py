"""Each fraud has the shape that gives it its name, and honest payments have the same shapes, more often."""

from collections import defaultdict
from itertools import pairwise

import pytest

from models_zoo.fraud.causal.view import DAY, HOUR
from models_zoo.fraud.generator import generate
from models_zoo.fraud.simulation import deception, laundering, theft
from models_zoo.fraud.simulation.business import business
from models_zoo.fraud.simulation.frauds import frauds
from models_zoo.fraud.simulation.laundering import Ring
from models_zoo.fraud.simulation.lookalikes import lookalikes
from models_zoo.fraud.simulation.population import settle
from models_zoo.fraud.simulation.world import World
from models_zoo.fraud.typologies import BUST_OUT, CARD_TESTING, CYCLE, INVOICE, MULE, SCATTER, TAKEOVER

TIMES = 25


@pytest.fixture
def world():
    return settle(World(seed=6, customers_count=200, days=40))


def in_time(episode):
    return sorted(episode, key=lambda one: one.time)


def test_a_cycle_comes_back_smaller_to_where_it_began(world):
    for _ in range(TIMES):
        hops = in_time(laundering.cycle(world))
        assert 3 <= len({one.payer for one in hops}) <= 5
        assert hops[-1].payee == hops[0].payer
        for one, following in pairwise(hops):
            assert following.payer == one.payee
            assert following.amount < one.amount
            assert following.time - one.time < 6 * DAY
        assert {one.typology for one in hops} == {CYCLE}


def test_scattered_money_gathers_again(world):
    for _ in range(TIMES):
        made = in_time(laundering.scatter_gather(world))
        source = made[0].payer
        out = {one.payee: one for one in made if one.payer == source}
        back = [one for one in made if one.payer != source]
        assert 3 <= len(out) <= 7
        assert {one.payer for one in back} == set(out)
        assert len({one.payee for one in back}) == 1
        for between, one in out.items():
            passed = [last for last in back if last.payer == between]
            assert sum(last.amount for last in passed) < one.amount
            assert all(last.time >= one.time for last in passed)
        assert {one.typology for one in made} == {SCATTER}


def test_mules_collect_and_pass_on_less(world):
    for _ in range(TIMES):
        ring = Ring(world)
        made = in_time(ring.payments())
        mules = {mule.account for mule in ring.mules}
        came, gone = defaultdict(float), defaultdict(float)
        for one in made:
            (came if one.payee in mules else gone)[one.payee] += one.amount
            assert one.payee in mules or (one.payer in mules and one.payee in ring.collectors)
        assert sum(gone.values()) < sum(came.values()) * 1.05
        assert {one.typology for one in made} == {MULE}


def test_tested_cards_pay_small_first_and_some_share_a_device(world):
    careless = world.kinds("apps", "subscription", "online")[:2]
    episodes = [
        in_time(theft._card(world, world.customer(0.0), careless, DAY, world.number())) for _ in range(TIMES)
    ]
    assert all(one.device and one.merchant for made in episodes for one in made)
    assert sum(made[0].amount < 20 * world.level for made in episodes) > 0.6 * TIMES
    whole = [in_time(theft.card_testing(world)) for _ in range(TIMES)]
    assert {one.typology for made in whole for one in made} == {CARD_TESTING}
    victims = [len({one.payer for one in made}) for made in whole]
    devices = [len({one.device for one in made}) for made in whole]
    assert any(payers > used for payers, used in zip(victims, devices, strict=True))


def test_a_machine_tries_many_cards_in_minutes_and_a_thief_goes_from_counter_to_counter(world):
    cards = set()
    for _ in range(TIMES):
        tried = in_time(theft._machine(world, DAY, world.number()))
        cards.add(len({one.payer for one in tried}))
        assert len({one.payee for one in tried}) == 1
        assert tried[-1].time - tried[0].time < HOUR
    assert min(cards) == 1
    assert max(cards) > 10
    bought = in_time(theft._counters(world, world.customer(0.0), DAY))
    assert len({one.payer for one in bought}) == 1
    assert all(one.channel in ("card", "cash") and one.merchant for one in bought)


def test_a_taken_over_account_pays_from_a_foreign_device_or_its_own(world):
    rings, foreign = [Ring(world) for _ in range(3)], 0
    for _ in range(TIMES):
        stolen = [one for one in theft.take_over(world, rings) if one.typology == TAKEOVER]
        assert len({one.payer for one in stolen}) == 1
        victim = next(person for person in world.customers if person.account == stolen[0].payer)
        own = {number for _, number in victim.devices} | {victim.shared}
        foreign += stolen[0].device not in own
    assert 0.25 * TIMES < foreign < 0.9 * TIMES


def test_a_redirected_invoice_is_one_that_was_due(world):
    rings = [Ring(world)]
    for _ in range(TIMES):
        due = {
            (company.account, when)
            for company in (*world.companies, *world.firms)
            for supply in company.supplies
            for when, _ in supply.due
        }
        everybody = (*world.companies, *world.firms)
        suppliers = {supply.supplier.account for company in everybody for supply in company.supplies}
        victim = next(one for one in everybody if any(supply.due for supply in one.supplies))
        taken = [one for one in theft.redirected(world, victim, rings) if one.typology == INVOICE]
        assert taken
        for one in taken:
            assert (one.payer, one.time) in due
            assert one.payee not in suppliers
    left = {
        (company.account, when)
        for company in world.companies
        for supply in company.supplies
        for when, _ in supply.due
    }
    assert not {(one.payer, one.time) for one in taken} & left


def test_a_bust_out_ends_the_account(world):
    made = in_time(theft.bust_out(world, [Ring(world)]))
    spent = [one for one in made if one.typology == BUST_OUT]
    person = next(person for person in world.customers if person.account == spent[0].payer)
    assert len(spent) >= 4
    assert person.closed == pytest.approx(spent[-1].time / DAY)


def test_a_closed_account_pays_no_more():
    """Neither shops nor salary nor friends: whoever ran away with the credit is gone."""
    world = settle(World(seed=6, customers_count=200, days=40))
    ended = [one for one in frauds(world) if one.typology == BUST_OUT]
    last = {
        account: max(one.time for one in ended if one.payer == account)
        for account in {one.payer for one in ended}
    }
    kept = [one for one in business(world) if one.payee in last and one.payer != world.bank]
    wages = {company.account for company in world.companies}
    assert not [one for one in kept if one.payer in wages and one.time > last[one.payee] + DAY]


def test_honest_people_go_round_in_circles_more_often_than_launderers():
    circles = {True: 0, False: 0}
    for seed in range(9, 13):
        recent = defaultdict(list)
        for one in generate(seed, 400, 40):
            recent[one.payer] = [past for past in recent[one.payer] if past.time > one.time - 3 * DAY]
            recent[one.payer].append(one)
            circles[bool(one.typology)] += any(
                last.payee == one.payer and last.time > first.time
                for first in recent[one.payee]
                for last in recent[first.payee]
            )
    assert circles[False] > 2 * circles[True] > 0


def test_a_supplier_that_moves_is_paid_at_its_new_account():
    world = settle(World(seed=6, customers_count=600, days=40))
    moved = {
        supply.supplier.new_account
        for company in world.companies
        for supply in company.supplies
        if supply.supplier.moves < 20 * DAY
    }
    assert moved
    paid = {one.payee for one in business(world)}
    assert len(moved & paid) >= len(moved) / 2


def test_an_order_in_the_boss_name_goes_to_somebody_new_for_far_more_than_an_invoice(world):
    ring, times = Ring(world), []
    suppliers = {supply.supplier.account for company in world.companies for supply in company.supplies}
    for victim in world.companies:
        made = [one for one in deception.order(world, victim, ring) if one.typology == INVOICE]
        assert {one.payer for one in made} == {victim.account}
        assert not {one.payee for one in made} & suppliers
        times.append(made[0].amount / (900 * victim.size * world.level))
    assert min(times) > 0.5
    assert max(times) > 50


def test_a_scam_takes_from_one_victim_to_one_account(world):
    for _ in range(TIMES):
        made = [one for one in deception.scam(world, Ring(world)) if one.typology == TAKEOVER]
        assert len({(one.payer, one.payee) for one in made}) == 1


def test_a_fake_shop_and_a_false_creditor_take_from_many_and_send_it_on(world):
    for episode, kind in ((deception.fake_shop, BUST_OUT), (deception.false_creditor, CARD_TESTING)):
        sent = 0
        for _ in range(TIMES):
            made = in_time(episode(world))
            taker = made[0].payee
            assert len({one.payer for one in made if one.payee == taker}) >= 5
            assert {one.typology for one in made} == {kind}
            sent += any(one.payer == taker for one in made)
        assert sent > 0.3 * TIMES


def test_honest_hubs_and_collectors_are_there(world):
    """Payroll fans out, billing companies fan in, marketplaces and property managers pass on."""
    out, into = defaultdict(set), defaultdict(set)
    for one in business(world):
        out[one.payer, int(one.time / DAY)].add(one.payee)
        into[one.payee, int(one.time / DAY / 7)].add(one.payer)
    assert max(len(payees) for payees in out.values()) >= 8
    assert max(len(payers) for payers in into.values()) >= 8
    honest = list(lookalikes(world))
    assert not [one for one in honest if one.typology]
    assert sum(one.payer == world.bank for one in honest) >= 1
