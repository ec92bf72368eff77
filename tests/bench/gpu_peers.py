"""What transformers and PEFT make of the same shape: bfloat16 (PEFT's adapters too), random weights, steps over a
cached context without gradients; and transformers' continuous batching of whole requests."""

from __future__ import annotations

import gc
import statistics
from typing import Any

import torch

from models_zoo.llm.training.spec import ALL_TARGETS
from models_zoo.llm.transformers_config import llama_config
from tests.bench.engine_gpu import CONTEXT, DEVICE, timed
from tests.bench.gpu_batching_peer import continuous_batching
from tests.bench.gpu_model import LLAMA_8B

STEPS, ROUNDS, RANK, ADAPTERS = 8, 3, 16, 16


def peers(names: str) -> dict[str, float]:
    """Tokens per second: of `steps` and of continuous `batching`."""
    measured = {"steps": steps, "batching": continuous_batching}
    return {name: value for peer in names.split(",") for name, value in measured[peer]().items()}


def steps() -> dict[str, float]:
    """Tokens per second: batch 1 and 64 without adapters, and 64 rows of 16 PEFT adapters."""
    from transformers import LlamaForCausalLM

    config = llama_config(LLAMA_8B, dtype=torch.bfloat16)
    torch.set_default_dtype(torch.bfloat16)
    try:
        with DEVICE:
            model = LlamaForCausalLM(config).eval()
        figures = {f"transformers_b{batch}_tok_s": _rate(model, batch) for batch in (1, 64)}
        mixed = _with_adapters(model)
    finally:
        torch.set_default_dtype(torch.float32)
    names = [f"a{row % ADAPTERS}" for row in range(64)]
    figures["peft_b64_a16_tok_s"] = _rate(mixed, 64, adapter_names=names)
    del model, mixed
    gc.collect()
    torch.cuda.empty_cache()
    return figures


def _with_adapters(model: Any) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=RANK, target_modules=list(ALL_TARGETS), init_lora_weights=False, task_type="CAUSAL_LM"
    )
    mixed = get_peft_model(model, config, adapter_name="a0").eval()
    for number in range(1, ADAPTERS):
        mixed.add_adapter(f"a{number}", config)
    return mixed.to(DEVICE, torch.bfloat16)


@torch.inference_mode()
def _rate(model: Any, batch: int, **options: object) -> float:
    """Of steps that each add a token to the cache."""
    prompt = torch.randint(20, 40_000, (batch, CONTEXT), device=DEVICE)
    cache = model(prompt, use_cache=True, logits_to_keep=1, **options).past_key_values

    def some() -> None:
        token = prompt[:, :1]
        for _ in range(STEPS):
            token = model(token, past_key_values=cache, use_cache=True, **options).logits[:, -1:].argmax(-1)

    some()
    return round(batch * STEPS / statistics.median(timed(some) for _ in range(ROUNDS)), 1)
