"""transformers' continuous batching on the same requests as gpu_requests.py: a process of its own, so that it can be
ended. Prints one JSON object: output tokens per second, without the graphs' recording before.

    python -m tests.bench.gpu_batching_peer

Llama-3-8B's shape in bfloat16 with random weights, no adapters, transformers' defaults: it takes flash attention
where that is installed, else torch's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import torch

from models_zoo.llm.card import BaseConfig
from models_zoo.llm.transformers_config import llama_config
from tests.bench.gpu_model import DEVICE, LLAMA_8B

REQUESTS, PROMPT, REPLY = 256, 128, 128
LIMIT_S, STEP_S = 150, 60  # of the process; without any result


def continuous_batching() -> dict[str, float]:
    """The figure from a process of its own; none, and why on the console, where it fails or takes too long."""
    command = [sys.executable, "-m", "tests.bench.gpu_batching_peer"]
    try:
        done = subprocess.run(command, timeout=LIMIT_S, capture_output=True, text=True, check=True)
    except subprocess.TimeoutExpired:
        sys.stdout.write(f"transformers' continuous batching: not done after {LIMIT_S} s\n")
        return {}
    except subprocess.CalledProcessError as error:
        sys.stdout.write(f"transformers' continuous batching failed:\n{error.stderr[-2000:]}\n")
        return {}
    *said, last = done.stdout.splitlines()
    sys.stdout.write("".join(f"{line}\n" for line in said))
    figures: dict[str, float] = json.loads(last)
    return figures


def measured(config: BaseConfig, device: torch.device, requests: int = REQUESTS) -> dict[str, float]:
    """Output tokens per second of that many requests at once, after a few that count for nothing."""
    from transformers import GenerationConfig, LlamaForCausalLM

    torch.set_default_dtype(torch.bfloat16)
    with device:
        model = LlamaForCausalLM(llama_config(config, dtype=torch.bfloat16)).eval()
    generation = GenerationConfig(max_new_tokens=REPLY, do_sample=False, eos_token_id=-1, pad_token_id=0)
    most = min(40_000, config.vocabulary)
    prompts = torch.randint(20, most, (requests + 8, PROMPT), device="cpu").tolist()
    with model.continuous_batching_context_manager(generation_config=generation, timeout=5) as manager:
        _serve(manager, prompts[requests:])
        started = time.perf_counter()
        _serve(manager, prompts[:requests])
        seconds = time.perf_counter() - started
        sys.stdout.write(f"transformers' attention: {model.config._attn_implementation}\n")
    return {"transformers_batching_tok_s": round(requests * REPLY / seconds, 1)}


def _serve(manager: Any, prompts: list[list[int]]) -> None:
    """Write a reply to each. Raises when one fails, or none comes for a minute."""
    manager.add_requests(inputs=prompts, max_new_tokens=REPLY)
    last, left = time.monotonic(), len(prompts)
    while left:
        result = manager.get_result(timeout=1)
        if result is not None and result.is_finished():
            if len(result.generated_tokens) != REPLY:
                raise RuntimeError(f"{len(result.generated_tokens)} tokens, expected {REPLY}: {result.error}")
            last, left = time.monotonic(), left - 1
        elif not manager.is_running() or time.monotonic() - last > STEP_S:
            raise RuntimeError(f"{left} of {len(prompts)} replies did not come")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(LLAMA_8B, DEVICE)) + "\n")
