"""What a card that strangers bring may say beyond what every adapter's must: a reader has to understand it as we do."""

from __future__ import annotations

from pathlib import Path

from models_zoo.llm.adapter_files import require
from models_zoo.llm.card import AdapterCard

LEAST_TOKENS = 16  # of a head's window: in shorter ones a text would be read nearly word by word
LONGEST_LABEL = 80  # characters


def check_card(path: Path, card: AdapterCard) -> None:
    """Raise `AdapterError` naming the field of the card in `path`, and what was expected.

    Labels name the answers: each is readable, and another one. What the task does not use says something that would
    not happen. Windows that overlap by more than three quarters would have a text read many times over.
    """
    for at, label in enumerate(card.labels):
        plain = label.isprintable() and label == label.strip() and 0 < len(label) <= LONGEST_LABEL
        require(path, f"labels[{at}]", label, plain, f"1 to {LONGEST_LABEL} printable characters")
        require(path, f"labels[{at}]", label, label not in card.labels[:at], "another name than the others")
    chat = card.task == "chat"
    require(path, "bidirectional", card.bidirectional, not (chat and card.bidirectional), "false for chat")
    several = card.multi_label and card.task != "classification"
    require(path, "multi_label", card.multi_label, not several, "false but for classification")
    for label, threshold in card.thresholds.items():
        require(path, "thresholds", label, label in card.labels, "names among the labels")
        require(path, f"thresholds.{label}", threshold, 0.0 <= threshold <= 1.0, "0 to 1")
    if not chat:
        _check_windows(path, card)


def _check_windows(path: Path, card: AdapterCard) -> None:
    most = card.max_tokens * 3 // 4
    require(path, "max_tokens", card.max_tokens, card.max_tokens >= LEAST_TOKENS, f"at least {LEAST_TOKENS}")
    require(path, "overlap_tokens", card.overlap_tokens, card.overlap_tokens <= most, f"at most {most}")
