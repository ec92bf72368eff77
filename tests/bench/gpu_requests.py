"""256 requests at once through the engine's own loop on CUDA: 128 tokens in, 128 out, greedy, random weights."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from models_zoo.llm.card import ADAPTER_CONFIG_FILE, ADAPTER_FILE, AdapterCard
from models_zoo.llm.cuda.pool import StackedPool
from models_zoo.llm.decoder import Decoder
from models_zoo.llm.paged import PagedCache
from models_zoo.llm.tokenizer import ChatTokenizer
from tests.bench.gpu_model import DEVICE, LLAMA_8B, random_adapter, random_decoder, weight_bytes
from workers.engine.generation.group import Beams, Candidates, open_group
from workers.engine.generation.request import Ticket, Vocabulary
from workers.engine.local import CHUNK_BESIDE_DECODING, TOKENS_OF_A_STEP
from workers.engine.loop import EngineLoop
from workers.engine.protocol import Call, Chunk, Sampling
from workers.engine.runner import PreparedAdapter, Runner
from workers.engine.scheduling.blocks import BlockPool
from workers.engine.scheduling.limits import Limits
from workers.engine.scheduling.scheduler import Scheduler

REQUESTS, PROMPT, REPLY, BLOCK, RANK = 256, 128, 128, 16, 16


class RandomRunner(Runner):
    """Reads an adapter of random numbers, whatever the folder."""

    def read(self, folder: Path) -> PreparedAdapter:
        """Rank 16 on all linears, in pinned memory."""
        assert isinstance(self.pool, StackedPool)
        made = random_adapter(self.pool, RANK)
        lora = replace(made, data=made.data.cpu().pin_memory())
        return PreparedAdapter(AdapterCard(folder.name, "chat", "0" * 64), RANK, lora, None)


def vocabulary() -> Vocabulary:
    """The demo base's, as far as it goes: random weights say nothing anyway."""
    folder = Path(os.environ.get("ROOTSTOCK_VAR", "var")) / "models" / "smollm2-135m-instruct"
    return Vocabulary(ChatTokenizer(folder), 2, LLAMA_8B.vocabulary)


class Engine:
    """The loop over a resident decoder, with `sequences` at once, of `reply` tokens, and `adapters` loaded."""

    def __init__(
        self, decoder: Decoder, sequences: int, adapters: int, words: Vocabulary, reply: int = REPLY
    ) -> None:
        blocks = sequences * ((PROMPT + reply) // BLOCK + 1)
        cache = PagedCache(LLAMA_8B, blocks, BLOCK, DEVICE)
        limits = Limits(
            sequences=sequences,
            step_tokens=TOKENS_OF_A_STEP["cuda"],
            chunk_tokens=CHUNK_BESIDE_DECODING["cuda"],
            waiting=2 * REQUESTS,
        )
        runner = RandomRunner(decoder, cache, decoder.lora_pool(max(1, adapters)))
        scheduler = Scheduler(limits, BlockPool(blocks, BLOCK))
        self.loop = EngineLoop(runner, scheduler, slots=max(1, adapters), adapter_bytes=1 << 36, threads=None)
        self._words, self._adapters = words, adapters
        with tempfile.TemporaryDirectory() as folder:
            for number in range(adapters):
                self.loop.residency.register(f"a{number}", _folder(Path(folder) / f"a{number}"))

    def run(self, seed: int) -> tuple[float, list[float]]:
        """Seconds until all is written, and those until each first token."""
        random = torch.Generator().manual_seed(seed)
        sampling = Sampling(max_tokens=REPLY, temperature=0.0, ignore_end=True)
        groups = []
        for number in range(REQUESTS):
            prompt = torch.randint(20, 40_000, (PROMPT,), generator=random).tolist()
            adapter = f"a{number % self._adapters}" if self._adapters else None
            groups.append(open_group(Ticket(Call()), prompt, sampling, self._words, REPLY, adapter))
        started = time.perf_counter()
        self.loop.submit([group.first for group in groups])
        first = [_first_token(group) for group in groups]
        return time.perf_counter() - started, first


def _folder(folder: Path) -> Path:
    """Files that say which adapter it is."""
    folder.mkdir()
    for name in (ADAPTER_FILE, ADAPTER_CONFIG_FILE):
        (folder / name).write_text(folder.name)
    return folder


def _first_token(group: Candidates | Beams) -> float:
    """Wait until the reply is over; the seconds until its first token."""
    while True:
        item = group.out.get(timeout=120)
        if isinstance(item, Exception):
            raise item
        assert isinstance(item, Chunk)
        if item.usage is not None:
            assert item.usage.completion_tokens == REPLY
            assert item.usage.timing.first_token is not None
            return item.usage.timing.first_token


def roof(
    decoder: Decoder, sequences: int, adapter_bytes: int, copy_bytes_s: float, operations_s: float
) -> float:
    """Seconds that all requests take at least: every step of the replies reads weights, distinct adapters, keys and
    values once, and the prompts go through all linears once."""
    c, steps = LLAMA_8B, REPLY * REQUESTS // sequences
    keys = sequences * (PROMPT + REPLY / 2) * c.layers * 2 * c.kv_heads * c.head_size * 2
    reading = steps * (weight_bytes(decoder) + adapter_bytes + keys) / copy_bytes_s
    heads = c.heads + 2 * c.kv_heads
    linears = c.hidden_size * (c.head_size * (heads + c.heads) + 3 * c.intermediate_size)
    return reading + 2 * c.layers * linears * REQUESTS * PROMPT / operations_s


CASES = {"a16": (256, 16), "a0": (256, 0), "64_slots": (64, 16)}  # sequences at once, adapters


def end_to_end(copy_bytes_s: float, operations_s: float, names: str) -> dict[str, float]:
    """Output tokens per second, as a share of what the device's ceilings allow, and the first token's 95th
    percentile in milliseconds."""
    decoder, words, figures = random_decoder("fp8"), vocabulary(), {}
    for name in names.split(","):
        sequences, adapters = CASES[name]
        engine = Engine(decoder, sequences, adapters, words)
        try:
            engine.run(0)  # records the graphs
            runs = [engine.run(seed) for seed in (1, 2, 3)]
        finally:
            engine.loop.close()
        seconds = statistics.median(run[0] for run in runs)
        figures[f"end_to_end_{name}_tok_s"] = round(REQUESTS * REPLY / seconds)
        stack = engine.loop.residency.list()[:adapters]
        least = roof(decoder, sequences, sum(one.bytes for one in stack), copy_bytes_s, operations_s)
        figures[f"end_to_end_{name}_roof"] = round(least / seconds, 3)
        late = [statistics.quantiles(run[1], n=20)[18] for run in runs]
        figures[f"end_to_end_{name}_first_token_p95_ms"] = round(statistics.median(late) * 1000)
        del engine
        torch.cuda.empty_cache()
    return figures
