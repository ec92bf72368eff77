"""2,000 registered adapters on 32 device slots, against the same requests over 32 adapters that are all resident.

    python tests/bench/residency.py [--device cuda] [--sequences N] [--exponent X]

Traffic: which adapter a request is for follows Zipf's law (exponent 1) over all that are registered: the power law
of S-LoRA (Sheng et al., 2023), steeper than even and far flatter than Punica's skewed case (Chen et al., 2023), in
which an adapter has 1.5 times the requests of the next and two dozen have them all. Requests follow each other as
fast as the engine takes them: 512 always wait, until none are left. Prompts and replies are as long as those of
engine_gpu.py on average, each between half and one and a half times that: requests of one length would begin and end
together where none waits for a slot, and only there. Both kinds have the same lengths.

Adapters are real folders of rank 16 on all linears that go the product's way: verified, prepared, kept in host memory
within its budget, placed. Their folders are links to 32 distinct ones, so that disk and page cache hold them;
the engine takes them for 2,000. While they are registered, before anything is measured, links to one file are
read, and kept beside it as the device holds them, once. On CPU the base is the demo base, on CUDA Llama-3-8B's
shape with random weights.

Both kinds take turns in one engine, after a round that counts for nothing; a loss is the median of the rounds' own
ratios. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import models_zoo.llm  # noqa: F401  (sets OpenMP's waiting before torch is loaded)

import torch  # isort: skip

from models_zoo.llm.card import ADAPTER_FILE
from models_zoo.llm.convert import convert
from models_zoo.llm.decoder import Decoder, load_decoder
from models_zoo.llm.format import demo_gguf
from models_zoo.llm.paged import PagedCache
from models_zoo.llm.tokenizer import ChatTokenizer
from tests.bench.many_adapters import adapter_folders, zipf
from tests.bench.report import Bar, report
from workers.engine.generation.group import Beams, Candidates, open_group
from workers.engine.generation.request import Ticket, Vocabulary
from workers.engine.local import CHUNK_BESIDE_DECODING, TOKENS_OF_A_STEP
from workers.engine.loop import EngineLoop
from workers.engine.protocol import Call, Chunk, Sampling, Timing
from workers.engine.runner import Entry, Outcome, PreparedAdapter, Runner
from workers.engine.scheduling.blocks import BlockPool
from workers.engine.scheduling.entry import Piece
from workers.engine.scheduling.limits import Limits
from workers.engine.scheduling.scheduler import Scheduler

SLOTS, DISTINCT, WAITING, BLOCK = 32, 32, 512, 16
MEBI = 1 << 20
FILLED = 640  # adapters: more than a round brings in
BARS = (Bar("loss", "<=", 0.15),)


@dataclass(frozen=True)
class Load:
    """What is asked of a device: requests of about `prompt` tokens for about `reply` more, `sequences` at once."""

    requests: int
    sequences: int
    prompt: int
    reply: int
    memory: int

    def lengths(self, requests: int, seed: int) -> list[tuple[int, int]]:
        """Tokens of each request's prompt and reply."""
        drawn = random.Random(seed)
        return [(_about(self.prompt, drawn), _about(self.reply, drawn)) for _ in range(requests)]


