"""What the model is shown: the desk's system prompt, a hint about tone, and as many turns as fit.

Plain functions over plain data: the worker calls them with the real tokenizer's count, the tests with a simple one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from models_zoo.emotion.labels import group_of

# Templates put a few marker tokens around every message.
MESSAGE_OVERHEAD = 5

_TONE = {
    "upset": "The customer is upset ({label}). Begin by saying that you are sorry, then offer help.",
    "positive": "The customer feels {label}. Be warm.",
    "neutral": "",
}


@dataclass(slots=True, frozen=True)
class Said:
    """One earlier turn, as the model sees it."""

    role: str
    content: str


def tone_hint(label: str) -> str:
    """The sentence that conditions the answer's tone. Emotion changes tone only, never what is decided."""
    return _TONE[group_of(label)].format(label=label) if label else ""


def build_messages(
    system_prompt: str, label: str, turns: Sequence[Said], budget: int, count: Callable[[str], int]
) -> list[dict[str, str]]:
    """Messages within `budget` tokens. The system prompt and the last turn always stay; the oldest turns go first.

    The turns end with the customer's. A kept history never starts with an answer whose question was dropped.
    """
    system = " ".join(part for part in (system_prompt.strip(), tone_hint(label)) if part)
    left = budget - _cost(system, count) - _cost(turns[-1].content, count)
    kept = [turns[-1]]
    for turn in reversed(turns[:-1]):
        left -= _cost(turn.content, count)
        if left < 0:
            break
        kept.insert(0, turn)
    while kept[0].role != "user":
        kept.pop(0)
    return [{"role": "system", "content": system}, *({"role": t.role, "content": t.content} for t in kept)]


def _cost(text: str, count: Callable[[str], int]) -> int:
    return count(text) + MESSAGE_OVERHEAD
