"""Adapters between disk, memory and device: real folders, weights that are mere numbers of bytes."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from models_zoo.llm.card import ADAPTER_CONFIG_FILE, ADAPTER_FILE, AdapterCard, AdapterError
from workers.engine.protocol import EngineError
from workers.engine.residency import Residency

SIZE = 100


@dataclass
class Weights:
    """As much of an adapter as residency looks at."""

    card: AdapterCard
    rank: int = 8
    bytes: int = SIZE


@dataclass
class Device:
    """What the slots hold; `gate` keeps reads after the first waiting. What is placed arrives after `delay` looks."""

    delay: int = 0
    slots: dict[int, str] = field(default_factory=dict)
    coming: dict[int, int] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def read(self, folder: Path) -> Weights:
        if threading.current_thread().name.startswith("adapters"):  # not the registration's
            assert self.gate.wait(10)
        assert (folder / ADAPTER_FILE).read_bytes()
        self.reads.append(folder.name)
        return Weights(AdapterCard(name=folder.name, task="chat", base_fingerprint="f"))

    def place(self, slot: int, weights: Weights) -> None:
        self.slots[slot] = weights.card.name
        self.coming[slot] = self.delay

    def is_there(self, slot: int) -> bool:
        return self.coming[slot] <= 0

    def look(self, slot: int) -> bool:
        self.coming[slot] -= 1
        return self.coming[slot] < 0

    def clear(self, slot: int) -> None:
        del self.slots[slot]


def folder(root: Path, name: str) -> Path:
    made = root / name
    made.mkdir(parents=True, exist_ok=True)
    (made / ADAPTER_FILE).write_bytes(name.encode())
    (made / ADAPTER_CONFIG_FILE).write_text("{}")
    return made


@pytest.fixture
def device() -> Device:
    found = Device()
    found.gate.set()
    return found


@pytest.fixture
def residency(device: Device, tmp_path: Path) -> Iterator[Residency[Weights]]:
    made = Residency(device.read, device.place, device.clear, 2, 2 * SIZE, lambda: device.arrived.release())
    for name in "abc":
        made.register(name, folder(tmp_path, name))
        made.sweep()
    device.arrived = threading.Semaphore(0)
    yield made
    device.gate.set()
    made.close()


def tiers(residency: Residency[Weights]) -> dict[str, str]:
    return {one.adapter: one.tier for one in residency.list()}


def use(residency: Residency[Weights], name: str) -> int | None:
    residency.want(name)
    residency.sweep()
    return residency.hold(name)


def done(residency: Residency[Weights], name: str) -> None:
    residency.release(name)
    residency.unwant(name)


def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen in five seconds")


def test_memory_keeps_to_its_budget_and_lets_the_oldest_go(residency: Residency[Weights]) -> None:
    assert tiers(residency) == {"a": "disk", "b": "memory", "c": "memory"}


def test_one_on_disk_is_fetched_while_others_go_on(residency: Residency[Weights], device: Device) -> None:
    assert use(residency, "b") is not None
    device.gate.clear()
    assert use(residency, "a") is None  # being read
    assert residency.hold("b") is not None  # nobody waits for that
    device.gate.set()
    assert device.arrived.acquire(timeout=5)
    assert residency.hold("a") is not None
    assert tiers(residency) == {"c": "disk", "b": "device", "a": "device"}


def test_one_in_use_is_never_taken_away(residency: Residency[Weights], device: Device) -> None:
    assert {use(residency, "b"), use(residency, "c")} == {1, 2}
    assert use(residency, "a") is None
    assert residency.hold("a") is None
    assert device.slots == {1: "b", 2: "c"}
    done(residency, "b")
    residency.sweep()
    assert device.arrived.acquire(timeout=5)
    assert residency.hold("a") == 1
    assert device.slots == {1: "a", 2: "c"}


def test_a_pinned_one_stays_though_others_are_asked_for(
    residency: Residency[Weights], device: Device
) -> None:
    residency.pin("b")
    use(residency, "b")
    done(residency, "b")
    for name in ("a", "c", "a"):
        if use(residency, name) is None:
            until(lambda name=name: residency.hold(name) is not None)  # type: ignore[misc]
        done(residency, name)
        assert tiers(residency)["b"] == "device"
    with pytest.raises(EngineError, match="would fill all 2 slots"):
        residency.pin("a")


def test_pins_leave_memory_for_the_largest_of_the_others(device: Device, tmp_path: Path) -> None:
    made = Residency(device.read, device.place, device.clear, 3, 2 * SIZE, lambda: None)
    for name in "abc":
        made.register(name, folder(tmp_path, name))
    made.pin("a")
    with pytest.raises(EngineError, match="no room"):
        made.pin("b")


def test_a_removed_one_leaves_memory_after_its_last_request(
    residency: Residency[Weights], device: Device
) -> None:
    use(residency, "b")
    residency.remove("b")
    with pytest.raises(EngineError, match="not loaded"):
        residency.want("b")
    residency.sweep()
    assert "b" in device.slots.values()
    done(residency, "b")
    residency.sweep()
    assert "b" not in tiers(residency)
    assert "b" not in device.slots.values()


def test_one_that_nobody_keeps_leaves_memory_after_its_last_request(
    residency: Residency[Weights], device: Device
) -> None:
    use(residency, "b")
    residency.cool("b")
    residency.sweep()
    assert tiers(residency)["b"] == "device"
    done(residency, "b")
    residency.sweep()
    assert tiers(residency)["b"] == "disk"
    assert "b" not in device.slots.values()
    assert residency._known.used == SIZE  # that of c
    use(residency, "b")  # still to be had
    until(lambda: residency.hold("b") is not None)
    residency.sweep()
    assert tiers(residency)["b"] == "device"


def test_one_that_is_kept_again_in_time_stays(residency: Residency[Weights]) -> None:
    for keep in (residency.warm, residency.pin):
        use(residency, "b")
        residency.cool("b")
        keep("b")
        done(residency, "b")
        residency.sweep()
        assert tiers(residency)["b"] == "device"
    residency.cool("b")  # pinned
    residency.sweep()
    assert tiers(residency)["b"] == "device"
    with pytest.raises(EngineError, match="not loaded"):
        residency.cool("none")


def test_a_folder_that_changed_is_refused_and_tried_again(
    residency: Residency[Weights], tmp_path: Path
) -> None:
    (tmp_path / "a" / ADAPTER_FILE).write_bytes(b"other")
    use(residency, "a")
    with pytest.raises(EngineError, match="changed on disk"):
        until(lambda: residency.hold("a") is not None)
    residency.unwant("a")
    folder(tmp_path, "a")
    assert use(residency, "a") is None
    until(lambda: residency.hold("a") is not None)


def test_one_that_memory_can_never_hold_is_refused(device: Device, tmp_path: Path) -> None:
    made = Residency(device.read, device.place, device.clear, 2, SIZE - 1, device.arrived.release)
    with pytest.raises(AdapterError, match="memory for adapters"):
        made.register("a", folder(tmp_path, "a"))


def test_a_name_never_means_another_content(residency: Residency[Weights], tmp_path: Path) -> None:
    residency.register("a", folder(tmp_path, "a"))  # the same again
    other = folder(tmp_path, "other")
    for _ in range(2):
        with pytest.raises(AdapterError, match="a: the name means another adapter already"):
            residency.register("a", other)
        if "a" in tiers(residency):
            residency.remove("a")
            residency.sweep()
    (tmp_path / "a" / ADAPTER_FILE).write_bytes(b"changed in place")
    with pytest.raises(AdapterError, match="another adapter already"):
        residency.register("a", tmp_path / "a")
    residency.register("b", tmp_path / "b")


def test_one_that_cannot_be_placed_leaves_nobody_in_the_slot(device: Device, tmp_path: Path) -> None:
    broken = [False]

    def place(slot: int, weights: Weights) -> None:
        if broken[0]:
            raise MemoryError
        device.place(slot, weights)

    made = Residency(device.read, place, device.clear, 1, 9 * SIZE, lambda: None)
    for name in "ab":
        made.register(name, folder(tmp_path, name))
    assert use(made, "a") == 1
    done(made, "a")
    broken[0] = True
    with pytest.raises(MemoryError):
        use(made, "b")
    assert device.slots == {}
    broken[0] = False
    assert use(made, "b") == 1
    assert device.slots == {1: "b"}


def test_registering_many_at_once_keeps_the_budget(device: Device, tmp_path: Path) -> None:
    woken = threading.Semaphore(0)
    made = Residency(device.read, device.place, device.clear, 1, 2 * SIZE, lambda: woken.release())
    device.gate.set()
    for name in "abcdef":
        made.register(name, folder(tmp_path, name))
        assert made._known.used <= 2 * SIZE
        assert woken.acquire(blocking=False)
    assert use(made, "f") == 1


def test_callers_are_not_told_where_files_lie(residency: Residency[Weights], tmp_path: Path) -> None:
    (tmp_path / "a" / ADAPTER_FILE).unlink()

    def ask() -> None:
        use(residency, "a")  # the loader may be quicker than the next look
        until(lambda: residency.hold("a") is not None)

    with pytest.raises(EngineError, match="cannot be read again") as caught:
        ask()
    assert str(tmp_path) not in str(caught.value)


def test_one_on_disk_that_nobody_asks_for_is_forgotten(residency: Residency[Weights], tmp_path: Path) -> None:
    residency.forgotten_s = 0
    residency._tidy_at = 0
    residency.sweep()
    assert tiers(residency) == {"b": "memory", "c": "memory"}
    residency.register("a", tmp_path / "a")
    assert tiers(residency) == {"a": "memory", "b": "disk", "c": "memory"}


def test_a_read_under_way_when_its_adapter_moves_spoils_nothing(
    residency: Residency[Weights], device: Device, tmp_path: Path
) -> None:
    device.gate.clear()
    assert use(residency, "a") is None  # being read
    residency.remove("a")
    residency.unwant("a")
    residency.sweep()
    residency.register("a", folder(tmp_path / "moved", "a"))
    shutil.rmtree(tmp_path / "a")
    residency.want("a")
    device.gate.set()
    residency._loader.submit(lambda: None).result(5)  # behind the read, which found nothing
    until(lambda: residency.sweep() or residency.hold("a") is not None)  # type: ignore[func-returns-value]
    assert residency._known.used == 2 * SIZE


def test_one_removed_while_it_is_read_takes_its_bytes_until_then(
    residency: Residency[Weights], device: Device
) -> None:
    device.gate.clear()
    assert use(residency, "a") is None
    residency.remove("a")
    residency.unwant("a")
    residency.sweep()
    assert residency._known.used == 2 * SIZE
    device.gate.set()
    until(lambda: residency.sweep() or "a" not in residency._known)  # type: ignore[func-returns-value]
    assert residency._known.used == SIZE


@pytest.mark.parametrize(("slots", "memory"), [(2, 9), (9, 2)])
def test_those_in_use_without_a_pause_give_way(
    device: Device, tmp_path: Path, slots: int, memory: int
) -> None:
    device.gate.set()
    made = Residency(device.read, device.place, device.clear, slots, memory * SIZE, lambda: None)
    made.turns.patience_s = 0.05
    for name in "abc":
        made.register(name, folder(tmp_path, name))
    held = dict.fromkeys("abc", 0)

    def overlap(name: str) -> None:
        """A new request begins before the last one ends."""
        made.want(name)
        made.sweep()
        if made.hold(name) is None:
            made.unwant(name)
        else:
            held[name] += 1
        if held[name] > 1 or (held[name] and made.turns.gives_way(name)):
            held[name] -= 1
            done(made, name)

    for name in "ab":
        made.want(name)  # there is always somebody who waits for them
        until(lambda name=name: overlap(name) or held[name] > 0)  # type: ignore[misc,func-returns-value]
    made.want("c")

    def comes_in() -> bool:
        overlap("a")
        overlap("b")
        return made.hold("c") is not None

    until(comes_in)
    assert sum(held.values()) == 1  # one gave way, the other did not
    until(lambda: not made.turns.gives_way("a") and not made.turns.gives_way("b"))


def test_what_has_begun_goes_on_though_its_adapter_gives_way(device: Device, tmp_path: Path) -> None:
    made = Residency(device.read, device.place, device.clear, 1, 9 * SIZE, lambda: None)
    made.turns.patience_s = 0
    for name in "ab":
        made.register(name, folder(tmp_path, name))
    assert use(made, "a") == 1
    assert use(made, "b") is None
    assert use(made, "a") is None
    assert made.hold("a", begun=True) == 1
    for _ in range(2):
        done(made, "a")
    assert made.hold("b") == 1


def test_while_slots_are_full_one_at_a_time_makes_others_give_way(device: Device, tmp_path: Path) -> None:
    made = Residency(device.read, device.place, device.clear, 2, 9 * SIZE, lambda: None)
    made.turns.patience_s = 0
    for name in "abcde":
        made.register(name, folder(tmp_path, name))
        made.want(name)
    assert made.absent() == set()
    assert [made.hold(name) for name in "ab"] == [1, 2]
    assert made.absent() == {"d", "e"}  # c was first, and may ask
    assert [made.hold(name) for name in "edc"] == [None, None, None]
    assert [made.turns.gives_way(name) for name in "ab"] == [True, False]
    done(made, "a")
    assert made.absent() == set()  # a slot is free, whoever comes first takes it
    assert made.hold("c") == 1
    assert not made.turns.gives_way("a")
    assert made.absent() == {"e"}
    assert made.hold("d") is None
    assert made.turns.gives_way("b")


def test_several_are_read_at_once(device: Device, tmp_path: Path) -> None:
    together, began = threading.Barrier(2), threading.Semaphore(0)
    registered: list[str] = []

    def read(folder: Path) -> Weights:
        if folder.name in registered:
            together.wait(5)  # breaks when the other is not read meanwhile
        registered.append(folder.name)
        return Weights(AdapterCard(name=folder.name, task="chat", base_fingerprint="f"))

    made = Residency(
        read, device.place, device.clear, 2, 2 * SIZE, lambda: None, readers=2, reader=began.release
    )
    for name in "abcd":
        made.register(name, folder(tmp_path, name))
    assert {name for name, tier in tiers(made).items() if tier == "disk"} == {"a", "b"}
    made.want("a")
    made.want("b")
    made.sweep()
    until(lambda: made.hold("a") is not None and made.hold("b") is not None)
    assert began.acquire(blocking=False)
    assert began.acquire(blocking=False)
    made.close()


def test_one_on_its_way_to_the_device_keeps_its_slot_while_it_is_asked_for(
    device: Device, tmp_path: Path
) -> None:
    device.delay = 1
    made = Residency(device.read, device.place, device.clear, 1, 9 * SIZE, lambda: None, arrived=device.look)
    for name in "ab":
        made.register(name, folder(tmp_path, name))
    assert use(made, "a") is None
    assert use(made, "b") is None
    assert device.slots == {1: "a"}
    assert made.hold("a") == 1
    done(made, "a")
    assert made.hold("b") is None
    made.unwant("b")
    assert use(made, "a") is None  # b's place, which nobody waits for any more
    assert device.slots == {1: "a"}


class Traffic(RuleBasedStateMachine):
    """Any order of requests, ends, pins and removals keeps the budget, and starves nobody for ever."""

    @initialize(
        memory=st.integers(1, 4),
        slots=st.integers(1, 3),
        patience=st.sampled_from((0.0, 0.002, 60.0)),
        delay=st.integers(0, 2),
    )
    def begin(self, memory: int, slots: int, patience: float, delay: int) -> None:
        import tempfile

        self.root = Path(tempfile.mkdtemp())
        self.device = Device(delay)
        self.device.gate.set()
        self.memory = memory * SIZE
        self.residency: Residency[Weights] = Residency(
            self.device.read,
            self.device.place,
            self.device.clear,
            slots,
            self.memory,
            lambda: None,
            arrived=self.device.look,
        )
        self.residency.turns.patience_s = patience
        self.waiting: list[str] = []
        self.held: list[str] = []

    @rule(name=st.sampled_from("abcde"), place=st.sampled_from(("here", "there")))
    def register(self, name: str, place: str) -> None:
        """From one of two places: from then on the other has it no more."""
        if not (made := self.root / place / name).exists():
            folder(self.root / place, name)
        try:
            self.residency.register(name, made)
        except AdapterError:
            assert any(one.pinned for one in self.residency.list())
            return
        for other in {"here", "there"} - {place}:
            shutil.rmtree(self.root / other / name, ignore_errors=True)
        self.residency.sweep()

    @rule(opened=st.booleans())
    def reads_go_on(self, opened: bool) -> None:
        (self.device.gate.set if opened else self.device.gate.clear)()

    @rule(name=st.sampled_from("abcde"), pinned=st.booleans())
    def pin(self, name: str, pinned: bool) -> None:
        try:
            self.residency.pin(name, pinned)
        except EngineError:
            return

    @rule(name=st.sampled_from("abcde"))
    def ask(self, name: str) -> None:
        try:
            self.residency.want(name)
        except EngineError:
            return
        self.waiting.append(name)

    @rule()
    def step(self) -> None:
        self.residency.sweep()
        for name in list(self.waiting):
            slot = self.residency.hold(name)
            if slot is not None:
                assert self.device.slots[slot] == name
                assert self.device.is_there(slot)
                self.waiting.remove(name)
                self.held.append(name)

    @rule(index=st.integers(0, 20))
    def end(self, index: int) -> None:
        if self.held:
            done(self.residency, self.held.pop(index % len(self.held)))

    @rule(name=st.sampled_from("abcde"))
    def cool(self, name: str) -> None:
        if name in tiers(self.residency):
            self.residency.cool(name)

    @rule(name=st.sampled_from("abcde"))
    def remove(self, name: str) -> None:
        if name in tiers(self.residency):
            self.residency.remove(name)

    @invariant()
    def within_budget(self) -> None:
        if hasattr(self, "residency"):
            self.residency.sweep()
            assert self.residency._known.used <= self.memory
            held = set(self.held)
            assert held <= set(self.device.slots.values())

    @invariant()
    def what_is_kept_beside_says_the_same(self) -> None:
        if not hasattr(self, "residency"):
            return
        with self.residency._lock:  # one may arrive meanwhile
            known = self.residency._known
            inside = {name for name, one in known.items() if one.weights is not None or one.loading}
            assert set(known.inside) == inside
            assert known.used == sum(known[name].bytes for name in inside)
            assert set(known.wanted) == {name for name, one in known.items() if one.wanted}

    def teardown(self) -> None:
        if not hasattr(self, "residency"):
            return
        self.device.gate.set()
        latest = time.monotonic() + 30
        while (self.waiting or self.held) and time.monotonic() < latest:
            self.step()
            while self.held:
                done(self.residency, self.held.pop())
            time.sleep(0.001)
        assert not self.waiting, "a request waited for ever"
        self.residency.close()


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
