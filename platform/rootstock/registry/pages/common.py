"""What the registry's pages share."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from rootstock.accounts.auth import PageRequest
from rootstock.accounts.views.common import scopes_of
from rootstock.errors import DomainError, NotFound

READ, ASK, DECIDE = "adapters:read", "adapters:write", "adapters:approve"


def rights(request: PageRequest) -> dict[str, bool]:
    """What the viewer may do here, for templates."""
    scopes = scopes_of(request)
    return {
        "may_ask": ASK in scopes, "may_decide": DECIDE in scopes, "may_see_jobs": "jobs:read" in scopes,
        "may_see_audit": "audit:read" in scopes,
    }  # fmt: skip


def acted(request: PageRequest, action: Callable[[], Any], done: str, *back: Any) -> HttpResponse:
    """Run a service and go back to a page, which tells what was done or why it was not."""
    try:
        action()
    except NotFound:
        raise
    except DomainError as error:
        messages.error(request, f"Nothing was changed: {error.detail}.")
    else:
        messages.success(request, done)
    return redirect(*back)
