"""Hugging Face folders in: the same model comes out, and what is not served is refused by name."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from models_zoo.llm.__main__ import main
from models_zoo.llm.card import ModelError, read_card
from models_zoo.llm.convert import convert, write_tensors
from models_zoo.llm.format import BaseFile
from models_zoo.llm.hf_folder import READ, read_config
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.vocabulary import import_tokenizer
from tests.models_zoo.llm.sources import SHAPE, hf_folder, llama
from tests.models_zoo.llm.tiny import TinyBase, in_transformers

IDS = torch.randint(3, 320, (2, 24), generator=torch.Generator().manual_seed(0))
INT8, INT4 = 0.03, 0.25  # relative error of logits of a random model two layers deep


def error(base: Path, model: torch.nn.Module) -> float:
    """Relative error of the converted base's logits."""
    ours = in_transformers(TinyBase(base, read_card(base)))(IDS).logits
    expected = model(IDS).logits
    return float((ours - expected).norm() / expected.norm())


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    return llama()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, model: torch.nn.Module) -> Path:
    return hf_folder(tmp_path_factory.mktemp("hf") / "llama", model)


@pytest.fixture
def folder(source: Path, tmp_path: Path) -> Path:
    """The source once more, to be spoiled."""
    copy = tmp_path / "source"
    copy.mkdir()
    for path in source.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def test_it_works(source: Path, model: torch.nn.Module, tmp_path: Path) -> None:
    card = convert(source, tmp_path / "base", "int8")
    assert error(tmp_path / "base", model) < INT8
    assert (card.name, card.source, card.quantization) == ("base", "llama", "int8")
    assert (card.begin_token, card.end_token, card.pad_token) == (1, 2, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_forms_differ_in_size_and_nearness(source: Path, model: torch.nn.Module, tmp_path: Path) -> None:
    cards = {form: convert(source, tmp_path / form, form) for form in ("int4", "mixed", "int8")}  # type: ignore[arg-type]
    sizes = [card.bytes for card in cards.values()]
    errors = [error(tmp_path / form, model) for form in cards]
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < INT4
    assert len({card.fingerprint for card in cards.values()}) == 3
    assert convert(source, tmp_path / "plain").fingerprint == cards["int4"].fingerprint


def test_the_same_again_does_nothing(source: Path, tmp_path: Path) -> None:
    first = convert(source, tmp_path / "base", "int8")
    before = (tmp_path / "base" / "base.safetensors").stat().st_mtime_ns
    assert convert(source, tmp_path / "base", "int8") == first
    assert (tmp_path / "base" / "base.safetensors").stat().st_mtime_ns == before


def test_another_base_is_replaced_only_with_force(source: Path, tmp_path: Path) -> None:
    first = convert(source, tmp_path / "base", "int8")
    (tmp_path / "base" / "packed").mkdir()
    with pytest.raises(
        ModelError, match="holds llama, int8; name another folder, or replace it with --force"
    ):
        convert(source, tmp_path / "base", "mixed", 0.5)
    assert read_card(tmp_path / "base") == first
    assert convert(source, tmp_path / "base", "mixed", 0.5, force=True).quantization == "mixed 0.5"
    (tmp_path / "base" / "base.json").write_text("{")
    with pytest.raises(ModelError, match="a base that cannot be read"):
        convert(source, tmp_path / "base", "mixed", 0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def test_the_same_is_repaired_and_an_empty_folder_is_filled(source: Path, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    card = convert(source, tmp_path / "base", "int8")
    (tmp_path / "base" / "base.safetensors").write_bytes(b"cut")
    assert convert(source, tmp_path / "base", "int8") == card
    assert (tmp_path / "base" / "base.safetensors").stat().st_size == card.bytes


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_base_is_never_touched(source: Path, tmp_path: Path, force: bool) -> None:
    kept = tmp_path / "mine" / "thesis.txt"
    kept.parent.mkdir()
    kept.write_text("years of work")
    for target, reason in ((kept.parent, "mine: holds thesis.txt"), (kept, "thesis.txt: is a file")):
        with pytest.raises(ModelError, match=reason):
            convert(source, target, force=force)
    assert kept.read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_comes_while_converting_is_not_lost(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(*arguments: Any) -> None:
        write_tensors(*arguments)
        (tmp_path / "base").mkdir()
        (tmp_path / "base" / "thesis.txt").write_text("years of work")

    monkeypatch.setattr("models_zoo.llm.convert.write_tensors", slowly)
    with pytest.raises(ModelError, match=r"holds thesis\.txt"):
        convert(source, tmp_path / "base", "int8")
    assert [path.name for path in (tmp_path / "base").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("kind", "options", "save"),
    [
        ("llama", {"tie_word_embeddings": True}, {}),
        ("llama", {"head_dim": 32}, {}),
        ("mistral", {}, {}),
        ("llama", {}, {"max_shard_size": "100KB"}),
    ],
    ids=["tied", "wide heads", "mistral", "shards"],
)
def test_the_family(tmp_path: Path, kind: str, options: dict[str, Any], save: dict[str, Any]) -> None:
    other = llama(3, kind, **options)
    folder = hf_folder(tmp_path / "hf", other, **save)
    assert bool(save) == (folder / "model.safetensors.index.json").is_file()
    card = convert(folder, tmp_path / "base", "int8")
    assert ("lm_head.codes" in BaseFile(tmp_path / "base", card)) is not bool(
        options.get("tie_word_embeddings")
    )
    assert error(tmp_path / "base", other) < INT8


def test_half_precision_is_read(tmp_path: Path) -> None:
    other = llama(4).bfloat16()
    convert(hf_folder(tmp_path / "hf", other), tmp_path / "base", "int8")
    assert error(tmp_path / "base", other.float()) < INT8


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"architectures": ["Qwen2ForCausalLM"]}, r"architectures is \['Qwen2ForCausalLM'\]"),
        ({"architectures": None}, "architectures is None"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"mlp_bias": True}, "mlp_bias is True"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, "rope_scaling is"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rope_scaling is"),
        ({"rope_scaling": "default"}, "rope_scaling is default"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope_parameters is"),
        ({"rope_parameters": {"rope_theta": 1e4, "partial_rotary_factor": 0.5}}, "rope_parameters is"),
        ({"sliding_window": 64}, "sliding_window is 64"),
        ({"quantization_config": {"quant_method": "awq"}}, "quantization_config is"),
        ({"num_experts": 8}, "num_experts is 8"),
        ({"hidden_size": "64"}, "hidden_size is '64'"),
        ({"hidden_size": 60, "head_dim": 16}, "hidden_size is 60, expected a multiple of 32"),
        ({"num_key_value_heads": 3}, "4 heads cannot share 3"),
        ({"num_hidden_layers": 10**12}, "layers is 1000000000000"),
        ({"num_hidden_layers": 3}, r"tensor model\.layers\.2\.\S+ is missing"),
        ({"num_hidden_layers": 1}, r"tensor model\.layers\.1\.\S+ has no place"),
        ({"intermediate_size": 64}, r"down_proj\.weight is \[64, 96\], expected \[64, 64\]"),
        ({"rms_norm_eps": -1.0}, "norm_epsilon is -1.0"),
        ({"rope_theta": 10**400, "rope_parameters": None}, "rope_theta is 1000.*, expected a finite number"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings is 'yes'"),
    ],
)
def test_what_is_not_served_is_named(
    folder: Path, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(ModelError, match=reason):
        convert(folder, tmp_path / "base")
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "tokenizer_config.json"])
def test_deep_json_is_refused(folder: Path, tmp_path: Path, file: str) -> None:
    (folder / file).write_text("[" * 200_000)
    with pytest.raises(ModelError, match=f"{file}: nested deeper than 32 levels"):
        convert(folder, tmp_path / "base")


def test_a_template_that_is_no_text_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "chat_template.jinja").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match=r"chat_template\.jinja: cannot be read"):
        convert(folder, tmp_path / "base")


