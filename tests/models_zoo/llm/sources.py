"""Models to convert, as others write them: transformers' own folders, and GGUF files by ggml's own writer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from gguf.quants import quantize
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from models_zoo.llm.gguf_file import IN_LAYER
from models_zoo.llm.tokenizer import byte_alphabet
from models_zoo.llm.vocabulary import write_tokenizer
from tests.models_zoo.llm.tiny import CONTROL, TEMPLATE

SHAPE = {
    "vocab_size": 320,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
FILLER = ["Ġa", *(f"Ġa{letter}{other}" for letter in "bcdefghi" for other in "abcdefgh")][
    : 320 - len(CONTROL) - 256
]
MERGES = ["Ġ a"]
TOKENS = [*CONTROL, *byte_alphabet(), *FILLER]
KINDS = [3] * len(CONTROL) + [1] * (320 - len(CONTROL))
Kind = gguf.GGMLQuantizationType


def llama(seed: int = 0, kind: str = "llama", **options: Any) -> torch.nn.Module:
    """A random model with weights large enough to say something."""
    torch.manual_seed(seed)
    settings = {**SHAPE, "initializer_range": 0.1, "tie_word_embeddings": False, **options}
    if kind == "mistral":
        model: torch.nn.Module = MistralForCausalLM(MistralConfig(sliding_window=None, **settings))
    else:
        model = LlamaForCausalLM(LlamaConfig(**settings))
    for name, parameter in model.named_parameters():
        if "norm" in name:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return model.eval().requires_grad_(False)


def hf_folder(
    folder: Path, model: torch.nn.Module, changes: dict[str, Any] | None = None, **save: Any
) -> Path:
    """What `save_pretrained` writes, with `changes` to `config.json`, and a byte-level tokenizer."""
    model.save_pretrained(folder, **save)  # type: ignore[operator]
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **(changes or {})}))
    write_tokenizer(
        folder,
        tokens=TOKENS,
        kinds=KINDS,
        merges=MERGES,
        pre="smollm",
        template=TEMPLATE,
        begin=1,
        end=2,
        pad=2,
    )
    return folder


def gguf_file(
    path: Path,
    model: Any,
    linears: tuple[Kind, ...] = (Kind.Q8_0,),
    embedding: Kind = Kind.Q8_0,
    values: dict[str, Any] | None = None,
    leave_out: str = "",
) -> Path:
    """`model` as llama.cpp writes it, the linears in the given types by turns. `values` are further integers
    or texts; `leave_out` is a tensor that is forgotten."""
    writer = gguf.GGUFWriter(path, "llama")
    _write_values(writer, model.config, values or {})
    state = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    tensors = {"token_embd": ("model.embed_tokens", embedding), "output_norm": ("model.norm", Kind.F32)}
    tensors["output"] = ("lm_head", embedding)
    count = 0
    for layer in range(model.config.num_hidden_layers):
        for short, name in IN_LAYER.items():
            kind = Kind.F32 if "norm" in short else linears[count % len(linears)]
            count += "norm" not in short
            tensors[f"blk.{layer}.{short}"] = (f"model.layers.{layer}.{name}", kind)
    for name, (source, kind) in tensors.items():
        if name == leave_out:
            continue
        weight = state[f"{source}.weight"]
        heads = {"attn_q": model.config.num_attention_heads, "attn_k": model.config.num_key_value_heads}
        if name.split(".")[-1] in heads:
            weight = _interleaved(weight, heads[name.split(".")[-1]])
        writer.add_tensor(f"{name}.weight", quantize(weight, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_values(writer: gguf.GGUFWriter, config: Any, values: dict[str, Any]) -> None:
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types(KINDS)
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for key, value in values.items():
        if isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_uint32(key, value)


def _interleaved(weight: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """As convert_hf_to_gguf.py does with the rows of q and k."""
    return (
        weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
        .swapaxes(1, 2)
        .reshape(weight.shape)
    )
