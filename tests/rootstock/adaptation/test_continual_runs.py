"""Runs of continual adaptation: each ending, and nothing done twice however often they are advanced or killed."""

import threading
import time
from typing import Any

import pytest
from django.db import connection, connections

from rootstock.accounts.models import Membership
from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.continual.advance import run_advance
from rootstock.adaptation.continual.models import ContinualPlan, ContinualRun
from rootstock.adaptation.continual.runs import plans_run, run_start
from rootstock.adaptation.tasks import advance_continual
from rootstock.audit.models import AuditEntry
from rootstock.errors import Conflict, Forbidden
from rootstock.jobs import claiming
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_cancel
from rootstock.registry import aliases
from rootstock.registry.models import Alias, Dataset, Promotion
from tests.fixtures.continual import (
    ALIAS,
    BETTER,
    COLLECTION,
    as_person,
    jobs_run,
    lines_of,
    plan_row,
    run_to_the_end,
)
from tests.fixtures.registry import version_row
from tests.fixtures.trainings import dataset_row


@pytest.fixture
def plan(world, base):
    return plan_row(world)


def begin(world: Any, plan: Any) -> ContinualRun:
    return run_start(organisation=world.organisation, plan_id=plan.pk)


def advance(world: Any, run: Any) -> bool:
    return run_advance(organisation=world.organisation.pk, run_id=run.pk)


def jobs(world: Any, kind: str) -> list[Job]:
    with tenant(world.organisation):
        return list(Job.objects.filter(kind=f"adapters.{kind}").order_by("pk"))


def promotions(world: Any) -> list[Promotion]:
    with tenant(world.organisation):
        return list(Promotion.objects.select_related("version"))


def content(world: Any, dataset: Any) -> bytes:
    from rootstock.files.services import file_open

    with file_open(organisation=world.organisation.pk, file_id=dataset.file_id, done="used")[1] as stored:
        return stored.read()


def test_it_works(world, plan) -> None:
    """From new examples to a promotion that the plan's maker cannot agree to and somebody else can."""
    run = begin(world, plan)
    assert advance(world, run)
    [training] = jobs(world, "train")
    production = run.production
    assert (training.params["name"], training.params["start_from"]) == ("support-tone", production.reference)
    assert (training.created_by, training.asked_by) == (world.owner, plan.made_by)
    run = run_to_the_end(world, run)
    assert (run.state, run.version.parent_id) == ("proposed", production.pk)
    assert run.reason == "0.512 before, 0.574 after (+0.062) on late-parcels-test"
    assert len(jobs(world, "evaluate")) == 4
    [promotion] = promotions(world)
    assert (promotion, promotion.version) == (run.promotion, run.version)
    assert (promotion.alias, promotion.person) == (ALIAS, f"person:{world.owner.pk}")
    given = {"organisation": world.organisation, "promotion_id": promotion.pk}
    with as_person(world.owner), pytest.raises(Forbidden):
        aliases.promotion_approve(**given)
    with as_person(world.colleague):
        assert aliases.promotion_approve(**given).current == run.version
    with tenant(world.organisation):
        entry = AuditEntry.objects.get(action="continual_run.proposed")
    assert (entry.actor_id, entry.data["adapter"]) == ("continual", run.version.reference)


def test_the_next_run_replays_what_this_one_learned(world, plan) -> None:
    first = run_to_the_end(world, begin(world, plan))
    assert (first.dataset.rows, first.replay) == (4, None)
    with as_person(world.colleague):
        aliases.promotion_approve(organisation=world.organisation, promotion_id=first.promotion_id)
    assert run_to_the_end(world, begin(world, plan)).state == "nothing_new"
    dataset_row(world, COLLECTION, lines_of("new", 2) + lines_of("later", 3) + lines_of("frozen", 1))
    third = run_to_the_end(world, begin(world, plan), BETTER)
    assert third.production == first.version
    assert (third.dataset.rows, third.replay.rows) == (3, 4)
    assert third.left_out == 3  # what was learned before, and what the frozen set holds
    assert b"frozen" not in content(world, third.dataset)
    assert jobs(world, "train")[-1].params["replay"] == str(third.replay.pk)
    assert len(jobs(world, "evaluate")) == 4 + 2  # what serves was measured before


