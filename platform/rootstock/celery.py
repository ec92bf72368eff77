"""The Celery application. Worker processes load it through `workers.app`, which adds the runtime."""

import os
from typing import Any

from celery import Celery
from celery.signals import import_modules, setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rootstock.settings")

app = Celery("rootstock")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_logging(**kwargs: Any) -> None:
    """Celery leaves logging alone when this signal is answered: the settings hold in workers too."""


@import_modules.connect
def trace_requests(**kwargs: Any) -> None:
    """The ids of requests travel with tasks, in workers and in whoever queues them."""
    from rootstock import tracing  # noqa: F401  (it connects itself)
