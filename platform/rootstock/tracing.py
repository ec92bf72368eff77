"""The request's id travels with the tasks that it queues, so that one id finds every line of log."""

import logging
import time
from contextvars import Token
from typing import Any

from celery.signals import before_task_publish, task_postrun, task_prerun

from rootstock.middleware import request_id

log = logging.getLogger(__name__)
HEADER = "rootstock_request_id"
NOBODY = "-"
_running: dict[str, tuple[Token[str], float]] = {}


@before_task_publish.connect
def give_along(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
    """Of the process that queues."""
    if headers is not None and request_id.get() != NOBODY:
        headers[HEADER] = request_id.get()


@task_prerun.connect
def take_up(task_id: str, task: Any, **kwargs: Any) -> None:
    """Of the worker: its log lines carry the id while the task runs."""
    given = getattr(task.request, HEADER, None) or NOBODY
    _running[task_id] = request_id.set(given), time.monotonic()
    if given != NOBODY:
        log.info("begun", extra={"task": task.name})


@task_postrun.connect
def put_down(task_id: str, task: Any, state: str | None = None, **kwargs: Any) -> None:
    """The task has ended."""
    token, began = _running.pop(task_id, (None, 0.0))
    if token is None:
        return
    if request_id.get() != NOBODY:
        log.info("%s", state, extra={"task": task.name, "ms": round((time.monotonic() - began) * 1000, 1)})
    request_id.reset(token)
