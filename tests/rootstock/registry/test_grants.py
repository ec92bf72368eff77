"""Organisations let each other use their adapters: given, taken, taken back."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from models_zoo.llm.card import adapter_digest
from rootstock.errors import Conflict, InvalidInput, NotFound
from rootstock.gateway.served import model_find
from rootstock.registry import contents, grants
from rootstock.registry.contents import adapter_fetch, adapter_folder
from rootstock.registry.resolving import version_to_serve
from rootstock.registry.services import adapter_register
from tests.fixtures.adapters import adapter_in
from tests.rootstock.registry.conftest import as_person


@pytest.fixture
def shared(world: Any, base: Path, tmp_path: Path) -> Any:
    """A version of the first organisation, given to the other."""
    version = adapter_register(
        organisation=world.organisation, folder=adapter_in(tmp_path / "a"), job_id=None
    )
    with as_person(world.owner):
        return grants.grant_create(
            organisation=world.organisation, reference=version.reference, to=world.other.slug
        )


def test_it_works(world: Any, shared: Any) -> None:
    with pytest.raises(NotFound):
        model_find(world.other, shared.reference, tries=True)
    taken = grants.grant_take(organisation=world.other, grant_id=shared.pk)
    assert (taken.reference, taken.origin) == (shared.reference, "shared")
    assert model_find(world.other, shared.reference, tries=True).id == shared.reference
    assert adapter_fetch(world.other.pk, shared.digest).is_dir()
    grants.grant_revoke(organisation=world.organisation, grant_id=shared.pk)
    with pytest.raises(InvalidInput, match="was taken back by the organisation that shared it"):
        model_find(world.other, shared.reference, tries=True)
    with pytest.raises(InvalidInput, match=r"^adapter: .* was taken back"):
        version_to_serve(organisation=world.other, reference=shared.reference)
    assert model_find(world.organisation, shared.reference, tries=True)


def test_nobody_takes_what_is_not_theirs_or_no_longer(world: Any, shared: Any) -> None:
    with pytest.raises(NotFound, match="no such offer"):
        grants.grant_take(organisation=world.organisation, grant_id=shared.pk)
    with pytest.raises(NotFound, match="no such grant"):
        grants.grant_revoke(organisation=world.other, grant_id=shared.pk)
    grants.grant_revoke(organisation=world.organisation, grant_id=shared.pk)
    with pytest.raises(NotFound, match="no such offer"):
        grants.grant_take(organisation=world.other, grant_id=shared.pk)


def test_it_is_given_once_and_not_on(world: Any, shared: Any) -> None:
    with pytest.raises(Conflict, match="may use brought@"):
        grants.grant_create(organisation=world.organisation, reference=shared.reference, to=world.other.slug)
    grants.grant_take(organisation=world.other, grant_id=shared.pk)
    with pytest.raises(Conflict, match="only its owner gives it on"):
        grants.grant_create(organisation=world.other, reference=shared.reference, to=world.organisation.slug)
    for to in ("nobody", world.organisation.slug):
        with pytest.raises(InvalidInput, match="to: is no other organisation"):
            grants.grant_create(organisation=world.organisation, reference=shared.reference, to=to)


def test_a_local_copy_that_is_not_what_its_name_says_is_fetched_again(world: Any, shared: Any) -> None:
    folder = adapter_folder(shared.digest)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        (folder / name).write_bytes(b"{}")
    contents._verified.discard(shared.digest)
    assert adapter_digest(adapter_fetch(world.organisation.pk, shared.digest)) == shared.digest


def test_over_rest(world: Any, shared: Any) -> None:
    theirs = world.api("adapters:read", "adapters:approve", organisation=world.other)
    [offer] = theirs.get("/adapters/offered").json()["items"]
    assert offer["from_organisation"] == world.organisation.slug
    assert theirs.post(f"/adapters/offered/{offer['id']}/take", {}).json()["origin"] == "shared"
    ours = world.api("adapters:read", "adapters:approve")
    [grant] = ours.get(f"/adapters/{shared.reference}/grants").json()["items"]
    assert ours.post(f"/adapters/grants/{grant['id']}/revoke", {}).json()["revoked_at"]
    assert theirs.get("/adapters/offered").json()["items"] == []
    assert world.api("adapters:read").post(f"/adapters/grants/{grant['id']}/revoke", {}).status_code == 403
