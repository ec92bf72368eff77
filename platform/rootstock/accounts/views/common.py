"""What the pages of accounts share."""

from django.http import HttpRequest

from rootstock.accounts.auth import PageRequest
from rootstock.accounts.roles import ROLE_SCOPES


def scopes_of(request: PageRequest) -> frozenset[str]:
    """What the signed-in person may do here."""
    return ROLE_SCOPES[request.membership.role]


def absolute(request: HttpRequest, path: str) -> str:
    """The address to hand to somebody."""
    return request.build_absolute_uri(path)
