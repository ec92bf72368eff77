"""API keys: scopes of the creator only, expiry, rotation with overlap, revocation."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from rootstock.accounts.models import ApiKey, Role
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.accounts.services import api_key_create, api_key_revoke, api_key_rotate
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.errors import Conflict, Forbidden, InvalidInput
from tests.fixtures.world import Api

ADMINISTRATOR = sorted(ROLE_SCOPES[Role.ADMINISTRATOR])


def works(token: str) -> bool:
    return Api(token).get("/jobs").status_code == 200


def token_in(page) -> str:
    return re.search(r"rsk_[a-z0-9]{12}_[\w-]{43}", page.content.decode()).group()


@pytest.fixture
def made(world):
    return api_key_create(organisation=world.organisation, name="gateway", scopes=["jobs:read"])


def test_it_works(world) -> None:
    page = world.browser(world.owner)
    form = {"name": "gateway", "scopes": ["jobs:read"], "expires_in_days": 30, "rate_per_minute": ""}
    answer = page.post("/keys/new/", form)
    token = token_in(answer)
    assert answer["Cache-Control"] == "no-store"
    assert works(token)
    with tenant(world.organisation):
        key = ApiKey.objects.get()
    assert (key.created_by, key.last_used_at is not None) == (world.owner, True)
    assert timedelta(days=29) < key.expires_at - timezone.now() < timedelta(days=31)
    for path in ("/keys/", f"/keys/{key.pk}/"):
        seen = page.get(path).content.decode()
        assert "gateway" in seen
        assert token not in seen
    rotated = token_in(page.post(f"/keys/{key.pk}/rotate/", {"overlap_hours": 24}))
    assert works(token)
    assert works(rotated)
    page.post(f"/keys/{key.pk}/revoke/")
    assert not works(token)
    assert works(rotated)


def test_over_rest(world) -> None:
    api = world.api("keys:read", "keys:write", "jobs:read")
    answer = api.post("/keys", {"name": "gateway", "scopes": ["jobs:read"], "rate_per_minute": 60})
    assert answer.status_code == 201
    made = answer.json()
    assert works(made["token"])
    listed = {one["name"]: one for one in api.get("/keys").json()["items"]}
    assert "token" not in listed["gateway"]
    assert (listed["gateway"]["state"], listed["gateway"]["rate_per_minute"]) == ("live", 60)
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    newer = api.post(f"/keys/{made['id']}/rotate", {"old_until": until}).json()
    assert newer["replaces_id"] == made["id"]
    assert (newer["scopes"], newer["rate_per_minute"]) == (made["scopes"], 60)
    assert works(made["token"])
    assert works(newer["token"])
    assert api.post(f"/keys/{newer['id']}/revoke").json()["state"] == "revoked"
    assert not works(newer["token"])


def test_a_key_gives_nothing_that_its_maker_lacks(world) -> None:
    api = world.api("keys:write", "jobs:read")
    answer = api.post("/keys", {"name": "more", "scopes": ["jobs:read", "jobs:write"]})
    assert (answer.status_code, "jobs:write" in answer.json()["detail"]) == (403, True)
    with pytest.raises(Forbidden, match="ehr:identified"):
        api_key_create(
            organisation=world.organisation, name="k", scopes=["ehr:identified"], granted=ADMINISTRATOR
        )
    offered = world.browser(world.owner).get("/keys/new/").content.decode()
    assert "ehr:read" in offered
    assert "ehr:identified" not in offered
    forged = {"name": "k", "scopes": ["ehr:identified"], "expires_in_days": 30}
    assert (
        b"not one of the available choices" in world.browser(world.owner).post("/keys/new/", forged).content
    )


def test_rotation_reveals_no_more_than_the_caller_has(world) -> None:
    key, _ = api_key_create(organisation=world.organisation, name="k", scopes=["ehr:identified"])
    page = world.browser(world.owner)
    assert b"Rotate" not in page.get(f"/keys/{key.pk}/").content
    assert page.post(f"/keys/{key.pk}/rotate/", {"overlap_hours": 0}).status_code == 403


def test_without_overlap_the_old_token_ends_at_once(world, made) -> None:
    key, token = made
    assert works(token)
    _, newer = api_key_rotate(organisation=world.organisation, key_id=key.pk)
    assert not works(token)
    assert works(newer)


def test_an_overlap_never_lengthens_a_life(world) -> None:
    soon = timezone.now() + timedelta(hours=1)
    key, _ = api_key_create(organisation=world.organisation, name="k", scopes=["jobs:read"], expires_at=soon)
    newer, _ = api_key_rotate(
        organisation=world.organisation, key_id=key.pk, old_until=timezone.now() + timedelta(days=30)
    )
    with tenant(world.organisation):
        key.refresh_from_db()
    assert key.expires_at == soon
    assert abs(newer.expires_at - soon) < timedelta(seconds=30)  # as long as the old one was made for


def test_a_key_is_rotated_once_and_while_it_lives(world, made) -> None:
    key, _ = made
    later = timezone.now() + timedelta(days=1)
    newer, _ = api_key_rotate(organisation=world.organisation, key_id=key.pk, old_until=later)
    with pytest.raises(Conflict, match="rotated already"):
        api_key_rotate(organisation=world.organisation, key_id=key.pk, old_until=later)
    api_key_revoke(organisation=world.organisation, key_id=newer.pk)
    with pytest.raises(Conflict, match="revoked"):
        api_key_rotate(organisation=world.organisation, key_id=newer.pk)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"scopes": []}, "scopes"),
        ({"rate_per_minute": 0}, "rate_per_minute"),
    ],
)
def test_what_is_wrong_is_named(world, wrong, field) -> None:
    given = {"organisation": world.organisation, "name": "k", "scopes": ["jobs:read"]} | wrong
    with pytest.raises(InvalidInput) as caught:
        api_key_create(**given)
    assert caught.value.errors[0].field == field


def test_a_moment_that_has_passed_is_refused(world, made) -> None:
    with pytest.raises(InvalidInput, match="old_until"):
        api_key_rotate(organisation=world.organisation, key_id=made[0].pk, old_until=timezone.now())


def test_keys_are_private(world, made) -> None:
    key = made[0]
    world.assert_private(f"/keys/{key.pk}/", "keys:read")
    world.assert_private(f"/api/v1/keys/{key.pk}", "keys:read")
    world.assert_private(f"/keys/{key.pk}/revoke/", "keys:write", "post")
    assert Client().get("/keys/").status_code == 302


def refusals(organisation) -> list[tuple[str, dict]]:
    with tenant(organisation):
        found = AuditEntry.objects.filter(action="api_key.refused").order_by("id")
        return list(found.values_list("object_id", "data"))


def test_a_refused_key_is_told_once_in_a_while_and_never_written_down(world, made) -> None:
    key, token = made
    for _ in range(3):
        assert not works(f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}")
    assert not works("rsk_000000000000_" + "a" * 43)  # nobody's
    assert refusals(world.organisation) == [(str(key.pk), {"reason": "wrong_secret"})]
    api_key_revoke(organisation=world.organisation, key_id=key.pk)
    for _ in range(2):
        assert not works(token)
    assert refusals(world.organisation)[1:] == [(str(key.pk), {"reason": "revoked"})]
