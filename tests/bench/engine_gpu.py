"""The engine on CUDA: Llama-3-8B's shape with random weights, rank 16 on all linears, context 256.

    python tests/bench/engine_gpu.py [--forms int4,fp8] [--peers [NAMES]] [--end-to-end [NAMES]]

A decode figure is of steps that follow each other as the host can prepare them: forward, logits and the greedy
token on the device; up to 16 adapters in a pool of 16 slots, more in one of 64. `_waiting` is the same with each
step's tokens read by the host before the next is prepared.
Fractions are of the time that reading weights, distinct adapters, keys and values takes at the copy bandwidth
measured in the same run; of whole requests, of that time for every token's step and the time that the prompts' products
take at the measured rate. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections.abc import Callable

import torch

from models_zoo.llm.batch import Segment
from models_zoo.llm.cuda.policy import CudaForm
from models_zoo.llm.cuda.pool import StackedPool
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.paged import PagedCache
from tests.bench.gpu_model import DEVICE, LLAMA_8B, filled_pool, random_decoder, weight_bytes
from tests.bench.report import Bar, report

CONTEXT, BLOCK, STEPS, ROUNDS = 256, 16, 20, 5
CASES = ((1, 0), (1, 1), (16, 16), (64, 0), (64, 1), (64, 16), (64, 64), (256, 0), (256, 16), (256, 64))
BARS = (
    Bar("single_stream_tok_s", ">=", 280),
    Bar("b64_a16_tok_s", ">=", 11_000),
    Bar("b256_a16_tok_s", ">=", 26_000),
    Bar("a16_cost", "<=", 0.20),
    Bar("a64_cost", "<=", 0.35),
    Bar("idle_cost", "<=", 0.02),
    Bar("end_to_end_a16_tok_s", ">=", 15_000),
    Bar("end_to_end_64_slots_tok_s", ">=", 8_000),
)


class Stand:
    """A decoder with 256 sequences that are `CONTEXT` tokens long."""

    def __init__(self, form: CudaForm, copy_bytes_s: float) -> None:
        self.decoder: Decoder = random_decoder(form)
        self._copy = copy_bytes_s
        blocks = CONTEXT // BLOCK + 2
        self._tables = [list(range(i * blocks, (i + 1) * blocks)) for i in range(256)]
        self._cache = PagedCache(LLAMA_8B, blocks * 256, BLOCK, DEVICE)
        self._cache.data.normal_(0, 0.3)
        self._weights = weight_bytes(self.decoder)

    def segments(self, batch: int, adapters: int, tokens: list[int]) -> list[Segment]:
        """One step of `batch` sequences, rows of an adapter together, as the runner orders them."""
        slots = sorted(1 + row % adapters for row in range(batch)) if adapters else [0] * batch
        return [
            Segment([token], start=CONTEXT, blocks=table, slot=slot)
            for token, table, slot in zip(tokens, self._tables[:batch], slots, strict=True)
        ]

    def step(self, batch: int, adapters: int, pool: StackedPool | None, tokens: list[int]) -> torch.Tensor:
        """The greedy tokens [B], on the device."""
        hidden = self.decoder.forward(self.segments(batch, adapters, tokens), self._cache, pool)
        return self.decoder.logits(hidden).argmax(-1)

    def seconds(self, batch: int, adapters: int, pool: StackedPool | None, waiting: bool = False) -> float:
        """Of one step, the median over rounds of `STEPS`."""
        tokens = [5 + row for row in range(batch)]
        chosen = tokens

        def some() -> None:
            nonlocal chosen
            for _ in range(STEPS):
                out = self.step(batch, adapters, pool, chosen)
                if waiting:
                    chosen = out.tolist()

        some()
        return statistics.median(timed(some) for _ in range(ROUNDS)) / STEPS

    def roof(self, batch: int, adapters: int, pool: StackedPool | None) -> float:
        """Seconds that reading everything once takes."""
        c = LLAMA_8B
        keys = batch * CONTEXT * c.layers * 2 * c.kv_heads * c.head_size * 2
        adapter = 0 if pool is None else min(adapters, batch) * pool.bytes_of_one
        return (self._weights + keys + adapter) / self._copy

    def prefill(self, rows: int, pool: StackedPool | None) -> float:
        """Tokens per second of `rows` prompts of 256 tokens, each its own adapter of up to 16."""
        segments = [
            Segment([7] * CONTEXT, blocks=table, slot=1 + row * 16 // rows if pool else 0)
            for row, table in enumerate(self._tables[:rows])
        ]
        run = lambda: self.decoder.forward(segments, self._cache, pool)  # noqa: E731
        run()
        return rows * CONTEXT / statistics.median(timed(run) for _ in range(3))


def timed(run: Callable[[], object]) -> float:
    """Seconds until the device is done."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def ceilings() -> dict[str, float]:
    """Copy bandwidth in 1e12 bytes per second (read and written); bfloat16 and fp8 products in 1e12 operations."""
    source = torch.randn(1 << 30, device=DEVICE)
    target = torch.empty_like(source)
    target.copy_(source)
    copy = statistics.median(timed(lambda: target.copy_(source)) for _ in range(5))
    a, b = (torch.randn(8192, 8192, device=DEVICE).bfloat16() for _ in range(2))
    a @ b
    gemm = statistics.median(timed(lambda: a @ b) for _ in range(5))
    left, right = a.to(torch.float8_e4m3fn), b.to(torch.float8_e4m3fn).t()
    one = torch.ones((), device=DEVICE)
    eight = lambda: torch._scaled_mm(left, right, one, one, out_dtype=torch.bfloat16)  # noqa: E731
    eight()
    small = statistics.median(timed(eight) for _ in range(5))
    work = 2 * 8192**3 / 1e12
    return {
        "copy_tb_s": 2 * source.nbytes / copy / 1e12,
        "gemm_tflop_s": work / gemm,
        "fp8_gemm_tflop_s": work / small,
    }


