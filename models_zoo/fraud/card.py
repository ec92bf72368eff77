"""The card of a bundle of weights: plain JSON, read without torch or LightGBM.

A bundle is a folder with a `card.json` and a folder for each of its experts. The card's digest is that of all other
files, so a decision that names it names every weight that it was made with.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

WEIGHTS = Path(__file__).parent / "weights"
CARD = "card.json"


@dataclass(slots=True, frozen=True)
class Card:
    """What serving needs of `card.json`.

    decides: the expert whose calibrated probability is the score; thresholds are on that probability.
    label_delay: seconds after which a payment that nobody called fraud counts as genuine.
    largest: euros of the largest payment that was learned from: a larger one is at least reviewed.
    """

    digest: str
    experts: tuple[str, ...]
    decides: str
    review: float
    decline: float
    label_delay: float
    largest: float = math.inf

    @property
    def reference(self) -> str:
        """`fraud@` and twelve hexadecimal digits of the digest."""
        return f"fraud@{self.digest[:12]}"

    def outcome(self, score: float) -> str:
        """`decline`, `review` or `approve` for a calibrated probability."""
        return "decline" if score >= self.decline else "review" if score >= self.review else "approve"


def read_card(folder: Path = WEIGHTS) -> Card:
    """The card of a bundle. Raises OSError if there is none, KeyError if it is incomplete."""
    found = facts_of(folder)
    return Card(
        digest=found["digest"],
        experts=tuple(found["experts"]),
        decides=found["decides"],
        review=found["thresholds"]["review"],
        decline=found["thresholds"]["decline"],
        label_delay=found["label_delay_days"] * 86400.0,
        largest=found.get("largest_amount", math.inf),
    )


def facts_of(folder: Path) -> dict[str, Any]:
    """All that the card of a bundle says. Raises OSError if there is none."""
    found: dict[str, Any] = json.loads((folder / CARD).read_text())
    return found


def digest_of(folder: Path) -> str:
    """SHA-256 of the names and contents of all files of a bundle but its own card."""
    whole = sha256()
    for path in files_of(folder):
        content = sha256(path.read_bytes()).hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return whole.hexdigest()


def files_of(folder: Path) -> list[Path]:
    """All files of a bundle but its own card, by name."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / CARD)


def write_card(folder: Path, card: Mapping[str, Any]) -> dict[str, Any]:
    """Write the card of a bundle whose experts are in their places, completed by digest and size; returns it."""
    size = sum(path.stat().st_size for path in files_of(folder))
    made = {"name": "fraud", "digest": digest_of(folder), "bytes": size}
    whole = made | {key: value for key, value in card.items() if key not in made}
    (folder / CARD).write_text(json.dumps(whole, indent=2) + "\n")
    return whole
