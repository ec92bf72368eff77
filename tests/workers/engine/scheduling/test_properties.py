"""Whatever comes, in whatever order: budgets hold, blocks do not leak, and nobody's answer depends on others."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.workers.engine.scheduling.desk import Desk, Job
from workers.engine.scheduling import Limits

PREFIX = [list(range(1, 13)), [7] * 12, []]  # prompts begin alike, so that blocks are shared

prompts = st.builds(
    lambda prefix, take, rest: PREFIX[prefix][:take] + rest,
    st.integers(0, 2),
    st.integers(0, 12),
    st.lists(st.integers(0, 3), min_size=1, max_size=10),
)
organisations = st.sampled_from("ab")
adapters = st.sampled_from([None, "x", "y", "z"])
priorities = st.integers(0, 2)


class AnyTraffic(RuleBasedStateMachine):
    """Prompts, texts, forks, cancels, deadlines, siblings that wait, absent adapters and a device that runs
    out of memory."""

    @initialize(
        blocks=st.integers(9, 24),
        size=st.sampled_from([1, 3, 4]),
        sequences=st.integers(1, 5),
        tokens=st.integers(2, 24),
        chunk=st.integers(1, 24),
        waiting=st.integers(3, 40),
        told=st.booleans(),
    )
    def begin(
        self, blocks: int, size: int, sequences: int, tokens: int, chunk: int, waiting: int, told: bool
    ) -> None:
        limits = Limits(sequences, tokens, chunk, step_texts=3, waiting=waiting, ageing_s=0.05)
        self.desk = Desk(limits, blocks * 4 // size, size)
        self.desk.told = told

    def pick(self, data: st.DataObject) -> Job | None:
        live = [job for job in self.desk.jobs if not job.ended]
        return data.draw(st.sampled_from(live)) if live else None

    @rule(
        prompt=prompts,
        limit=st.integers(1, 12),
        organisation=organisations,
        adapter=adapters,
        priority=priorities,
    )
    def ask(
        self, prompt: list[int], limit: int, organisation: str, adapter: str | None, priority: int
    ) -> None:
        self.desk.add(Job(prompt, limit, organisation, adapter, priority))

    @rule(prompt=prompts, organisation=organisations, adapter=adapters, priority=priorities)
    def read(self, prompt: list[int], organisation: str, adapter: str | None, priority: int) -> None:
        self.desk.add(Job(prompt, 1, organisation, adapter, priority, whole=True))

    @rule(data=st.data(), seed=st.integers(1, 9))
    def fork(self, data: st.DataObject, seed: int) -> None:
        job = self.pick(data)
        if job is not None and not job.whole:
            self.desk.fork(job, seed)

    @rule(data=st.data(), seed=st.integers(1, 9))
    def branch(self, data: st.DataObject, seed: int) -> None:
        job = self.pick(data)
        if job is not None and not job.whole:
            self.desk.branching[job] = seed

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        job = self.pick(data)
        if job is not None:
            job.cancelled = True
            self.desk.step()
            assert job.ended == "cancelled"
            assert not job.blocks

    @rule(data=st.data(), left=st.sampled_from([0.0, 0.005, 0.03]))
    def hurry(self, data: st.DataObject, left: float) -> None:
        job = self.pick(data)
        if job is not None and job.deadline is None:
            job.deadline = self.desk.now + left

    @rule(data=st.data())
    def hold_up(self, data: st.DataObject) -> None:
        job = self.pick(data)
        if job is not None:
            job.ready = not job.ready

    @rule(adapter=st.sampled_from("xyz"))
    def fetch(self, adapter: str) -> None:
        self.desk.fetching ^= {adapter}

    @rule(room=st.integers(1, 30))
    def lose_memory(self, room: int) -> None:
        self.desk.device.room = room

    @rule()
    def find_memory(self) -> None:
        self.desk.device.room = 10**9

    @rule(count=st.integers(1, 8))
    def go_on(self, count: int) -> None:
        for _ in range(count):
            self.desk.step()
            self.desk.check_blocks()

    @invariant()
    def blocks_are_accounted_for(self) -> None:
        if hasattr(self, "desk"):
            self.desk.check_blocks()

    @invariant()
    def nobody_is_late(self) -> None:
        if hasattr(self, "desk"):
            live = [job for job in self.desk.jobs if not job.ended]
            assert all(job.deadline is None or job.deadline > self.desk.now - 0.011 for job in live)

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            desk = self.desk
            desk.device.room, desk.fetching = 10**9, set()
            for job in desk.jobs:
                job.ready = True
            tokens = sum(len(job.prompt) + job.limit for job in desk.jobs if not job.ended)
            desk.run(most=100 + 20 * tokens)
            desk.check_blocks()
            desk.check_ends()


TestAnyTraffic = AnyTraffic.TestCase
TestAnyTraffic.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
