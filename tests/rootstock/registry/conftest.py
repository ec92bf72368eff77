"""Adapter versions in the registry, by their rows alone: who serves them is another matter."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.tenancy import tenant
from rootstock.ids import uuid7
from rootstock.registry.base import base_card, base_registered


@pytest.fixture
def make_version(world: Any, base: Path) -> Callable[..., Any]:
    """An adapter of the served base, or of another."""
    from rootstock.registry.models import AdapterVersion, BaseModel

    def make(
        name: str = "tone", task: str = "chat", of_another_base: bool = False, **changes: Any
    ) -> AdapterVersion:
        row = base_registered(base_card())
        if of_another_base:
            row = BaseModel.objects.create(name="other", fingerprint=uuid7().hex * 2, bytes=1)
        given = {"name": name, "digest": uuid7().hex[::-1] * 2, "base": row, "card": {"task": task}} | changes
        with tenant(given.pop("organisation", world.organisation)) as owner:
            return AdapterVersion.objects.create(organisation_id=owner, **given)

    return make


@contextmanager
def as_person(user: Any) -> Iterator[None]:
    """Act as this person."""
    with acting(Actor("person", str(user.pk))):
        yield
