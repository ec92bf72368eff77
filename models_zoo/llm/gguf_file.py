"""Read a Llama-shaped GGUF file (the carrier of the demo base) into Rootstock's names, order and tensors.

GGUF: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. llama.cpp interleaves the two rotary
halves of each q and k head; Hugging Face and this project keep the halves apart, so their rows are put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor

from models_zoo.llm.card import BaseConfig, ModelError

Q4_0_BYTES, Q4_1_BYTES, Q8_0_BYTES = 18, 20, 34
LINEARS = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}


class LlamaFile:
    """An open GGUF file of architecture `llama`. Raises `ModelError` for anything else."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._reader = gguf.GGUFReader(path)
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: not a readable GGUF file: {error}") from error
        self._tensors = {tensor.name: tensor for tensor in self._reader.tensors}
        architecture = self.value("general.architecture")
        if architecture != "llama":
            raise ModelError(f"{path}: architecture is {architecture!r}, expected 'llama'")

    def value(self, key: str, default: Any = None) -> Any:
        """The metadata value of `key`."""
        entry = self._reader.get_field(key)
        return default if entry is None else entry.contents()

    def config(self) -> BaseConfig:
        """The decoder's shape."""
        heads = int(self.value("llama.attention.head_count"))
        hidden = int(self.value("llama.embedding_length"))
        return BaseConfig(
            hidden_size=hidden,
            intermediate_size=int(self.value("llama.feed_forward_length")),
            layers=int(self.value("llama.block_count")),
            heads=heads,
            kv_heads=int(self.value("llama.attention.head_count_kv", heads)),
            head_size=int(self.value("llama.rope.dimension_count", hidden // heads)),
            vocabulary=int(self._tensors["token_embd.weight"].shape[1]),
            context=int(self.value("llama.context_length")),
            rope_theta=float(self.value("llama.rope.freq_base", 10000.0)),
            # the file holds float32; the decimal that was meant is its shortest form
            norm_epsilon=float(f"{self.value('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        )

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor of the converted base by name: Q4 linears in three parts, Q8 embedding in two."""
        config = self.config()
        yield from _named("embed_tokens", self._q8("token_embd.weight"))
        if "output.weight" in self._tensors:
            yield from _named("lm_head", self._q8("output.weight"))
        yield "norm.weight", self._float("output_norm.weight")
        heads = {"attn_q": config.heads, "attn_k": config.kv_heads}
        for layer in range(config.layers):
            for source, name in NORMS.items():
                yield f"layers.{layer}.{name}.weight", self._float(f"blk.{layer}.{source}.weight")
            for source, name in LINEARS.items():
                parts = self._q4(f"blk.{layer}.{source}.weight", heads.get(source))
                yield from _named(f"layers.{layer}.{name}", parts)

    def _blocks(self, name: str, allowed: dict[str, int]) -> tuple[np.ndarray[Any, Any], int]:
        tensor = self._tensors.get(name)
        if tensor is None:
            raise ModelError(f"{self.path}: tensor {name} is missing")
        kind = tensor.tensor_type.name
        if kind not in allowed:
            raise ModelError(f"{self.path}: tensor {name} is {kind}, expected {' or '.join(allowed)}")
        size = allowed[kind]
        return np.asarray(tensor.data).reshape(int(tensor.shape[1]), -1, size), size

    def _q4(self, name: str, heads: int | None) -> dict[str, Tensor]:
        blocks, size = self._blocks(name, {"Q4_1": Q4_1_BYTES, "Q4_0": Q4_0_BYTES})
        if heads is not None:
            blocks = _halves_apart(blocks, heads)
        scale = _float16(blocks[:, :, 0:2])
        minimum = _float16(blocks[:, :, 2:4]) if size == Q4_1_BYTES else scale * -8
        nibbles = torch.from_numpy(np.ascontiguousarray(blocks[:, :, size - 16 :]))
        return {"nibbles": nibbles.flatten(1), "scale": scale, "minimum": minimum}

    def _q8(self, name: str) -> dict[str, Tensor]:
        blocks, _ = self._blocks(name, {"Q8_0": Q8_0_BYTES})
        codes = torch.from_numpy(np.ascontiguousarray(blocks[:, :, 2:])).view(torch.int8)
        return {"codes": codes.flatten(1), "scale": _float16(blocks[:, :, 0:2])}

    def _float(self, name: str) -> Tensor:
        return torch.from_numpy(np.array(self._tensors[name].data, dtype=np.float32))


def _named(prefix: str, parts: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for part, tensor in parts.items():
        yield f"{prefix}.{part}", tensor


def _float16(raw: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(raw)).view(torch.float16).squeeze(-1)


def _halves_apart(blocks: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    rows = blocks.shape[0] // heads
    interleaved = blocks.reshape(heads, rows // 2, 2, *blocks.shape[1:])
    return interleaved.swapaxes(1, 2).reshape(blocks.shape)
