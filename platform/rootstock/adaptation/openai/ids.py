"""Ids as OpenAI spells them: what they are of, and the row's id."""

from uuid import UUID

from rootstock.errors import FieldProblem, NotFound

FILE, JOB, EVENT, CHECKPOINT = "file-", "ftjob-", "ftevent-", "ftckpt-"


def told(kind: str, id: UUID) -> str:
    """The id on the wire."""
    return f"{kind}{id.hex}"


def read(kind: str, text: str, field: str) -> UUID:
    """The row's id. Raises NotFound naming the field: what is no id names nothing."""
    try:
        return UUID(text.removeprefix(kind))
    except ValueError:
        raise missing(field, text) from None


def missing(field: str, text: str) -> NotFound:
    """There is no such thing here."""
    reason = f"your organisation has no {text[:80]!r} here"
    return NotFound(f"{field}: {reason}", errors=[FieldProblem(field, reason)])