def test_mistral_with_its_default_window_is_refused(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "hf", llama(0, "mistral"), {"max_position_embeddings": 32768})
    config = json.loads((folder / "config.json").read_text())
    del config["sliding_window"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="sliding_window is 4096"):
        convert(folder, tmp_path / "base")


def test_pickles_are_never_read(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin is a pickle"):
        convert(folder, tmp_path / "base")


@pytest.mark.parametrize(
    ("shard", "reason"),
    [
        ("../model.safetensors", "not a safetensors file beside it"),
        ("weights.bin", "not a safetensors file"),
        ("absent.safetensors", "not a readable"),
    ],
)
def test_an_index_leads_nowhere_else(folder: Path, tmp_path: Path, shard: str, reason: str) -> None:
    (folder / "model.safetensors").rename(folder.parent / "model.safetensors")
    index = {"weight_map": {"model.norm.weight": shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=reason):
        convert(folder, tmp_path / "base")


def spoiled(folder: Path, name: str, tensor: torch.Tensor | None) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors.pop(name, None)
    save_file(tensors if tensor is None else {**tensors, name: tensor}, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        ("model.norm.weight", None, r"model\.norm\.weight is missing"),
        ("model.layers.0.self_attn.q_proj.bias", torch.zeros(64), "q_proj.bias has no place"),
        ("model.norm.weight", torch.ones(64, dtype=torch.int32), "is I32, expected F32"),
        ("model.layers.1.mlp.up_proj.weight", torch.full((96, 64), torch.nan), "up_proj: values are not"),
        ("model.layers.1.mlp.up_proj.weight", torch.full((96, 64), 1e6), "float16's range"),
        ("model.norm.weight", torch.full((64,), torch.inf), "norm: values are not finite"),
    ],
)
def test_wrong_tensors_are_named(
    folder: Path, tmp_path: Path, name: str, tensor: torch.Tensor | None, reason: str
) -> None:
    spoiled(folder, name, tensor)
    with pytest.raises(ModelError, match=reason):
        convert(folder, tmp_path / "base")
    assert not any(path.name.startswith(".base") for path in tmp_path.iterdir())


def test_a_cut_safetensors_file_is_refused(folder: Path, tmp_path: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-64])
    with pytest.raises(ModelError, match="not a readable safetensors file"):
        convert(folder, tmp_path / "base")


