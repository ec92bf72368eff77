"""The rules of the scheduler, one by one."""

from itertools import pairwise

import pytest

from tests.workers.engine.scheduling.desk import Desk, Job
from workers.engine.protocol import EngineBusy, EngineError
from workers.engine.scheduling import Limits


def desk(sequences: int = 4, tokens: int = 64, blocks: int = 64, **limits: float) -> Desk:
    return Desk(Limits(sequences, tokens, **limits), blocks)  # type: ignore[arg-type]


def planned(desk: Desk) -> list[tuple[Job, int, int]]:
    step = desk.step()
    return [] if step is None else [(piece.entry, piece.start, piece.count) for piece in step.pieces]


def test_it_works() -> None:
    d = desk()
    first, text = d.add(Job([1, 2, 3], limit=2)), d.add(Job([4, 5], whole=True))
    assert sorted(planned(d), key=lambda piece: piece[2]) == [(text, 0, 2), (first, 0, 3)]
    second = d.add(Job([5, 6, 7, 8, 9], limit=2))
    assert planned(d) == [(first, 3, 1), (second, 0, 5)]
    assert first.ended == text.ended == "done"
    assert planned(d) == [(second, 5, 1)]
    assert d.scheduler.idle
    assert planned(d) == []
    d.check_ends()


def test_decodes_go_first_and_prompts_are_read_in_chunks_of_what_is_left() -> None:
    d = desk(tokens=10)
    first = d.add(Job([1, 2], limit=20))
    planned(d)
    long = d.add(Job(list(range(30)), limit=2))
    assert planned(d) == [(first, 2, 1), (long, 0, 9)]
    assert planned(d) == [(first, 3, 1), (long, 9, 9)]
    d.run()
    d.check_ends()


def test_chunks_are_small_beside_decoding_alone() -> None:
    d = desk(tokens=20, chunk_tokens=5)
    first = d.add(Job([1] * 30, limit=4))
    assert [count for *_, count in planned(d)] == [20]
    assert [count for *_, count in planned(d)] == [10]
    second, third = d.add(Job([2] * 13)), d.add(Job([3] * 8))
    assert planned(d) == [(first, 30, 1), (second, 0, 5)]
    assert planned(d) == [(first, 31, 1), (second, 5, 5)]
    assert planned(d) == [(first, 32, 1), (second, 10, 3), (third, 0, 2)]
    assert planned(d) == [(third, 2, 6)]


def test_a_lonely_prompt_waits_a_little_for_others_while_many_decode() -> None:
    d = desk(sequences=16, admission_steps=3)
    running = [d.add(Job([n, 1], limit=50)) for n in range(10)]
    planned(d)
    lonely = d.add(Job([1, 2, 3], limit=2))
    seen = [[piece[0] for piece in planned(d)] for _ in range(4)]
    assert [lonely in jobs for jobs in seen] == [False, False, False, True]
    assert all(set(running) <= set(jobs) for jobs in seen)
    pair = [d.add(Job([n], limit=2)) for n in range(2)]
    assert {job for job, *_ in planned(d)} >= set(pair)
    planned(d)
    again = d.add(Job([4], limit=2))
    assert [again in [job for job, *_ in planned(d)] for _ in range(4)] == [False, False, False, True]


def test_a_prompt_never_waits_for_others_while_few_decode() -> None:
    d = desk(sequences=16)
    d.add(Job([1], limit=50))
    planned(d)
    lonely = d.add(Job([1, 2, 3]))
    assert lonely in [job for job, *_ in planned(d)]


def test_what_was_read_before_is_found_but_for_the_last_token() -> None:
    d = desk()
    d.add(Job(list(range(12)), limit=1))
    d.run()
    again, longer = d.add(Job(list(range(12)), limit=1)), d.add(Job(list(range(14)), limit=1))
    assert {(job, start, count) for job, start, count in planned(d)} == {(again, 8, 4), (longer, 12, 2)}
    assert (again.cached, longer.cached) == (8, 12)
    assert d.scheduler.prefix == (20, 38)


@pytest.mark.parametrize(("organisation", "adapter"), [("b", None), ("a", "x@1"), ("b", "x@1")])
def test_nothing_is_found_of_another_organisation_or_adapter(organisation: str, adapter: str | None) -> None:
    d = desk()
    d.add(Job(list(range(12)), limit=1))
    d.run()
    other = d.add(Job(list(range(12)), organisation=organisation, adapter=adapter))
    assert planned(d) == [(other, 0, 12)]
    assert other.cached == 0


