"""What `model` may name, and that nothing else ever answers."""

import openai as client_library
import pytest

from rootstock.accounts.tenancy import tenant
from rootstock.registry.models import Promotion
from rootstock.registry.selectors import version_named
from tests.rootstock.gateway.conftest import openai_client

ASKED = [{"role": "user", "content": "Hello"}]


def test_the_base_and_ones_own_adapters(openai, adapters, served) -> None:
    tone, entities = adapters("tone"), adapters("entities", task="tagging")
    adapters("theirs", organisation=served.other)
    adapters("old", of_another_base=True)
    listed = {each.id: each for each in openai.models.list()}
    assert set(listed) == {"base", tone, entities}
    assert (listed["base"].parent, listed["base"].owned_by) == (None, "rootstock")
    assert (listed[tone].parent, listed[tone].root) == ("base", listed["base"].root)
    assert (listed[entities].task, listed[tone].aliases) == ("tagging", ["tone"])


@pytest.mark.parametrize("named_by", ["reference", "name"])
def test_the_exact_version_answers(openai, adapters, engine, named_by) -> None:
    tone = adapters("tone")
    name = tone if named_by == "reference" else "tone"
    assert openai.chat.completions.create(model=name, messages=ASKED).model == tone
    digest = engine.asked[0][2]  # whole: workers do not go by names
    assert (tone, len(digest)) == (f"tone@{digest[:12]}", 64)
    told = openai.models.retrieve(name)
    assert (told.id, told.aliases) == (tone, ["tone"])
    assert {
        chunk.model for chunk in openai.chat.completions.create(model=name, messages=ASKED, stream=True)
    } == {tone}


def test_a_name_of_several_versions_is_no_name(openai, adapters) -> None:
    first, second = adapters("tone"), adapters("tone")
    with pytest.raises(client_library.BadRequestError, match="several versions") as caught:
        openai.chat.completions.create(model="tone", messages=ASKED)
    assert caught.value.param == "model"
    assert first in caught.value.message
    assert openai.chat.completions.create(model=second, messages=ASKED).model == second
    assert [each.aliases for each in openai.models.list() if each.parent] == [[], []]
    assert openai.models.retrieve(second).aliases == []


def test_a_name_that_also_means_an_adapter_of_another_base_is_no_alias(openai, adapters) -> None:
    served, old = adapters("tone"), adapters("tone", of_another_base=True)
    listed = {each.id: each for each in openai.models.list()}
    assert (listed[served].aliases, old in listed) == ([], False)


@pytest.mark.parametrize(
    "name", ["tone", "tone@0123456789ab", "gpt-4o", "base@0123456789ab", "Base", "../x", "é"]
)
def test_what_is_not_there_is_never_the_base(openai, engine, name) -> None:
    for ask in (
        lambda: openai.chat.completions.create(model=name, messages=ASKED),
        lambda: openai.completions.create(model=name, prompt="a"),
        lambda: openai.embeddings.create(model=name, input="a"),
    ):
        with pytest.raises(client_library.NotFoundError) as caught:
            ask()
        assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert engine.asked == []


def test_another_organisations_adapter_is_not_there(adapters, served, openai) -> None:
    theirs = adapters("theirs", organisation=served.other)
    for name in (theirs, "theirs"):
        with pytest.raises(client_library.NotFoundError):
            openai.chat.completions.create(model=name, messages=ASKED)
        with pytest.raises(client_library.NotFoundError):
            openai.models.retrieve(name)
    stranger = openai_client(served.key("models:use", "adapters:write", organisation=served.other))
    assert stranger.chat.completions.create(model=theirs, messages=ASKED).model == theirs


def test_an_adapter_for_something_else_does_not_chat(openai, adapters) -> None:
    entities = adapters("entities", task="tagging")
    with pytest.raises(client_library.BadRequestError, match="for tagging, not for chat"):
        openai.chat.completions.create(model=entities, messages=ASKED)
    assert openai.models.retrieve(entities).task == "tagging"


def test_an_adapter_of_another_base_is_refused(openai, adapters) -> None:
    with pytest.raises(client_library.BadRequestError, match="another base"):
        openai.chat.completions.create(model=adapters("old", of_another_base=True), messages=ASKED)


def test_what_nobody_agreed_on_is_only_tried(openai, adapters, served) -> None:
    """Two people decide what whoever uses models gets; who makes adapters tries them before."""
    tone = adapters("tone")
    others = openai_client(served.key("models:use"))
    assert {each.id for each in others.models.list()} == {"base"}
    with pytest.raises(client_library.PermissionDeniedError, match="not been agreed on") as caught:
        others.chat.completions.create(model=tone, messages=ASKED)
    assert caught.value.param == "model"
    with tenant(served.organisation) as owner:
        Promotion.objects.create(
            organisation_id=owner, alias="tone:production", version=version_named(tone, "version"),
            change="serve", state="approved", share=1.0,
        )  # fmt: skip
    assert tone in {each.id for each in others.models.list()}
    assert others.chat.completions.create(model=tone, messages=ASKED).model == tone
