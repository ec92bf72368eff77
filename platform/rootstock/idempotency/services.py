"""Take a key, store the answer, forget both after a day."""

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from rootstock.accounts.models import Organisation
from rootstock.accounts.rounds import each_organisation
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict, InvalidInput
from rootstock.idempotency.models import IdempotentRequest
from rootstock.privacy.keyring import retired, unwrap, wrap
from rootstock.privacy.wrapping import Wrapper, counted

KEPT = timedelta(hours=24)
MOST_BYTES = 1_000_000  # of an answer that is kept
MOST_REWRAPPED = 20  # answers at once, which may be that large
IN_FLIGHT = timedelta(minutes=2)  # longer than any answer takes


@dataclass(slots=True, frozen=True)
class Asked:
    """A request with a key: who asks, in which organisation, for what."""

    organisation: UUID
    caller: str
    key_hash: str
    request_hash: str


@dataclass(slots=True, frozen=True)
class Answer:
    """What was answered."""

    status: int
    content_type: str
    content: bytes


class InFlight(Conflict):
    """The first request with this key is not answered yet."""

    code = "request_in_flight"


class Unknown(Conflict):
    """The first request with this key ended without an answer: what it did cannot be told from here."""

    code = "outcome_unknown"


class KeyReused(InvalidInput):
    """The key came before, with another request."""

    code = "idempotency_key_reused"


def asked(*, organisation: UUID, caller: str, key: str, parts: list[bytes]) -> Asked:
    """Raises InvalidInput for a key that cannot be one."""
    if not 1 <= len(key) <= 255 or not key.isprintable():
        raise InvalidInput.field("Idempotency-Key", "must have 1 to 255 printable characters")
    lengths = b"".join(b"%d:" % len(part) for part in parts)
    return Asked(
        organisation,
        caller,
        sha256(key.encode()).hexdigest(),
        sha256(lengths + b"".join(parts)).hexdigest(),
    )


def request_lock(wanted: Asked) -> None:
    """Until the transaction ends nobody else works under this key. Raises InFlight when somebody does."""
    number = int.from_bytes(
        sha256(f"{wanted.organisation}{wanted.caller}{wanted.key_hash}".encode()).digest()[:8],
        "big",
        signed=True,
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        if not cursor.fetchone()[0]:
            raise InFlight("the first request with this Idempotency-Key is not answered yet", retry_after=1)


def answer_find(wanted: Asked, *, repeatable: bool = False) -> Answer | None:
    """What was answered under the key; call it inside `tenant()`.

    Raises KeyReused for another request, InFlight or Unknown for one without an answer; one that is `repeatable` is
    not unknown but None.
    """
    row = _rows(wanted).first()
    if row is None or row.created_at < timezone.now() - KEPT:
        return None
    if row.request_hash != wanted.request_hash:
        raise KeyReused("the Idempotency-Key was used before, with another request")
    if row.status is None:
        if row.created_at > timezone.now() - IN_FLIGHT:
            raise InFlight("the first request with this Idempotency-Key is not answered yet", retry_after=2)
        if repeatable:
            return None
        raise Unknown("the first request with this Idempotency-Key ended without an answer; see what it did")
    if not 200 <= row.status < 300:
        raise Unknown(f"the first request with this Idempotency-Key ended with {row.status}; see what it did")
    if row.answer is None:
        if repeatable:
            return None
        raise Unknown("the request was done; its answer was too large to be kept")
    content = unwrap(bytes(row.answer), row.answer_key_id, row.pk.bytes)
    return Answer(row.status, row.content_type, content)


def request_take(wanted: Asked) -> None:
    """Note that the request has begun; call it inside `tenant()`, behind `answer_find`."""
    _rows(wanted).delete()  # one that is too old to count
    IdempotentRequest.objects.create(
        organisation_id=wanted.organisation,
        caller=wanted.caller,
        key_hash=wanted.key_hash,
        request_hash=wanted.request_hash,
    )


def answer_store(wanted: Asked, answer: Answer) -> None:
    """Keep the answer; call it inside `tenant()`."""
    row = _rows(wanted).get()
    row.status, row.content_type = answer.status, answer.content_type
    if len(answer.content) <= MOST_BYTES:
        row.answer, row.answer_key_id = wrap(answer.content, row.pk.bytes)
    row.save(update_fields=["status", "content_type", "answer", "answer_key_id"])


def answer_lose(wanted: Asked, status: int) -> None:
    """The request failed, and what it did stands or may stand. Call it inside `tenant()`."""
    _rows(wanted).update(status=status)


def request_forget(wanted: Asked) -> None:
    """The request was refused: it may come again under its key. Call it inside `tenant()`."""
    _rows(wanted).filter(status=None).delete()


def requests_purge() -> int:
    """Forget what is older than a day; returns how much that was."""
    return each_organisation(_purge)


def _purge(organisation: Organisation) -> int:
    with tenant(organisation):
        return IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]


def _rows(wanted: Asked) -> QuerySet[IdempotentRequest]:
    return IdempotentRequest.objects.filter(
        organisation_id=wanted.organisation, caller=wanted.caller, key_hash=wanted.key_hash
    )


def _answers() -> QuerySet[IdempotentRequest]:
    return IdempotentRequest.objects.filter(answer__isnull=False)


def _answers_rewrap(most: int) -> int:
    """Seal anew what another master key sealed; where that key is not here, the answer stays until it is a day old."""
    waiting = _answers().select_for_update().filter(answer_key_id__in=retired())
    rows = list(waiting.order_by("pk")[: min(most, MOST_REWRAPPED)])
    for row in rows:
        content = unwrap(bytes(row.answer or b""), row.answer_key_id, row.pk.bytes)
        row.answer, row.answer_key_id = wrap(content, row.pk.bytes)
    IdempotentRequest.objects.bulk_update(rows, ["answer", "answer_key_id"])
    return len(rows)


ANSWERS = Wrapper(lambda: counted(_answers(), "answer_key_id"), _answers_rewrap)
