"""The REST bodies of the support vertical."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import ConfigDict, Field, StringConstraints

from apps.support.models import Conversation, Desk, Turn

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Emotion(Schema):
    """A customer's turn, read. `level` is how upset, `intensity` how strongly anything is felt, both 0 to 1."""

    label: str
    group: Literal["upset", "neutral", "positive"]
    level: float
    intensity: float
    scores: dict[str, float]
    adapter: str
    model: str


class TurnOut(Schema):
    """One turn. `ai` marks what the model said; `adapter` and `model` name the versions that said it."""

    id: UUID
    number: int
    role: Literal["user", "assistant"]
    ai: bool
    state: Literal["pending", "finished", "cancelled", "failed"]
    text: str
    emotion: Emotion | None
    adapter: str
    model: str
    finish_reason: str
    tokens: int
    first_token_ms: float | None
    tokens_per_second: float | None
    created_at: datetime
    finished_at: datetime | None


class StateOut(Schema):
    """How a conversation or an answer stands, without a word of it: for who may write and not read."""

    id: UUID
    state: Literal["open", "closed", "pending", "finished", "cancelled", "failed"]


class ConversationIn(Schema):
    """A new conversation."""

    model_config = ConfigDict(extra="forbid")
    subject: str = Field("", max_length=160)
    customer: str = Field("", max_length=120, description="The caller's own reference for the customer")


class ConversationOut(Schema):
    """A conversation as the list shows it."""

    id: UUID
    subject: str
    customer: str
    state: Literal["open", "closed"]
    turn_count: int
    last_emotion: str
    last_group: str
    last_level: float | None
    level_change: float | None
    created_at: datetime
    last_activity_at: datetime


class ConversationDetail(ConversationOut):
    """A conversation with its turns."""

    turns: list[TurnOut]


class MessageIn(Schema):
    """What the customer says. `adapter` is `name@digest` or an alias; without it the desk's own adapter answers."""

    model_config = ConfigDict(extra="forbid")
    text: str
    adapter: str = Field("", max_length=160)
    stream: bool = True


class MessageOut(Schema):
    """The stored message with its emotion, and where its answer is: as a stream, or here when not streamed."""

    message_id: UUID
    answer_id: UUID
    emotion: Emotion | None
    adapter: str
    stream_url: str
    answer: TurnOut | None = None


class DeskOut(Schema):
    """The desk's settings."""

    name: str
    greeting: str
    system_prompt: str
    adapter: str
    context_tokens: int
    answer_tokens: int


class DeskIn(Schema):
    """A change of the desk's settings; what is left out stays."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[_Text, Field(max_length=80)] | None = None
    greeting: Annotated[_Text, Field(max_length=500)] | None = Field(
        None, description="Said after the fixed sentence that an AI answers, which no setting removes"
    )
    system_prompt: Annotated[_Text, Field(max_length=2_000)] | None = None
    adapter: str | None = Field(None, max_length=160)
    context_tokens: int | None = Field(None, ge=128, le=4_096)
    answer_tokens: int | None = Field(None, ge=8, le=512)


def emotion_out(turn: Turn) -> Emotion | None:
    """The reading stored with a customer's turn; None for an answer."""
    if turn.emotion_scores is None:
        return None
    return Emotion.model_validate(
        {
            "label": turn.emotion_label,
            "group": turn.emotion_group,
            "level": turn.emotion_level,
            "intensity": turn.emotion_intensity,
            "scores": turn.emotion_scores,
            "adapter": turn.adapter,
            "model": turn.model_fingerprint,
        }
    )


def turn_out(turn: Turn) -> TurnOut:
    """A turn for the wire."""
    return TurnOut(
        **{name: getattr(turn, name) for name in _TURN_FIELDS},
        ai=turn.role == Turn.Role.ASSISTANT,
        emotion=emotion_out(turn),
        model=turn.model_fingerprint,
    )


def conversation_out(conversation: Conversation) -> ConversationOut:
    """A conversation for the list."""
    return ConversationOut(**_conversation_fields(conversation))


def conversation_detail(conversation: Conversation, turns: list[Turn]) -> ConversationDetail:
    """A conversation with its turns."""
    return ConversationDetail(**_conversation_fields(conversation), turns=[turn_out(turn) for turn in turns])


def desk_out(desk: Desk) -> DeskOut:
    """The desk's settings for the wire."""
    return DeskOut(**{name: getattr(desk, name) for name in DeskOut.model_fields})


def _conversation_fields(conversation: Conversation) -> dict[str, Any]:
    shared = [name for name in ConversationOut.model_fields if name != "last_emotion"]
    return {name: getattr(conversation, name) for name in shared} | {"last_emotion": conversation.last_label}


_TURN_FIELDS = [name for name in TurnOut.model_fields if name not in ("ai", "emotion", "model")]
