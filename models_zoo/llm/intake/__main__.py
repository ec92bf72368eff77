"""`python -m models_zoo.llm.intake SPEC`: check one upload within the limits of `models_zoo.limits`.

SPEC is a JSON file: `{"sources": {name: path}, "folder": path, "base": path, "name": str}`, see `checks.verify`. Each
outcome is a JSON line on standard output. A process that breaks a limit dies, and has refused nothing nor passed
anything.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from models_zoo.limits import limited


def main(spec_path: str) -> None:
    """Check the upload that the spec names."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # its buffers for more would not fit
    with limited():
        from models_zoo.llm.card import read_card
        from models_zoo.llm.intake.checks import verify

        spec = json.loads(Path(spec_path).read_text())
        sources = {name: Path(path) for name, path in spec["sources"].items()}
        for outcome in verify(sources, Path(spec["folder"]), read_card(Path(spec["base"])), spec["name"]):
            print(json.dumps(asdict(outcome)), flush=True)  # noqa: T201  (the protocol)


if __name__ == "__main__":
    main(sys.argv[1])
