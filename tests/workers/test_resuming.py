"""A training whose process is killed, and the checkpoint that its job's next attempt goes on from."""

import json
import os
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from models_zoo.llm.card import read_card
from models_zoo.llm.training import train_lora
from models_zoo.llm.training.checkpoint import identity_of, load_state, save_state
from rootstock.jobs.handle import Cancelled
from rootstock.jobs.reaping import WorkerLost
from tests.models_zoo.llm.test_training import spec
from tests.models_zoo.llm.tiny import make_base
from workers.trainer.child import Child
from workers.trainer.resuming import FORGOTTEN_AFTER_S, checkpoint_of
from workers.trainer.service import TrainingFailed


@pytest.mark.slow
def test_a_killed_child_goes_on_where_it_was(tmp_path: Path) -> None:
    wanted = spec(
        make_base(tmp_path / "base"), tmp_path, "classification", evaluation=None, epochs=20.0, threads=1,
        checkpoint=tmp_path / "state", checkpoint_s=1e-6,
    )  # fmt: skip
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(asdict(wanted), default=str))
    with Child(file) as child:
        for event in child.events():
            if event and event["step"] == 5:
                os.kill(child.pid, signal.SIGKILL)
    assert child.lost
    assert not (tmp_path / "adapter").exists()
    identity = identity_of(wanted, read_card(tmp_path / "base"))
    state = load_state(tmp_path / "state", identity)
    assert state is not None
    assert state.seconds > 0
    save_state(tmp_path / "state", identity, replace(state, seconds=1000.0))
    with Child(file) as child:
        events = [event for event in child.events() if event]
    assert child.failure is None
    assert (events[0]["kind"], events[1]["kind"]) == ("resumed", "step")
    assert events[1]["step"] == events[0]["step"] + 1 > 4
    assert (events[-1]["kind"], events[-1]["step"]) == ("done", 100)
    assert events[-1]["seconds"] > 1000  # of both attempts
    other = tmp_path / "other"
    other.mkdir()
    whole = replace(wanted, target=other / "adapter", checkpoint=other / "state")
    assert list(train_lora(whole))[-1].digest == events[-1]["digest"]  # of a run that was never cut off


def attempt(root: Path, job: UUID, error: Exception | None = None) -> None:
    with checkpoint_of(root, job) as checkpoint:
        checkpoint.write_bytes(b"x")
        if error is not None:
            raise error


@pytest.mark.parametrize("error", [Cancelled(), TrainingFailed("no")])
def test_a_job_that_is_over_leaves_no_checkpoint(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)):
        attempt(tmp_path, uuid4(), error)
    attempt(tmp_path, uuid4())
    assert not list(tmp_path.iterdir())


def test_a_job_that_is_tried_again_finds_its_checkpoint(tmp_path: Path) -> None:
    job = uuid4()
    with pytest.raises(WorkerLost):
        attempt(tmp_path, job, WorkerLost("killed"))
    with checkpoint_of(tmp_path, uuid4()), checkpoint_of(tmp_path, job) as checkpoint:
        assert checkpoint.read_bytes() == b"x"


def test_a_checkpoint_that_nobody_came_back_for_is_removed(tmp_path: Path) -> None:
    with pytest.raises(WorkerLost):
        attempt(tmp_path, uuid4(), WorkerLost("killed"))
    (left,) = tmp_path.iterdir()
    old = time.time() - FORGOTTEN_AFTER_S - 60
    os.utime(left, (old, old))
    with checkpoint_of(tmp_path, uuid4()):
        assert not left.exists()
