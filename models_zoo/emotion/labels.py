"""The 28 labels of GoEmotions, and what the product makes of them.

Groups: the sentiment mapping of Demszky et al. 2020 ("GoEmotions: A Dataset of Fine-Grained Emotions", figure 2):
its *negative* labels are `upset`, its *positive* labels `positive`, and its *ambiguous* labels join `neutral`,
because surprise or confusion alone is no reason to treat a customer differently.
Arousal: three levels after the quadrants of Russell 1980 ("A circumplex model of affect"), assigned by hand.
This module is plain Python, so that the web process may import it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Group = Literal["upset", "neutral", "positive"]

_LOW, _MID, _HIGH = 0.25, 0.5, 1.0

# label -> (group, arousal), in the order of the data set's label file: the index is the class id.
EMOTIONS: Mapping[str, tuple[Group, float]] = {
    "admiration": ("positive", _MID),
    "amusement": ("positive", _MID),
    "anger": ("upset", _HIGH),
    "annoyance": ("upset", _MID),
    "approval": ("positive", _LOW),
    "caring": ("positive", _LOW),
    "confusion": ("neutral", _MID),
    "curiosity": ("neutral", _MID),
    "desire": ("positive", _MID),
    "disappointment": ("upset", _MID),
    "disapproval": ("upset", _MID),
    "disgust": ("upset", _HIGH),
    "embarrassment": ("upset", _MID),
    "excitement": ("positive", _HIGH),
    "fear": ("upset", _HIGH),
    "gratitude": ("positive", _MID),
    "grief": ("upset", _MID),
    "joy": ("positive", _HIGH),
    "love": ("positive", _HIGH),
    "nervousness": ("upset", _HIGH),
    "optimism": ("positive", _MID),
    "pride": ("positive", _MID),
    "realization": ("neutral", _LOW),
    "relief": ("positive", _LOW),
    "remorse": ("upset", _MID),
    "sadness": ("upset", _LOW),
    "surprise": ("neutral", _HIGH),
    "neutral": ("neutral", _LOW),
}
LABELS: tuple[str, ...] = tuple(EMOTIONS)
DEFAULT_THRESHOLD = 0.3


@dataclass(slots=True, frozen=True)
class Reading:
    """One utterance, read. All numbers are in 0..1 except `valence` (-1..1)."""

    label: str
    labels: tuple[str, ...]
    group: Group
    valence: float
    level: float
    """How upset the writer is: the share of probability on upset labels."""
    intensity: float
    """How strongly anything is felt: arousal of the non-neutral labels, weighted by probability."""
    scores: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "labels": list(self.labels), "scores": dict(self.scores)}


def group_of(label: str) -> Group:
    """Product group of a GoEmotions label. KeyError for a label that is none."""
    return EMOTIONS[label][0]


def read(scores: Mapping[str, float], thresholds: Mapping[str, float] | None = None) -> Reading:
    """Turn per-label probabilities into the reading that the product shows.

    scores: label -> probability in 0..1, all 28 labels. thresholds: label -> decision threshold (see thresholds.py).
    The top label is the one that clears its own threshold by the largest factor: rare labels have low thresholds,
    so comparing raw probabilities would answer `neutral` nearly always. ValueError when a label is missing.
    """
    if missing := [label for label in LABELS if label not in scores]:
        raise ValueError(f"scores lack the labels {', '.join(missing)}")
    limits = {label: (thresholds or {}).get(label, DEFAULT_THRESHOLD) for label in LABELS}
    ordered = sorted(LABELS, key=lambda label: scores[label] / limits[label], reverse=True)
    cleared = tuple(label for label in ordered if scores[label] >= limits[label])
    top = ordered[0]
    return Reading(
        label=top,
        labels=cleared or (top,),
        group=group_of(top),
        valence=round(_share(scores, "positive") - _share(scores, "upset"), 4),
        level=round(_share(scores, "upset"), 4),
        intensity=round(_weighted_arousal(scores), 4),
        scores={label: round(float(scores[label]), 4) for label in LABELS},
    )


def upset_labels() -> Sequence[str]:
    """The labels counted into `Reading.level`."""
    return [label for label, (group, _) in EMOTIONS.items() if group == "upset"]


def _share(scores: Mapping[str, float], group: Group) -> float:
    total = sum(scores[label] for label in LABELS) or 1.0
    return sum(scores[label] for label in LABELS if group_of(label) == group) / total


def _weighted_arousal(scores: Mapping[str, float]) -> float:
    total = sum(scores[label] for label in LABELS) or 1.0
    return sum(scores[label] * EMOTIONS[label][1] for label in LABELS if label != "neutral") / total
