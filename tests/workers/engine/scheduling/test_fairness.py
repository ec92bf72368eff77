"""Nobody is served at the cost of others for long."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.engine.scheduling.desk import Desk, Job
from workers.engine.scheduling import Limits
from workers.engine.scheduling.fair import GENERATED_TOKEN, PROMPT_TOKEN, Shares


def test_it_works() -> None:
    shares = Shares()
    shares.enter("a")
    shares.charge("a", 100)
    shares.enter("b")
    assert shares.spent("b") == 100  # level with the least served: no credit for having been away
    shares.charge("b", 50)
    shares.leave("b")
    shares.enter("b")
    assert shares.spent("b") == 150  # and no forgiveness for having left


def test_nobody_gains_by_leaving_even_when_all_do() -> None:
    shares = Shares()
    for name in "ab":
        shares.enter(name)
    shares.charge("a", 70)
    shares.leave("b")
    shares.leave("a")
    shares.enter("c")
    shares.enter("a")
    assert shares.spent("a") == shares.spent("c") == 70


def test_a_flood_does_not_delay_anothers_single_request() -> None:
    desk = Desk(Limits(sequences=4, step_tokens=32, admission_steps=0))
    for _ in range(100):
        desk.add(Job([1] * 8, limit=4, organisation="flood"))
        desk.add(Job([2] * 8, organisation="flood", whole=True))
    for _ in range(10):
        desk.step()
    prompt = desk.add(Job([1] * 8, limit=4, organisation="single"))
    text = desk.add(Job([2] * 8, organisation="single", whole=True))
    begun = desk.steps
    desk.run()
    assert prompt.ended_at - begun <= 2 * 4 + 2
    assert text.ended_at - begun <= 4


def test_who_has_most_places_shares_them_with_its_like_and_once() -> None:
    desk = Desk(Limits(sequences=4, step_tokens=32, admission_steps=0))
    long = [desk.add(Job([n] * 4, limit=40, organisation="most")) for n in range(6)]
    desk.step()
    few = [desk.add(Job([n] * 4, limit=12, organisation="few")) for n in range(3)]
    preempted = [job for _ in range(9) if (step := desk.step()) for job in step.preempted]
    assert preempted == [long[3], long[2]]  # the latest come last, and two and two is fair
    assert [len(job.generated) for job in few] == [9, 9, 0]
    assert len(long[0].generated) == len(long[1].generated) == 10
    desk.run()
    assert all(job.ended == "done" for job in (*long, *few))


def test_a_lower_class_takes_no_place() -> None:
    desk = Desk(Limits(sequences=4, step_tokens=32, admission_steps=0))
    for n in range(4):
        desk.add(Job([n] * 4, limit=20, organisation="most"))
    desk.step()
    desk.add(Job([9] * 4, organisation="few", priority=1))
    assert not any(step.preempted for _ in range(9) if (step := desk.step()))


def test_a_long_prompt_does_not_delay_anothers_short_one() -> None:
    desk = Desk(Limits(sequences=4, step_tokens=8), blocks=200)
    long = desk.add(Job([1] * 400, organisation="long"))
    desk.step()
    short = desk.add(Job([2] * 8, organisation="short"))
    desk.run()
    assert short.ended_at <= 4
    assert long.ended == "done"


backlogs = st.lists(st.tuples(st.integers(1, 20), st.integers(1, 8)), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(backlogs, backlogs),
    st.integers(1, 6),
    st.integers(4, 40),
    st.tuples(st.booleans(), st.booleans()),
)
def test_two_that_always_have_work_are_given_the_same(
    backlog: tuple[list[tuple[int, int]], ...], sequences: int, tokens: int, whole: tuple[bool, bool]
) -> None:
    """Sheng et al. (2024), theorem 4.4: they never differ by more than twice what one can have in hand."""
    desk = Desk(Limits(sequences, tokens, ageing_s=1e9), blocks=100)
    given = Counter[str]()
    alike = whole[0] == whole[1]
    for number in range(120):
        for name, sizes, text in zip("ab", backlog, whole, strict=True):
            has = sum(job.organisation == name for job in desk.scheduler.entries)
            for more in range(has, 2 * sequences + 40 * text):
                length, limit = sizes[(number + more) % len(sizes)]
                desk.add(Job([number, more, *range(length)][:length], limit, name, whole=text))
        step = desk.step()
        for piece in step.pieces if step else ():
            cost = GENERATED_TOKEN if piece.start + 1 == piece.entry.known() else PROMPT_TOKEN
            given[piece.entry.organisation] += cost * piece.count
        in_hand = max(PROMPT_TOKEN * (20 + tokens), GENERATED_TOKEN * sequences * 28)
        assert not alike or abs(given["a"] - given["b"]) <= 2 * in_hand
    assert min(given["a"], given["b"]) > 0


jobs = st.builds(
    Job,
    st.lists(st.integers(0, 3), min_size=1, max_size=20),
    st.integers(1, 8),
    st.sampled_from("abc"),
    st.sampled_from([None, "x", "y", "z"]),
    st.integers(0, 2),
    whole=st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(jobs, min_size=1, max_size=4),
    st.integers(0, 2),
    st.booleans(),
    st.integers(1, 4),
    st.integers(4, 30),
    st.integers(8, 30),
)
def test_the_lowest_is_served_whatever_keeps_coming(
    flood: list[Job], priority: int, whole: bool, sequences: int, tokens: int, blocks: int
) -> None:
    """Within a number of steps that does not depend on how long the flood lasts."""
    desk = Desk(Limits(sequences, tokens, waiting=50, ageing_s=0.1), blocks=blocks)

    def keep_coming() -> None:
        for like in flood:
            if desk.scheduler.waiting < 40:
                desk.add(Job(list(like.prompt), like.limit, like.organisation, like.adapter, like.priority, whole=like.whole))  # fmt: skip  # noqa: E501

    for _ in range(10):
        keep_coming()
        desk.step()
    job = desk.add(Job([5] * 20, 1 if whole else 10, "d", "w", priority, whole=whole))
    for _ in range(600):
        keep_coming()
        desk.step()
        if job.ended:
            break
    assert job.ended == "done"
