"""Between what the gateway's lanes carry, which is JSON, and what the engine takes and gives."""

import logging
from typing import Any
from uuid import UUID

from models_zoo.llm.card import AdapterError
from rootstock.errors import ContextExceeded, FieldProblem, InvalidInput
from rootstock.lanes.streams import release_connection
from workers.engine.protocol import Chunk, Constraint, PromptTooLong, Sampling, TokenLogprob
from workers.runtime import Runtime

_UNUSABLE = "the schemas of parameters (and the response format beside them) cannot be followed"
log = logging.getLogger(__name__)


def adapter_of(runtime: Runtime, owner: UUID, digest: str, field: str = "model") -> str | None:
    """The organisation's adapter, loaded; None for the base. Raises a DomainError naming `field`: never another."""
    if not digest:
        return None
    try:
        return runtime.adapter(owner, digest)
    except AdapterError as error:
        log.error("adapter %s was refused: %s", digest, error)
        raise InvalidInput.field(
            field, f"the adapter {digest[:12]}… does not fit the base that is served"
        ) from error
    finally:
        release_connection()


def sampling_of(given: dict[str, Any]) -> Sampling:
    """The engine's own form of what came as JSON."""
    constraint = given.get("constraint")
    return Sampling(
        **given
        | {
            "stop": tuple(given.get("stop") or ()),
            "logit_bias": {int(token): bias for token, bias in (given.get("logit_bias") or {}).items()},
            "constraint": Constraint(**constraint) if constraint else None,
        }
    )


def refusal(error: Exception, fields: dict[str, str]) -> InvalidInput:
    """What the engine refused to begin: the message names a field of the sampling, or it is about the prompt.

    `fields` says what the caller calls `prompt` and `constraint`.
    """
    said = str(error)
    named, _, rest = said.partition(" ")
    name = named.rstrip(":").partition(".")[0]
    if name == "constraint":
        field = fields["constraint"]
        return InvalidInput.field(field, _UNUSABLE if field == "tools" else rest)
    if name in Sampling.__dataclass_fields__:
        return InvalidInput(said, errors=[FieldProblem(name, rest)])
    kind = ContextExceeded if isinstance(error, PromptTooLong) else InvalidInput
    return kind.field(fields["prompt"], said)


def token_data(chunk: Chunk) -> dict[str, Any]:
    """What a `token` event says: the piece, of which candidate, and how likely each of its tokens was."""
    data: dict[str, Any] = {"text": chunk.text, "index": chunk.index}
    if chunk.logprobs:
        data["logprobs"] = [
            _logprob(each) | {"top_logprobs": [_logprob(one) for one in each.top]} for each in chunk.logprobs
        ]
    return data


def _logprob(found: TokenLogprob) -> dict[str, Any]:
    text = found.bytes.decode(errors="replace")
    return {"token": text, "logprob": round(found.logprob, 5), "bytes": list(found.bytes)}