def test_the_longest_unused_blocks_are_forgotten_first() -> None:
    d = desk(blocks=4)
    for token in (1, 2):
        d.add(Job([token] * 8, limit=1))
        d.run()
    d.add(Job([3] * 8, limit=1))
    d.run()
    second, first = d.add(Job([2] * 8)), d.add(Job([1] * 8))
    d.run()
    assert (second.cached, first.cached) == (4, 0)


def test_a_fork_copies_a_partly_filled_block_only() -> None:
    d = desk()
    parent = d.add(Job([1, 2, 3, 4, 5], limit=9))
    d.step()
    child = d.fork(parent, seed=3)
    assert child is not None
    assert child.blocks[0] == parent.blocks[0]
    assert child.blocks[1] != parent.blocks[1]
    grandchild = d.fork(child, seed=5)
    assert grandchild is not None
    step = d.step()
    assert step is not None
    assert step.copies == [(parent.blocks[1], child.blocks[1]), (parent.blocks[1], grandchild.blocks[1])]
    d.run()
    d.check_ends()


def test_a_fork_needs_a_place_a_block_and_a_running_parent() -> None:
    d = desk(sequences=2, blocks=2)
    parent, other = d.add(Job([1, 2, 3, 4, 5], limit=3)), d.add(Job([1], limit=3))
    assert d.fork(parent, seed=1) is None
    planned(d)
    assert d.fork(parent, seed=1) is None
    stranger = Job([1], organisation="b")
    with pytest.raises(ValueError, match="organisation"):
        d.scheduler.fork(parent, stranger)
    d.run()
    assert parent.ended == other.ended == "done"


def test_memory_is_taken_from_the_lowest_then_the_latest() -> None:
    d = desk(blocks=6, admission_steps=0)
    bulk = d.add(Job([1] * 7, limit=9, priority=1))
    planned(d)
    early, late = d.add(Job([2] * 3, limit=20)), d.add(Job([3] * 3, limit=12))
    preempted = [job for _ in range(12) for job in getattr(d.step(), "preempted", ())]
    assert preempted[:2] == [bulk, late]
    assert early not in preempted
    d.run()
    d.check_ends()


def test_one_that_comes_back_finds_its_blocks() -> None:
    d = desk(sequences=1, admission_steps=0)
    bulk = d.add(Job(list(range(9)), limit=6, priority=2))
    planned(d)
    urgent = d.add(Job([7], limit=2))
    assert planned(d) == [(urgent, 0, 1)]
    assert planned(d) == [(urgent, 1, 1)]
    assert planned(d) == [(bulk, 8, 2)]
    assert bulk.cached == 0  # of its own: nothing was found when it came
    d.run()
    d.check_ends()


def test_one_that_was_preempted_does_not_preempt_its_like() -> None:
    d = desk(sequences=2, admission_steps=0)
    first, second = (d.add(Job([n], limit=20, priority=1)) for n in range(2))
    planned(d)
    urgent = d.add(Job([7], limit=3))
    steps = [d.step() for _ in range(4)]
    assert [step.preempted for step in steps if step] == [[second], [], [], []]
    assert first.computed == 5
    assert urgent.ended == "done"


def test_who_gives_way_does_not_come_back_in_the_same_step() -> None:
    d = desk(blocks=12, admission_steps=0)
    large, small = d.add(Job([1] * 21, limit=3, priority=1)), d.add(Job([2], limit=3, priority=1))
    planned(d)
    urgent = d.add(Job([3] * 24, limit=2))
    step = d.step()
    assert step is not None
    assert step.preempted == [small, large]
    assert [piece.entry for piece in step.pieces] == [urgent]
    d.run()
    d.check_ends()


def test_nobody_is_preempted_by_its_like() -> None:
    d = desk(sequences=1)
    first, second = d.add(Job([1], limit=4)), d.add(Job([2], limit=4))
    assert [planned(d)[0][0] for _ in range(8)] == [first] * 4 + [second] * 4


def test_a_victim_whose_blocks_are_wanted_gives_no_memory() -> None:
    d = desk(blocks=3)
    sibling, victim = d.add(Job([9], limit=9)), d.add(Job([1, 2, 3, 4], limit=9, priority=2))
    d.step()
    sibling.ready = False
    for _ in range(4):
        d.step()
    victim.ready = False
    assert (victim.computed, len(victim.blocks), d.pool.available) == (8, 2, 0)
    wanting = d.add(Job([*victim.tokens(0, 8), 5], limit=1, priority=1))
    assert planned(d) == [(wanting, 8, 1)]
    sibling.ready = victim.ready = True
    d.run()
    d.check_ends()


def test_tokens_are_paid_for_once() -> None:
    d = desk(sequences=1, admission_steps=0)
    d.add(Job([1, 2, 3], limit=4, priority=1))
    planned(d)
    d.add(Job([7], limit=1, organisation="b"))
    planned(d)
    planned(d)
    assert d.scheduler._state.shares.spent("a") == 3 + 2  # prompt and first token, though read twice


