"""Which loggers speak, how loudly and where: Django's LOGGING."""

from typing import Any


def logging_setup(form: str, level: str) -> dict[str, Any]:
    """To standard error, one line a record in the `form` "line" or "json", with the request's id."""
    console = {"class": "logging.StreamHandler", "formatter": "line", "filters": ["request_id"]}
    access = {"()": "rootstock.logs.BatchedHandler", "formatter": "line", "filters": ["request_id"]}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request_id": {"()": "rootstock.middleware.RequestIdFilter"}},
        "formatters": {"line": {"()": "rootstock.logs.LineFormatter", "form": form}},
        "handlers": {"console": console, "access": access},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            "rootstock.access": {"handlers": ["access"], "propagate": False},
            "httpx": {"level": "WARNING"},
            "axes": {"level": "WARNING"},
            "presidio-analyzer": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
            # One line per task, and beat sends one every few seconds.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
        },
    }
