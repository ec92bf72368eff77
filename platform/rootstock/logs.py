"""The log: one line a record, readable or as JSON, with the request's id and never a value that a person gave.

What quotes values is told by its class: errors of the database (PostgreSQL repeats a row's or a statement's values
in message, DETAIL and CONTEXT) and of validation (pydantic repeats the input), in tracebacks and in messages alike.
An address is told by the template of its route.
"""

import atexit
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from types import TracebackType
from typing import Any

import psycopg
import pydantic
import structlog
from django.db import Error
from django.http import HttpRequest
from ninja.errors import ValidationError

_Info = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_Event = MutableMapping[str, Any]
_QUOTING = (Error, psycopg.Error, pydantic.ValidationError, ValidationError)
_FACTS = ("method", "route", "status", "ms", "organisation", "actor", "lane", "task")


class LineFormatter(logging.Formatter):
    """Every logger's records through structlog's processors; `form` is `line` or `json`.

    Not structlog's ProcessorFormatter: it copies a record twice, which every request would pay for.
    """

    def __init__(self, form: str = "line") -> None:
        super().__init__()
        self._processors: list[Callable[[Any, str, _Event], Any]] = (
            [_stamped, structlog.processors.JSONRenderer(default=str)] if form == "json" else [_line]
        )

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        event: Any = {name: record.__dict__[name] for name in _FACTS if name in record.__dict__}
        event |= {"event": _message(record), "_record": record}
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        for process in self._processors:
            event = process(None, record.levelname.lower(), event)
        return str(event)

    def formatException(self, ei: _Info) -> str:
        """The traceback of `ei`. Where something in its chain quotes values, classes and frames alone are told."""
        chain = list(_chain(ei[1]))
        if not any(isinstance(error, _QUOTING) for error in chain):
            return logging.Formatter.formatException(self, ei)
        return "\nthen:\n".join(_told(error) for error in reversed(chain))


class BatchedHandler(logging.StreamHandler[Any]):
    """Writes what came within a tenth of a second at once: for the line of every request, of which there are many.

    A system call for each line would make the threads that answer requests wait for one another.
    """

    EVERY_S = 0.1

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self._lines: list[str] = []
        self._waiting = threading.Event()
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line for the next write."""
        self._lines.append(self.format(record))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
            self._thread.start()
            atexit.register(self.flush)
        self._waiting.set()

    def flush(self) -> None:
        """Write what is kept."""
        self.acquire()  # as `handle` does around `emit`: a line that is being kept must not miss both lists
        lines, self._lines = self._lines, []
        self.release()
        if lines:
            self.stream.write("\n".join(lines) + "\n")
            self.stream.flush()

    def _run(self) -> None:
        while True:
            self._waiting.wait()
            time.sleep(self.EVERY_S)
            self._waiting.clear()
            self.flush()


def route_of(request: HttpRequest) -> str:
    """The template of the route that matched, such as `/api/v1/jobs/<uuid:job_id>`."""
    match = getattr(request, "resolver_match", None)
    return f"/{match.route}" if match else "(no route)"


def _message(record: logging.LogRecord) -> str:
    if not record.args:
        return record.getMessage()
    request = getattr(record, "request", None)
    if isinstance(record.args, dict):
        return str(record.msg) % {name: _argument(value, request) for name, value in record.args.items()}
    return str(record.msg) % tuple(_argument(value, request) for value in record.args)


def _argument(value: object, request: Any) -> object:
    if isinstance(value, BaseException):
        return _name(value) if any(isinstance(e, _QUOTING) for e in _chain(value)) else value
    if isinstance(request, HttpRequest) and value in (request.path, request.get_full_path()):
        return route_of(request)
    return value


def _line(logger: Any, name: str, event: _Event) -> str:
    record = event["_record"]
    facts = "".join(
        f" {key}={event[key]}" for key in _FACTS[3:] if event.get(key) is not None
    )  # the message of the access line has the others
    trace = f"\n{event['exception']}" if "exception" in event else ""
    request_id = getattr(record, "request_id", "-")
    return f"{record.levelname} {record.name} [{request_id}] {event['event']}{facts}{trace}"


def _stamped(logger: Any, name: str, event: _Event) -> _Event:
    record = event.pop("_record")
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    about = {"at": f"{seconds}.{int(record.msecs):03d}Z", "level": name, "logger": record.name}
    return {**about, "request_id": getattr(record, "request_id", "-"), **event}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _name(error: BaseException) -> str:
    state = getattr(error, "sqlstate", None)
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"{name}{f' (SQLSTATE {state})' if state else ''}"


def _told(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{_name(error)}"
