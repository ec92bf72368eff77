"""The scheduler's and the slot table's rules, without a model."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from workers.engine.scheduler import Decode, Limits, Prefill, Read, Scheduler
from workers.engine.slots import SlotTable


@dataclass(eq=False)
class Item:
    cost: int
    adapter: str | None = None
    cancelled: bool = False
    deadline: float | None = None
    slot: int = -1


def everyone(adapters: list[str | None]) -> int:
    return len(adapters)


def test_it_works() -> None:
    scheduler: Scheduler[Item, Item] = Scheduler(Limits(sequences=2))
    first, second, third = Item(3), Item(4), Item(5)
    for item in (first, second, third):
        scheduler.add(item)
    assert scheduler.plan(everyone) == Prefill([first, second])
    assert scheduler.plan(everyone) == Decode([first, second])
    move = scheduler.finish(first)
    assert move is not None
    assert (move.source, move.target, second.slot) == (1, 0, 0)
    steps = [scheduler.plan(everyone) for _ in range(2)]
    assert Prefill([third]) in steps
    assert third.slot == 1


def test_prompts_are_read_together_within_the_budget() -> None:
    scheduler: Scheduler[Item, Item] = Scheduler(Limits(sequences=8, step_tokens=100))
    for cost in (30, 30, 45, 10):
        scheduler.add(Item(cost))
    step = scheduler.plan(everyone)
    assert isinstance(step, Prefill)
    assert [item.cost for item in step.requests] == [30, 30]  # a third would be padded: 3 x 45


def test_a_prompt_beyond_the_budget_is_read_alone() -> None:
    scheduler: Scheduler[Item, Item] = Scheduler(Limits(sequences=8, step_tokens=100))
    scheduler.add(Item(500))
    scheduler.add(Item(5))
    step = scheduler.plan(everyone)
    assert isinstance(step, Prefill)
    assert [item.cost for item in step.requests] == [500]


def test_decoding_goes_on_while_texts_are_read() -> None:
    scheduler: Scheduler[Item, Item] = Scheduler(Limits(step_texts=2))
    scheduler.add(Item(3))
    scheduler.plan(everyone)
    for _ in range(8):
        scheduler.add_text(Item(5))
    kinds = [type(scheduler.plan(everyone)) for _ in range(8)]
    assert kinds == [Decode, Read] * 4


def test_waiting_for_a_slot_does_not_stop_decoding() -> None:
    scheduler: Scheduler[Item, Item] = Scheduler(Limits())
    scheduler.add(Item(3))
    scheduler.plan(everyone)
    scheduler.add(Item(3, adapter="absent"))
    assert [type(scheduler.plan(lambda adapters: 0)) for _ in range(4)] == [Decode] * 4


def test_late_and_cancelled_entries_leave_the_queues() -> None:
    scheduler: Scheduler[Item, Item] = Scheduler(Limits())
    late, cancelled, fine = Item(1, deadline=5.0), Item(1, cancelled=True), Item(1, deadline=50.0)
    scheduler.add(late)
    scheduler.add(fine)
    scheduler.add_text(cancelled)
    assert scheduler.expired(now=10.0) == [late, cancelled]
    assert list(scheduler.waiting) == [fine]
    assert not scheduler.texts


class AnyTraffic(RuleBasedStateMachine):
    """Whatever comes: slots stay contiguous, budgets hold, order is kept, nothing is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.limits = Limits(sequences=3, step_tokens=64, step_texts=4)
        self.scheduler: Scheduler[Item, Item] = Scheduler(self.limits)
        self.added: list[Item] = []
        self.started: list[Item] = []
        self.read: list[Item] = []

    @rule(cost=st.integers(1, 100))
    def request(self, cost: int) -> None:
        self.added.append(Item(cost))
        self.scheduler.add(self.added[-1])

    @rule(cost=st.integers(1, 40))
    def text(self, cost: int) -> None:
        self.added.append(Item(cost))
        self.scheduler.add_text(self.added[-1])

    @rule(resident=st.integers(0, 4))
    def step(self, resident: int) -> None:
        step = self.scheduler.plan(lambda adapters: min(resident, len(adapters)))
        if isinstance(step, Prefill):
            self._within_budget(step.requests)
            self.started += step.requests
        elif isinstance(step, Read):
            self._within_budget(step.texts)
            assert len(step.texts) <= self.limits.step_texts
            self.read += step.texts

    @precondition(lambda self: self.scheduler.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(self.scheduler.running))
        self.scheduler.finish(item)
        assert item.slot == -1

    @invariant()
    def slots_are_contiguous(self) -> None:
        assert [item.slot for item in self.scheduler.running] == list(range(len(self.scheduler.running)))
        assert len(self.scheduler.running) <= self.limits.sequences

    @invariant()
    def nothing_is_lost_and_order_is_kept(self) -> None:
        s = self.scheduler
        assert set(map(id, self.added)) == set(map(id, [*self.started, *self.read, *s.waiting, *s.texts]))
        order = {id(item): number for number, item in enumerate(self.added)}
        for sequence in (self.started, self.read):
            numbers = [order[id(item)] for item in sequence]
            assert numbers == sorted(numbers)

    def _within_budget(self, items: list[Item]) -> None:
        padded = max(item.cost for item in items) * len(items)
        assert len(items) == 1 or padded <= self.limits.step_tokens


TestAnyTraffic = AnyTraffic.TestCase
TestAnyTraffic.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("pur"), st.sampled_from("abcdef")), max_size=60), st.integers(1, 3))
def test_a_slot_in_use_is_never_taken(actions: list[tuple[str, str]], slots: int) -> None:
    table = SlotTable(slots)
    pins: dict[str, int] = {}
    for action, name in actions:
        if action == "p":
            before = {other: table.slot(other) for other in pins}
            if table.pin(name) is None:
                assert len(pins) == slots
                assert name not in pins
            else:
                pins[name] = pins.get(name, 0) + 1
            assert all(table.slot(other) == slot for other, slot in before.items())
        elif action == "u" and name in pins:
            table.unpin(name)
            pins[name] -= 1
            if not pins[name]:
                del pins[name]
        elif action == "r" and name not in pins:
            table.remove(name)
        used = [table.slot(other) for other in "abcdef" if table.slot(other) is not None]
        assert len(used) == len(set(used)) <= slots
        assert all(table.in_use(other) == count for other, count in pins.items())


def test_the_least_recently_used_slot_goes_first() -> None:
    table = SlotTable(2)
    for name in ("a", "b", "a"):
        table.pin(name)
        table.unpin(name)
    slot = table.slot("b")
    assert table.pin("c") == (slot, True)
    assert table.slot("b") is None
    assert table.pin("a") == (table.slot("a"), False)
