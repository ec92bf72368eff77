"""The shape of a base that a training begins from: its card and the beginning of its file, without weights or torch."""

import json
from dataclasses import dataclass
from typing import IO

from django.core.files.storage import default_storage

from models_zoo.llm.card import BASE_CARD_FILE, BASE_FILE, BaseCard, ModelError, record_from
from models_zoo.llm.tensor_header import MAX_HEADER
from rootstock.registry.base import base_card, base_folder
from rootstock.registry.base_contents import base_key
from rootstock.registry.models import TrainedBase


@dataclass(slots=True, frozen=True)
class BaseShape:
    """tied: its head is its embedding."""

    card: BaseCard
    tied: bool


def served_shape() -> BaseShape | None:
    """Of the base that this installation serves; None before one was converted."""
    card = base_card()
    if card is None:
        return None
    with (base_folder() / BASE_FILE).open("rb") as content:
        return BaseShape(card, _is_tied(content))


def trained_shape(row: TrainedBase) -> BaseShape:
    """Of a base that was trained here, from storage. Raises ModelError when it is not there."""
    try:
        with default_storage.open(base_key(row, BASE_CARD_FILE)) as content:
            card = record_from(BaseCard, json.loads(content.read()), where=row.reference)
        with default_storage.open(base_key(row, BASE_FILE)) as content:
            return BaseShape(card, _is_tied(content))
    except (OSError, ValueError):
        raise ModelError(f"{row.reference}: storage does not hold it") from None


def _is_tied(content: IO[bytes]) -> bool:
    """By the names in the header of a safetensors file."""
    length = int.from_bytes(content.read(8), "little")
    return "lm_head.codes" not in json.loads(content.read(min(length, MAX_HEADER)))
