"""A training in two processes, as torchrun starts them: the same steps as one process takes with the whole batch."""

import json
import os
import signal
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from models_zoo.llm.training import TrainSpec
from tests.models_zoo.llm import test_training, test_training_bases
from tests.models_zoo.llm.tiny import TinyBase, make_base
from workers.trainer.base_child import BaseChild
from workers.trainer.child import Child


@pytest.fixture(scope="module")
def base(tmp_path_factory: Any) -> TinyBase:
    return make_base(tmp_path_factory.mktemp("ranks") / "tiny")


def told(
    kind: type[Child], spec: TrainSpec, folder: Path, kill_at: int | None = None
) -> list[dict[str, Any]]:
    """The events of a training in `spec.processes` processes; one of them is killed at a step."""
    folder.mkdir(exist_ok=True)
    (folder / "spec.json").write_text(json.dumps(asdict(spec), default=str))
    events = []
    with kind(folder / "spec.json", processes=spec.processes) as child:
        for event in child.events():
            events += [event] if event else []
            if event and event["step"] == kill_at:
                os.kill(ranks_of(child)[-1].pid, signal.SIGKILL)
    if kill_at is None:
        assert child.failure is None, (folder / "errors.log").read_text()[-3000:]
    else:
        assert child.lost, child.failure
    return events


def ranks_of(child: Child) -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process(child.pid).children(recursive=True)
        if "torch.distributed.run" not in process.cmdline()
    ]


def losses(events: list[dict[str, Any]]) -> list[float]:
    return [event["loss"] for event in events if event["kind"] == "step"]


def test_adapters_learn_the_same_by_ddp(base: TinyBase, tmp_path: Path) -> None:
    wanted = test_training.spec(base, tmp_path, "chat", threads=1, max_steps=6, accumulation=2, dropout=0.0)
    found = {}
    for processes in (1, 2):
        spec = replace(wanted, processes=processes, target=tmp_path / f"adapter-{processes}")
        found[processes] = told(Child, spec, tmp_path / str(processes))
    assert losses(found[2]) == pytest.approx(losses(found[1]), rel=1e-4)
    assert found[2][-1]["metrics"] == pytest.approx(found[1][-1]["metrics"], rel=1e-3)
    assert (tmp_path / "adapter-2" / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize("recipe", ["full", "distil"])
def test_bases_learn_the_same_by_fsdp_and_go_on_after_a_kill(
    base: TinyBase, tmp_path: Path, recipe: Any
) -> None:
    wanted = test_training_bases.spec(base, tmp_path, recipe=recipe, threads=1, max_steps=4, accumulation=2)
    found = {}
    for processes in (1, 2):
        made = tmp_path / f"made-{processes}"
        spec = replace(
            wanted, processes=processes, target=made / "mine", unquantized=made / "floats",
            checkpoint=tmp_path / f"state-{processes}",
        )  # fmt: skip
        if processes == 2:
            told(BaseChild, spec, tmp_path / "killed", kill_at=3)
        found[processes] = told(BaseChild, spec, tmp_path / str(processes))
    assert found[2][0]["kind"] == "resumed"
    left = losses(found[2])
    assert left == pytest.approx(losses(found[1])[-len(left) :], rel=1e-3)
    assert found[2][-1]["metrics"] == pytest.approx(found[1][-1]["metrics"], rel=2e-2, abs=2e-2)


def test_a_fault_of_its_own_is_told_and_all_end_with_one(base: TinyBase, tmp_path: Path) -> None:
    wanted = test_training.spec(base, tmp_path, "chat", threads=1, processes=2, train=tmp_path / "none.jsonl")
    (tmp_path / "spec.json").write_text(json.dumps(asdict(wanted), default=str))
    with Child(tmp_path / "spec.json", processes=2) as child:
        assert [event for event in child.events() if event] == []
    assert not child.lost
    assert child.failure is not None
    assert "none.jsonl: file is missing" in child.failure
    endless = replace(wanted, train=wanted.evaluation, epochs=1e6)
    (tmp_path / "spec.json").write_text(json.dumps(asdict(endless), default=str))
    (tmp_path / "fault.txt").unlink()
    with Child(tmp_path / "spec.json", processes=2) as child:
        next(event for event in child.events() if event and event["kind"] == "step")
        ranks = ranks_of(child)
        assert len(ranks) == 2
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in ranks)
