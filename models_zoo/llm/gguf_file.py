"""Read a Llama-shaped GGUF file (the carrier of the demo base) into Rootstock's names, order and matrices.

llama.cpp interleaves the two rotary halves of each q and k head; Hugging Face and this project keep the halves
apart, so their rows are put back. What would change the arithmetic and is not served is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models_zoo.llm.card import BaseConfig, ModelError, file_sha256
from models_zoo.llm.gguf_header import GgufHeader, StoredTensor
from models_zoo.llm.quant import GROUP, Q4Matrix, Q8Matrix
from models_zoo.llm.shapes import checked, expected_shapes
from models_zoo.llm.vocabulary import write_tokenizer

TOP = {"token_embd": "embed_tokens", "output": "lm_head", "output_norm": "norm"}
IN_LAYER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
SOURCE_NAMES = {name: source for source, name in (TOP | IN_LAYER).items()}
# ggml's type -> bytes of how many values; and names of common ones that are refused
Q4_0, Q4_1, Q8_0 = 2, 3, 8
BLOCKS = {0: (4, 1), 1: (2, 1), 30: (2, 1), Q4_0: (18, GROUP), Q4_1: (20, GROUP), Q8_0: (34, GROUP)}
READ_KINDS = "F32, F16, BF16, Q4_0, Q4_1 or Q8_0"
OTHER_KINDS = {6: "Q5_0", 7: "Q5_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 20: "IQ4_NL"}
# of architecture `llama`: read here, or without effect on what is computed
KNOWN_KEYS = {
    "llama.attention.head_count",
    "llama.attention.head_count_kv",
    "llama.attention.key_length",
    "llama.attention.layer_norm_rms_epsilon",
    "llama.attention.value_length",
    "llama.block_count",
    "llama.context_length",
    "llama.embedding_length",
    "llama.feed_forward_length",
    "llama.rope.dimension_count",
    "llama.rope.freq_base",
    "llama.vocab_size",
}
# value with which such a key changes nothing
HARMLESS = {"llama.rope.scaling.type": "none", "llama.expert_count": 0, "llama.expert_used_count": 0}


class LlamaFile:
    """An open GGUF file of architecture `llama`. Raises `ModelError` for anything else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._header = GgufHeader(path)
        architecture = self._header.values.get("general.architecture")
        if architecture != "llama":
            raise ModelError(f"{path}: architecture is {architecture!r}, expected 'llama'")
        for key, value in self._header.values.items():
            harmless = key in KNOWN_KEYS or (key in HARMLESS and HARMLESS[key] == value)
            if key.startswith("llama.") and not harmless:
                raise ModelError(f"{path}: {key} is {value!r}, which is not supported")
        self.config = self._config()
        self.licence = self._text("general.license", "")
        self._shapes = expected_shapes(self.config, "output.weight" in self._header.tensors)
        self._check_tensors()

    def digest(self) -> str:
        """SHA-256 (hex) of the file."""
        return file_sha256(self.path)

    def tensors(self) -> Iterator[tuple[str, Tensor | Q4Matrix | Q8Matrix]]:
        """Every norm and matrix by name: quantized ones as they are, others float32. One at a time."""
        heads = {"self_attn.q_proj": self.config.heads, "self_attn.k_proj": self.config.kv_heads}
        for name, shape in self._shapes.items():
            value = self._read(self._header.tensors[_source_name(name)], shape)
            part = name.split(".", 2)[-1]
            if part in heads:
                order = _halves_apart(shape[0], heads[part])
                value = value[order] if isinstance(value, Tensor) else _rows(value, order)
            yield name, value

    def write_tokenizer(self, folder: Path) -> tuple[int, int, int]:
        """Write the tokenizer's files; the ids of the begin, end and padding tokens."""
        kind = self._text("tokenizer.ggml.model")
        if kind != "gpt2":
            raise ModelError(
                f"{self.path}: tokenizer.ggml.model is {kind!r}, expected 'gpt2': byte-level BPE alone is served"
            )
        end = self._integer("tokenizer.ggml.eos_token_id")
        begin = self._integer("tokenizer.ggml.bos_token_id", end)
        pad = self._integer("tokenizer.ggml.padding_token_id", end)
        if not 0 <= max(begin, end, pad) < self.config.vocabulary:
            raise ModelError(f"{self.path}: tokenizer.ggml names token {max(begin, end, pad)}, there is none")
        write_tokenizer(
            folder,
            tokens=self._list("tokenizer.ggml.tokens", str),
            kinds=self._list("tokenizer.ggml.token_type", int),
            merges=self._list("tokenizer.ggml.merges", str),
            pre=self._text("tokenizer.ggml.pre"),
            template=self._text("tokenizer.chat_template", ""),
            begin=begin,
            end=end,
            pad=pad,
        )
        return begin, end, pad

    def _config(self) -> BaseConfig:
        heads, hidden = self._integer("llama.attention.head_count"), self._integer("llama.embedding_length")
        size = self._integer("llama.attention.key_length", hidden // max(1, heads))
        for key in ("llama.attention.value_length", "llama.rope.dimension_count"):
            if self._integer(key, size) != size:
                raise ModelError(f"{self.path}: {key} is {self._integer(key)}, expected the head size {size}")
        embedding = self._header.tensors.get("token_embd.weight")
        config = BaseConfig(
            hidden_size=hidden,
            intermediate_size=self._integer("llama.feed_forward_length"),
            layers=self._integer("llama.block_count"),
            heads=heads,
            kv_heads=self._integer("llama.attention.head_count_kv", heads),
            head_size=size,
            vocabulary=0 if embedding is None else embedding.shape[0],
            context=self._integer("llama.context_length"),
            rope_theta=self._float("llama.rope.freq_base", 10000.0),
            # the file holds float32; the decimal that was meant is its shortest form
            norm_epsilon=float(f"{self._float('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        )
        return checked(config, str(self.path))

    def _check_tensors(self) -> None:
        """Exactly the tensors of this shape, whole, in types that are read: before anything is converted."""
        expected = {_source_name(name): shape for name, shape in self._shapes.items()}
        for name in sorted(set(self._header.tensors) ^ set(expected)):
            fault = "is missing" if name in expected else "has no place in this architecture"
            raise ModelError(f"{self.path}: tensor {name} {fault}")
        for name, shape in expected.items():
            tensor = self._header.tensors[name]
            if tensor.shape != shape:
                raise ModelError(
                    f"{self.path}: tensor {name} is {list(tensor.shape)}, expected {list(shape)}"
                )
            if tensor.kind not in BLOCKS:
                kind = OTHER_KINDS.get(tensor.kind, f"of ggml type {tensor.kind}")
                raise ModelError(f"{self.path}: tensor {name} is {kind}, expected {READ_KINDS}")
            end = tensor.start + _bytes(tensor)
            if end > len(self._header.map):
                raise ModelError(f"{self.path}: tensor {name} ends at byte {end}, the file is cut before")

    def _read(self, tensor: StoredTensor, shape: tuple[int, ...]) -> Tensor | Q4Matrix | Q8Matrix:
        raw = np.frombuffer(self._header.map, np.uint8, _bytes(tensor), tensor.start)
        if tensor.kind in (Q4_0, Q4_1, Q8_0) and len(shape) == 2:
            return _quantized(raw.reshape(shape[0], -1, BLOCKS[tensor.kind][0]), tensor.kind)
        if tensor.kind not in (0, 1, 30):
            raise ModelError(f"{self.path}: tensor {tensor.name} is quantized, expected floats")
        kinds = {0: torch.float32, 1: torch.float16, 30: torch.bfloat16}
        return torch.from_numpy(raw.copy()).view(kinds[tensor.kind]).view(shape).float()

    def _value(self, key: str, default: Any, kinds: tuple[type, ...], expected: str) -> Any:
        value = self._header.values.get(key, default)
        if value is None:
            raise ModelError(f"{self.path}: {key} is missing")
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ModelError(f"{self.path}: {key} is {str(value)[:40]!r}, expected {expected}")
        return value

    def _integer(self, key: str, default: int | None = None) -> int:
        return int(self._value(key, default, (int,), "an integer"))

    def _float(self, key: str, default: float | None = None) -> float:
        return float(self._value(key, default, (int, float), "a number"))

    def _text(self, key: str, default: str | None = None) -> str:
        return str(self._value(key, default, (str,), "a text"))

    def _list(self, key: str, kind: type) -> list[Any]:
        values: list[Any] = self._value(key, None, (list,), "a list")
        if not all(isinstance(value, kind) for value in values[:1]):  # an array has one type throughout
            raise ModelError(f"{self.path}: {key} holds {type(values[0]).__name__}, expected {kind.__name__}")
        return values


def _source_name(name: str) -> str:
    """Our name in llama.cpp's terms."""
    if not name.startswith("layers."):
        return f"{SOURCE_NAMES[name]}.weight"
    _, layer, part = name.split(".", 2)
    return f"blk.{layer}.{SOURCE_NAMES[part]}.weight"


def _bytes(tensor: StoredTensor) -> int:
    size, values = BLOCKS[tensor.kind]
    count = 1
    for dimension in tensor.shape:
        count *= dimension
    return count // values * size


def _quantized(blocks: np.ndarray[Any, Any], kind: int) -> Q4Matrix | Q8Matrix:
    """Blocks uint8 [rows, groups, bytes]. Q4_0 is Q4_1 with the minimum -8 scale."""
    scale = _float16(blocks[:, :, 0:2])
    if kind == Q8_0:
        codes = torch.from_numpy(np.ascontiguousarray(blocks[:, :, 2:])).view(torch.int8)
        return Q8Matrix(codes.flatten(1), scale)
    minimum = _float16(blocks[:, :, 2:4]) if kind == Q4_1 else scale * -8
    nibbles = torch.from_numpy(np.ascontiguousarray(blocks[:, :, -GROUP // 2 :]))
    return Q4Matrix(nibbles.flatten(1), scale, minimum)


def _float16(raw: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(raw)).view(torch.float16).squeeze(-1)


def _halves_apart(rows: int, heads: int) -> Tensor:
    """Which row goes where: of each head, first the even rows, then the odd."""
    return torch.arange(rows).view(heads, rows // heads // 2, 2).transpose(1, 2).flatten()


def _rows(matrix: Q4Matrix | Q8Matrix, order: Tensor) -> Q4Matrix | Q8Matrix:
    parts: Mapping[str, Tensor] = matrix.tensors()
    return type(matrix)(*(part[order] for part in parts.values()))
