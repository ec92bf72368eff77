"""Write a trained adapter: PEFT's two files, our head and card, whole or not at all."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from models_zoo.llm.adapter import load_adapter
from models_zoo.llm.adapter_files import PREFIXES, module_name
from models_zoo.llm.card import (
    ADAPTER_CARD_FILE,
    ADAPTER_CONFIG_FILE,
    ADAPTER_FILE,
    HEAD_FILE,
    AdapterCard,
    BaseCard,
    write_card,
)
from models_zoo.llm.heads import Head
from models_zoo.llm.training.graft import LoraParameters
from models_zoo.llm.training.spec import TrainSpec


def save_adapter(
    spec: TrainSpec, base: BaseCard, card: AdapterCard, lora: LoraParameters, head: Head | None
) -> None:
    """Write the adapter folder `spec.target`, replacing an older one, after loading it back has succeeded."""
    partial = spec.target.with_name(f".{spec.target.name}.{uuid.uuid4().hex[:8]}.partial")
    partial.mkdir(parents=True)
    dtype = torch.float16 if spec.precision == "float16" else torch.float32
    try:
        save_file(_stored(_lora_tensors(lora), dtype), partial / ADAPTER_FILE)
        text = json.dumps(_peft_config(spec, base, lora), indent=2) + "\n"
        (partial / ADAPTER_CONFIG_FILE).write_text(text, encoding="utf-8")
        if head is not None:
            save_file(_stored(head.state_dict(), dtype), partial / HEAD_FILE)
        write_card(card, partial / ADAPTER_CARD_FILE)
        load_adapter(partial, base)
        if spec.target.exists():
            shutil.rmtree(spec.target)
        partial.rename(spec.target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _stored(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    return {name: tensor.to("cpu", dtype).contiguous() for name, tensor in tensors.items()}


def _lora_tensors(lora: LoraParameters) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for layer, target, a, b in lora.matrices():
        name = PREFIXES[0] + module_name(layer, target)
        tensors[f"{name}.lora_A.weight"] = a
        tensors[f"{name}.lora_B.weight"] = b
    return tensors


def _peft_config(spec: TrainSpec, base: BaseCard, lora: LoraParameters) -> dict[str, Any]:
    every_layer = len(lora.layers) == base.config.layers
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base.name,
        "r": spec.rank,
        "lora_alpha": spec.alpha,
        "lora_dropout": spec.dropout,
        "target_modules": [target for targets in lora.targets.values() for target in targets],
        "layers_to_transform": None if every_layer else list(lora.layers),
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": spec.rs_lora,
        "modules_to_save": None,
        "init_lora_weights": True,
        "inference_mode": True,
    }
