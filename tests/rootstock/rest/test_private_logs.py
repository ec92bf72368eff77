"""What people are called never reaches the log, whatever goes wrong on the way."""

import json
import logging
from io import StringIO

import pytest

from rootstock.logs import LineFormatter
from rootstock.middleware import RequestIdFilter

PLANTED = "Wilhelmina Planted"
IBAN = "DE89PLANTED0440532013000"
PAYMENT = {
    "external_id": f"{PLANTED}-1", "payer": IBAN, "payee": PLANTED, "amount": "12.50", "currency": "EUR",
    "channel": "card", "occurred_at": "2026-03-02T08:00:00Z",
}  # fmt: skip
PATIENT = {
    "resourceType": "Bundle",
    "type": "collection",
    "entry": [{"resource": {"resourceType": "Patient", "gender": PLANTED, "name": [{"family": PLANTED}]}}],
}
REQUESTS = [
    ("POST", "/fraud/transactions", PAYMENT),
    ("POST", "/fraud/transactions", {**PAYMENT, "amount": PLANTED}),
    ("POST", "/fraud/transactions", [PAYMENT, PAYMENT]),
    ("POST", "/fraud/transactions", f'{{"payer": "{PLANTED}"'),
    ("GET", f"/fraud/transactions?account={IBAN}", None),
    ("GET", f"/fraud/transactions?{PLANTED}=1", None),
    ("POST", "/ehr/bundles", PATIENT),
    ("GET", f"/ehr/patients?identifier={PLANTED}", None),
    ("GET", f"/ehr/patients/{PLANTED}", None),
    ("POST", "/support/conversations", {"subject": PLANTED, "customer": PLANTED}),
    ("POST", "/support/conversations", {"subject": {"deep": PLANTED}}),
    ("PATCH", "/support/desk", {"adapter": PLANTED}),
    ("GET", f"/support/conversations?search={PLANTED}", None),
    ("GET", f"/{PLANTED}", None),
]


@pytest.fixture
def written():
    """Everything that is logged, as it would be written."""
    streams = []
    for form in ("line", "json"):
        handler = logging.StreamHandler(StringIO())
        handler.setFormatter(LineFormatter(form))
        handler.addFilter(RequestIdFilter())
        handler.setLevel(logging.DEBUG)
        streams.append(handler)
    named = [logging.getLogger(name) for name in ("", "rootstock.access", "django", "django.server")]
    for logger in named:
        for handler in streams:
            logger.addHandler(handler)
    yield lambda: "".join(handler.stream.getvalue() for handler in streams)
    for logger in named:
        for handler in streams:
            logger.removeHandler(handler)


def ask(world, method: str, path: str, body) -> int:
    client = world.api(
        "fraud:read", "fraud:write", "ehr:read", "ehr:write", "support:read", "support:write"
    )._client
    raw = body if isinstance(body, str) else json.dumps(body) if body is not None else ""
    return client.generic(method, f"/api/v1{path}", raw, content_type="application/json").status_code


def test_requests_and_refusals(world, written) -> None:
    for method, path, body in REQUESTS:
        ask(world, method, path, body)
    text = written()
    assert text.count("rootstock.access") >= 2 * len(REQUESTS)
    assert "PLANTED" not in text.upper()


@pytest.mark.parametrize(
    "place", ["apps.fraud.services.payments_store", "apps.support.services.conversation_start"]
)
def test_faults_beneath(world, written, monkeypatch, place) -> None:
    from django.db import connection

    def broken(*args, **kwargs):
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s::int", [PLANTED])

    monkeypatch.setattr(place, broken)
    for method, path, body in REQUESTS:
        if method == "POST":
            ask(world, method, path, body)
    assert "PLANTED" not in written().upper()


def test_errors_given_as_arguments(written) -> None:
    import pydantic

    name = PLANTED  # a traceback shows the line of code

    class One(pydantic.BaseModel):
        number: int

    with pytest.raises(pydantic.ValidationError) as caught:
        One(number=name)
    logging.getLogger("rootstock.test").warning("refused: %s", caught.value)
    logging.getLogger("rootstock.test").error("refused", exc_info=caught.value)
    text = written()
    assert "ValidationError" in text
    assert "PLANTED" not in text.upper()


def test_json_lines_say_what_programs_ask(world, written) -> None:
    ask(world, "GET", "/support/conversations", None)
    line = next(
        json.loads(each) for each in written().splitlines() if each.startswith("{") and "access" in each
    )
    assert line["route"] == "/api/v1/support/conversations"
    assert (line["status"], line["method"], line["level"]) == (200, "GET", "info")
    assert line["organisation"] == str(world.organisation.pk)
    assert line["actor"].startswith("key:")
    assert line["request_id"] != "-"
    assert line["ms"] >= 0


def test_a_task_carries_its_request(written) -> None:
    from rootstock import tracing
    from rootstock.middleware import request_id

    token, headers = request_id.set("trace-1234567"), {}
    tracing.give_along(headers=headers)
    request_id.reset(token)

    class Task:
        name = "test.task"
        request = type("Request", (), headers)

    tracing.take_up(task_id="t-1", task=Task)
    assert request_id.get() == "trace-1234567"
    logging.getLogger("rootstock.test").info("inside")
    tracing.put_down(task_id="t-1", task=Task, state="SUCCESS")
    assert request_id.get() == "-"
    assert "[trace-1234567] inside" in written()
    assert "[trace-1234567] SUCCESS ms=" in written()