def _about(mean: int, drawn: random.Random) -> int:
    return drawn.randint(mean // 2, mean + mean // 2)


LOADS = {
    "cpu": Load(256, 16, 32, 32, 512 * MEBI),
    "cuda": Load(768, 64, 128, 128, 24 << 30),
}


class CountingRunner(Runner):
    """Counts what is read from disk, what is only copied from there, and what is put into slots; `registered` holds
    what was read, and `kept` what was left on disk, while registering. `steps` are the seconds from the beginning of
    a step to that of the next: of those that only write, and of those that read a prompt beside."""

    reads = 0
    copies = 0
    places = 0
    steps: tuple[list[float], list[float]] = ([], [])
    _before: tuple[float, int] | None = None
    registered: dict[int, PreparedAdapter] | None = None
    kept: dict[int, Callable[[], PreparedAdapter] | None]

    def read(self, folder: Path) -> PreparedAdapter:
        """From disk."""
        if self.registered is None:
            self.reads += 1
            return super().read(folder)
        file = (folder / ADAPTER_FILE).stat().st_ino
        if file not in self.registered:
            self.registered[file] = super().read(folder)
        return self.registered[file]

    def keep(self, folder: Path, adapter: PreparedAdapter) -> Callable[[], PreparedAdapter] | None:
        """As it is held, beside its files."""
        file = (folder / ADAPTER_FILE).stat().st_ino
        if file not in self.kept:
            self.kept[file] = super().keep(folder, adapter)
        again = self.kept[file]

        def counted() -> PreparedAdapter:
            assert again is not None
            self.copies += 1
            return again()

        return counted if again else None

    def place(self, slot: int, adapter: PreparedAdapter) -> None:
        """Into a slot."""
        self.places += 1
        super().place(slot, adapter)

    def run(
        self,
        pieces: Sequence[Piece[Entry]],
        held: Mapping[Entry, int],
        meanwhile: Callable[[], None],
    ) -> Outcome:
        """A step."""
        now, reads = time.perf_counter(), int(any(piece.count > 1 for piece in pieces))
        if self._before is not None:
            began, kind = self._before
            self.steps[kind].append(now - began)
        self._before = now, reads
        return super().run(pieces, held, meanwhile)

    def timed(self) -> dict[str, float]:
        """What the steps since the last call took."""
        writing, reading = self.steps
        self.steps, self._before = ([], []), None
        return {
            "writing_steps": len(writing),
            "writing_ms": round(statistics.median(writing) * 1000, 2) if writing else 0.0,
            "reading_steps": len(reading),
            "reading_ms": round(statistics.median(reading) * 1000, 2) if reading else 0.0,
        }


class Engine:
    """The engine's loop over a decoder, with adapters registered by number."""

    def __init__(self, decoder: Decoder, words: Vocabulary, load: Load, sequences: int) -> None:
        kind, self._load, self._words = decoder.device.type, load, words
        blocks = sequences * (3 * (load.prompt + load.reply) // 2 // BLOCK + 1)
        limits = Limits(
            sequences=sequences,
            step_tokens=TOKENS_OF_A_STEP[kind],
            chunk_tokens=CHUNK_BESIDE_DECODING[kind],
            waiting=2 * WAITING,
        )
        cache = PagedCache(decoder.config, blocks, BLOCK, decoder.device)
        self.runner = CountingRunner(decoder, cache, decoder.lora_pool(SLOTS))
        self.loop = EngineLoop(
            self.runner, Scheduler(limits, BlockPool(blocks, BLOCK)), SLOTS, load.memory, threads=None
        )

    def register(self, folders: list[Path]) -> float:
        """Every folder under its own name; the seconds that took."""
        started = time.perf_counter()
        self.runner.registered, self.runner.kept = {}, {}
        with ThreadPoolExecutor(os.cpu_count(), initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(lambda folder: self.loop.residency.register(folder.name, folder), folders))
        self.runner.registered = None
        return time.perf_counter() - started

    def fill_memory(self) -> float:
        """Take host memory for as many adapters as it may hold, and give it back for reuse, as it is once a worker has
        read that many: those registered above share the memory of a few. Milliseconds that one takes."""
        one = next(iter(self.runner.kept.values()))
        if one is None:
            return 0.0
        started, held = time.perf_counter(), [one()]
        held += [one() for _ in range(min(self._load.memory // held[0].bytes, FILLED) - 1)]
        return (time.perf_counter() - started) / len(held) * 1000

    def run(self, adapters: list[int], lengths: list[tuple[int, int]], seed: int) -> dict[str, float]:
        """Output tokens per second of one request for each of `adapters`, and what it took."""
        groups = [
            self._group(adapter, *each, seed + number)
            for number, (adapter, each) in enumerate(zip(adapters, lengths, strict=True))
        ]
        runner = self.runner
        reads, copies, places = runner.reads, runner.copies, runner.places
        steps = self.loop.metrics.steps
        runner.timed()
        started = time.perf_counter()
        submitter = threading.Thread(target=self._submit, args=(groups,))
        submitter.start()
        timings = [self._timing(group, reply) for group, (_, reply) in zip(groups, lengths, strict=True)]
        seconds = time.perf_counter() - started
        submitter.join()
        queued = [timing.queued or 0.0 for timing in timings]
        steps, tokens = self.loop.metrics.steps - steps, sum(reply for _, reply in lengths)
        return {
            "tok_s": round(tokens / seconds, 1),
            "reads": runner.reads - reads,
            "copies": runner.copies - copies,
            "places": runner.places - places,
            "batch": round(tokens / steps, 1),
            "step_ms": round(seconds / steps * 1000, 2),
            "wait_p95_s": round(statistics.quantiles(queued, n=20)[18], 2),
            "wait_max_s": round(max(queued), 2),
            **runner.timed(),
        }

    def _group(self, adapter: int, prompt: int, reply: int, seed: int) -> Candidates | Beams:
        generator = torch.Generator().manual_seed(seed)
        tokens = torch.randint(20, 40_000, (prompt,), generator=generator).tolist()
        sampling = Sampling(max_tokens=reply, temperature=0.0, ignore_end=True)
        return open_group(Ticket(Call()), tokens, sampling, self._words, reply, f"a{adapter}")

    def _submit(self, groups: list[Candidates | Beams]) -> None:
        for group in groups:
            while self.loop.occupancy()[1] >= WAITING:
                time.sleep(0.005)
            self.loop.submit([group.first])

    def _timing(self, group: Candidates | Beams, reply: int) -> Timing:
        while True:
            item = group.out.get(timeout=600)
            if isinstance(item, Exception):
                raise item
            assert isinstance(item, Chunk)
            if item.usage is not None:
                assert item.usage.completion_tokens == reply
                return item.usage.timing


def measured(engine: Engine, load: Load, traffic: list[list[int]], rounds: int) -> dict[str, float]:
    """Medians over rounds of both kinds in turn; the first of `traffic` warms up."""
    engine.run(traffic[0], load.lengths(len(traffic[0]), 0), 0)
    many, few = [], []
    for number, adapters in enumerate(traffic[1 : rounds + 1], 1):
        resident, lengths = [adapter % SLOTS for adapter in adapters], load.lengths(len(adapters), number)
        engine.run(list(range(SLOTS)), lengths[:SLOTS], 1_000_000 * number)  # they are in their slots
        few.append(engine.run(resident, lengths, 2_000_000 * number))
        many.append(engine.run(adapters, lengths, 3_000_000 * number))
        sys.stdout.write(f"resident {few[-1]}\nregistered {many[-1]}\n")
        sys.stdout.flush()
    ratios = [a["tok_s"] / b["tok_s"] for a, b in zip(many, few, strict=True)]
    figures = {name: statistics.median(run[name] for run in many) for name in many[0]}
    figures |= {
        f"resident_{name}": statistics.median(run[name] for run in few)
        for name in ("tok_s", "batch", "step_ms", "wait_p95_s")
    }
    requests = len(traffic[1])
    figures["slot_hits"] = round(1 - figures["places"] / requests, 3)
    figures["reads_per_request"] = round((figures["reads"] + figures["copies"]) / requests, 3)
    figures["loss"] = round(1 - statistics.median(ratios), 3)
    return figures


def stand(device: str) -> tuple[Decoder, Vocabulary]:
    """The decoder, and the demo base's words: what an 8B's tokens are called is not measured."""
    folder = Path(os.environ.get("ROOTSTOCK_VAR", "var")) / "models" / "smollm2-135m-instruct"
    if device == "cpu":
        convert(demo_gguf(), folder)
        decoder = load_decoder(folder)
    else:
        from tests.bench.gpu_model import random_decoder

        decoder = random_decoder("fp8")
    return decoder, Vocabulary(ChatTokenizer(folder), 2, decoder.config.vocabulary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=tuple(LOADS), default="cpu")
    parser.add_argument("--registered", type=int, default=2000)
    parser.add_argument("--requests", type=int, help="of a round")
    parser.add_argument("--sequences", type=int, help="written at once")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--exponent", type=float, default=1.0)
    options = parser.parse_args()
    load = LOADS[options.device]
    decoder, words = stand(options.device)
    requests = options.requests or load.requests
    traffic = [
        zipf(options.registered, requests, options.exponent, seed) for seed in range(options.rounds + 1)
    ]
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as root:
        folders = adapter_folders(Path(root), decoder.config, options.registered, DISTINCT)
        engine = Engine(decoder, words, load, options.sequences or load.sequences)
        try:
            figures["register_s"] = round(engine.register(folders), 1)
            sys.stdout.write(f"registered {len(folders)} in {figures['register_s']} s\n")
            sys.stdout.flush()
            figures["memory_ms"] = round(engine.fill_memory(), 1)
            figures |= measured(engine, load, traffic, options.rounds)
        finally:
            engine.loop.close()
    report("residency", figures, BARS)


if __name__ == "__main__":
    main()
