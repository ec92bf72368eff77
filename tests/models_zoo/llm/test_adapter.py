"""Adapters made by PEFT: loaded unchanged, applied as PEFT applies them, refused when anything is off."""

import gc
import json
import weakref
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.adapter_files import head_shapes
from models_zoo.llm.batch import Segment
from models_zoo.llm.card import ADAPTER_FILE, AdapterCard, AdapterError, adapter_digest, adapter_reference
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.heads import build_head
from models_zoo.llm.lora import LoraPool
from tests.models_zoo.llm.tiny import CONFIG, TinyBase, in_transformers, make_adapter

FIRST_A = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"


@pytest.fixture(scope="module")
def adapters(base: TinyBase, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return [
        make_adapter(folder / "one", base, seed=1, rank=8),
        make_adapter(folder / "two", base, seed=2, rank=20, use_rslora=True),
        make_adapter(folder / "three", base, seed=3, rank=4, target_modules=["q_proj", "down_proj"]),
        make_adapter(folder / "four", base, seed=4, rank=4, layers_to_transform=[1, 2]),
    ]


def pool_of(decoder: Decoder, base: TinyBase, adapters: list[Path]) -> LoraPool:
    pool = decoder.lora_pool()
    for slot, folder in enumerate(adapters, start=1):
        pool.place(slot, pool.prepare(load_adapter(folder, base.card).weights))
    return pool


@torch.inference_mode()
def hidden(decoder: Decoder, pool: LoraPool, ids: torch.Tensor, slots: list[int]) -> torch.Tensor:
    segments = [Segment(row, slot=slot) for row, slot in zip(ids.tolist(), slots, strict=True)]
    return decoder.forward(segments, None, pool).view(*ids.shape, -1)


def relative(value: torch.Tensor, expected: torch.Tensor) -> float:
    return float((value - expected).norm() / expected.norm())


@pytest.mark.slow
@pytest.mark.parametrize(("kernels", "error"), [("decoder", 5e-3), ("portable", 3e-5)])
def test_one_batch_mixes_any_adapters_as_peft_applies_them(
    base: TinyBase, adapters: list[Path], kernels: str, error: float, request: pytest.FixtureRequest
) -> None:
    from peft import PeftModel

    decoder = request.getfixturevalue(kernels)
    pool = pool_of(decoder, base, adapters)
    ids = torch.randint(3, CONFIG.vocabulary, (1, 24), generator=torch.Generator().manual_seed(5)).repeat(
        8, 1
    )
    slots = [0, 3, 1, 1, 4, 0, 2, 4]
    mixed = hidden(decoder, pool, ids, slots)
    for slot in range(5):
        model = in_transformers(base)
        if slot:
            model = PeftModel.from_pretrained(model, str(adapters[slot - 1])).base_model.model
        with torch.inference_mode():
            expected = model.model(input_ids=ids[:1]).last_hidden_state[0]
        for row in [row for row, other in enumerate(slots) if other == slot]:
            assert relative(mixed[row], expected) < error
    assert relative(mixed[2], mixed[1]) > 0.01  # the control: another adapter is not the same


@pytest.mark.slow
def test_one_adapter_alone_equals_it_in_a_mixture(
    base: TinyBase, decoder: Decoder, adapters: list[Path]
) -> None:
    pool = pool_of(decoder, base, adapters)
    ids = torch.randint(3, CONFIG.vocabulary, (5, 24), generator=torch.Generator().manual_seed(6))
    alone = hidden(decoder, pool, ids, [2] * 5)
    mixed = hidden(decoder, pool, ids, [2, 0, 2, 1, 2])
    for row in (0, 2, 4):
        assert relative(mixed[row], alone[row]) < 1e-5


def test_replacing_a_slot_leaves_nothing_of_the_old(
    base: TinyBase, decoder: Decoder, adapters: list[Path]
) -> None:
    ids = torch.randint(3, CONFIG.vocabulary, (4, 24), generator=torch.Generator().manual_seed(7))
    pool = pool_of(decoder, base, adapters)
    pool.place(1, pool.prepare(load_adapter(adapters[2], base.card).weights))
    assert torch.equal(hidden(decoder, pool, ids, [1] * 4), hidden(decoder, pool, ids, [3] * 4))


def test_clearing_a_slot_gives_the_memory_back(
    base: TinyBase, decoder: Decoder, adapters: list[Path]
) -> None:
    pool = pool_of(decoder, base, adapters)
    held = weakref.ref(pool.adapter(2).data)
    pool.clear(2)
    gc.collect()
    assert held() is None
    with pytest.raises(KeyError):
        pool.adapter(2)


def test_an_adapter_that_cannot_be_applied_is_never_silently_the_base(
    base: TinyBase, decoder: Decoder, adapters: list[Path]
) -> None:
    with pytest.raises(ValueError, match="expected 0 without a pool"):
        decoder.forward([Segment([5], slot=1)], None, None)
    with pytest.raises(KeyError):
        decoder.forward([Segment([5], slot=6)], None, pool_of(decoder, base, adapters))
    if decoder.native is not None:
        other = LoraPool(CONFIG, decoder.device, torch.float32)
        other.place(1, other.prepare(load_adapter(adapters[0], base.card).weights))
        with pytest.raises(ValueError, match="not laid out for the kernels"):
            decoder.forward([Segment([5], slot=1)], None, other)


def test_digest_follows_content_alone(base: TinyBase, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "adapter", base)
    before = adapter_digest(folder)
    (folder / "README.md").write_text("notes")
    assert adapter_digest(folder) == before
    assert adapter_reference("mine", folder) == f"mine@{before[:12]}"
    (folder / "card.json").write_text((folder / "card.json").read_text() + " ")
    assert adapter_digest(folder) != before


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_card(folder: Path, **changes: Any) -> None:
    path = folder / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_tensors(folder: Path, **changes: torch.Tensor | None) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = {**load_file(path), **changes}
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "LOHA"}, "peft_type is 'LOHA', expected 'LORA'"),
        ({"r": 65}, "r is 65, expected an integer from 1 to 64"),
        ({"r": True}, "r is True"),
        ({"lora_alpha": 0}, "lora_alpha is 0"),
        ({"lora_alpha": 1e308}, r"lora_alpha is 1e\+308, expected more than 0, and at most 80000"),
        ({"lora_alpha": 80_001}, "lora_alpha is 80001, expected more than 0, and at most 80000"),
        ({"lora_alpha": 10**400}, "lora_alpha is 1000"),
        ({"lora_alpha": float("nan")}, "lora_alpha is nan"),
        ({"target_modules": "all-linear"}, "target_modules is 'all-linear', expected a list"),
        ({"target_modules": ["q_proj", "lm_head"]}, "target_modules"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"auto_mapping": {"base_model_class": "os.system"}}, "auto_mapping"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"use_dora": True}, "use_dora is True, expected it unset"),
        ({"bias": "all"}, "bias is 'all', expected 'none'"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights"),
        ({"layers_to_transform": [99]}, "layers_to_transform"),
        ({"r": 16}, r"lora_A\.weight is of shape \[8, 128\], expected shape \[16, 128\]"),
    ],
)
def test_a_wrong_configuration_names_the_field(
    base: TinyBase, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = make_adapter(tmp_path / "adapter", base)
    edit_config(folder, **changes)
    with pytest.raises(AdapterError, match=message):
        load_adapter(folder, base.card)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (None, "q_proj.lora_A.weight is missing"),
        (torch.zeros(8, 64), r"is of shape \[8, 64\], expected shape \[8, 128\]"),
        (torch.full((8, 128), float("nan")), "not finite"),
        (torch.full((8, 128), float("inf")), "not finite"),
        (torch.zeros(8, 128, dtype=torch.int8), "is of type I8"),
        (torch.full((8, 128), 1e38), r"lora_A.weight is too large, expected at most 65504 everywhere"),
    ],
)
def test_a_wrong_tensor_is_named(
    base: TinyBase, tmp_path: Path, tensor: torch.Tensor | None, message: str
) -> None:
    folder = make_adapter(tmp_path / "adapter", base)
    edit_tensors(folder, **{FIRST_A: tensor})
    with pytest.raises(AdapterError, match=message):
        load_adapter(folder, base.card)


