"""The damage report: nothing where nothing was done, more where fewer bits are kept, adapters included."""

import re
from pathlib import Path

import pytest
import torch

from models_zoo.llm.__main__ import main
from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.card import ModelError
from models_zoo.llm.convert import convert, open_source
from models_zoo.llm.damage import (
    Float32,
    Served,
    base_weights,
    head_probabilities,
    log_probabilities,
    measure,
    source_weights,
    squared_error,
    texts_of,
)
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.tokenizer import ChatTokenizer
from tests.models_zoo.llm.sources import hf_folder, llama
from tests.models_zoo.llm.tiny import TinyBase, in_transformers, make_adapter

TEXT = "\n\n\n".join("the cabin and the deed of a bad face faded beside a cafe " * 4 for _ in range(3))


@pytest.fixture(scope="module")
def ids() -> list[list[int]]:
    random = torch.Generator().manual_seed(0)
    return [torch.randint(3, 320, (length,), generator=random).tolist() for length in (60, 33)]


def test_float32_is_transformers_own(base: TinyBase, ids: list[list[int]]) -> None:
    model = Float32(base.card.config, base_weights(base.folder))
    expected = in_transformers(base)(torch.tensor(ids[:1])).logits[0]
    assert torch.allclose(model.logits(ids[0]), expected, atol=1e-4)


def test_a_model_beside_itself_is_unharmed(base: TinyBase, ids: list[list[int]]) -> None:
    model = Float32(base.card.config, base_weights(base.folder))
    expected = [log_probabilities(model, text) for text in ids]
    found = measure(model, expected, ids)
    assert found.divergence == pytest.approx(0, abs=1e-6)
    assert found.same_top == 1
    loss = torch.cat(
        [
            -row[:-1].gather(1, torch.tensor(text[1:])[:, None])
            for row, text in zip(expected, ids, strict=True)
        ]
    )
    assert found.perplexity == pytest.approx(float(loss.mean().exp()), rel=1e-4)


def test_fewer_bits_do_more_damage(tmp_path: Path, ids: list[list[int]]) -> None:
    source = hf_folder(tmp_path / "hf", llama())
    original = source_weights(open_source(source))
    config = open_source(source).config
    reference = Float32(config, original)
    expected = [log_probabilities(reference, text) for text in ids]
    errors, divergences = [], []
    for form in ("int4", "mixed", "int8"):
        convert(source, tmp_path / form, form, 0.5)  # type: ignore[arg-type]
        stored = base_weights(tmp_path / form)
        errors.append(squared_error(original, stored))
        divergences.append(measure(Float32(config, stored), expected, ids).divergence)
    assert errors == sorted(errors, reverse=True)
    assert divergences == sorted(divergences, reverse=True)
    assert squared_error(original, original) == 0


def test_serving_is_near_float32_and_reads_all_of_a_text(
    base: TinyBase, decoder: Decoder, ids: list[list[int]]
) -> None:
    reference = Float32(base.card.config, base_weights(base.folder))
    expected = [log_probabilities(reference, text) for text in ids]
    found = measure(Served(decoder), expected, ids)
    assert 0 < found.divergence < 0.01
    assert found.same_top > 0.9


@torch.inference_mode()
def test_an_adapter_acts_alike_on_both_sides(
    base: TinyBase, decoder: Decoder, ids: list[list[int]], tmp_path: Path
) -> None:
    adapter = load_adapter(make_adapter(tmp_path / "chat", base), base.card)
    weights = base_weights(base.folder)
    plain, merged = (Float32(base.card.config, weights, lora) for lora in (None, adapter.weights))
    expected = [log_probabilities(merged, text) for text in ids]
    assert measure(Served(decoder, adapter.weights), expected, ids).divergence < 0.01
    assert measure(plain, expected, ids).divergence > 0.01  # control: without it


