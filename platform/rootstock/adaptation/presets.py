"""Settings that go together, to begin from: a literal table."""

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, frozen=True)
class Preset:
    """A named choice of settings; what it does not name is the default."""

    label: str
    told: str
    settings: dict[str, Any]


PRESETS: dict[str, Preset] = {
    "balanced": Preset("Balanced", "The defaults: a few dozen to a few hundred short examples.", {}),
    "quick": Preset(
        "Quick look",
        "One pass over the last layers alone: whether the data teach anything at all.",
        {"epochs": 1.0, "last_layers": 2, "rank": 4, "alpha": 8.0},
    ),
    "thorough": Preset(
        "Thorough",
        "A larger adapter, a smaller learning rate, more passes: a thousand examples or more.",
        {"epochs": 4.0, "rank": 16, "alpha": 32.0, "learning_rate": 4e-4, "batch_size": 16},
    ),
    "pairs": Preset(
        "From pairs (DPO)",
        "A better and a worse answer to each question: a small learning rate, batches of four pairs.",
        {"method": "dpo", "learning_rate": 2e-4, "epochs": 2.0, "batch_size": 4, "rank": 16, "alpha": 32.0},
    ),
    "labels": Preset(
        "Labels in two stages",
        "The head of a classification or tagging first, then all.",
        {"method": "two_stage", "learning_rate": 4e-4, "batch_size": 16, "rank": 16, "alpha": 32.0},
    ),
    "small": Preset(
        "Little memory",
        "Batches of one, layers computed again on the way back.",
        {"batch_size": 1, "accumulation": 8, "recompute": True},
    ),
}
BASE_PRESETS: dict[str, Preset] = {
    "full": Preset("Every weight", "Full fine-tuning: all of the base learns the answers.", {}),
    "student": Preset(
        "A smaller student",
        "Half of the layers, distilled from the base in three stages: quicker to serve, a little worse.",
        {"recipe": "distil", "learning_rate": 1e-4, "epochs": 4.0},
    ),
    "small": Preset(
        "Little memory",
        "Batches of one, layers computed again on the way back. The weights themselves take what they take.",
        {"batch_size": 1, "accumulation": 8, "recompute": True},
    ),
}