def test_a_scale_that_makes_a_tensor_too_large_is_refused(base: TinyBase, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "adapter", base)
    name = FIRST_A.replace("lora_A", "lora_B")
    edit_tensors(folder, **{name: torch.full((128, 8), 60_000.0)})
    with pytest.raises(AdapterError, match=r"q_proj\.lora_B\.weight times lora_alpha / r is too large"):
        load_adapter(folder, base.card)


@pytest.mark.parametrize(
    ("task", "tokens", "longest"),
    [("classification", 1025, 1024), ("chat", 4097, 4096), ("chat", 10**400, 4096)],
)
def test_a_window_that_cannot_be_read_at_once_is_refused(
    base: TinyBase, tmp_path: Path, task: str, tokens: int, longest: int
) -> None:
    labels = ("a", "b") if task == "classification" else ()
    folder = make_adapter(tmp_path / "adapter", base, task=task, labels=labels)
    wide = replace(base.card, config=replace(base.card.config, context=4096))
    for count in (longest, tokens):
        edit_card(folder, max_tokens=count)
        if count == longest:
            assert load_adapter(folder, wide).card.max_tokens == longest
    with pytest.raises(AdapterError, match=f"card.json: max_tokens is .*, expected at most {longest}"):
        load_adapter(folder, wide)


def test_a_window_beyond_the_bases_context_is_refused(base: TinyBase, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "adapter", base)
    edit_card(folder, max_tokens=513)
    with pytest.raises(AdapterError, match="max_tokens is 513, expected at most 512"):
        load_adapter(folder, base.card)


