"""Whether a version is better than the shipped model, in words: two people decide, and nothing is refused."""

from collections.abc import Mapping
from typing import Any

from models_zoo.fraud.card import read_card


def warning_of(card: Mapping[str, Any]) -> str:
    """What speaks against a version instead of the shipped model, by the version's card; "" if nothing does."""
    test = card["figures"]["test"]
    if "shipped" not in test:
        return "It was not measured beside the shipped model: nothing says that it is better."
    shipped, ours = test["shipped"], test[card["decides"]]["average_precision"]
    gain = shipped["gain"]
    if gain["low"] <= 0:
        how = "It is worse than" if gain["high"] < 0 else "It is not shown to be better than"
        return (
            f"{how} the shipped model: on its test days it reaches an average precision of {ours:.3f}, the shipped "
            f"one {shipped['average_precision']:.3f} (difference {_signed(gain['gain'])}, 95 % interval "
            f"{_signed(gain['low'])} to {_signed(gain['high'])})."
        )
    if shipped["reference"] != read_card().reference:
        return f"It was measured beside {shipped['reference']}, which is not the shipped model any more."
    return ""


def _signed(value: float) -> str:
    """With its sign, never "-0.000": a card that went through the database has no negative zero."""
    return f"{round(value, 3) + 0.0:+.3f}"