@pytest.mark.parametrize(
    ("task", "bidirectional"), [("classification", True), ("tagging", True), ("tagging", False)]
)
def test_heads_agree(
    base: TinyBase, decoder: Decoder, ids: list[list[int]], tmp_path: Path, task: str, bidirectional: bool
) -> None:
    folder = make_adapter(tmp_path / "head", base, task=task, labels=("A", "B"), bidirectional=bidirectional)
    adapter = load_adapter(folder, base.card)
    reference = Float32(base.card.config, base_weights(base.folder), adapter.weights)
    ours = head_probabilities(Served(decoder, adapter.weights), adapter, ids[0])
    theirs = head_probabilities(reference, adapter, ids[0])
    assert ours.shape == ((2,) if task == "classification" else (60, 5))
    assert torch.allclose(ours, theirs, atol=0.05)
    assert torch.allclose(theirs.sum(dim=-1), torch.ones(theirs.shape[:-1]), atol=1e-5)


def test_texts_are_cut_and_short_rests_left_out(base: TinyBase) -> None:
    tokenizer = ChatTokenizer(base.folder)
    documents = ["short", "a" * 600, "b" * 300]
    for tokens, lengths in (
        (16, [16]),
        (256, [256]),
        (270, [256]),
        (500, [256, 244]),
        (700, [256, 256, 88, 100]),
    ):
        pieces = texts_of(tokenizer, documents, tokens)
        assert [len(piece) for piece in pieces] == lengths


@pytest.mark.parametrize("tokens", [15, 0, -5])
def test_too_few_tokens_are_refused(base: TinyBase, tokens: int) -> None:
    with pytest.raises(ModelError, match=f"tokens is {tokens}, expected 16 or more"):
        texts_of(ChatTokenizer(base.folder), ["a" * 600], tokens)


@torch.inference_mode()
def test_a_text_longer_than_a_window_is_served_whole(base: TinyBase, decoder: Decoder) -> None:
    ids = torch.randint(3, 320, (300,), generator=torch.Generator().manual_seed(0)).tolist()
    expected = Float32(base.card.config, base_weights(base.folder)).hidden(ids, bidirectional=False)
    got = Served(decoder).hidden(ids, bidirectional=False)
    assert float((got - expected).norm() / expected.norm()) < 0.05


def test_the_command(base: TinyBase, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    source = hf_folder(tmp_path / "hf", llama())
    main(["convert", "--source", str(source), "--target", str(tmp_path / "base"), "--form", "int4"])
    command = ["damage", "--base", str(tmp_path / "base"), "--text", str(tmp_path / "text.txt")]
    assert main([*command, "--reference", str(source), "--tokens", "300"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"\| original, float32 \| [\d.]+ \| -?0\.00000 \| 1\.000 \|", shown)
    assert "| quantized, float32 |" in shown
    assert "| quantized, as served |" in shown
    assert re.search(r"base, (300|29\d) tokens of text", shown)


def test_the_command_shows_adapters(
    base: TinyBase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    chat = make_adapter(tmp_path / "chat", base)
    head = make_adapter(tmp_path / "head", base, task="classification", labels=("A", "B"))
    command = ["damage", "--base", str(base.folder), "--text", str(tmp_path / "text.txt"), "--tokens", "200"]
    assert main([*command, "--adapter", str(chat), "--adapter", str(head)]) == 0
    shown = capsys.readouterr().out
    assert "| quantized, as served, with chat |" in shown
    assert "Head of head, quantized in float32 against as served" in shown
    assert "| quantized, float32, with chat |" in shown
    assert "original" not in shown  # there is none


@pytest.mark.parametrize(
    ("text", "reference", "reason"),
    [("", None, "too short"), (TEXT, "absent", "absent"), (None, None, "not a readable text")],
)
def test_what_cannot_be_measured_is_said(
    base: TinyBase,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str | None,
    reference: str | None,
    reason: str,
) -> None:
    if text is not None:
        (tmp_path / "text.txt").write_text(text)
    command = ["damage", "--base", str(base.folder), "--text", str(tmp_path / "text.txt")]
    assert main([*command, *(["--reference", reference] if reference else [])]) == 2
    assert reason in capsys.readouterr().err


def test_another_shape_is_no_reference(
    base: TinyBase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text(TEXT)
    source = hf_folder(tmp_path / "hf", llama())
    command = ["damage", "--base", str(base.folder), "--text", str(tmp_path / "text.txt")]
    assert main([*command, "--reference", str(source)]) == 2
    assert "has another shape" in capsys.readouterr().err
