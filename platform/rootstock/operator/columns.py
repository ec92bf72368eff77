"""Columns and fields in plain words, each value as the console writes it."""

import json
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.html import format_html
from unfold.decorators import display

from rootstock.console import formats
from rootstock.console.tables.columns import attribute
from rootstock.console.templatetags.console import pill, when

Read = Callable[[Any], Any]
TONES = {
    "queued": "info",
    "running": "info",
    "pending": "info",
    "succeeded": "ok",
    "delivered": "ok",
    "clean": "ok",
    "failed": "error",
    "refused": "error",
    "cancelled": "warn",
}


def column(path: str, label: str, write: Read = str) -> Read:
    """What a list or a page shows of a row: the value at `path` through `write`, nothing as a dash."""

    def read(row: Any) -> Any:
        value = attribute(row, path)
        return formats.NONE if value is None or value == "" else write(value)

    return _named(read, path, label)


def shown_name(path: str) -> str:
    """What the field for a path is called: never as the model's own, whose help would come with the name."""
    return f"shown_{path}"


def _named(read: Read, path: str, label: str, **more: Any) -> Read:
    read.__name__ = shown_name(path)
    sortable = not path.startswith("get_") and path != "reference"
    shown: Read = display(description=label, ordering=path if sortable else None, **more)(read)
    return shown


def moment(path: str, label: str) -> Read:
    """A time."""
    return column(path, label, when)


def number(path: str, label: str) -> Read:
    """A count."""
    return column(path, label, lambda value: f"{value:,}")


def size(path: str, label: str) -> Read:
    """A size in bytes."""
    return column(path, label, filesizeformat)


def code(path: str, label: str) -> Read:
    """An id or a hash."""
    return column(
        path, label, lambda value: format_html('<span class="font-mono break-all">{}</span>', value)
    )


def flag(path: str, label: str) -> Read:
    """Yes or no."""

    def read(row: Any) -> bool:
        return bool(attribute(row, path))

    return _named(read, path, label, boolean=True)


def structure(path: str, label: str) -> Read:
    """JSON."""

    def write(value: Any) -> Any:
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
        return format_html('<pre class="font-mono text-xs whitespace-pre-wrap break-all">{}</pre>', text)

    return column(path, label, write)


def words(path: str, label: str) -> Read:
    """A list of words."""
    return column(path, label, ", ".join)


def state(path: str, label: str) -> Read:
    """A state as its choice is called, in its colour."""

    def write(row: Any) -> Any:
        tone = TONES.get(getattr(row, path), "neutral")
        return pill(tone, str(getattr(row, f"get_{path}_display")()))

    return _named(write, path, label)


def job_kind(path: str, label: str) -> Read:
    """A kind of job, as the console calls it."""
    return column(path, label, lambda kind: getattr(settings.JOB_KINDS.get(kind), "label", kind))