# --- tokenizers


@pytest.fixture
def changed(folder: Path) -> Iterator[Any]:
    """A function that changes a JSON file of the source."""

    def change(name: str, **values: Any) -> Path:
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**content, **values}))
        return folder

    return change  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"model": {"type": "Unigram", "vocab": []}}, "model is 'Unigram', expected byte-level BPE"),
        ({"model": {"type": "BPE", "byte_fallback": True}}, "byte fallback"),
        ({"decoder": {"type": "Metaspace"}}, "decoder is not ByteLevel"),
        ({"normalizer": {"type": "Lowercase"}}, "normalizer Lowercase is not supported"),
        ({"model": {"type": "BPE", "vocab": {"▁a": 0}, "merges": []}}, "not made of bytes"),
        ({"pre_tokenizer": {"type": "Surprise"}}, "cannot be read"),
    ],
)
def test_other_tokenizers_are_refused(
    changed: Any, tmp_path: Path, values: dict[str, Any], reason: str
) -> None:
    folder = changed("tokenizer.json", **values)
    with pytest.raises(ModelError, match=reason):
        convert(folder, tmp_path / "base")


def test_a_tokenizer_larger_than_the_model_is_refused(changed: Any, tmp_path: Path) -> None:
    added = [{"id": 320, "content": "<extra>", "special": True}]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    folder = changed("tokenizer.json", added_tokens=[{**added[0], **flags}])
    with pytest.raises(ModelError, match="has token 320, the model has 320 rows"):
        convert(folder, tmp_path / "base")


def test_special_tokens_come_as_text_as_records_or_by_number(changed: Any, tmp_path: Path) -> None:
    folder = changed("tokenizer_config.json", eos_token={"content": "<|im_end|>"}, bos_token=None)
    changed("config.json", bos_token_id=0, eos_token_id=[1, 2])
    card = convert(folder, tmp_path / "base")
    assert (card.begin_token, card.end_token, card.pad_token) == (0, 2, 2)


def test_the_chat_template_may_be_a_file_or_one_of_several(changed: Any, tmp_path: Path) -> None:
    templates = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": "{{ 'd' }}"}]
    folder = changed("tokenizer_config.json", chat_template=templates)
    convert(folder, tmp_path / "several")
    tokenizer = ChatTokenizer(tmp_path / "several")
    assert tokenizer.decode(tokenizer.chat([{"role": "user", "content": "hi"}])) == "d"
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{% break %}{% endfor %}f")
    convert(folder, tmp_path / "file")
    tokenizer = ChatTokenizer(tmp_path / "file")
    assert tokenizer.decode(tokenizer.chat([{"role": "user", "content": "hi"}])) == "f"


