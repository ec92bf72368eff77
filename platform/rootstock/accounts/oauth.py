"""Machine clients: OAuth2 client credentials on allauth's tables, bound to an organisation by `MachineClient`."""

from datetime import timedelta

from allauth.core import ratelimit
from allauth.idp.oidc.models import Token
from allauth.idp.oidc.views import TokenView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.auth import Principal
from rootstock.accounts.models import MachineClient
from rootstock.accounts.tenancy import set_local, tenant

CLIENT_SETTING = "rootstock.machine_client"
_LAST_USED_STEP = timedelta(minutes=1)
_token_view = TokenView.as_view()


def principal_of_token(token: str) -> Principal | None:
    """The machine client whose live access token this is; notes its use about once a minute."""
    with transaction.atomic():
        found = (
            Token.objects.valid()
            .by_value(token)
            .filter(type=Token.Type.ACCESS_TOKEN, user=None)
            .only("client_id", "scopes")
            .first()
        )
        if found is None:
            return None
        set_local(CLIENT_SETTING, found.client_id)
        machine = (
            MachineClient.objects.select_related("organisation")
            .filter(client_id=found.client_id, revoked_at=None)
            .first()
        )
        set_local(CLIENT_SETTING, "")
    if machine is None:
        return None
    _note_use(machine)
    return Principal(
        machine.organisation, frozenset(found.get_scopes()) & frozenset(machine.scopes), client=machine
    )


def _note_use(machine: MachineClient) -> None:
    now = timezone.now()
    if machine.last_used_at is None or now - machine.last_used_at > _LAST_USED_STEP:
        with tenant(machine.organisation):
            MachineClient.objects.filter(pk=machine.pk).update(last_used_at=now)


@csrf_exempt
@require_POST
def token(request: HttpRequest) -> HttpResponse:
    """The token endpoint (RFC 6749, 4.4). Checking a secret is slow by design, so attempts are limited."""
    if not ratelimit.consume(request, action="oauth_token"):
        answer = JsonResponse({"error": "temporarily_unavailable"}, status=429)
        answer["Retry-After"] = "60"
        return answer
    return _token_view(request)  # type: ignore[no-any-return]


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
