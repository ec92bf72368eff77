"""What the audit trail keeps of a call. Never what was asked or said."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from rootstock.audit.decisions import DecisionFacts
from rootstock.gateway.served import Served

CALL = "model_call"


def generation_facts(
    call: UUID,
    given: bytes,
    model: str,
    digest: str,
    fingerprint: str,
    latency_ms: float,
    told: Mapping[str, Any],
    text: str,
) -> DecisionFacts:
    """A model wrote: the base, or the adapter of this digest. `given` is the hash of its input, `told` what `done`
    says, `text` of all candidates."""
    return DecisionFacts(
        kind="gateway.generate",
        subject_type=CALL,
        subject_id=call,
        input=given,
        model=settings.BASE_MODEL,
        model_digest=fingerprint,
        adapter=model if digest else "",
        adapter_digest=digest,
        base=fingerprint,
        latency_ms=latency_ms,
        output=told,
        text=text,
    )


def embedding_facts(
    call: UUID, model: Served, texts: Sequence[str], size: int, tokens: int, latency_ms: float
) -> DecisionFacts:
    """A model read texts into vectors of `size` numbers."""
    return DecisionFacts(
        kind="gateway.embed",
        subject_type=CALL,
        subject_id=call,
        input={"texts": list(texts)},
        model=settings.BASE_MODEL,
        model_digest=model.fingerprint,
        adapter=model.adapter,
        adapter_digest=model.digest,
        base=model.fingerprint,
        latency_ms=latency_ms,
        output={"vectors": len(texts), "size": size, "tokens": tokens},
    )
