"""The engine's forward pass on CPU beside llama.cpp, transformers and PEFT, interleaved in one run.

    python tests/bench/engine_cpu.py [--rounds N] [--llama-cpp FOLDER]

Every case decodes from the same context; cases that are compared take turns, so that what else runs on the
machine touches all alike, and a ratio is the median over the rounds. Without llama.cpp (llama_cpp_peer.py says
how it is built) its bars are not measured. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

import models_zoo.llm  # noqa: F401  (sets OpenMP's waiting before torch is loaded)
from models_zoo.llm.adapter_files import target_shape
from models_zoo.llm.batch import Segment
from models_zoo.llm.convert import convert
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.format import demo_gguf
from models_zoo.llm.lora import LoraPool, LoraWeights
from models_zoo.llm.paged import PagedCache
from models_zoo.llm.training.spec import ALL_TARGETS
from tests.bench.llama_cpp_peer import LlamaCpp, interface
from tests.bench.report import Bar, report

CONTEXT = 256
BATCHES = (1, 4, 16)
RANK = 16
ADAPTERS = 16
IDLE = 32
BLOCK = 16
BARS = (
    Bar("llama_b1", ">=", 0.9),
    Bar("llama_b4", ">=", 1.1),
    Bar("llama_b16", ">=", 1.3),
    Bar("adapters_16_llama", ">=", 0.75),
    Bar("adapters_16_peft", ">=", 4.0),
    Bar("prefill_llama", ">=", 2.1),
    Bar("idle_adapters_share", ">=", 0.98),
    Bar("resident_growth_mb", "<=", 150),
    Bar("second_attach_s", "<=", 0.5),
    Bar("second_private_mb", "<=", 30),
)
PROMPT = torch.randint(20, 40_000, (CONTEXT,), generator=torch.Generator().manual_seed(0)).tolist()
Step = Callable[[], object]


def random_adapter(decoder: Decoder, seed: int) -> LoraWeights:
    """Random weights: what an adapter says does not change what it costs."""
    random = torch.Generator().manual_seed(seed)
    matrices = {}
    for layer in range(decoder.config.layers):
        for target in ALL_TARGETS:
            out, columns = target_shape(decoder.config, target)
            a = torch.randn(RANK, columns, generator=random) * 0.02
            matrices[layer, target] = (a, torch.randn(out, RANK, generator=random) * 0.02)
    return LoraWeights(RANK, matrices)


class Ours:
    """Our decoder with sixteen sequences that have read the prompt."""

    def __init__(self, folder: Path, native: bool) -> None:
        self.decoder = load_decoder(folder, native=native)
        blocks = CONTEXT // BLOCK + 1
        self.tables = [list(range(first * blocks, (first + 1) * blocks)) for first in range(max(BATCHES))]
        self.cache = PagedCache(
            self.decoder.config, blocks * len(self.tables), BLOCK, self.decoder.device, torch.bfloat16
        )
        self.decoder.forward([Segment(PROMPT, blocks=self.tables[0])], self.cache, None)
        for table in self.tables[1:]:
            self.cache.copy(list(zip(self.tables[0], table, strict=True)))

    def pool(self, adapters: int) -> LoraPool:
        """A pool with adapters in slots 1, 2, …"""
        pool = self.decoder.lora_pool()
        for slot in range(1, adapters + 1):
            pool.place(slot, pool.prepare(random_adapter(self.decoder, slot)))
        return pool

    def decode(self, batch: int, pool: LoraPool | None = None, adapters: int = 0) -> None:
        """One token more for `batch` sequences; the next step overwrites it."""
        segments = [
            Segment([5], start=CONTEXT, blocks=table, slot=1 + row % adapters if adapters else 0)
            for row, table in enumerate(self.tables[:batch])
        ]
        self.decoder.logits(self.decoder.forward(segments, self.cache, pool))

    def prefill(self) -> None:
        """The prompt once more."""
        hidden = self.decoder.forward([Segment(PROMPT, blocks=self.tables[0])], self.cache, None)
        self.decoder.logits(hidden[-1:])


class Transformers:
    """transformers in float32, with sixteen PEFT adapters or without."""

    def __init__(self, adapters: bool) -> None:
        from transformers import AutoModelForCausalLM

        gguf = demo_gguf()
        self.model = AutoModelForCausalLM.from_pretrained(
            str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32
        ).eval()
        if adapters:
            self._add_adapters()
        self._caches = {batch: self._read(batch) for batch in ((16,) if adapters else BATCHES)}

    def _add_adapters(self) -> None:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=RANK, target_modules=list(ALL_TARGETS), init_lora_weights=False, task_type="CAUSAL_LM"
        )
        self.model = get_peft_model(self.model, config, adapter_name="a0").eval()
        for number in range(1, ADAPTERS):
            self.model.add_adapter(f"a{number}", config)

    def _read(self, batch: int) -> object:
        model = getattr(self.model, "base_model", self.model)
        cache = model(torch.tensor([PROMPT]), use_cache=True, logits_to_keep=1).past_key_values
        cache.batch_repeat_interleave(batch)
        return cache

    def decode(self, batch: int, **options: object) -> None:
        """One step over the cached prompt, which is then cut back to its length."""
        cache = self._caches[batch]
        self.model(torch.full((batch, 1), 5), past_key_values=cache, use_cache=True, **options)
        cache.crop(-1)  # type: ignore[attr-defined]


def measure(groups: Iterable[dict[str, Step]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step in each round; the steps of a group take turns."""
    seconds: dict[str, list[float]] = {}
    for steps in groups:
        for _ in range(rounds + 1):
            for name, step in steps.items():
                step()  # back in the caches after the others
                started = time.perf_counter()
                step()
                seconds.setdefault(name, []).append(time.perf_counter() - started)
    return {name: values[1:] for name, values in seconds.items()}