def test_parts_become_one_set_that_holds_all_their_persons(world, plan) -> None:
    from rootstock.privacy.subjects import subject_ensure

    with tenant(world.organisation):
        one = subject_ensure(world.organisation, "support.customer", "c-1")
    dataset_row(world, COLLECTION, lines_of("of a person", 2), subject_ids=[one.pk])
    run = run_to_the_end(world, begin(world, plan))
    assert (run.dataset.rows, run.dataset.name) == (6, "desk-answers-new")
    with tenant(world.organisation):
        later = subject_ensure(world.organisation, "support.customer", "c-2")
    dataset_row(
        world, COLLECTION, lines_of("new", 4), subject_ids=[later.pk]
    )  # the same content: they are told of now
    with tenant(world.organisation):
        assert set(run.dataset.subject_ids) == {one.pk, later.pk}


def test_what_was_dropped_from_a_data_set_is_not_learned(world, plan) -> None:
    from rootstock.registry.datasets.services import dataset_prune

    with tenant(world.organisation):
        whole = Dataset.objects.get(name=COLLECTION)
    dataset_prune(organisation=world.organisation, dataset_id=whole.pk, lines=[2])
    run = run_to_the_end(world, begin(world, plan))
    assert b"new 0" in content(world, run.dataset)
    assert b"new 1" not in content(world, run.dataset)
    dataset_prune(organisation=world.organisation, dataset_id=run.dataset.pk, lines=[1])
    with as_person(world.colleague):
        aliases.promotion_approve(organisation=world.organisation, promotion_id=run.promotion_id)
    dataset_row(world, COLLECTION, lines_of("later", 3))
    after = run_to_the_end(world, begin(world, plan))
    assert (after.dataset.rows, after.replay.rows) == (3, 2)  # what was dropped since is not replayed


def test_a_new_answer_to_what_a_test_set_asks_is_not_learned(world, plan) -> None:
    dataset_row(world, COLLECTION, lines_of("frozen", 2).replace(b'"0."', b'"Zero."'))
    assert run_to_the_end(world, begin(world, plan)).left_out == 2


@pytest.mark.parametrize(
    ("figures", "state", "told"),
    [
        (BETTER | {"late-parcels-test": (0.512, 0.515)}, "not_better", "at least 0.01 is to be gained"),
        (BETTER | {"greetings-test": (0.431, 0.40)}, "not_better", "at most 0.02 may be lost"),
        (BETTER | {"greetings-test": (0.42, 0.40)}, "proposed", "(+0.062)"),
    ],
)
def test_only_what_is_better_is_put_forward(world, plan, figures, state, told) -> None:
    run = run_to_the_end(world, begin(world, plan), figures)
    assert run.state == state
    assert told in run.reason
    assert len(promotions(world)) == (state == "proposed")


def test_too_few_new_examples_stay_new(world, plan) -> None:
    with tenant(world.organisation):
        ContinualPlan.objects.update(terms=plan.terms | {"least_examples": 5})
    run = run_to_the_end(world, begin(world, plan))
    assert (run.state, run.reason) == (
        "nothing_new",
        "4 new examples of desk-answers; at least 5 are needed",
    )
    dataset_row(world, COLLECTION, lines_of("later", 1))
    assert run_to_the_end(world, begin(world, plan)).dataset.rows == 5


def test_a_failed_or_cancelled_job_fails_the_run_and_its_examples_stay_new(world, plan) -> None:
    for kind, told in (("train", "the training was cancelled"), ("evaluate", "the evaluation on")):
        run = begin(world, plan)
        advance(world, run)
        while not (waiting := [job for job in jobs(world, kind) if not job.is_final]):
            jobs_run(world, BETTER)
            advance(world, run)
        job_cancel(organisation=world.organisation, job_id=waiting[0].pk)
        run = run_to_the_end(world, run)
        assert run.state == "failed"
        assert run.reason.startswith(told)
    assert run_to_the_end(world, begin(world, plan)).state == "proposed"


def test_what_is_gone_fails_the_run(world, plan) -> None:
    run = begin(world, plan)
    with tenant(world.organisation):
        Dataset.objects.filter(name="greetings-test").update(file=None)
    run = run_to_the_end(world, run)
    assert run.state == "failed"
    assert "gone from storage" in run.reason


def test_an_alias_that_moved_meanwhile_is_left_alone(world, plan) -> None:
    run = begin(world, plan)
    advance(world, run)
    with tenant(world.organisation) as owner:
        Alias.objects.update(current=version_row(owner))
    run = run_to_the_end(world, run)
    assert run.state == "failed"
    assert "the next run goes on from there" in run.reason
    assert promotions(world) == []


