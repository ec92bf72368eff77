"""One attempt: sign, send, read the beginning of the answer."""

import json
import re
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import httpcore
from django.conf import settings
from standardwebhooks import Webhook

from rootstock.webhooks.guard import Refused, Resolver, system_resolver, target_of
from rootstock.webhooks.network import Deadline, PinnedBackend

_BROKEN = (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)
EXCERPT = 512
MAX_ANSWER = 64 * 1024
_SECRETS = re.compile(
    r"whsec_\S+|rsk_\w+|v1a?,[\w+/=-]{20,}|(?:bearer|basic)\s+\S+"
    r"|(?<=[\w\"'])?(?:authorization|cookie|token|secret|password|passwd|api[-_]?key)[\"']?\s*[:=]\s*[\"']?[^\s\"'&,;]+",
    re.IGNORECASE,
)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffd]+")


@dataclass(slots=True, frozen=True)
class Message:
    """What is told: the same id and bytes on every attempt, for every endpoint."""

    id: str
    body: str


@dataclass(slots=True, frozen=True)
class Answer:
    """How an attempt ended. Without a status nothing answered, and `error` says why."""

    latency_ms: float
    status: int | None = None
    error: str = ""
    excerpt: str = ""
    retry_after_s: float | None = None

    @property
    def succeeded(self) -> bool:
        """Any 2xx."""
        return self.status is not None and 200 <= self.status < 300


def message_of(message_id: str, type: str, at: datetime, data: object) -> Message:
    """The body that Standard Webhooks describes."""
    body = {"type": type, "timestamp": at.astimezone(UTC).isoformat(), "data": data}
    return Message(message_id, json.dumps(body, separators=(",", ":")))


def headers_of(message: Message, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """The signed headers; each secret signs, so that a receiver may hold either during a rotation."""
    signatures = [Webhook(secret).sign(message.id, now, message.body) for secret in secrets]
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
        "content-type": "application/json",
        "user-agent": "Rootstock-Webhooks/1",
    }


def send(
    url: str, message: Message, secrets: Sequence[str], *, resolve: Resolver = system_resolver
) -> Answer:
    """Post the message once. Never raises: what went wrong is in the answer."""
    began = time.monotonic()
    try:
        status, headers, body = _post(url, message, headers_of(message, secrets, datetime.now(UTC)), resolve)
    except (Refused, OSError, *_BROKEN) as error:
        return Answer(_since(began), error=_told(error))
    return Answer(
        _since(began), status, _judged(status), excerpt_of(body), _retry_after(headers.get("retry-after", ""))
    )


def _post(
    url: str, message: Message, headers: dict[str, str], resolve: Resolver
) -> tuple[int, dict[str, str], bytes]:
    target, seconds = target_of(url), float(settings.WEBHOOK_TIMEOUT_S)
    backend = PinnedBackend(target, Deadline(seconds), resolve)
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
    with (
        httpcore.ConnectionPool(ssl_context=tls(), network_backend=backend, retries=0) as pool,
        pool.stream(
            "POST",
            url,
            headers=[*headers.items()],
            content=message.body.encode(),
            extensions={"timeout": timeouts},
        ) as response,
    ):
        body = b""
        for chunk in response.iter_stream():
            body += chunk
            if len(body) > MAX_ANSWER:
                break
        answered = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
        }
        return response.status, answered, body[:MAX_ANSWER]


@cache
def tls() -> ssl.SSLContext:
    """Certificates are checked against the system's authorities (SSL_CERT_FILE names others)."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _since(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 1)


def _judged(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"answered {status}; redirects are not followed"
    return "answered 410: it is gone for good" if status == 410 else f"answered {status}"


def _told(error: Exception) -> str:
    """What went wrong in our words: an exception's own may quote the receiver."""
    if isinstance(error, Refused):
        return f"not sent: {error}"
    if isinstance(error, ssl.SSLError) or "SSL" in str(error):
        return "its TLS certificate or handshake is not valid"
    if isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout):
        return "no connection could be made"
    if isinstance(error, httpcore.TimeoutException):
        return f"no complete answer within {settings.WEBHOOK_TIMEOUT_S} s"
    return "the connection broke before the answer was complete"


def excerpt_of(body: bytes) -> str:
    """The beginning of an answer for the log: printable, and without what looks like a secret."""
    text = _UNPRINTABLE.sub(" ", body[: EXCERPT * 4].decode(errors="replace"))
    return _SECRETS.sub("[removed]", text)[:EXCERPT].strip()


def _retry_after(value: str) -> float | None:
    return min(float(value), 86_400.0) if value.isascii() and value.isdigit() and len(value) < 8 else None