def ratio(seconds: dict[str, list[float]], peer: str, ours: str) -> float:
    """How many times faster ours is: the median of the rounds' own ratios."""
    pairs = zip(seconds[peer], seconds[ours], strict=True)
    return round(statistics.median(theirs / mine for theirs, mine in pairs), 2)


def processes(base: Path) -> dict[str, float]:
    """Memory of a first engine process, and time and private memory of a second beside it."""
    command = [sys.executable, "-m", "tests.bench.engine_process", str(base)]
    first = subprocess.Popen([*command, "--wait"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    growth = json.loads(first.stdout.readline())["resident_growth_mb"]
    runs = [json.loads(subprocess.check_output(command, text=True)) for _ in range(3)]
    first.communicate("")
    return {
        "resident_growth_mb": round(growth, 1),
        "second_attach_s": round(statistics.median(run["attach_s"] for run in runs), 3),
        "second_private_mb": round(statistics.median(run["private_growth_mb"] for run in runs), 1),
    }


def groups(base: Path, llama: object | None, threads: int) -> list[dict[str, Step]]:
    """The cases, those that are compared together."""
    ours, plain, peft = Ours(base, native=True), Transformers(adapters=False), Transformers(adapters=True)
    portable = Ours(base, native=False)
    full, idle = ours.pool(ADAPTERS), ours.pool(IDLE)
    peer = None if llama is None else LlamaCpp(llama, demo_gguf(), threads, PROMPT, max(BATCHES))
    theirs = {} if peer is None else peer.steps(BATCHES)
    names = [f"a{number}" for number in range(ADAPTERS)]
    cases: list[dict[str, Step]] = []
    for batch in BATCHES:
        cases.append({f"b{batch}": lambda batch=batch: ours.decode(batch)})
        if theirs:
            cases[-1][f"llama_b{batch}"] = theirs[f"llama_b{batch}"]
        cases[-1][f"transformers_b{batch}"] = lambda batch=batch: plain.decode(batch)
        cases[-1][f"portable_b{batch}"] = lambda batch=batch: portable.decode(batch)
    cases[-1]["adapters_16"] = lambda: ours.decode(16, full, ADAPTERS)
    cases[-1]["peft_16"] = lambda: peft.decode(16, adapter_names=names)
    prefill: dict[str, Step] = {"prefill": ours.prefill, "portable_prefill": portable.prefill}
    cases.append(prefill | ({"llama_prefill": theirs["llama_prefill"]} if theirs else {}))
    cases += [{"bare": lambda: ours.decode(16), "idle": lambda: ours.decode(16, idle)} for _ in range(3)]
    return cases


def demo_base() -> Path:
    """The demo base under ROOTSTOCK_VAR, converted when it is not there yet."""
    target = Path(os.environ.get("ROOTSTOCK_VAR", "var")) / "models" / "smollm2-135m-instruct"
    convert(demo_gguf(), target)
    return target


def figures(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Tokens per second of every case, and the ratios."""
    tokens = {name: CONTEXT if "prefill" in name else 16 for name in seconds}
    tokens |= {f"{who}b{n}": n for who in ("", "llama_", "transformers_", "portable_") for n in BATCHES}
    metrics = {name: round(tokens[name] / statistics.median(s), 1) for name, s in seconds.items()}
    metrics = {f"{name}_tok_s": value for name, value in metrics.items() if name not in ("bare", "idle")}
    for peer in ("llama", "transformers", "portable"):
        for batch in BATCHES:
            if f"{peer}_b{batch}" in seconds:
                metrics[f"{peer}_b{batch}"] = ratio(seconds, f"{peer}_b{batch}", f"b{batch}")
        if f"{peer}_prefill" in seconds:
            metrics[f"prefill_{peer}"] = ratio(seconds, f"{peer}_prefill", "prefill")
    if "llama_b16" in seconds:
        metrics["adapters_16_llama"] = ratio(seconds, "llama_b16", "adapters_16")
    metrics["adapters_16_peft"] = ratio(seconds, "peft_16", "adapters_16")
    metrics["idle_adapters_share"] = ratio(seconds, "bare", "idle")
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=None, help="converted here when not given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--llama-cpp", type=Path, default=Path("var/llama-cpp"), help="where pip put it")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    base = options.base or demo_base()
    llama = interface(options.llama_cpp)
    if llama is None:
        sys.stdout.write("llama.cpp is not here (see llama_cpp_peer.py): its bars are not measured\n")
    memory = processes(base)
    with torch.inference_mode():
        metrics = figures(measure(groups(base, llama, options.threads), options.rounds)) | memory
    report("engine_cpu", metrics, [bar for bar in BARS if bar.name in metrics])


if __name__ == "__main__":
    main()
