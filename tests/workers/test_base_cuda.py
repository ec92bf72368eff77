"""A training on the weights that another process holds on the device, from its own process as in a job."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.models_zoo.llm.test_training import spec
from tests.models_zoo.llm.tiny import make_base
from workers.trainer.child import Child

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not (torch.cuda.is_available() and find_spec("triton")), reason="needs a CUDA device and Triton"
    ),
]


@contextmanager
def worker(folder: Path, base: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.workers.offering", str(folder), str(base)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """The spec's file of a training of 100 steps that writes a checkpoint after each."""
    wanted = spec(
        make_base(tmp_path / "base"), tmp_path, "classification", evaluation=None, epochs=20.0, device="cuda",
        checkpoint=tmp_path / "state", checkpoint_s=1e-6,
    )  # fmt: skip
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(asdict(wanted), default=str))
    return file


def test_it_ends_with_the_worker_and_goes_on_with_the_next(training: Path, tmp_path: Path) -> None:
    ended = 0.0
    with (
        worker(tmp_path / "run", tmp_path / "base") as serving,
        Child(training, tmp_path / "run", 60) as child,
    ):
        events = child.events()
        first = next(event for event in events if event)
        assert (first["kind"], first["shared"]) == ("base", True)
        assert "int4" in first["text"]
        for event in events:
            if event and event.get("step") == 5:
                serving.kill()
                ended = time.monotonic()
    assert time.monotonic() - ended < 3
    assert child.lost
    assert child.failure is not None
    assert "worker" in child.failure
    with worker(tmp_path / "run", tmp_path / "base"), Child(training, tmp_path / "run", 60) as child:
        told = [event for event in child.events() if event]
    assert child.failure is None
    assert [event["kind"] for event in told[:3]] == ["base", "resumed", "step"]
    assert told[1]["step"] >= 4
    assert (told[-1]["kind"], told[-1]["step"]) == ("done", 100)


def first_loss(training: Path, offers: Path | None) -> float:
    with Child(training, offers, 60) as child:
        for event in child.events():
            if event and event["kind"] == "base":
                assert event["shared"]
            if event and event["kind"] == "step":
                return float(event["loss"])
    raise AssertionError(child.failure)


def test_mapped_weights_are_those_of_its_own_copy(training: Path, tmp_path: Path) -> None:
    training.write_text(json.dumps(json.loads(training.read_text()) | {"checkpoint": None}))
    with worker(tmp_path / "run", tmp_path / "base"):
        mapped = first_loss(training, tmp_path / "run")
    assert mapped == pytest.approx(first_loss(training, None), rel=1e-3)


def test_an_offer_of_another_base_is_not_used(training: Path, tmp_path: Path) -> None:
    make_base(tmp_path / "other", seed=1)
    with worker(tmp_path / "run", tmp_path / "other"), Child(training, tmp_path / "run", 1) as child:
        told = [event for event in child.events() if event]
    assert (told[0]["kind"], told[0]["shared"]) == ("base", False)
    assert "fingerprint" in told[0]["text"]
    assert told[-1]["kind"] == "done"
