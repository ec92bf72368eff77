"""How a training leaves time to serving."""

import threading
import time

import pytest

from workers.trainer.pacing import FIRST, LEAST, Duty, Load, Pacer, loads_of, next_share

CALM, STRAINED = Load(10, 30), Load(40, 30)


def test_a_training_takes_all_while_nobody_is_served_and_little_at_first() -> None:
    assert next_share(0.1, []) == 1.0
    assert next_share(1.0, [CALM]) == FIRST


def test_it_halves_over_the_budget_and_grows_slowly_below() -> None:
    assert next_share(0.4, [CALM, STRAINED]) == 0.2
    assert next_share(0.4, [CALM]) == pytest.approx(0.48)
    assert next_share(0.4, [Load(29, 30)]) == 0.4
    share = 1.0
    for _ in range(20):
        share = next_share(share, [STRAINED])
    assert share == LEAST


def test_only_engines_that_serve_somebody_count() -> None:
    told = {"token_ms": 12.0, "token_budget_ms": 30.0, "running": 0, "waiting": 0}
    assert loads_of([None, told, told | {"running": 1}, {"running": 1, "waiting": 0}]) == [Load(12, 30)]


def test_the_child_is_told_of_changes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, told = [[], [], [CALM], None, [CALM]], []
    pacer = Pacer(lambda: looks.pop(0), told.append)
    pacer()
    pacer()  # too soon
    assert len(looks) == 4
    monkeypatch.setattr("workers.trainer.pacing.LOOK_S", 0.0)
    pacer._due = 0.0
    for _ in range(4):
        pacer()
    assert told == [FIRST, pytest.approx(FIRST * 1.2)]


def test_work_takes_its_share_of_the_time() -> None:
    duty, worked = Duty(), 0.0
    duty.allow(0.25)
    duty()
    started = time.monotonic()
    while time.monotonic() - started < 0.4:
        begun = time.monotonic()
        time.sleep(0.01)
        worked += time.monotonic() - begun
        duty()
    assert 0.15 < worked / (time.monotonic() - started) < 0.35


def test_a_sleeping_child_wakes_when_its_share_grows() -> None:
    finished: list[int] = []
    duty = Duty(lambda: finished.append(1))
    duty.allow(0.001)
    time.sleep(0.05)
    threading.Timer(0.1, duty.allow, (1.0,)).start()
    started = time.monotonic()
    duty()
    assert time.monotonic() - started < 5  # and not fifty
    assert finished == [1]


def test_a_pass_that_was_not_held_up_is_not_made_up_for() -> None:
    duty = Duty()
    assert not duty.begin()
    time.sleep(0.1)
    duty.allow(0.01)
    assert duty.begin()
    started = time.monotonic()
    duty()
    assert time.monotonic() - started < 1  # and not ten


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5])
def test_a_share_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Duty().allow(share)
