"""Adapters between disk, memory and device: real folders, weights that are mere numbers of bytes."""

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
    """What the slots hold; `gate` keeps the reader waiting."""

    slots: dict[int, str] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def read(self, folder: Path) -> Weights:
        if self.reads.count(folder.name):  # the first time is the registration's
            assert self.gate.wait(10)
        self.reads.append(folder.name)
        return Weights(AdapterCard(name=folder.name, task="chat", base_fingerprint="f"))

    def place(self, slot: int, weights: Weights) -> None:
        self.slots[slot] = weights.card.name

    def clear(self, slot: int) -> None:
        del self.slots[slot]


def folder(root: Path, name: str) -> Path:
    made = root / name
    made.mkdir(exist_ok=True)
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
    made = Residency(device.read, device.place, device.clear, 2, 2 * SIZE, device.arrived.release)
    for name in "abc":
        made.register(name, folder(tmp_path, name))
        made.sweep()
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
        assert use(residency, name) is None or device.slots
        until(lambda name=name: residency.hold(name) is not None)  # type: ignore[misc]
        done(residency, name)
        assert tiers(residency)["b"] == "device"
    with pytest.raises(EngineError, match="no room"):
        residency.pin("a")


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


class Traffic(RuleBasedStateMachine):
    """Any order of requests, ends, pins and removals keeps the budget, and starves nobody for ever."""

    @initialize(memory=st.integers(1, 4), slots=st.integers(1, 3))
    def begin(self, memory: int, slots: int) -> None:
        import tempfile

        self.root = Path(tempfile.mkdtemp())
        self.device = Device()
        self.device.gate.set()
        self.memory = memory * SIZE
        self.residency: Residency[Weights] = Residency(
            self.device.read, self.device.place, self.device.clear, slots, self.memory, lambda: None
        )
        self.waiting: list[str] = []
        self.held: list[str] = []

    @rule(name=st.sampled_from("abcde"))
    def register(self, name: str) -> None:
        self.residency.register(name, folder(self.root, name))
        self.residency.sweep()

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
                self.waiting.remove(name)
                self.held.append(name)

    @rule(index=st.integers(0, 20))
    def end(self, index: int) -> None:
        if self.held:
            done(self.residency, self.held.pop(index % len(self.held)))

    @rule(name=st.sampled_from("abcde"))
    def remove(self, name: str) -> None:
        if name in tiers(self.residency):
            self.residency.remove(name)

    @invariant()
    def within_budget(self) -> None:
        if hasattr(self, "residency"):
            self.residency.sweep()
            assert self.residency._used() <= self.memory
            held = set(self.held)
            assert held <= set(self.device.slots.values())

    def teardown(self) -> None:
        if not hasattr(self, "residency"):
            return
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
