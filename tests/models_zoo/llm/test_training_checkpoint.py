"""A run that was killed and begun again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models_zoo.llm.card import ModelError
from models_zoo.llm.training import TrainSpec, train_lora
from tests.models_zoo.llm.test_training import CHAT, spec, write
from tests.models_zoo.llm.tiny import TinyBase

pytestmark = pytest.mark.slow  # every test trains


def killed_after(steps: int, wanted: TrainSpec) -> None:
    events = train_lora(wanted)
    while next(events).step < steps:
        pass
    next(events)  # the state is written between two steps
    events.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("task", ["chat", "classification"])
def test_a_run_that_was_killed_goes_on_and_ends_as_it_would_have(
    base: TinyBase, tmp_path: Path, task: str
) -> None:
    limits: dict[str, Any] = {"evaluate_every": 2, "max_steps": 8, "dropout": 0.1}
    expected = list(train_lora(spec(base, tmp_path, task, **limits)))
    weights = (tmp_path / "adapter" / "adapter_model.safetensors").read_bytes()
    kept = spec(base, tmp_path, task, **limits, checkpoint=tmp_path / "state", checkpoint_s=1e-9)
    killed_after(5, kept)
    events = list(train_lora(kept))
    assert events[0].kind == "resumed"
    assert events[0].step >= 5
    assert [e.loss for e in events if e.step == 8] == [e.loss for e in expected if e.step == 8]
    assert (tmp_path / "adapter" / "adapter_model.safetensors").read_bytes() == weights
    assert events[-1].metrics == expected[-1].metrics


@pytest.mark.parametrize(("change", "named"), [("spec", "spec"), ("data", "data"), ("damage", "damaged")])
def test_another_runs_checkpoint_is_refused(base: TinyBase, tmp_path: Path, change: str, named: str) -> None:
    kept = spec(base, tmp_path, "chat", checkpoint=tmp_path / "state", checkpoint_s=1e-9, evaluation=None)
    killed_after(2, kept)
    if change == "spec":
        kept = replace(kept, learning_rate=1e-3)
    elif change == "data":
        write(kept.train, CHAT[:-1])
    else:
        (tmp_path / "state").write_bytes((tmp_path / "state").read_bytes()[:1000])
    with pytest.raises(ModelError, match=named):
        next(train_lora(kept))
