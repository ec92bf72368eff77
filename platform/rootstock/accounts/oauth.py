"""Machine clients: OAuth2 client credentials on allauth's tables, bound to an organisation by `MachineClient`."""

from collections.abc import Callable

from allauth.core import ratelimit
from allauth.core.internal.httpkit import extract_basic_auth
from allauth.idp.oidc.internal.oauthlib.utils import get_validator_context
from allauth.idp.oidc.views import RevokeView, TokenView
from django.contrib.auth.hashers import check_password
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.models import MachineClient
from rootstock.accounts.refusals import refusal_record
from rootstock.accounts.selectors import client_by_id, maker_is_off

_token_view, _revoke_view = TokenView.as_view(), RevokeView.as_view()


@csrf_exempt
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """The token endpoint (RFC 6749, 4.4)."""
    return _limited(request, _token_view)


@csrf_exempt
@require_POST
def revoke(request: HttpRequest) -> HttpResponse:
    """Where a client gives a token back (RFC 7009)."""
    return _limited(request, _revoke_view)


def _limited(request: HttpRequest, view: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    """Attempts are limited; refused ones are told in the trail."""
    if not ratelimit.consume(request, action="oauth_token"):
        answer: HttpResponse = JsonResponse({"error": "temporarily_unavailable"}, status=429)
        answer["Retry-After"] = "60"
        return answer
    client_id, secret = _presented(request)
    machine = client_by_id(client_id) if client_id.isprintable() else None
    if machine is not None and maker_is_off(machine):
        refusal_record(machine, "maker_switched_off")
        return JsonResponse({"error": "invalid_client"}, status=401)
    if machine is not None:
        _admit_previous(machine, secret)
    answer = view(request)
    if machine is not None and (answer.status_code == 401 or machine.revoked_at):
        refusal_record(machine)
    return answer


def _presented(request: HttpRequest) -> tuple[str, str]:
    """The id and the secret, by HTTP Basic or in the body."""
    client_id, secret = extract_basic_auth(request.headers)
    if client_id is None:
        return request.POST.get("client_id", ""), request.POST.get("client_secret", "")
    return client_id, secret or ""


def _admit_previous(machine: MachineClient, secret: str) -> None:
    """While the secret before a rotation still works, allauth is shown the client as it was, in this request alone."""
    if machine.overlaps and check_password(secret, machine.previous_secret):
        machine.client.secret = machine.previous_secret
        get_validator_context().clients[machine.client_id] = machine.client


@require_GET
def metadata(request: HttpRequest) -> JsonResponse:
    """Where and how clients get tokens (RFC 8414)."""
    return JsonResponse(
        {
            "issuer": request.build_absolute_uri("/").rstrip("/"),
            "token_endpoint": request.build_absolute_uri(reverse("oauth-token")),
            "revocation_endpoint": request.build_absolute_uri(reverse("oauth-revoke")),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }
    )