@pytest.mark.parametrize(
    "template", ["{% if %}", "{{ raise_exception('never') }}", "{{ 1 + 'a' }}", "{{ ().__class__.__mro__ }}"]
)
def test_a_template_that_cannot_work_is_refused(changed: Any, tmp_path: Path, template: str) -> None:
    with pytest.raises(ModelError, match="chat_template"):
        convert(changed("tokenizer_config.json", chat_template=template), tmp_path / "base")


def test_without_a_template_there_is_no_chat(changed: Any, tmp_path: Path) -> None:
    convert(changed("tokenizer_config.json", chat_template=None), tmp_path / "base")
    with pytest.raises(ValueError, match="no chat template"):
        ChatTokenizer(tmp_path / "base").chat([{"role": "user", "content": "hi"}])


def test_added_tokens_that_are_plain_text_have_bytes(tmp_path: Path) -> None:
    """And embeddings may be padded beyond the vocabulary."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    folder = hf_folder(tmp_path / "hf", llama(0, vocab_size=352))
    values = json.loads((folder / "tokenizer.json").read_text())
    added = [*values["added_tokens"], {"id": 320, "content": "two words", "special": False, **flags}]
    (folder / "tokenizer.json").write_text(json.dumps({**values, "added_tokens": added}))
    convert(folder, tmp_path / "base")
    tokenizer = ChatTokenizer(tmp_path / "base")
    assert tokenizer.token_bytes[320] == b"two words"
    assert tokenizer.token_bytes[1] == b""
    assert 320 in tokenizer.encode("a two words b")


def test_the_command_says_what_is_wrong(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["convert", "--source", str(folder), "--target", str(tmp_path / "base"), "--form", "mixed"]
    assert main([*command, "--fine-share", "0.25"]) == 0
    assert read_card(tmp_path / "base").quantization == "mixed 0.25"
    assert main([*command, "--fine-share", "2"]) == 2
    assert "fine_share is 2.0, expected 0 to 1" in capsys.readouterr().err
    command[-2:] = ["--form", "int4"]
    assert main(command) == 2
    assert "holds source, mixed 0.25" in capsys.readouterr().err
    assert main([*command, "--force"]) == 0
    assert read_card(tmp_path / "base").quantization == "int4"


@pytest.mark.parametrize("form", [[], ["--form", "int4"], ["--form", "int8"]])
def test_a_share_without_the_mixed_form_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: list[str]
) -> None:
    command = ["convert", "--source", str(folder), "--target", str(tmp_path / "base"), *form]
    assert main([*command, "--fine-share", "0.5"]) == 2
    assert "--fine-share is 0.5, expected only with --form mixed" in capsys.readouterr().err
    assert not (tmp_path / "base").exists()


# --- any JSON at all

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 400)
    | st.just(10**20)
    | st.floats()
    | st.sampled_from(["", "default"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["rope_type", "type", "rope_theta", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(READ | {"architectures", "surprise"})), VALUES, max_size=3))
def test_any_config_is_read_or_refused(changes: dict[str, Any]) -> None:
    values = {"architectures": ["LlamaForCausalLM"], "rms_norm_eps": 1e-5, **SHAPE, **changes}
    with suppress(ModelError):  # anything else fails the test
        assert read_config(Path("config.json"), values).hidden_size % 32 == 0


STEPS = st.recursive(
    st.none() | st.integers(0, 9) | st.sampled_from(["ByteLevel", "BPE", "NFC", "Sequence", "Fuse", "a"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "decoders", "normalizers", "vocab", "merges", "byte_fallback"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["model", "decoder", "normalizer", "added_tokens", "truncation"]), STEPS, max_size=2
    ),
    st.dictionaries(st.sampled_from(["eos_token", "bos_token", "chat_template"]), STEPS, max_size=2),
)
def test_any_tokenizer_is_read_or_refused(
    source: Path, tmp_path: Path, changes: dict[str, Any], settings: dict[str, Any]
) -> None:
    spoilt, target = tmp_path / "spoilt", tmp_path / "target"
    for folder in (spoilt, target):
        folder.mkdir(exist_ok=True)
    for name, new in (("tokenizer.json", changes), ("tokenizer_config.json", settings)):
        (spoilt / name).write_text(json.dumps({**json.loads((source / name).read_text()), **new}))
    with suppress(ModelError):  # anything else fails the test
        import_tokenizer(spoilt, target, 320, {})
