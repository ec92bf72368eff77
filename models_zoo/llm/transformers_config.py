"""A base's shape in transformers' words: for oracles and peers, not for serving."""

from __future__ import annotations

from typing import Any

from models_zoo.llm.card import BaseConfig


def llama_config(config: BaseConfig, **more: Any) -> Any:
    """The `LlamaConfig` of a base, head untied; `more` of its fields as transformers calls them."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=config.vocabulary,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.kv_heads,
        head_dim=config.head_size,
        max_position_embeddings=config.context,
        rms_norm_eps=config.norm_epsilon,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        tie_word_embeddings=False,
        **more,
    )
