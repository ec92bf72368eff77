"""REST: API keys and machine clients."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ninja import Router, Schema, Status
from pydantic import ConfigDict

from rootstock.accounts import directory, services
from rootstock.accounts.auth import ApiRequest, scope
from rootstock.accounts.models import ApiKey, MachineClient
from rootstock.accounts.tenancy import tenant
from rootstock.paging import Page, page_of, take_page

keys_router = Router(tags=["keys"])
clients_router = Router(tags=["keys"])


class ClientIn(Schema):
    """A machine client to make; its scopes are limited to the caller's own."""

    model_config = ConfigDict(extra="forbid")
    name: str
    scopes: list[str]
    rate_per_minute: int | None = None


class KeyIn(ClientIn):
    """A key to make."""

    expires_at: datetime | None = None


class RotateClientIn(Schema):
    """`old_until`: until when the old secret or token works too (null: it ends now)."""

    model_config = ConfigDict(extra="forbid")
    old_until: datetime | None = None


class RotateIn(RotateClientIn):
    """`expires_at` of the new key; null: as long from now as the old one was made for."""

    expires_at: datetime | None = None


class KeyOut(Schema):
    """A key, without its token."""

    id: UUID
    name: str
    prefix: str
    scopes: list[str]
    state: str
    rate_per_minute: int | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaces_id: UUID | None


class KeyMade(KeyOut):
    """A fresh key: the token is told this once."""

    token: str


class ClientOut(Schema):
    """A machine client, without its secret."""

    id: UUID
    name: str
    client_id: str
    scopes: list[str]
    state: str
    rate_per_minute: int | None
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    previous_until: datetime | None


class ClientMade(ClientOut):
    """A fresh secret, told this once. Tokens: POST /oauth/token with grant_type=client_credentials."""

    client_secret: str


def _key_made(key: ApiKey, token: str) -> dict[str, Any]:
    return KeyOut.from_orm(key).dict() | {"token": token}


def _client_made(machine: MachineClient, secret: str) -> dict[str, Any]:
    return ClientOut.from_orm(machine).dict() | {"client_secret": secret}


@keys_router.get("", response=Page[KeyOut], auth=scope("keys:read"))
def list_keys(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Keys, newest first."""
    with tenant(request.auth.organisation):
        rows, following = take_page(ApiKey.objects.all(), cursor=cursor, limit=limit)
    return page_of(rows, following, KeyOut.from_orm)


@keys_router.get("/{uuid:key_id}", response=KeyOut, auth=scope("keys:read"))
def get_key(request: ApiRequest, key_id: UUID) -> ApiKey:
    """One key."""
    return directory.key_get(organisation=request.auth.organisation, key_id=key_id)


@keys_router.post("", response={201: KeyMade}, auth=scope("keys:write"))
def create_key(request: ApiRequest, body: KeyIn) -> Status[dict[str, Any]]:
    """Make a key. The answer is the only place where its token can be read."""
    made = services.api_key_create(
        organisation=request.auth.organisation,
        created_by=request.auth.person,
        granted=request.auth.scopes,
        **body.dict(),
    )
    return Status(201, _key_made(*made))


@keys_router.post("/{uuid:key_id}/rotate", response={201: KeyMade}, auth=scope("keys:write"))
def rotate_key(request: ApiRequest, key_id: UUID, body: RotateIn) -> Status[dict[str, Any]]:
    """A new token at once; the old one works until the moment chosen."""
    made = services.api_key_rotate(
        organisation=request.auth.organisation,
        key_id=key_id,
        created_by=request.auth.person,
        granted=request.auth.scopes,
        **body.dict(),
    )
    return Status(201, _key_made(*made))


@keys_router.post("/{uuid:key_id}/revoke", response=KeyOut, auth=scope("keys:write"))
def revoke_key(request: ApiRequest, key_id: UUID) -> ApiKey:
    """End a key, from the next request on."""
    return services.api_key_revoke(organisation=request.auth.organisation, key_id=key_id)


@clients_router.get("", response=Page[ClientOut], auth=scope("keys:read"))
def list_clients(request: ApiRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Machine clients, newest first."""
    with tenant(request.auth.organisation):
        rows, following = take_page(MachineClient.objects.all(), cursor=cursor, limit=limit)
    return page_of(rows, following, ClientOut.from_orm)


@clients_router.get("/{uuid:machine_id}", response=ClientOut, auth=scope("keys:read"))
def get_client(request: ApiRequest, machine_id: UUID) -> MachineClient:
    """One machine client."""
    return directory.client_get(organisation=request.auth.organisation, client_id=machine_id)


@clients_router.post("", response={201: ClientMade}, auth=scope("keys:write"))
def create_client(request: ApiRequest, body: ClientIn) -> Status[dict[str, Any]]:
    """Make a machine client for OAuth2 client credentials."""
    made = services.client_create(
        organisation=request.auth.organisation,
        created_by=request.auth.person,
        granted=request.auth.scopes,
        **body.dict(),
    )
    return Status(201, _client_made(*made))


@clients_router.post("/{uuid:machine_id}/rotate", response={201: ClientMade}, auth=scope("keys:write"))
def rotate_client_secret(
    request: ApiRequest, machine_id: UUID, body: RotateClientIn | None = None
) -> Status[dict[str, Any]]:
    """A new secret at once; the old one fetches tokens until the moment chosen, without one no more."""
    made = services.client_rotate_secret(
        organisation=request.auth.organisation,
        client_id=machine_id,
        old_until=body.old_until if body else None,
        created_by=request.auth.person,
        granted=request.auth.scopes,
    )
    return Status(201, _client_made(*made))


@clients_router.post("/{uuid:machine_id}/revoke", response=ClientOut, auth=scope("keys:write"))
def revoke_client(request: ApiRequest, machine_id: UUID) -> MachineClient:
    """End a client and every token it holds."""
    return services.client_revoke(organisation=request.auth.organisation, client_id=machine_id)