def test_no_run_begins_beside_another_or_beside_an_open_promotion(world, plan) -> None:
    run = begin(world, plan)
    with pytest.raises(Conflict, match="has not ended"):
        begin(world, plan)
    run_to_the_end(world, run)
    with pytest.raises(Conflict, match="waits for a second person"):
        begin(world, plan)


def due(world: Any) -> ContinualPlan:
    from django.utils import timezone

    with tenant(world.organisation):
        ContinualPlan.objects.update(next_run_at=timezone.now())
    plans_run()
    with tenant(world.organisation):
        return ContinualPlan.objects.get()


def test_the_clock_begins_what_is_due_once(world, plan) -> None:
    found = due(world)
    assert found.note == ""
    with tenant(world.organisation):
        [run] = ContinualRun.objects.all()
    assert plans_run() == 0
    assert due(world).note == "Not started: the run before has not ended."
    run_to_the_end(world, run, BETTER | {"late-parcels-test": (0.5, 0.5)})
    assert due(world).note == ""


def test_what_beat_sends_takes_a_run_as_far_as_it_goes(world, plan) -> None:
    run = begin(world, plan)
    advance_continual()
    assert [job.state for job in jobs(world, "train")] == ["queued"]
    jobs_run(world, BETTER)
    advance_continual()
    assert len(jobs(world, "evaluate")) == 4
    jobs_run(world, BETTER)
    advance_continual()
    assert [one.version for one in promotions(world)] == [run_to_the_end(world, run).version]


def test_who_has_left_proposes_nothing_more(world, plan) -> None:
    run = begin(world, plan)
    with tenant(world.organisation):
        Membership.objects.filter(user=world.owner).update(role="support_agent")
    run = run_to_the_end(world, run)
    assert (run.state, promotions(world)) == ("failed", [])
    assert "may no longer train adapters" in due(world).note


# --- any process may die, and any number may be at it


@pytest.fixture
def committed_plan(committed_world, base, monkeypatch):
    monkeypatch.setattr(claiming.app, "send_task", lambda *a, **k: None)
    return plan_row(committed_world)


def at_once(count: int, call: Any) -> list[Any]:
    """Call it in as many threads, each with a connection of its own; what they gave, faults among it."""
    found: list[Any] = []

    def one() -> None:
        try:
            found.append(call())
        except Exception as error:
            found.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def test_advanced_by_several_at_once_nothing_is_done_twice(committed_world, committed_plan) -> None:
    world = committed_world
    run = begin(world, committed_plan)
    for _ in range(6):
        at_once(3, lambda: advance(world, run))
        jobs_run(world, BETTER)
    assert (len(jobs(world, "train")), len(jobs(world, "evaluate"))) == (1, 4)
    assert len(promotions(world)) == 1
    assert not advance(world, run)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "steps"),
    [("jobs_job", 0), ("adaptation_continualmeasure", 2), ("registry_promotion", 3), ("audit_auditentry", 3)],
)
def test_killed_within_a_step_it_goes_on_as_if_it_had_not_begun(
    committed_world, committed_plan, table, steps
) -> None:
    """The step waits for a table that somebody else holds, and there its connection is cut."""
    world = committed_world
    run = begin(world, committed_plan)
    for _ in range(steps):
        advance(world, run)
        jobs_run(world, BETTER)
    with tenant(world.organisation):
        run.refresh_from_db()
    state = run.state
    killed = threading.Thread(target=at_once, args=(1, lambda: advance(world, run)))
    with connections["admin"].cursor() as cursor:
        cursor.execute(f"BEGIN; LOCK TABLE {table} IN SHARE MODE")
        killed.start()
        with connection.cursor() as own:  # of the same role, which may end what is its own
            own.execute("SELECT pg_terminate_backend(%s)", [waits_for(own, table)])
        killed.join(20)
        cursor.execute("ROLLBACK")
    connections["admin"].close()
    with tenant(world.organisation):
        run.refresh_from_db()
    assert (run.state, run.promotion) == (state, None)
    assert run_to_the_end(world, run).state == "proposed"
    assert (len(jobs(world, "train")), len(jobs(world, "evaluate"))) == (1, 4)
    assert len(promotions(world)) == 1
    connection.close()


def waits_for(cursor: Any, table: str) -> int:
    """The process of PostgreSQL that waits for the table."""
    for _ in range(500):
        cursor.execute("SELECT pid FROM pg_locks WHERE NOT granted AND relation = %s::regclass", [table])
        if found := cursor.fetchone():
            return int(found[0])
        time.sleep(0.02)
    raise AssertionError("nothing waits")
