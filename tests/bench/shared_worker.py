"""The serving side of the bench of shared weights: an engine on CUDA that always writes 16 replies and offers its base.

    python -m tests.bench.shared_worker fp8|int4 BASE RUN

Llama-3-8B's shape with random weights of one seed, an adapter of rank 16 for each reply; BASE has the card and the
tokenizer. Four times a second it prints a JSON line: milliseconds between tokens since the last, what an engine
publishes, and the device's free bytes.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from pathlib import Path

import models_zoo.llm  # noqa: F401  (sets OpenMP's waiting before torch is loaded)

import torch  # isort: skip

from models_zoo.llm.cuda.share import export
from models_zoo.llm.tokenizer import ChatTokenizer
from tests.bench.gpu_model import LLAMA_8B, random_decoder
from tests.bench.gpu_requests import PROMPT, Engine
from tests.bench.training_process import tell
from workers.engine.generation.group import open_group
from workers.engine.generation.request import Ticket, Vocabulary
from workers.engine.metrics import Metrics
from workers.engine.protocol import Call, Chunk, Sampling
from workers.offer import Offer

REPLIES, REPLY = 16, 1024
EVERY_S = 0.25


class Noted(Metrics):
    """Keeps each time between tokens too, until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._noted: list[float] = []

    def token(self, milliseconds: float) -> None:
        """Also noted."""
        super().token(milliseconds)
        self._noted.append(milliseconds)

    def take(self) -> list[float]:
        """Those since the last call."""
        noted, self._noted = self._noted, []
        return [round(value, 2) for value in noted]


def write_always(engine: Engine, words: Vocabulary) -> None:
    """As many replies as there is room for, all begun together, again and again."""
    sampling = Sampling(max_tokens=REPLY, temperature=0.0, ignore_end=True)
    while True:
        groups = [
            open_group(Ticket(Call()), [20 + row] * PROMPT, sampling, words, REPLY, f"a{row}")
            for row in range(REPLIES)
        ]
        engine.loop.submit([group.first for group in groups])
        for group in groups:
            while True:
                item = group.out.get()
                if isinstance(item, Exception):
                    raise item
                if isinstance(item, Chunk) and item.usage is not None:
                    break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("form", choices=("int4", "fp8", "bfloat16"))
    parser.add_argument("base", type=Path)
    parser.add_argument("run", type=Path)
    options = parser.parse_args()
    torch.manual_seed(0)
    before = torch.cuda.memory_allocated()
    decoder = random_decoder(options.form)
    weights = torch.cuda.memory_allocated() - before
    words = Vocabulary(ChatTokenizer(options.base), 2, LLAMA_8B.vocabulary)
    engine = Engine(decoder, REPLIES, REPLIES, words, REPLY)
    metrics = engine.loop.metrics = Noted()
    threading.Thread(target=write_always, args=(engine, words), daemon=True).start()
    offer = Offer(options.run, export(decoder))
    tell(weights_gb=weights / 1e9)
    for _ in iter(lambda: sys.stdout.closed, True):
        time.sleep(EVERY_S)
        running, waiting = engine.loop.occupancy()
        published = {"token_ms": metrics.token_ms(), "running": running, "waiting": waiting}
        tell(gaps=metrics.take(), free=torch.cuda.mem_get_info()[0], **published)
    offer.close()


if __name__ == "__main__":
    main()
