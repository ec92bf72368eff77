"""Prompts and answers are personal data: neither Valkey's memory nor the log nor the database sees a word of them."""

import logging
from collections.abc import Iterator
from io import StringIO

import openai as client_library
import pytest
from django.db import connection

from rootstock.lanes import wire
from rootstock.logs import LineFormatter
from rootstock.middleware import RequestIdFilter
from workers.engine.protocol import EngineError

SECRET = "Ottilie-Wunderlich-4711"
ASKED = [{"role": "user", "content": f"I am {SECRET}."}]


@pytest.fixture
def written() -> Iterator[StringIO]:
    """Everything that is logged, as it would be written."""
    handler = logging.StreamHandler(StringIO())
    handler.setFormatter(LineFormatter("json"))
    handler.addFilter(RequestIdFilter())
    loggers = [logging.getLogger(name) for name in ("", "rootstock.access")]
    for logger in loggers:
        logger.addHandler(handler)
    yield handler.stream
    for logger in loggers:
        logger.removeHandler(handler)


@pytest.fixture
def said(openai, engine, written) -> str:  # the client's application sets logging up anew
    """Everything once, one of it going wrong; returns the log."""
    engine.words = ["Dear ", f"{SECRET}-too"]
    openai.chat.completions.create(model="base", messages=ASKED)
    list(openai.chat.completions.create(model="base", messages=ASKED, stream=True, logprobs=True))
    openai.completions.create(model="base", prompt=SECRET)
    openai.embeddings.create(model="base", input=SECRET)
    engine.failure = EngineError("the device is gone")
    with pytest.raises(client_library.InternalServerError):
        openai.chat.completions.create(model="base", messages=ASKED)
    with pytest.raises(client_library.BadRequestError):
        openai.chat.completions.create(model="base", messages=[{"role": SECRET, "content": SECRET}])
    with pytest.raises(client_library.NotFoundError):
        openai.models.retrieve(SECRET)
    return str(written.getvalue())


def test_the_log_says_nothing(said) -> None:
    assert said.count("v1/chat/completions") >= 4
    assert SECRET not in said


def test_valkey_holds_nothing_that_can_be_read(said) -> None:
    valkey = wire.connect()
    streams = [key for key in valkey.scan_iter("stream:*", count=1000) if valkey.type(key) == b"stream"]
    held = b"".join(b"".join(fields.values()) for key in streams for _, fields in valkey.xrange(key))
    assert b"sealed" in held
    assert SECRET.encode() not in held


def test_the_database_keeps_no_word(said, served) -> None:
    from rootstock.accounts.tenancy import tenant

    with tenant(served.organisation), connection.cursor() as cursor:
        for table in ("audit_decisionrecord", "audit_auditentry", "gateway_usageday", "gateway_usagecall"):
            cursor.execute(
                f"SELECT count(*), count(*) FILTER (WHERE strpos(t::text, %s) > 0) FROM {table} t", [SECRET]
            )
            assert cursor.fetchone()[1] == 0, table
        cursor.execute("SELECT count(*) FROM audit_decisionrecord")
        assert cursor.fetchone()[0] == 5


def test_rates_are_told_as_everywhere(openai) -> None:
    headers = openai.chat.completions.with_raw_response.create(model="base", messages=ASKED).headers
    assert headers["RateLimit-Policy"].startswith('"key";q=')
    assert headers["X-Request-Id"]
    assert headers["Cache-Control"] == "no-store"
