"""Aliases as models: the version that answers is named, a canary has its users, a shadow is compared unseen."""

import time
from typing import Any

import pytest
from django.utils import timezone

from rootstock.accounts.tenancy import tenant
from rootstock.registry.models import AdapterVersion, Alias, ShadowTally
from rootstock.registry.selectors import version_named

NAME = "tone:production"
ASKED = [{"role": "user", "content": "How late is it?"}]


@pytest.fixture
def alias(served: Any, adapters: Any) -> Any:
    """Makes the alias, with these versions."""

    def make(**fields: Any) -> tuple[AdapterVersion, AdapterVersion]:
        references = adapters("tone"), adapters("tone")
        with tenant(served.organisation):
            one, two = (version_named(reference, "version") for reference in references)
            versions = {name: two for name in ("canary", "shadow") if f"{name}_share" in fields}
            Alias.objects.create(
                organisation=served.organisation,
                name=NAME,
                current=one,
                moved_at=timezone.now(),
                **versions,
                **fields,
            )
        return one, two

    return make


def test_the_answer_names_the_version(openai: Any, alias: Any) -> None:
    one, _ = alias()
    told = openai.chat.completions.create(model=NAME, messages=ASKED)
    assert told.model == one.reference
    assert NAME in {name for model in openai.models.list() for name in model.model_dump()["aliases"]}


def test_a_user_stays_with_a_version(openai: Any, alias: Any) -> None:
    one, two = alias(canary_share=0.5)

    def answered(user: str) -> str:
        return str(openai.chat.completions.create(model=NAME, messages=ASKED, user=user).model)

    first = {user: answered(user) for user in map(str, range(12))}
    assert set(first.values()) == {one.reference, two.reference}
    assert {user: answered(user) for user in first} == first


def test_a_shadow_is_compared_unseen(served: Any, openai: Any, engine: Any, alias: Any) -> None:
    one, two = alias(shadow_share=1.0)
    assert openai.chat.completions.create(model=NAME, messages=ASKED).model == one.reference
    until = time.monotonic() + 10
    tally = None
    while (tally is None or not tally.compared) and time.monotonic() < until:
        time.sleep(0.05)
        with tenant(served.organisation):
            tally = ShadowTally.objects.first()
    assert tally
    assert (tally.shadow_id, tally.compared, tally.same, tally.agreement) == (two.pk, 1, 1, 1.0)
    assert [asked[2] for asked in engine.asked] == [one.digest, two.digest]
