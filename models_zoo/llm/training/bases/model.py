"""A base as a model of transformers, in float32, and back again: a folder that `convert` reads."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models_zoo.llm.card import BaseCard, BaseConfig, ModelError, read_card
from models_zoo.llm.convert import open_source
from models_zoo.llm.damage import base_weights, source_weights
from models_zoo.llm.hf_folder import source_name
from models_zoo.llm.transformers_config import llama_config
from models_zoo.llm.vocabulary import SETTINGS_FILE, TOKENIZER_FILE

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

OWN_HEAD = "lm_head"


def original_weights(folder: Path, source: Path | None) -> dict[str, Tensor]:
    """Every tensor of a base by our name, float32: of `source`, which it was made from, or else dequantized.

    Raises `ModelError` when `source` is not what the base was made from.
    """
    if source is None:
        return base_weights(folder)
    opened, card = open_source(source), read_card(folder)
    if opened.digest() != card.source_sha256:
        raise ModelError(f"source {source}: is not what {card.name} was quantized from (its digest differs)")
    return source_weights(opened)


def model_of(config: BaseConfig, weights: Mapping[str, Tensor]) -> LlamaForCausalLM:
    """The trainable model with these weights, its head tied to the embedding unless there is one."""
    from transformers import LlamaForCausalLM
    from transformers.initialization import no_init_weights

    settings = llama_config(config, attn_implementation="sdpa", use_cache=False)
    settings.tie_word_embeddings = OWN_HEAD not in weights
    with no_init_weights():
        model = LlamaForCausalLM(settings)
    state = {source_name(name): tensor.float() for name, tensor in weights.items()}
    state.setdefault("lm_head.weight", state["model.embed_tokens.weight"])
    model.load_state_dict(state, assign=True)
    model.tie_weights()
    return model.requires_grad_(True)


def student_of(
    config: BaseConfig, weights: Mapping[str, Tensor], taken: Sequence[int]
) -> tuple[BaseConfig, dict[str, Tensor]]:
    """Shape and weights of a model with some of the layers, in their order, and copies of everything else."""
    places = {f"layers.{layer}.": f"layers.{number}." for number, layer in enumerate(taken)}
    chosen = {name: tensor.clone() for name, tensor in weights.items() if not name.startswith("layers.")}
    for name, tensor in weights.items():
        layer = name[: name.index(".", len("layers.")) + 1] if name.startswith("layers.") else ""
        if layer in places:
            chosen[places[layer] + name.removeprefix(layer)] = tensor.clone()
    return replace(config, layers=len(taken)), chosen


def save_unquantized(
    model: LlamaForCausalLM, base: Path, card: BaseCard, folder: Path, dtype: torch.dtype
) -> None:
    """Write the model as a Hugging Face folder with the tokenizer and licence of the base it began from."""
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    model.to(dtype).save_pretrained(folder)
    for name in (TOKENIZER_FILE, SETTINGS_FILE):
        shutil.copyfile(base / name, folder / name)
    if card.licence:
        (folder / "README.md").write_text(f"---\nlicense: {card.licence}\n---\n", encoding="utf-8")
