"""How an emotion that was read from a turn is shown. The labels and their groups are the emotion model's own."""

from models_zoo.emotion.labels import EMOTIONS

GROUP_TONES = {"upset": "negative", "neutral": "neutral", "positive": "positive"}
TONE_FACES = {"positive": "smile", "neutral": "meh", "negative": "frown"}


def tone_of(label: str) -> str:
    """The tone of a label; neutral for one that the model does not know."""
    group, _ = EMOTIONS.get(label.lower(), ("neutral", 0.0))
    return GROUP_TONES[group]
