"""What the pages share: service errors as form errors, and the secret that is shown once."""

from collections.abc import Callable
from typing import TypeVar

from django import forms
from django.http import HttpRequest

from rootstock.accounts.auth import PageRequest
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.errors import DomainError

T = TypeVar("T")


def scopes_of(request: PageRequest) -> frozenset[str]:
    """What the signed-in person may do here."""
    return ROLE_SCOPES[request.membership.role]


def saved(form: forms.Form, save: Callable[[], T]) -> T | None:
    """Run a service for a valid form; what it refuses is shown beside the field that it names."""
    try:
        return save()
    except DomainError as error:
        for found in error.errors:
            form.add_error(found.field if found.field in form.fields else None, _sentence(found.reason))
        if not error.errors:
            form.add_error(None, _sentence(error.detail))
        return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def is_saved(form: forms.Form, save: Callable[[], object]) -> bool:
    """The same where only success matters."""
    return saved(form, save) is not None


def absolute(request: HttpRequest, path: str) -> str:
    """The address to hand to somebody."""
    return request.build_absolute_uri(path)
