"""Many adapters for the bench of their residency: folders, and who asks for which."""

from __future__ import annotations

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, repeat
from pathlib import Path

import torch
from safetensors.torch import save_file

from models_zoo.llm.adapter_files import TARGETS, module_name, target_shape
from models_zoo.llm.card import ADAPTER_CONFIG_FILE, ADAPTER_FILE, BaseConfig

RANK = 16
PREFIX = "base_model.model.model."
CONFIG = {"peft_type": "LORA", "r": RANK, "lora_alpha": 16, "target_modules": list(TARGETS), "bias": "none"}


def zipf(adapters: int, requests: int, exponent: float, seed: int) -> list[int]:
    """The adapter of each request: number i with a probability in proportion to 1 / (i + 1) ** exponent."""
    weights = list(accumulate((rank + 1) ** -exponent for rank in range(adapters)))
    return random.Random(seed).choices(range(adapters), cum_weights=weights, k=requests)


def adapter_folders(root: Path, config: BaseConfig, adapters: int, distinct: int) -> list[Path]:
    """Folders of `adapters` adapters of rank 16 on all linears, random numbers in bfloat16. Only the first
    `distinct` have contents of their own: the others are links to them."""
    folders = [root / f"a{number}" for number in range(adapters)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_write, folders[:distinct], repeat(config), range(distinct)))
    for number, folder in enumerate(folders[distinct:]):
        folder.symlink_to(folders[number % distinct])
    return folders


def _write(folder: Path, config: BaseConfig, seed: int) -> None:
    folder.mkdir(parents=True)
    save_file(_tensors(config, seed), folder / ADAPTER_FILE)
    (folder / ADAPTER_CONFIG_FILE).write_text(json.dumps(CONFIG))


def _tensors(config: BaseConfig, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for layer in range(config.layers):
        for target in TARGETS:
            out, columns = target_shape(config, target)
            for part, shape in (("A", (RANK, columns)), ("B", (out, RANK))):
                values = torch.rand(shape, generator=generator).sub_(0.5).mul_(0.04)
                tensors[f"{PREFIX}{module_name(layer, target)}.lora_{part}.weight"] = values.bfloat16()
    return tensors