def decode(form: CudaForm, copy_bytes_s: float) -> dict[str, float]:
    """All decode cases of a form."""
    stand = Stand(form, copy_bytes_s)
    pools = {slots: filled_pool(stand.decoder, slots) for slots in (16, 64)}
    pool = pools[16]
    figures: dict[str, float] = {}
    for batch, adapters in CASES:
        used = pools[64 if adapters > 16 else 16] if adapters else None
        seconds = stand.seconds(batch, adapters, used)
        name = f"{form}_b{batch}_a{adapters}"
        figures[f"{name}_tok_s"] = round(batch / seconds, 1)
        figures[f"{name}_roof"] = round(stand.roof(batch, adapters, used) / seconds, 3)
        sys.stdout.write(f"{name:20} {seconds * 1e3:8.3f} ms {batch / seconds:10.0f} tok/s\n")
    waits = {(b, a): stand.seconds(b, a, pool, waiting=True) for b, a in ((1, 1), (64, 16), (256, 16))}
    figures |= {f"{form}_b{b}_a{a}_waiting_tok_s": round(b / s, 1) for (b, a), s in waits.items()}
    idle = [
        stand.seconds(64, 0, pools[64]) / stand.seconds(64, 0, None) - 1 for _ in range(3)
    ]  # a full pool that no row uses
    figures[f"{form}_idle_cost"] = round(statistics.median(idle), 4)
    figures[f"{form}_prefill_tok_s"] = round(stand.prefill(32, None))
    figures[f"{form}_prefill_a16_tok_s"] = round(stand.prefill(32, pool))
    return figures


def bars(figures: dict[str, float]) -> dict[str, float]:
    """The issue's figures, in the form that is faster: e4m3 at every batch."""
    if "fp8_b64_a0_tok_s" not in figures:
        return {}
    found = {
        f"a{count}_cost": figures["fp8_b64_a0_tok_s"] / figures[f"fp8_b64_a{count}_tok_s"]
        for count in (16, 64)
    }
    return {
        "single_stream_tok_s": figures["fp8_b1_a1_tok_s"],
        "b64_a16_tok_s": figures["fp8_b64_a16_tok_s"],
        "b256_a16_tok_s": figures["fp8_b256_a16_tok_s"],
        **{name: round(ratio - 1, 3) for name, ratio in found.items()},
        "idle_cost": figures["fp8_idle_cost"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forms", default="int4,fp8,bfloat16")
    parser.add_argument(
        "--peers", nargs="?", const="steps,batching", help="transformers and PEFT, same shape"
    )
    parser.add_argument("--end-to-end", nargs="?", const="a16,a0,64_slots", help="256 whole requests")
    options = parser.parse_args()
    with torch.inference_mode():
        figures = {name: round(value, 3) for name, value in ceilings().items()}
        for form in filter(None, options.forms.split(",")):
            figures |= decode(form, figures["copy_tb_s"] * 1e12)
            gc.collect()
            torch.cuda.empty_cache()
    if options.end_to_end:
        from tests.bench.gpu_requests import end_to_end

        figures |= end_to_end(
            figures["copy_tb_s"] * 1e12, figures["fp8_gemm_tflop_s"] * 1e12, options.end_to_end
        )
        gc.collect()
        torch.cuda.empty_cache()
    if options.peers:
        from tests.bench.gpu_peers import peers

        figures |= peers(options.peers)
    theirs = figures.get("transformers_batching_tok_s")
    if theirs and "end_to_end_a0_tok_s" in figures:
        figures["end_to_end_a0_batching"] = round(figures["end_to_end_a0_tok_s"] / theirs, 2)
    figures |= bars(figures)
    report("engine_gpu", figures, [bar for bar in BARS if bar.name in figures])


if __name__ == "__main__":
    main()
