"""Budgets: asked before a call, counted once after it, whoever tells it and how often."""

import threading
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rootstock.accounts.actors import Actor
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Busy, InvalidInput
from rootstock.gateway import usage
from rootstock.gateway.budgets import (
    Allowance,
    BudgetSpent,
    Used,
    budget_check,
    budget_share,
    stream_slot_give,
    stream_slots_take,
    streams_under_way,
    usage_record,
)
from rootstock.gateway.models import UsageCall, UsageDay

KEY = Actor("key", str(uuid4()))


def record(organisation, prompt=10, completion=5, *, call=None, holder=KEY, model="base", cached=0) -> bool:
    return usage_record(
        organisation=organisation,
        call=call or uuid4(),
        holder=holder,
        model=model,
        used=Used(prompt, completion, cached),
    )


def totals(organisation) -> list[tuple[str, int, int, int, int]]:
    with tenant(organisation):
        rows = UsageDay.objects.order_by("model")
        return [(r.model, r.calls, r.prompt_tokens, r.cached_tokens, r.completion_tokens) for r in rows]


def test_without_a_budget_nothing_is_refused(world) -> None:
    record(world.organisation, 10**9, 10**9)
    assert budget_check(world.organisation).streams == 32


def test_a_call_is_counted_once(world) -> None:
    call = uuid4()
    assert record(world.organisation, 10, 5, call=call, cached=4)
    assert not record(world.organisation, 10, 5, call=call, cached=4)
    assert record(world.organisation, 1, 1, model="a@0123456789ab")
    assert record(world.organisation, 2, 3)
    assert totals(world.organisation) == [("a@0123456789ab", 1, 1, 0, 1), ("base", 2, 12, 4, 8)]


@pytest.mark.parametrize("limit", ["tokens_per_day", "tokens_per_month"])
def test_a_spent_budget_refuses_and_says_until_when(world, limit) -> None:
    usage.budget_set(organisation=world.organisation, **{limit: 30})
    record(world.organisation, 10, 19)
    budget_check(world.organisation)
    record(world.organisation, 1, 0)
    with pytest.raises(BudgetSpent, match=r"30 of its 30 tokens of this (day|month)") as refused:
        budget_check(world.organisation)
    assert refused.value.http_status == 429
    assert 0 < refused.value.retry_after <= 31 * 86_400
    budget_check(world.other)


def test_yesterday_counts_for_the_month_alone(world) -> None:
    today = datetime.now(UTC).date()
    if today.day == 1:
        pytest.skip("yesterday was another month")
    record(world.organisation, 100, 0)
    with tenant(world.organisation):
        UsageDay.objects.update(day=today - timedelta(days=1))
    usage.budget_set(organisation=world.organisation, tokens_per_day=1)
    budget_check(world.organisation)
    usage.budget_set(organisation=world.organisation, tokens_per_month=100)
    with pytest.raises(BudgetSpent, match="month"):
        budget_check(world.organisation)


def test_of_a_budget_one_limit_is_changed_and_another_taken_away(world) -> None:
    usage.budget_set(organisation=world.organisation, tokens_per_day=5, streams=2)
    usage.budget_set(organisation=world.organisation, tokens_per_day=None)
    budget = usage.budget_get(world.organisation)
    assert (budget.tokens_per_day, budget.tokens_per_month, budget.streams) == (None, None, 2)
    assert budget_check(world.organisation).streams == 2


@pytest.mark.parametrize(
    ("name", "value"), [("tokens_per_day", -1), ("tokens_per_month", 10**16), ("streams", 0)]
)
def test_a_limit_out_of_its_range_is_refused_by_name(world, name, value) -> None:
    with pytest.raises(InvalidInput) as refused:
        usage.budget_set(organisation=world.organisation, **{name: value})
    assert [problem.field for problem in refused.value.errors] == [name]


def test_counting_at_once_loses_nothing(committed_world) -> None:
    calls = [uuid4() for _ in range(12)]

    def tell() -> None:
        for call in calls:
            record(committed_world.organisation, 3, 2, call=call)
        connection.close()

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals(committed_world.organisation) == [("base", 12, 36, 0, 24)]


def test_places_are_taken_given_back_and_fall_free(world, services) -> None:
    allowance, later = Allowance(world.organisation.pk, 2), time.time() + 60
    [first] = stream_slots_take(allowance, [1], until=later)
    stream_slots_take(allowance, [1], until=time.time() + 0.2)
    with pytest.raises(Busy, match="2 answers under way"):
        stream_slots_take(allowance, [1], until=later)
    stream_slots_take(Allowance(world.other.pk, 1), [1], until=later)
    stream_slot_give(world.organisation, first)
    stream_slots_take(allowance, [1], until=later)
    time.sleep(0.25)  # whoever held the second one has died
    stream_slots_take(allowance, [1], until=later)


def test_every_candidate_takes_a_place_and_several_streams_all_or_none(world, services) -> None:
    allowance, later = Allowance(world.organisation.pk, 8), time.time() + 60
    [wide, _] = stream_slots_take(allowance, [5, 1], until=later)
    assert streams_under_way(world.organisation) == 6
    with pytest.raises(Busy, match="no room for 3 more"):
        stream_slots_take(allowance, [1, 1, 1], until=later)
    assert streams_under_way(world.organisation) == 6
    stream_slot_give(world.organisation, wide)
    stream_slots_take(allowance, [7], until=later)
    assert streams_under_way(world.organisation) == 8


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.integers(0, 5), st.none()), max_size=30), st.integers(1, 4))
def test_never_more_places_than_allowed(services, steps, most) -> None:
    allowance, held = Allowance(uuid4(), most), []
    for step in steps:
        if step is None:
            try:
                held += stream_slots_take(allowance, [1], until=time.time() + 60)
            except Busy:
                assert len(held) == most
        elif held:
            stream_slot_give(allowance.organisation, held.pop(step % len(held)))
        assert len(held) <= most


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40), st.integers(0, 40)), max_size=15),
    limit=st.integers(0, 200),
)
def test_whatever_is_told_twice_the_budget_counts_each_call_once(world, told, limit) -> None:
    with tenant(world.organisation):
        UsageDay.objects.all().delete()
    usage.budget_set(organisation=world.organisation, tokens_per_day=limit)
    ids, first = [uuid4() for _ in range(6)], dict[int, int]()
    for call, prompt, completion in told:
        assert record(world.organisation, prompt, completion, call=ids[call]) == (call not in first)
        first.setdefault(call, prompt + completion)
        used = sum(first.values())
        assert budget_share(world.organisation) == (used / limit if limit else 1.0)
        if used >= limit:
            with pytest.raises(BudgetSpent):
                budget_check(world.organisation)
        else:
            budget_check(world.organisation)
    assert sum(calls for _, calls, *_ in totals(world.organisation)) == len(first)


def test_ids_of_counted_calls_are_forgotten_and_sums_stay(world) -> None:
    record(world.organisation)
    with tenant(world.organisation):
        UsageCall.objects.update(counted_at=datetime.now(UTC) - timedelta(days=8))
    usage.calls_purge()
    with tenant(world.organisation):
        assert not UsageCall.objects.exists()
    assert totals(world.organisation) == [("base", 1, 10, 0, 5)]
