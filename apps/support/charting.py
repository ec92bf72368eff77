"""What the support pages show of emotions: the chart over turns, the trend, the filters."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.support.models import Conversation, Turn
from rootstock.console.charts import Chart, Series
from rootstock.console.formats import risk_level

# A change of the upset level smaller than this is noise of the reading.
STEADY = 0.08


@dataclass(slots=True, frozen=True)
class Trend:
    """How upset the customer is (`level` colours the meter) and where that is going, as word, tone and icon."""

    word: str
    tone: str
    symbol: str
    level: str = "low"


def trend(conversation: Conversation) -> Trend:
    """The change of the upset level between the last two customer turns."""
    change, level = conversation.level_change, risk_level(conversation.last_level or 0.0)
    if change is None:
        return Trend("No trend yet", "neutral", "minus", level)
    if abs(change) < STEADY:
        return Trend("Steady", "neutral", "minus", level)
    if change > 0:
        return Trend("Rising", "warn", "trending-up", level)
    return Trend("Falling", "ok", "trending-down", level)


def emotion_chart(turns: Sequence[Turn]) -> Chart | None:
    """Upset level and intensity of each customer turn; None before the first one."""
    said = [turn for turn in turns if turn.emotion_level is not None]
    if not said:
        return None
    return Chart(
        id="emotions",
        title="Emotion over turns",
        labels=[f"{turn.number} · {turn.emotion_label}" for turn in said],
        series=[
            Series("Upset level", [turn.emotion_level for turn in said], "high"),
            Series("Intensity", [turn.emotion_intensity for turn in said], "info"),
        ],
        kind="bar",
        note="Read by AI from each customer turn. It changes the tone of answers, nothing else.",
        small=True,
        label_title="Turn",
    )
