"""What the audit trail keeps of readings of emotion and of answers. Never what was said."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings

from apps.support.models import Turn
from rootstock.audit.decisions import DecisionFacts
from rootstock.privacy.models import SubjectKey

if TYPE_CHECKING:
    from apps.support.services import Outcome

TURN, CONVERSATION = "turn", "conversation"


def person_of_turn(turn_id: str) -> SubjectKey | None:
    """The customer of the conversation."""
    turn = Turn.objects.select_related("person").filter(pk=turn_id).first()
    return turn.person if turn else None


def emotion_facts(turn_id: UUID, text: str, reading: Mapping[str, Any], latency_ms: float) -> DecisionFacts:
    """A customer's turn was read as an emotion."""
    return DecisionFacts(
        kind="support.emotion",
        subject_type=TURN,
        subject_id=turn_id,
        input={"text": text},
        model=settings.BASE_MODEL,
        model_digest=reading["fingerprint"],
        adapter=reading["adapter"],
        adapter_digest=reading["adapter_digest"],
        base=reading["fingerprint"],
        latency_ms=latency_ms,
        output={name: reading[name] for name in ("label", "group", "level", "intensity", "scores")},
    )


def reply_facts(answer_id: UUID, outcome: "Outcome") -> DecisionFacts:
    """An answer was written, whole or up to where it was stopped."""
    return DecisionFacts(
        kind="support.reply",
        subject_type=TURN,
        subject_id=answer_id,
        input=outcome.input_hash,
        model=settings.BASE_MODEL,
        model_digest=outcome.fingerprint,
        adapter=outcome.adapter,
        adapter_digest=outcome.adapter_digest,
        base=outcome.fingerprint,
        latency_ms=outcome.latency_ms,
        output={
            "state": outcome.state,
            "finish_reason": outcome.finish_reason,
            "tokens": outcome.tokens,
            "first_token_ms": outcome.first_token_ms,
        },
        text=outcome.text,
    )
