"""Writes: machine clients, which get their tokens by OAuth2 client credentials."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from allauth.idp.oidc.models import Client, Token
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from rootstock.accounts.hashers import RandomSecretHasher
from rootstock.accounts.models import MachineClient, Organisation, User
from rootstock.accounts.services.checks import (
    check_each,
    check_future,
    check_name,
    check_rate,
    check_scopes,
)
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.tokens import new_secret
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, NotFound


@transaction.atomic
def client_create(
    *,
    organisation: Organisation,
    name: str,
    scopes: Sequence[str],
    created_by: User | None = None,
    rate_per_minute: int | None = None,
    granted: Iterable[str] | None = None,
) -> tuple[MachineClient, str]:
    """Create a client. Its secret is returned once and cannot be read again."""
    checked = check_each(
        name=lambda: check_name(name, 80),
        scopes=lambda: check_scopes(scopes, granted),
        rate_per_minute=lambda: check_rate(rate_per_minute),
    )
    secret, _ = new_secret()
    allowed = checked["scopes"]
    client = Client(name=checked["name"], grant_types=Client.GrantType.CLIENT_CREDENTIALS)
    client.set_scopes(allowed)
    client.set_default_scopes(allowed)
    client.secret = _hashed(secret)
    client.response_types = ""
    client.save()
    with tenant(organisation):
        machine = MachineClient.objects.create(
            organisation=organisation, client=client, created_by=created_by, **checked
        )
        _record(machine, "client.created", scopes=allowed)
    return machine, secret


@transaction.atomic
def client_rotate_secret(
    *,
    organisation: Organisation,
    client_id: UUID,
    old_until: datetime | None = None,
    created_by: User | None = None,
    granted: Iterable[str] | None = None,
) -> tuple[MachineClient, str]:
    """A new secret, whose maker stands behind the client from now on. The old one fetches tokens until `old_until`
    (None: no more).

    Tokens that are out live to their end, unless another person stood behind them.
    """
    check_future(old_until, "old_until")
    with tenant(organisation):
        machine = _locked(client_id)
        check_scopes(machine.scopes, granted)
        if machine.state != "live":
            raise Conflict("this client is revoked; create a new one")
        machine.previous_secret = machine.client.secret if old_until else ""
        machine.previous_until = old_until
        machine.save(update_fields=["previous_secret", "previous_until"])
        secret, _ = new_secret()
        machine.client.secret = _hashed(secret)
        machine.client.save(update_fields=["secret"])
        _hand_over(machine, created_by)
        _record(machine, "client.secret_rotated", old_until=old_until.isoformat() if old_until else None)
    return machine, secret


@transaction.atomic
def client_revoke(*, organisation: Organisation, client_id: UUID) -> MachineClient:
    """End a client and every token it holds."""
    with tenant(organisation):
        machine = _locked(client_id)
        if machine.revoked_at is None:
            machine.revoked_at = timezone.now()
            machine.save(update_fields=["revoked_at"])
            Token.objects.filter(client=machine.client).delete()
            machine.client.set_scopes([])
            machine.client.grant_types = ""
            machine.client.save(update_fields=["scopes", "grant_types"])
            _record(machine, "client.revoked")
    return machine


def clients_revoke_of(*, organisation: Organisation, user_id: int) -> int:
    """Revoke every live client that a person made, or that their machines made; returns how many."""
    with tenant(organisation):
        made = MachineClient.objects.filter(created_by=user_id, revoked_at=None)
        live = list(made.values_list("pk", flat=True))
        for client_id in live:
            client_revoke(organisation=organisation, client_id=client_id)
    return len(live)


def _hashed(secret: str) -> str:
    return make_password(secret, hasher=RandomSecretHasher.algorithm)


def _hand_over(machine: MachineClient, person: User | None) -> None:
    if machine.created_by != person:
        machine.created_by = person
        machine.save(update_fields=["created_by"])
        Token.objects.filter(client=machine.client).delete()


def _locked(client_id: UUID) -> MachineClient:
    found = (
        MachineClient.objects.select_for_update(of=("self",))
        .select_related("client")
        .filter(pk=client_id)
        .first()
    )
    if found is None:
        raise NotFound("no such machine client")
    return found


def _record(machine: MachineClient, action: str, **data: object) -> None:
    audit_record(
        organisation=machine.organisation_id,
        action=action,
        object_type="machine_client",
        object_id=machine.pk,
        data=data,
    )
