"""What the log says of a fault: where it happened, and nothing of what people wrote."""

import logging
from copy import deepcopy
from io import StringIO
from logging.config import DictConfigurator

import pytest
from django.conf import settings
from django.db import Error, connection

NAME = "Jane Planted"


def logged(error: Exception) -> str:
    """One error through the formatter that the settings name."""
    config = deepcopy(settings.LOGGING)  # the configurator takes it apart
    formatter = DictConfigurator(config).configure_formatter(config["formatters"]["line"])
    handler = logging.StreamHandler(StringIO())
    handler.setFormatter(formatter)
    record = logging.LogRecord(
        "test", logging.ERROR, "", 0, "it failed", (), (type(error), error, error.__traceback__)
    )
    record.request_id = "-"
    handler.handle(record)
    return handler.stream.getvalue()


def run_and_wrap(statement: str) -> None:
    with connection.cursor() as cursor:
        try:
            cursor.execute(statement, [NAME])
        except Error as error:
            raise RuntimeError(f"wrapped: {error} {NAME}") from error


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("SELECT %s::int", "22P02"),
        ("SELECT %s, '\"\\u0000\"'::jsonb", "22P05"),
    ],
)
@pytest.mark.django_db
def test_a_database_error_is_told_without_its_values(statement: str, state: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        run_and_wrap(statement)
    text = logged(caught.value)
    assert "Planted" not in text
    assert f"(SQLSTATE {state})" in text
    assert "django.db.utils.DataError" in text
    assert "test_logs.py" in text
    assert "RuntimeError" in text


def test_another_error_keeps_its_message() -> None:
    with pytest.raises(ValueError, match="plain") as caught:
        raise ValueError("plain words")
    assert "ValueError: plain words" in logged(caught.value)
