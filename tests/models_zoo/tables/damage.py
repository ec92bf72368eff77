"""`python -m tests.models_zoo.tables.damage FIRST LAST`: reads files damaged by seeds, within the process's limits."""

import io
import os
import random
import sys
from contextlib import suppress
from pathlib import Path

from models_zoo.tables.__main__ import limit
from models_zoo.tables.common import Refused

FILES = [
    (Path(__file__).parent / f"{name}.parquet").read_bytes()
    for name in ("snappy_v1", "gzip_v2", "dates_zstd")
]


def damaged(seed: int) -> bytes:
    """A file with some bytes changed, most of them in the headers at its end, and sometimes cut off."""
    chance = random.Random(seed)
    content = bytearray(chance.choice(FILES))
    for _ in range(chance.randint(1, 4)):
        first = max(0, len(content) - 900) if chance.random() < 0.7 else 0
        content[chance.randrange(first, len(content))] = chance.randrange(256)
    return bytes(content[: chance.randrange(len(content))] if chance.random() < 0.1 else content)


def main(first: int, last: int) -> None:
    limit()
    os.environ |= {"ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1"}
    from models_zoo.tables.parquet import read_parquet

    for seed in range(first, last):
        with suppress(Refused, MemoryError):
            list(read_parquet(io.BytesIO(damaged(seed)), None).rows)
        print(seed, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
