"""Tracebacks for the log, without the values that a database error quotes."""

import logging
import traceback
from collections.abc import Iterator
from types import TracebackType

import psycopg
from django.db import Error

_Info = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class LineFormatter(logging.Formatter):
    """PostgreSQL repeats a row's or a statement's values in message, DETAIL and CONTEXT: none of them is logged.

    Where a database error is in the chain, every exception in it is told by class and SQLSTATE alone, because
    what wraps such an error may quote it. The frames stay.
    """

    def formatException(self, ei: _Info) -> str:
        """The traceback of `ei`."""
        chain = list(_chain(ei[1]))
        if not any(isinstance(error, Error | psycopg.Error) for error in chain):
            return super().formatException(ei)
        return "\nthen:\n".join(_told(error) for error in reversed(chain))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _told(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    state = getattr(error, "sqlstate", None)
    name = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"Traceback (most recent call last):\n{frames}{name}{f' (SQLSTATE {state})' if state else ''}"