@pytest.mark.parametrize("file", ["adapter_config.json", "card.json"])
@pytest.mark.parametrize("depth", [40, 100_000])
def test_deep_json_is_refused(base: TinyBase, tmp_path: Path, file: str, depth: int) -> None:
    folder = make_adapter(tmp_path / "adapter", base)
    (folder / file).write_text('{"data": ' + "[" * depth + "]" * depth + "}")
    with pytest.raises(AdapterError, match=f"{file}: nested deeper than 32 levels"):
        load_adapter(folder, base.card)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_tensors_of_several_types_are_read_as_those_of_one(
    base: TinyBase, adapters: list[Path], tmp_path: Path, half: torch.dtype
) -> None:
    tensors = {
        name: tensor.to(half).float() for name, tensor in load_file(adapters[0] / ADAPTER_FILE).items()
    }
    plain = load_adapter(rewritten(adapters[0], tmp_path / "plain", tensors), base.card)
    tensors = {name: tensor.to(half) if "lora_A" in name else tensor for name, tensor in tensors.items()}
    mixed = load_adapter(rewritten(adapters[0], tmp_path / "mixed", tensors), base.card)
    tensors = {name: tensor.to(half) for name, tensor in tensors.items()}
    alike = load_adapter(rewritten(adapters[0], tmp_path / "alike", tensors), base.card)
    for key, pair in plain.weights.matrices.items():
        for other in (mixed, alike):
            for one, same in zip(pair, other.weights.matrices[key], strict=True):
                torch.testing.assert_close(same, one, rtol=0, atol=0)
    tensors[FIRST_A][0, 0] = float("nan")
    tensors = {name: tensor.float() if "lora_B" in name else tensor for name, tensor in tensors.items()}
    with pytest.raises(AdapterError, match=r"q_proj\.lora_A\.weight is not finite"):
        load_adapter(rewritten(adapters[0], tmp_path / "broken", tensors), base.card)


def rewritten(folder: Path, target: Path, tensors: dict[str, torch.Tensor]) -> Path:
    """The adapter with other tensors."""
    copytree(folder, target)
    save_file(tensors, target / ADAPTER_FILE)
    return target


@pytest.mark.parametrize("value", [10**400, float("nan"), float("inf")])
def test_a_card_holds_finite_numbers(base: TinyBase, tmp_path: Path, value: float) -> None:
    folder = make_adapter(tmp_path / "adapter", base)
    edit_card(folder, thresholds={"a": value})
    with pytest.raises(AdapterError, match=r"card\.json: thresholds\.a is .*, expected a finite number"):
        load_adapter(folder, base.card)


@pytest.mark.parametrize("file", ["adapter_config.json", "card.json", "adapter_model.safetensors"])
def test_what_is_no_file_is_refused(base: TinyBase, tmp_path: Path, file: str) -> None:
    folder = make_adapter(tmp_path / "adapter", base)
    (folder / file).unlink()
    (folder / file).mkdir()
    with pytest.raises(AdapterError, match=file):
        load_adapter(folder, base.card)


def test_other_refusals(base: TinyBase, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "adapter", base)
    edit_tensors(folder, surprise=torch.zeros(3))
    with pytest.raises(AdapterError, match="unexpected tensor surprise"):
        load_adapter(folder, base.card)
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(AdapterError, match="cut short"):
        load_adapter(folder, base.card)
    weights.unlink()
    with pytest.raises(AdapterError, match=r"adapter_model\.safetensors: file is missing"):
        load_adapter(folder, base.card)


def test_an_adapter_without_effect_is_refused(base: TinyBase, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "adapter", base)
    path = folder / "adapter_model.safetensors"
    save_file({k: v * 0 if "lora_B" in k else v for k, v in load_file(path).items()}, path)
    with pytest.raises(AdapterError, match="expected an effect"):
        load_adapter(folder, base.card)


def test_an_adapter_of_another_base_is_refused(base: TinyBase, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "adapter", base)
    card = folder / "card.json"
    card.write_text(card.read_text().replace(base.card.fingerprint, "0" * 64))
    with pytest.raises(AdapterError, match="base_fingerprint is 000000000000…, expected"):
        load_adapter(folder, base.card)


def test_a_head_must_fit_its_labels(base: TinyBase, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "adapter", base, task="classification", labels=("a", "b", "c"))
    assert load_adapter(folder, base.card).head is not None
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "labels": ["a", "b"]}))
    with pytest.raises(AdapterError, match=r"head\.safetensors: output\.weight is of shape \[3, 256\]"):
        load_adapter(folder, base.card)
    (folder / "head.safetensors").unlink()
    with pytest.raises(AdapterError, match=r"head\.safetensors: file is missing"):
        load_adapter(folder, base.card)


@pytest.mark.parametrize("task", ["chat", "classification", "tagging"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_what_a_head_must_hold_is_what_it_is_built_of(
    base: TinyBase, tmp_path: Path, task: Any, bidirectional: bool
) -> None:
    card = AdapterCard("a", task, base.card.fingerprint, labels=("x", "y", "z"), bidirectional=bidirectional)
    head = build_head(card, CONFIG.hidden_size)
    state = {} if head is None else head.state_dict()
    assert head_shapes(card, CONFIG.hidden_size) == {
        name: tuple(value.shape) for name, value in state.items()
    }
