"""Read a Hugging Face folder of the Llama family: safetensors and JSON alone, nothing of it trusted or run.

What would change the arithmetic and is not served (scaled rotary positions, other activations, biases, sliding
windows, weights already quantized) is refused by the name of its field.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from models_zoo.llm.card import BaseConfig, ModelError, file_sha256, is_number, read_json, shown
from models_zoo.llm.shapes import checked, expected_shapes
from models_zoo.llm.vocabulary import SETTINGS_FILE, TEMPLATE_FILE, TOKENIZER_FILE, import_tokenizer

CONFIG_FILE, WEIGHTS_FILE, INDEX_FILE = "config.json", "model.safetensors", "model.safetensors.index.json"
ARCHITECTURES = ("LlamaForCausalLM", "MistralForCausalLM")
DTYPES = ("F32", "F16", "BF16")
INDEX_BYTES = 1 << 26
LICENCE = re.compile(r"\A---\n(?:.*\n)*?license:[ \t]*([^\s#]+)")
README_BYTES = 1 << 16
# fields of config.json that change nothing about what a finished model computes
WITHOUT_EFFECT = {
    "_attn_implementation_autoset",
    "_name_or_path",
    "architectures",
    "attention_dropout",
    "bos_token_id",
    "dtype",
    "eos_token_id",
    "id2label",
    "initializer_range",
    "is_llama_config",
    "label2id",
    "mlp_dropout",
    "model_type",
    "pad_token_id",
    "pretraining_tp",
    "torch_dtype",
    "transformers.js_config",
    "transformers_version",
    "use_cache",
}
READ = {
    "head_dim",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "tie_word_embeddings",
    "vocab_size",
}


class HfFolder:
    """An open folder as `save_pretrained` leaves it. Raises `ModelError` for anything that is not served."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._values = read_json(folder / CONFIG_FILE)
        self.config = read_config(folder / CONFIG_FILE, self._values)
        tied = _flag(folder / CONFIG_FILE, self._values, "tie_word_embeddings")
        self._shapes = expected_shapes(self.config, own_head=not tied)
        self._places = _places(folder)
        self.licence = _licence(folder / "README.md")
        self._check_tensors()

    def digest(self) -> str:
        """SHA-256 (hex) over the files that the conversion reads: names and their own sums."""
        names = {CONFIG_FILE, SETTINGS_FILE, TOKENIZER_FILE, TEMPLATE_FILE}
        names |= {path.name for path in self._places.values()}
        digest = hashlib.sha256()
        for name in sorted(names):
            path = self.path / name
            digest.update(f"{name}\0{file_sha256(path) if path.is_file() else ''}\0".encode())
        return digest.hexdigest()

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every norm and matrix by name, float32. One at a time."""
        for name in self._shapes:
            source = source_name(name)
            with safe_open(self._places[source], framework="pt") as file:
                yield name, file.get_tensor(source).float()

    def write_tokenizer(self, folder: Path) -> tuple[int, int, int]:
        """Write the tokenizer's files; the ids of the begin, end and padding tokens."""
        return import_tokenizer(self.path, folder, self.config.vocabulary, self._values)

    def _check_tensors(self) -> None:
        """All tensors of this shape and no others, as floats: before anything is converted."""
        expected = {source_name(name): shape for name, shape in self._shapes.items()}
        missing = sorted(set(expected) - set(self._places))
        if missing:
            raise ModelError(f"{self.path}: tensor {missing[0]} is missing")
        for name, path in self._places.items():
            if name not in expected:
                if not _without_effect(name):
                    raise ModelError(f"{path}: tensor {name} has no place in this architecture")
                continue
            shape, dtype = _stored(path, name)
            if shape != expected[name]:
                raise ModelError(f"{path}: tensor {name} is {list(shape)}, expected {list(expected[name])}")
            if dtype not in DTYPES:
                raise ModelError(f"{path}: tensor {name} is {dtype}, expected {', '.join(DTYPES)}")


