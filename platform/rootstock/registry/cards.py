"""What the registry keeps of an adapter's own card and configuration, for those who read about it."""

from pathlib import Path
from typing import Any

from models_zoo.llm.adapter_files import read_lora_config
from models_zoo.llm.card import ADAPTER_CONFIG_FILE, AdapterCard, BaseCard


def card_kept(folder: Path, card: AdapterCard, base: BaseCard) -> dict[str, Any]:
    """The part of both that a version's page shows. Raises AdapterError for a configuration that is none."""
    lora = read_lora_config(folder / ADAPTER_CONFIG_FILE, base)
    return {
        "task": card.task, "description": card.description, "licence": card.licence, "rank": lora.rank,
        "targets": list(lora.targets), "layers": list(lora.layers), "labels": list(card.labels),
        "metrics": card.metrics, "training": card.training, "data": card.data,
    }  # fmt: skip
