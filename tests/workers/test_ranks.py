"""A training in two processes, as torchrun starts them: the same steps as one process takes with the whole batch."""

import json
import os
import signal
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from models_zoo.llm.training import TrainSpec, train_lora
from models_zoo.llm.training.bases import train_base
from tests.models_zoo.llm import test_training, test_training_bases
from tests.models_zoo.llm.tiny import TinyBase, make_base
from workers.trainer.base_child import BaseChild
from workers.trainer.child import Child

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory: Any) -> TinyBase:
    return make_base(tmp_path_factory.mktemp("ranks") / "tiny")


def told(
    kind: type[Child], spec: TrainSpec, folder: Path, kill_at: int | None = None
) -> list[dict[str, Any]]:
    """The events of a training in two processes, of which nothing is left then; one of them is killed at a step."""
    folder.mkdir(exist_ok=True)
    (folder / "spec.json").write_text(json.dumps(asdict(replace(spec, processes=2)), default=str))
    events, ranks = [], list[psutil.Process]()
    with kind(folder / "spec.json", processes=2) as child:
        for event in child.events():
            events += [event] if event else []
            if event and event["kind"] == "step" and not ranks:
                ranks = ranks_of(child)
            if event and event["step"] == kill_at:
                os.kill(ranks[-1].pid, signal.SIGKILL)
    assert len(ranks) == 2
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in ranks)
    if kill_at is None:
        assert child.failure is None, (folder / "errors.log").read_text()[-3000:]
    else:
        assert child.lost, child.failure
    return events


def ranks_of(child: Child) -> list[psutil.Process]:
    below = psutil.Process(child.pid).children(recursive=True)
    return [process for process in below if child.module in process.cmdline()]


def losses(events: Iterable[Any]) -> list[float]:
    steps = (event if isinstance(event, dict) else asdict(event) for event in events)
    return [step["loss"] for step in steps if step["kind"] == "step"]


def test_adapters_learn_the_same_by_ddp(base: TinyBase, tmp_path: Path) -> None:
    wanted = test_training.spec(base, tmp_path, "chat", threads=1, max_steps=6, accumulation=2, dropout=0.0)
    alone = list(train_lora(replace(wanted, target=tmp_path / "alone")))
    both = told(Child, wanted, tmp_path / "both")
    assert losses(both) == pytest.approx(losses(alone), rel=1e-4)
    assert both[-1]["metrics"] == pytest.approx(alone[-1].metrics, rel=1e-3)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


def test_bases_learn_the_same_by_fsdp_and_go_on_after_a_kill(base: TinyBase, tmp_path: Path) -> None:
    wanted = test_training_bases.spec(base, tmp_path, threads=1, max_steps=4, accumulation=2)
    alone = list(train_base(replace(wanted, target=tmp_path / "alone", unquantized=tmp_path / "floats")))
    kept = replace(wanted, checkpoint=tmp_path / "state")
    told(BaseChild, kept, tmp_path / "killed", kill_at=3)
    both = told(BaseChild, kept, tmp_path / "both")
    assert both[0]["kind"] == "resumed"
    left = losses(both)
    assert left == pytest.approx(losses(alone)[-len(left) :], rel=1e-4)
    assert both[-1]["metrics"] == pytest.approx(alone[-1].metrics, rel=1e-2, abs=1e-3)


def test_a_fault_of_its_own_is_told_and_not_tried_again(base: TinyBase, tmp_path: Path) -> None:
    missing = tmp_path / "none.jsonl"
    spec = test_training.spec(base, tmp_path, "chat", threads=1, processes=2, train=missing)
    (tmp_path / "spec.json").write_text(json.dumps(asdict(spec), default=str))
    with Child(tmp_path / "spec.json", processes=2) as child:
        assert [event for event in child.events() if event] == []
    assert not child.lost
    assert child.failure is not None
    assert "none.jsonl: file is missing" in child.failure
