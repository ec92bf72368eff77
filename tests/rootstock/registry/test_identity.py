"""A reference means one content for ever, and whoever works inside goes by more than twelve digits."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from models_zoo.llm.card import adapter_digest
from rootstock.accounts.tenancy import tenant
from rootstock.errors import Conflict, NotFound
from rootstock.registry import grants
from rootstock.registry.contents import adapter_keys
from rootstock.registry.fitness import content_to_serve
from rootstock.registry.identity import version_ensure
from rootstock.registry.models import AdapterVersion
from rootstock.registry.services import adapter_register
from tests.fixtures.adapters import adapter_in
from tests.fixtures.registry import base_row
from tests.rootstock.registry.conftest import as_person


@pytest.fixture
def twin(make_version: Callable[..., Any]) -> Callable[..., AdapterVersion]:
    """A version of another content whose reference is that of the digest: 2**24 tries find a pair of them."""

    def make(digest: str, name: str = "brought") -> AdapterVersion:
        return make_version(name, digest=digest[:12] + "0" * 52)

    return make


def test_another_content_of_the_same_reference_is_refused(
    world: Any, base: Path, tmp_path: Path, twin: Any
) -> None:
    folder = adapter_in(tmp_path / "a")
    digest = adapter_digest(folder)
    there = twin(digest)
    with pytest.raises(Conflict, match=rf"^name: {there.reference} is another .* {there.digest} .* {digest}"):
        adapter_register(organisation=world.organisation, folder=folder, job_id=None)
    assert not any(Path(key).exists() for key in adapter_keys(world.organisation.pk, digest).values())
    other = adapter_register(organisation=world.organisation, folder=folder, job_id=None, name="another")
    assert (other.digest, other.reference) == (digest, f"another@{digest[:12]}")
    assert adapter_register(organisation=world.other, folder=folder, job_id=None).name == "brought"


def test_the_database_holds_it_too(world: Any, make_version: Any, twin: Any) -> None:
    version = make_version()
    with pytest.raises(IntegrityError, match="one_version_per_reference"), transaction.atomic():
        twin(version.digest, version.name)


def test_what_is_shared_is_not_taken_under_a_reference_of_ones_own(
    world: Any, make_version: Any, twin: Any
) -> None:
    given = make_version()
    with as_person(world.owner):
        grant = grants.grant_create(organisation=world.organisation, reference=given.pk, to=world.other.slug)
    there = make_version(digest=given.digest[:12] + "f" * 52, organisation=world.other)
    with pytest.raises(Conflict, match=f"{there.reference} is another adapter here"):
        grants.grant_take(organisation=world.other, grant_id=grant.pk)


def test_of_two_that_come_at_once_one_is_refused(committed_world: Any, base: Path) -> None:
    row = base_row()
    digests = ["ab" * 6 + digit * 52 for digit in "0123"]

    def register(digest: str) -> str:
        try:
            with tenant(committed_world.organisation) as owner:
                return version_ensure(owner, name="tone", digest=digest, base=row)[0].digest
        except Conflict as error:
            return error.detail.partition(" is another")[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(register, digests))
    assert sorted(told)[-3:] == ["name: tone@abababababab"] * 3


def test_a_worker_is_asked_by_the_whole_digest(world: Any, make_version: Any) -> None:
    version = make_version()
    assert content_to_serve(organisation=world.organisation, digest=version.digest) == version
    for digest in (version.digest[:12], version.digest[:12] + "0" * 52):
        with pytest.raises(NotFound, match="your organisation has no adapter"):
            content_to_serve(organisation=world.organisation, digest=digest)
    with pytest.raises(NotFound):
        content_to_serve(organisation=world.other, digest=version.digest)
