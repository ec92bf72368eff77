"""Forms of pages: a service behind a form, with what it refuses shown where it belongs."""

from collections.abc import Callable
from typing import TypeVar

from django import forms

from rootstock.errors import DomainError

T = TypeVar("T")


def saved(form: forms.Form, save: Callable[[], T]) -> T | None:
    """Run a service when the form is valid, and return what it returns. None: the form tells what is wrong, beside
    the field that the service names."""
    if not form.is_valid():
        return None
    try:
        return save()
    except DomainError as error:
        for found in error.errors:
            if found.field in form.fields:
                form.add_error(found.field, _sentence(found.reason))
            else:
                form.add_error(None, _sentence(f"{found.field}: {found.reason}"))
        if not error.errors:
            form.add_error(None, _sentence(error.detail))
        return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
