"""A worker as far as trainers see it: `python -m tests.workers.offering FOLDER [BASE]` offers until it is killed.

With BASE, a folder, what it offers is that base resident on CUDA in int4; without, a description of nothing.
"""

import sys
import time
from pathlib import Path

from workers.offer import Offer


def main() -> None:
    folder, *base = map(Path, sys.argv[1:])
    description = {"format": "nothing"}
    if base:
        from models_zoo.llm.cuda.share import export
        from models_zoo.llm.decoder import load_decoder

        decoder = load_decoder(base[0], "cuda", "int4")
        description = export(decoder)
    offer = Offer(folder, description)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    time.sleep(600)
    offer.close()


if __name__ == "__main__":
    main()
