"""`models_zoo/cards/NAME.json`: what a shipped adapter is, said to whoever decides whether to use it. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models_zoo.llm.card import ADAPTER_CARD_FILE, adapter_reference, read_adapter_card, record_from
from models_zoo.llm.foreign import read_json

CARDS = Path(__file__).resolve().parents[1] / "cards"


@dataclass(slots=True, frozen=True)
class ZooCard:
    """A shipped adapter's card. `figures` and `failures` are those that `evaluate --card` measured on the int4 base.

    made: seconds and device of the training, epochs, rank and seed
    leakage: part -> share of its examples that are in the training data, exactly and nearly
    """

    name: str
    reference: str
    task: str
    purpose: str
    data: tuple[str, ...]
    licence: str
    commands: tuple[str, ...]
    made: dict[str, Any]
    bytes: int
    figures: tuple[dict[str, Any], ...]
    failures: tuple[dict[str, Any], ...]
    limits: tuple[str, ...]
    leakage: dict[str, Any]


def card_write(
    adapter: Path,
    *,
    purpose: str,
    data: tuple[str, ...],
    limits: tuple[str, ...],
    figures: tuple[dict[str, Any], ...],
    failures: tuple[dict[str, Any], ...],
    leakage: Mapping[str, Any],
    folder: Path,
) -> Path:
    """Write the card of the adapter in `adapter`; gives its path. Raises `AdapterError`."""
    card = read_adapter_card(adapter)
    trained = card.training
    made: dict[str, Any] = {
        key: trained[key] for key in ("seconds", "device_name", "epochs", "rank", "seed") if key in trained
    }
    files = [path for path in adapter.iterdir() if path.name != ADAPTER_CARD_FILE]
    told = ZooCard(
        name=card.name,
        reference=adapter_reference(card.name, adapter),
        task=card.task,
        purpose=purpose,
        data=data,
        licence=card.licence,
        commands=tuple(trained.get("commands", commands(card.name))),
        made=made,
        bytes=sum(path.stat().st_size for path in files),
        figures=figures,
        failures=failures,
        limits=limits,
        leakage=dict(leakage),
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{card.name}.json"
    path.write_text(json.dumps(asdict(told), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def commands(name: str) -> list[str]:
    """What makes the adapter again."""
    return [f"python -m models_zoo.zoo make {name}"]


def card_read(name: str, folder: Path = CARDS) -> ZooCard:
    """Raises `ModelError` when there is none or it is malformed."""
    path = folder / f"{name}.json"
    return record_from(ZooCard, read_json(path), where=str(path))


def cards_read(folder: Path = CARDS) -> list[ZooCard]:
    """All of them, by name."""
    return [card_read(path.stem, folder) for path in sorted(folder.glob("*.json"))]
