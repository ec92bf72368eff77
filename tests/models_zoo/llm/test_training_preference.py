"""Preference pairs, and what the state so far answers."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from models_zoo.llm.card import ModelError, read_adapter_card
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training import TrainSpec, train_lora
from models_zoo.llm.training.data import Example, encode_examples
from models_zoo.llm.training.functions import AnswerLogProbs
from models_zoo.llm.training.inputs import start_card
from models_zoo.llm.training.preference import PreferenceTask
from models_zoo.llm.training.student import Student
from tests.models_zoo.llm.test_training import spec, write
from tests.models_zoo.llm.tiny import TinyBase, in_transformers

pytestmark = pytest.mark.slow  # every test trains

PAIRS = [
    {
        "messages": [{"role": "user", "content": f"code {n}?"}],
        "chosen": "zebra " * (1 + n % 3),
        "rejected": "horse",
    }
    for n in range(8)
]


def preferring(base: TinyBase, folder: Path, **changes: Any) -> TrainSpec:
    data = write(folder / "pairs.jsonl", PAIRS)
    return spec(base, folder, "chat", **{"method": "dpo", "train": data, "evaluation": data, **changes})


def test_it_works(base: TinyBase, tmp_path: Path) -> None:
    events = list(train_lora(preferring(base, tmp_path, dropout=0.0)))
    steps = [event for event in events if event.kind == "step"]
    assert steps[0].loss == pytest.approx(0.6931, abs=1e-3)  # nothing has been gained at the start
    assert events[-1].metrics["accuracy"] == 1.0
    assert events[-1].metrics["margin"] > 0.1
    assert events[-1].metrics["loss"] < 0.65
    assert read_adapter_card(tmp_path / "adapter").training["beta"] == 0.1


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_loss_and_gradients_are_the_formulas(base: TinyBase, tmp_path: Path, smoothing: float) -> None:
    """Against PEFT on the dequantized transformers model: with the adapter, and with it switched off."""
    from peft import LoraConfig, get_peft_model

    wanted = preferring(base, tmp_path, dropout=0.0, label_smoothing=smoothing, beta=0.3)
    examples = encode_examples(wanted.train, PAIRS[:4], wanted, (), ChatTokenizer(base.folder))
    student = Student(load_decoder(base.folder), wanted, start_card(wanted, base.card, ()))
    task = PreferenceTask(student, wanted)
    task.begin(examples)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=list(wanted.targets), task_type="CAUSAL_LM")
    oracle = get_peft_model(in_transformers(base), config).eval()
    parameters = dict(oracle.named_parameters())
    torch.manual_seed(3)
    with torch.no_grad():
        for layer, target, a, b in student.lora.matrices():
            b.copy_(torch.randn_like(b) * 0.05)
            name = f"base_model.model.model.layers.{layer}.{block_of(target)}.{target}"
            parameters[f"{name}.lora_A.default.weight"].copy_(a)
            parameters[f"{name}.lora_B.default.weight"].copy_(b)
    loss = task.loss(examples)
    loss.backward()  # type: ignore[no-untyped-call]
    with oracle.disable_adapter(), torch.no_grad():
        reference = [[log_prob(oracle, one) for one in (pair, pair.rejected)] for pair in examples]
    policy = [[log_prob(oracle, one) for one in (pair, pair.rejected)] for pair in examples]
    margins = torch.stack(
        [0.3 * ((p[0] - r[0]) - (p[1] - r[1])) for p, r in zip(policy, reference, strict=True)]
    )
    expected = (-(1 - smoothing) * F.logsigmoid(margins) - smoothing * F.logsigmoid(-margins)).mean()
    expected.backward()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-3)
    for key, parameter in student.lora.b.items():
        layer, target = key.split("_", 1)
        name = f"base_model.model.model.layers.{layer}.{block_of(target)}.{target}.lora_B.default.weight"
        theirs = parameters[name].grad
        assert parameter.grad is not None
        assert theirs is not None
        assert float((parameter.grad - theirs).norm() / theirs.norm()) < 1e-3


def block_of(target: str) -> str:
    return "self_attn" if target[0] in "qkvo" and target != "up_proj" else "mlp"


def log_prob(model: torch.nn.Module, example: Example | None) -> torch.Tensor:
    assert example is not None
    every = model(input_ids=torch.tensor([example.ids])).logits[0].log_softmax(dim=-1)
    return torch.stack([every[at, token] for at, token in enumerate(example.targets) if token >= 0]).sum()


def test_a_version_is_preferred_against_itself(base: TinyBase, tmp_path: Path) -> None:
    """Going on from a version, that version is the start, and not the base."""
    list(train_lora(spec(base, tmp_path, "chat", target=tmp_path / "parent", precision="float32")))
    events = list(
        train_lora(preferring(base, tmp_path, start_from=tmp_path / "parent", dropout=0.0, max_steps=2))
    )
    assert events[0].loss == pytest.approx(0.6931, abs=1e-4)


def test_chunked_log_probabilities_are_those_of_softmax(decoder: Decoder) -> None:
    hidden, targets = torch.randn(300, 128, requires_grad=True), torch.randint(0, 320, (300,))
    weights = torch.rand(300)
    found = AnswerLogProbs.apply(hidden, targets, decoder.head)
    (found * weights).sum().backward()
    again = hidden.detach().requires_grad_()
    expected = (again @ decoder.head.dense().t()).log_softmax(dim=-1)[torch.arange(300), targets]
    (expected * weights).sum().backward()
    assert torch.allclose(found, expected, atol=1e-4)
    assert hidden.grad is not None
    assert again.grad is not None
    assert torch.allclose(hidden.grad, again.grad, atol=1e-5)


def test_both_answers_are_learned_whole(base: TinyBase, tmp_path: Path) -> None:
    wanted, tokenizer = preferring(base, tmp_path), ChatTokenizer(base.folder)
    (pair,) = encode_examples(wanted.train, PAIRS[1:2], wanted, (), tokenizer)
    assert pair.rejected is not None
    told = [tokenizer.decode([t for t in one.targets if t >= 0]) for one in (pair, pair.rejected)]
    assert told == ["zebra zebra\n", "horse\n"]
    assert pair.tokens == len(pair.ids) + len(pair.rejected.ids)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"packing": True}, "packing and answers_only are not for method 'dpo'"),
        ({"label_smoothing": 0.5}, "label_smoothing is 0.5, expected less than 0.5 for dpo"),
        ({"beta": 0.0}, "beta is 0.0, expected more than 0"),
        ({"method": "lora"}, "example 1: messages has no assistant turn"),
        ({"sample_prompts": ("x",) * 5}, "sample_prompts is 5 texts, expected at most 4"),
        ({"sample_prompts": ("ok", "y" * 500)}, "sample_prompts: number 2 has"),
    ],
)
def test_what_does_not_fit_is_named(
    base: TinyBase, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        next(train_lora(preferring(base, tmp_path, **changes)))


def test_a_pair_without_an_answer_is_refused(base: TinyBase, tmp_path: Path) -> None:
    data = write(tmp_path / "bad.jsonl", [{"messages": PAIRS[0]["messages"], "chosen": "x"}])
    with pytest.raises(ModelError, match="example 1: field 'rejected' is missing"):
        next(train_lora(preferring(base, tmp_path, train=data)))


def test_the_state_so_far_answers_questions(base: TinyBase, tmp_path: Path) -> None:
    wanted = spec(base, tmp_path, "chat", epochs=12, evaluation=None, sample_prompts=("code 3?", "again"))
    events = list(train_lora(wanted))
    samples = [event for event in events if event.kind == "sample"]
    assert [(event.step, event.prompt) for event in samples[:4]] == [(3, 1), (3, 2), (6, 1), (6, 2)]
    assert "zebra" in (samples[-2].text or "")
    silent = list(train_lora(spec(base, tmp_path, "chat", epochs=12, evaluation=None)))
    assert silent[-1].digest == events[-1].digest  # asking changes nothing, and is not told of in the card
    assert json.dumps(asdict(samples[0]), default=str)


def test_greedy_answers_are_the_models(base: TinyBase, tmp_path: Path) -> None:
    wanted = spec(base, tmp_path, "chat")
    student = Student(load_decoder(base.folder), wanted, start_card(wanted, base.card, ()))
    student.train(False)
    ids = ChatTokenizer(base.folder).chat([{"role": "user", "content": "hello"}])
    expected = in_transformers(base).generate(  # type: ignore[operator]
        torch.tensor([ids]), max_new_tokens=12, do_sample=False, eos_token_id=base.card.end_token, pad_token_id=2
    )[0, len(ids) :].tolist()  # fmt: skip
    said = student.greedy(ids, 12)
    assert said == [token for token in expected if token != base.card.end_token]
