"""A worker keeps what the registry wishes: pinned, warm before an alias moves, gone once retired."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rootstock.errors import Conflict
from rootstock.gateway.served import models_list
from rootstock.registry import aliases, grants, keeping, versions
from rootstock.registry.models import AdapterVersion
from rootstock.registry.services import adapter_register
from tests.fixtures.adapters import adapter_in
from tests.rootstock.registry.conftest import as_person
from workers.engine.local import LocalEngine
from workers.residency import Keeper

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("keeper")]  # the demo base's engine


@pytest.fixture(scope="module")
def engine(base: Path) -> Iterator[LocalEngine]:
    engine = LocalEngine(base, threads=1, slots=3)
    yield engine
    engine.close()


@pytest.fixture
def keeper(engine: LocalEngine) -> Iterator[Keeper]:
    yield Keeper(engine, set())
    for one in engine.adapters():
        engine.unload(one.adapter)


@pytest.fixture
def make(world: Any, base: Path, tmp_path: Path, settings: Any) -> Any:
    settings.ENGINE_KEPT_SHARE = 100

    def make(seed: int) -> AdapterVersion:
        folder = adapter_in(tmp_path / str(seed), seed)
        return adapter_register(organisation=world.organisation, folder=folder, job_id=None)

    return make


def held(engine: LocalEngine, *made: AdapterVersion) -> dict[AdapterVersion, bool]:
    """Those of the adapters that the engine has, and whether they are pinned. Others' may be there too."""
    here = {one.adapter: one.pinned for one in engine.adapters()}
    return {one: here[one.digest] for one in made if one.digest in here}


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def tiers(engine: LocalEngine) -> dict[str, str]:
    return {each.adapter: each.tier for each in engine.adapters()}


def test_it_works(world: Any, engine: LocalEngine, keeper: Keeper, make: Any) -> None:
    one, two = make(11), make(12)
    keeper.look()
    assert held(engine, one, two) == {}
    keeping.version_keep(organisation=world.organisation, reference=one.pk, keep="pinned")
    keeping.version_keep(organisation=world.organisation, reference=two.pk, keep="warm")
    keeper.look()
    assert held(engine, one, two) == {one: True, two: False}
    until(
        lambda: tiers(engine) == {one.digest: "device", two.digest: "memory"}
    )  # nobody has asked for it yet
    keeping.version_keep(organisation=world.organisation, reference=one.pk, keep="")
    keeper.look()
    assert held(engine, one, two) == {one: False, two: False}
    until(lambda: tiers(engine) == {one.digest: "disk", two.digest: "memory"})  # its memory is free at once
    keeping.version_keep(organisation=world.organisation, reference=two.pk, keep="")
    keeper.look()
    until(lambda: tiers(engine) == {one.digest: "disk", two.digest: "disk"})


def test_an_open_promotion_warms_it(world: Any, engine: LocalEngine, keeper: Keeper, make: Any) -> None:
    one = make(13)
    with as_person(world.owner):
        aliases.promotion_request(
            organisation=world.organisation,
            alias="brought:production",
            reference=one.pk,
            change="serve",
            reason="new",
        )
    keeper.look()
    assert held(engine, one) == {one: False}


def test_what_is_retired_is_unloaded(world: Any, engine: LocalEngine, keeper: Keeper, make: Any) -> None:
    one = make(14)
    keeping.version_keep(organisation=world.organisation, reference=one.pk, keep="pinned")
    keeper.look()
    versions.version_retire(organisation=world.organisation, reference=one.pk, reason="old")
    keeper.look()
    assert held(engine, one) == {}


def test_what_cannot_be_kept_harms_nothing_else(
    world: Any, engine: LocalEngine, keeper: Keeper, make: Any
) -> None:
    """Three slots hold two pinned ones; the third is refused, and told once."""
    made = [make(seed) for seed in (15, 16, 17)]
    for version in made:
        keeping.version_keep(organisation=world.organisation, reference=version.pk, keep="pinned")
    keeper.look()
    keeper.look()
    assert sorted(held(engine, *made).values()) == [False, True, True]


def test_what_was_taken_back_is_neither_kept_nor_listed(
    world: Any, engine: LocalEngine, keeper: Keeper, make: Any
) -> None:
    version = make(18)
    with as_person(world.owner):
        grant = grants.grant_create(
            organisation=world.organisation, reference=version.pk, to=world.other.slug
        )
    taken = grants.grant_take(organisation=world.other, grant_id=grant.pk)
    keeping.version_keep(organisation=world.other, reference=taken.pk, keep="pinned")
    keeper.look()
    assert held(engine, taken) == {taken: True}
    assert taken.reference in {one.id for one in models_list(world.other, tries=True)}
    with as_person(world.owner):
        grants.grant_revoke(organisation=world.organisation, grant_id=grant.pk)
    keeper.look()
    assert held(engine, taken) == {taken: False}  # its owner still serves it: nobody's wish keeps it
    assert taken.reference not in {one.id for one in models_list(world.other, tries=True)}
    assert version.reference in {one.id for one in models_list(world.organisation, tries=True)}
    versions.version_retire(organisation=world.organisation, reference=version.pk, reason="old")
    keeper.look()
    assert held(engine, taken) == {}
    with pytest.raises(Conflict, match="was taken back"):
        keeping.version_keep(organisation=world.other, reference=taken.pk, keep="warm")
