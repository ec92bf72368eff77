"""Products in fewer bits, the loss scale of float16, and runs that diverge."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.card import ModelError, read_adapter_card
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training import scaling, train_lora
from models_zoo.llm.training.data import encode_examples
from models_zoo.llm.training.scaling import LossScale
from tests.models_zoo.llm.test_training import ROWS, spec
from tests.models_zoo.llm.test_training_functions import gradients, student
from tests.models_zoo.llm.test_training_options import loss_of
from tests.models_zoo.llm.tiny import TinyBase

pytestmark = pytest.mark.slow  # every test trains

HALVES = ("bfloat16", "float16")


def losses(events: Any) -> list[float]:
    return [event.loss for event in events if event.kind == "step"]


@pytest.mark.parametrize("task", ["chat", "classification", "tagging"])
@pytest.mark.parametrize("compute", HALVES)
def test_it_works(base: TinyBase, tmp_path: Path, task: str, compute: Any) -> None:
    found = losses(train_lora(spec(base, tmp_path, task, compute=compute)))
    whole = losses(train_lora(spec(base, tmp_path, task, compute="float32", max_steps=1)))
    assert found[0] == pytest.approx(whole[0], rel=0.02)
    assert found[-1] < 0.7 * found[0]
    assert load_adapter(tmp_path / "adapter", base.card).card.training["compute"] == "float32"
    list(train_lora(spec(base, tmp_path, task, compute=compute, max_steps=1)))
    assert read_adapter_card(tmp_path / "adapter").training["compute"] == compute


@pytest.mark.parametrize("compute", HALVES)
def test_gradients_are_those_of_float32(
    base: TinyBase, decoder: Decoder, tmp_path: Path, compute: Any
) -> None:
    wanted = [spec(base, tmp_path, "chat", dropout=0.0, compute=way) for way in ("float32", compute)]
    examples = encode_examples(wanted[0].train, ROWS["chat"], wanted[0], (), ChatTokenizer(base.folder))
    (whole, slope), (half, other) = (loss_of(decoder, base, one, examples) for one in wanted)
    assert decoder.dtype == torch.float32
    assert half == pytest.approx(whole, rel=0.01)
    assert 0.0 < float((other - slope).norm() / slope.norm()) < 0.05


@pytest.mark.parametrize("compute", HALVES)
def test_small_steps_add_up(base: TinyBase, decoder: Decoder, compute: Any) -> None:
    """A step is far below what the compute type tells apart at these values; the parameters keep it."""
    made = student(decoder, base, compute=compute)
    parameters = list(made.lora.parameters())
    before = [parameter.detach().clone() for parameter in parameters]
    assert {one.dtype for one in (*parameters, *gradients(made))} == {torch.float32}
    with torch.no_grad():
        for parameter in parameters:
            parameter -= 1e-6 * parameter.grad.sign()  # type: ignore[union-attr]
    moved = torch.cat([(one - old).abs().flatten() for one, old in zip(parameters, before, strict=True)])
    assert float((moved > 5e-7).float().mean()) > 0.99


def test_a_step_that_overflows_is_left_out(
    base: TinyBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "FIRST", 2.0**60)
    wanted = spec(base, tmp_path, "chat", compute="float16", dropout=0.0, evaluation=None)
    left_out = losses(islice(train_lora(wanted), 3))
    monkeypatch.setattr(scaling, "FIRST", 1.0)
    still = losses(islice(train_lora(replace(wanted, learning_rate=1e-12)), 3))
    assert left_out == pytest.approx(still, rel=1e-5)


def test_the_scale_follows_what_overflows() -> None:
    scale, fine, endless = LossScale.of("float16"), torch.tensor(1.0), torch.tensor(torch.inf)
    assert not scale.allows(endless, 1)
    assert (scale.value, scale.good) == (2.0**15, 0)
    assert all(scale.allows(fine, 1) for _ in range(scaling.GROWS_AFTER))
    assert (scale.value, scale.good) == (2.0**16, 0)
    scale.value = scaling.LEAST
    with pytest.raises(ModelError, match="diverged: the gradient at step 9 is inf"):
        scale.allows(endless, 9)
    for compute in ("auto", "float32", "bfloat16"):
        assert LossScale.of(compute).allows(endless, 1)  # type: ignore[arg-type]  # told of behind the step


@pytest.mark.parametrize("changes", [{}, {"evaluate_every": 1}, {"compute": "float16"}])
def test_a_run_that_diverges_says_so(base: TinyBase, tmp_path: Path, changes: dict[str, Any]) -> None:
    wanted = spec(base, tmp_path, "chat", learning_rate=1e30, warmup=0.0, **changes)
    with pytest.raises(ModelError, match=r"the training diverged: the \w+ at step \d is (nan|inf); take a"):
        list(train_lora(wanted))
    assert not (tmp_path / "adapter").exists()


def test_a_state_that_cannot_be_written_ends_nothing(base: TinyBase, tmp_path: Path) -> None:
    wanted = spec(base, tmp_path, "chat", checkpoint=tmp_path / "nowhere" / "state", checkpoint_s=1e-9)
    events = list(train_lora(wanted))
    told = [event.text for event in events if event.kind == "log"]
    assert len(told) == 1
    assert "cannot be written" in told[0]  # type: ignore[operator]
    assert events[-1].kind == "done"