def test_organisations_take_turns_within_a_step() -> None:
    d = desk(sequences=2)
    first = d.add(Job([1] * 8, adapter="x"))
    d.add(Job([1] * 8, adapter="y"))
    other = d.add(Job([1] * 8, organisation="b"))
    assert {job for job, *_ in planned(d)} == {first, other}


def test_a_backlog_that_waited_long_does_not_become_the_first() -> None:
    d = desk(sequences=1, ageing_s=0.055)
    bulk = [d.add(Job([n], priority=1)) for n in range(50)]
    for n in range(60):
        d.add(Job([n]))
        planned(d)
    assert 5 <= sum(job.ended == "done" for job in bulk) <= 15


def test_a_prompt_larger_than_the_cache_is_refused() -> None:
    d = desk(blocks=2)
    with pytest.raises(EngineError, match="the prompt has 9 tokens, the key-value cache holds 8"):
        d.scheduler.add(Job([1] * 9))
    d.scheduler.add(Job([1] * 9, whole=True))
    with pytest.raises(EngineError, match="no tokens"):
        d.scheduler.add(Job([]))


def test_one_that_outgrows_the_cache_fails_and_others_go_on() -> None:
    d = desk(blocks=2)
    endless, other = d.add(Job([1] * 4, limit=50)), d.add(Job([2] * 3, limit=3))
    d.run()
    assert (endless.ended, other.ended) == ("failed", "done")
    assert d.pool.used == 0


def test_the_queue_is_bounded() -> None:
    d = desk(waiting=2)
    for _ in range(2):
        d.scheduler.add(Job([1]))
    with pytest.raises(EngineBusy, match="2 requests are waiting"):
        d.scheduler.add(Job([1]))
    d.scheduler.add(Job([1]), begun=True)
    assert d.scheduler.waiting == 3