def read_config(path: Path, values: Mapping[str, Any]) -> BaseConfig:
    """The decoder's shape from `config.json`, or `ModelError` naming the field that is not served."""
    architectures = values.get("architectures")
    if not (
        isinstance(architectures, list) and len(architectures) == 1 and architectures[0] in ARCHITECTURES
    ):
        raise ModelError(
            f"{path}: architectures is {architectures!r}, expected one of {', '.join(ARCHITECTURES)}"
        )
    for field in sorted(set(values) - WITHOUT_EFFECT - READ):
        if values[field]:
            raise ModelError(f"{path}: {field} is {str(values[field])[:60]}, which is not supported")
    if values.get("hidden_act", "silu") != "silu":
        raise ModelError(f"{path}: hidden_act is {values['hidden_act']!r}, expected 'silu'")
    heads, hidden = _integer(path, values, "num_attention_heads"), _integer(path, values, "hidden_size")
    context = _integer(path, values, "max_position_embeddings")
    window = values.get("sliding_window", 4096 if architectures[0] == "MistralForCausalLM" else None)
    if window is not None and not (isinstance(window, int) and window >= context):
        raise ModelError(f"{path}: sliding_window is {window!r}, expected null: windows are not served")
    config = BaseConfig(
        hidden_size=hidden,
        intermediate_size=_integer(path, values, "intermediate_size"),
        layers=_integer(path, values, "num_hidden_layers"),
        heads=heads,
        kv_heads=_integer(path, values, "num_key_value_heads", heads),
        head_size=_integer(path, values, "head_dim", hidden // max(1, heads)),
        vocabulary=_integer(path, values, "vocab_size"),
        context=context,
        rope_theta=_rope_theta(path, values),
        norm_epsilon=_number(path, values, "rms_norm_eps", 1e-6),
    )
    return checked(config, str(path))


def _rope_theta(path: Path, values: Mapping[str, Any]) -> float:
    """The base of the rotary angles, in either of the places where transformers writes it."""
    rope: dict[str, Any] = {}
    for field in ("rope_scaling", "rope_parameters"):
        given = values.get(field) or {}
        plain = isinstance(given, dict) and not set(given) - {"rope_type", "type", "rope_theta"}
        if not plain or given.get("rope_type", given.get("type", "default")) != "default":
            raise ModelError(f"{path}: {field} is {str(given)[:80]}, expected rope_type 'default' alone")
        rope |= given
    return _number(path, {**values, **rope}, "rope_theta", 10000.0)


def _integer(path: Path, values: Mapping[str, Any], field: str, default: int | None = None) -> int:
    value = values.get(field)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool):
        raise ModelError(f"{path}: {field} is {value!r}, expected an integer")
    return value


def _number(path: Path, values: Mapping[str, Any], field: str, default: float) -> float:
    value = values.get(field, default)
    if not is_number(value):
        raise ModelError(f"{path}: {field} is {shown(value)}, expected a finite number")
    return float(value)


def _flag(path: Path, values: Mapping[str, Any], field: str) -> bool:
    value = values.get(field, False)
    if not isinstance(value, bool):
        raise ModelError(f"{path}: {field} is {value!r}, expected true or false")
    return value


def _places(folder: Path) -> dict[str, Path]:
    """In which file each tensor lies."""
    whole, index = folder / WEIGHTS_FILE, folder / INDEX_FILE
    if whole.is_file():
        return dict.fromkeys(_names(whole), whole)
    if not index.is_file():
        pickled = next(iter(sorted(folder.glob("*.bin"))), None)
        hint = "" if pickled is None else f" ({pickled.name} is a pickle, which can run code: never read)"
        raise ModelError(f"{whole}: file is missing{hint}")
    named = read_json(index, INDEX_BYTES).get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        raise ModelError(f"{index}: weight_map is missing, expected tensor names and their files")
    held: dict[str, Path] = {}
    for shard in sorted(set(named.values())):
        if Path(shard).name != shard or not shard.endswith(".safetensors"):
            raise ModelError(f"{index}: {shard!r} is not a safetensors file beside it")
        held |= dict.fromkeys(_names(folder / shard), folder / shard)
    for name, shard in named.items():
        if held.get(name) != folder / shard:
            raise ModelError(f"{folder / shard}: tensor {name} is missing, {INDEX_FILE} says it is there")
    return held


def _names(path: Path) -> list[str]:
    try:
        with safe_open(path, framework="pt") as file:
            return list(file.keys())
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a readable safetensors file: {error}") from error


def _stored(path: Path, name: str) -> tuple[tuple[int, ...], str]:
    with safe_open(path, framework="pt") as file:
        part = file.get_slice(name)
        return tuple(part.get_shape()), str(part.get_dtype())


def source_name(name: str) -> str:
    """Our name in transformers' terms."""
    return f"{name}.weight" if name == "lm_head" else f"model.{name}.weight"


def own_name(source: str) -> str:
    """The other way round."""
    return source.removeprefix("model.").removesuffix(".weight")


def _without_effect(name: str) -> bool:
    """A tied head is the embedding once more; old files keep the rotary frequencies."""
    return name == "lm_head.weight" or name.endswith(".rotary_emb.inv_freq")


def _licence(readme: Path) -> str:
    """The licence that the model card's front matter names, or nothing."""
    if not readme.is_file():
        return ""
    with readme.open(encoding="utf-8", errors="replace") as stream:
        found = LICENCE.match(stream.read(README_BYTES))
    return found.group(1) if found else ""