@pytest.mark.parametrize("name", ["sequences", "step_tokens", "chunk_tokens", "step_texts", "waiting"])
def test_limits_must_make_sense(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Limits(**{name: 0})
    with pytest.raises(ValueError, match="ageing"):
        Limits(ageing_s=0)


def test_absent_adapters_hold_nobody_up() -> None:
    d = desk()
    d.fetching, d.told = {"x"}, False
    waiting = [d.add(Job([1], adapter="x")) for _ in range(20)]
    present, base = d.add(Job([1], adapter="y")), d.add(Job([1]))
    assert {job for job, *_ in planned(d)} == {present, base}
    assert len([job for job in d.asked if job.adapter == "x"]) == 1
    d.fetching = set()
    assert {job for job, *_ in planned(d)} == set(waiting[:4])


def test_one_whose_adapter_is_on_its_way_is_not_asked_about_and_keeps_no_memory() -> None:
    d = desk(sequences=2, blocks=4)
    runs = d.add(Job([1] * 6, limit=4))
    planned(d)
    d.fetching = {"x"}
    large, small = d.add(Job([2] * 12, adapter="x")), d.add(Job([3]))
    assert {job for job, *_ in planned(d)} == {runs, small}
    assert large not in d.asked
    d.fetching = set()
    d.run()
    assert large.ended == "done"


def test_more_adapters_than_slots_take_turns() -> None:
    d = desk()
    jobs = [d.add(Job([1], limit=3, adapter=name)) for name in "xyzxyzw"]
    d.run(most=60)
    assert all(job.ended == "done" for job in jobs)


def test_texts_of_similar_length_go_together() -> None:
    d = desk(tokens=100)
    short = [d.add(Job([n] * 5, whole=True)) for n in range(3)]
    long = [d.add(Job([n] * 30, whole=True)) for n in range(4)]
    more = [d.add(Job([n] * 4, whole=True)) for n in range(3)]
    steps = [{job for job, *_ in planned(d)} for _ in range(3)]
    assert steps == [set(short + more), set(long[:3]), {long[3]}]


def test_a_long_text_has_its_turn_and_so_has_decoding() -> None:
    d = desk(tokens=10)
    writer = d.add(Job([1], limit=12))
    planned(d)
    for _ in range(5):
        d.add(Job([2] * 25, whole=True))
    steps = [[(job is writer, count) for job, _, count in planned(d)] for _ in range(10)]
    assert sorted(steps) == [[(False, 25)]] * 5 + [[(True, 1)]] * 5
    assert all(a != b for a, b in pairwise(steps))


def test_texts_and_prompts_alternate() -> None:
    d = desk(tokens=8, sequences=8)
    for _ in range(8):
        d.add(Job([1] * 8, limit=1))
        d.add(Job([2] * 8, whole=True))
    kinds = [planned(d)[0][0].whole for _ in range(8)]
    assert sum(kinds) == 4


@pytest.mark.parametrize("whole", [True, False])
def test_a_lower_class_of_the_other_kind_has_a_turn(whole: bool) -> None:
    d = desk(tokens=8, ageing_s=1e9)
    low = d.add(Job([1] * 8, priority=2, whole=whole))
    for n in range(12):
        d.add(Job([n] * 8, whole=not whole))
    d.run()
    assert 2 <= low.ended_at <= 4


def test_the_better_class_goes_first() -> None:
    d = desk(sequences=1)
    jobs = [d.add(Job([1, 2], priority=priority)) for priority in (2, 1, 0, 1)]
    order = [planned(d)[0][0] for _ in range(4)]
    assert order == [jobs[2], jobs[1], jobs[3], jobs[0]]


def test_cancelled_and_late_ones_are_gone_at_once() -> None:
    d = desk(sequences=1)
    running, waiting, late = (d.add(Job([1] * 5, limit=9)) for _ in range(3))
    text = d.add(Job([1], whole=True, adapter="x"))
    d.fetching = {"x"}
    planned(d)
    running.cancelled = waiting.cancelled = text.cancelled = True
    late.deadline = d.now
    assert planned(d) == []
    assert [job.ended for job in (running, waiting, text, late)] == ["cancelled"] * 3 + ["late"]
    assert d.scheduler.idle
    d.check_ends()


def test_siblings_that_wait_make_room_when_nobody_can_go_on() -> None:
    d = desk(sequences=2, admission_steps=0)
    ready, *others = (d.add(Job([n], limit=3)) for n in range(3))
    planned(d)
    ready.ready = others[0].ready = False
    assert planned(d)[0][0] is others[1]
    ready.ready = others[0].ready = True
    d.run()
    d.check_ends()


def test_a_step_that_found_no_memory_is_followed_by_smaller_ones() -> None:
    d = desk(tokens=64, blocks=300)
    d.device.room = 10
    job, text = d.add(Job([1] * 40, limit=4)), d.add(Job([2] * 9, whole=True))
    d.run(most=40)
    assert (job.ended, text.ended) == ("done", "done")
    d.device.room = 10**9
    for n in range(20):
        d.add(Job([n] * 200, limit=2))
    sizes = [sum(count for *_, count in planned(d)) for _ in range(140)]
    assert max(sizes) == 64
    d.run()
    d.check_ends()


def test_one_that_finds_no_memory_even_alone_fails() -> None:
    d = desk()
    d.device.room = 10
    text, job = d.add(Job([2] * 11, whole=True)), d.add(Job([1] * 20, limit=3))
    d.run(most=60)
    assert (text.ended, job.ended) == ("failed", "done")


def test_copies_of_a_step_that_failed_are_made_again() -> None:
    d = desk()
    parent = d.add(Job([1, 2, 3, 4, 5], limit=6))
    d.step()
    child = d.fork(parent, seed=3)
    assert child is not None
    copies = [(parent.blocks[1], child.blocks[1])]
    d.device.room = 1
    for made in (copies, copies, []):
        step = d.step()
        assert step is not None
        assert step.copies == made
        d.check_blocks()
    d.run()
    d.check_ends()


def test_when_not_all_can_decode_they_take_turns() -> None:
    d = desk()
    jobs = [d.add(Job([n], limit=9)) for n in range(4)]
    planned(d)
    d.device.room = 3
    planned(d)
    seen = [{job for job, *_ in planned(d)} for _ in range(6)]
    assert all(len(pair) == 2 for pair in seen)
    assert all(one.isdisjoint(other) for one, other in pairwise(seen))
    d.run()
    assert all(job.ended == "done" for job in jobs)


def test_who_was_preempted_goes_before_its_like_but_not_at_their_cost() -> None:
    d = desk(sequences=1, admission_steps=0)
    bulk, later = (d.add(Job([n], limit=4, priority=1)) for n in range(2))
    planned(d)
    urgent, other = (d.add(Job([n], limit=2)) for n in range(2))
    order = [planned(d)[0][0] for _ in range(5)]
    assert order == [urgent, urgent, bulk, bulk, bulk]
    d.run()
    assert bulk.ended_at < other.ended_at < later.ended_at


def test_finishing_twice_or_while_waiting_is_fine() -> None:
    d = desk()
    job = Job([1])
    d.scheduler.add(job)
    d.scheduler.finish(job)
    d.scheduler.finish(job)
    assert d.scheduler.idle
    assert (d.scheduler.running, d.scheduler.waiting) == (0, 0)
