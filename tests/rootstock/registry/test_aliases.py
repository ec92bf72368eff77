"""What an alias serves is changed by two people, and taken back by one."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.errors import Conflict, DomainError, Forbidden, InvalidInput, NotFound
from rootstock.gateway.served import model_find, models_list
from rootstock.ids import uuid7
from rootstock.registry import aliases, versions
from rootstock.registry.base import base_card, base_registered
from rootstock.registry.models import AdapterVersion, Alias
from tests.rootstock.registry.conftest import as_person

NAME = "tone:production"


@pytest.fixture
def ask(world: Any) -> Any:
    """The owner asks for a change."""

    def ask(version: Any, change: str = "serve", share: float = 0.5, alias: str = NAME) -> Any:
        with as_person(world.owner):
            return aliases.promotion_request(
                organisation=world.organisation, alias=alias, reference=version.reference, change=change,
                share=share, reason="it answers better",
            )  # fmt: skip

    return ask


@pytest.fixture
def promote(world: Any, ask: Any) -> Any:
    """The owner asks, the colleague agrees."""

    def promote(version: Any, change: str = "serve", share: float = 0.5, alias: str = NAME) -> Alias:
        asked = ask(version, change, share, alias)
        with as_person(world.colleague):
            return aliases.promotion_approve(
                organisation=world.organisation,
                promotion_id=asked.pk,
                because="known",
                without_evaluation=True,
            )

    return promote


def served(world: Any, key: str = "") -> str:
    return model_find(world.organisation, NAME, key=key).id


def test_it_works(world: Any, make_version: Any, promote: Any) -> None:
    one, two = make_version(), make_version()
    promote(one)
    assert served(world) == one.reference
    assert promote(two).generation == 2
    assert served(world) == two.reference
    with as_person(world.owner):
        aliases.alias_roll_back(organisation=world.organisation, alias=NAME, reason="it was rude")
    assert served(world) == one.reference
    listed = {model.id: model.aliases for model in models_list(world.organisation)}
    assert listed[one.reference] == (NAME,)
    with tenant(world.organisation):
        told = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
        moves = list(Alias.objects.get().moves.order_by("generation").values_list("move", "before", "after"))
    assert [action for action in told if action.startswith(("alias.", "promotion."))] == [
        "promotion.requested", "alias.serve", "promotion.approved",
        "promotion.requested", "alias.serve", "promotion.approved", "alias.roll_back",
    ]  # fmt: skip
    assert moves == [
        ("serve", "", one.reference),
        ("serve", one.reference, two.reference),
        ("roll_back", two.reference, one.reference),
    ]


def test_nobody_agrees_with_themselves(world: Any, make_version: Any, ask: Any) -> None:
    asked = ask(make_version())
    with as_person(world.owner), pytest.raises(Forbidden, match="a second person has to confirm it"):
        aliases.promotion_approve(organisation=world.organisation, promotion_id=asked.pk)
    with pytest.raises(NotFound):
        served(world)
    with as_person(world.colleague):
        refused = aliases.promotion_refuse(
            organisation=world.organisation, promotion_id=asked.pk, because="too early"
        )
    assert (refused.state, refused.because) == ("refused", "too early")
    with as_person(world.colleague), pytest.raises(Conflict, match="is refused already"):
        aliases.promotion_approve(organisation=world.organisation, promotion_id=asked.pk)


def test_what_was_never_evaluated_takes_a_reason(world: Any, make_version: Any, ask: Any) -> None:
    asked = ask(make_version())
    with as_person(world.colleague):
        with pytest.raises(Conflict, match="was never evaluated on a frozen test set"):
            aliases.promotion_approve(organisation=world.organisation, promotion_id=asked.pk, because="fine")
        with pytest.raises(InvalidInput, match="because: say why"):
            aliases.promotion_approve(
                organisation=world.organisation, promotion_id=asked.pk, without_evaluation=True
            )


@pytest.mark.slow
def test_a_canary_gets_its_share_and_always_the_same(world: Any, make_version: Any, promote: Any) -> None:
    one, two = make_version(), make_version()
    promote(one)
    promote(two, "canary", 0.25)
    first = {str(key): served(world, str(key)) for key in range(150)}
    share = sum(reference == two.reference for reference in first.values()) / 150
    assert 0.12 < share < 0.4
    assert {key: served(world, key) for key in first} == first
    with as_person(world.owner):
        aliases.alias_end(organisation=world.organisation, alias=NAME, what="canary", reason="enough")
    assert {served(world, key) for key in first} == {one.reference}


def test_a_shadow_answers_nobody(world: Any, make_version: Any, promote: Any) -> None:
    one, two = make_version(), make_version()
    promote(one)
    promote(two, "shadow", 0.5)
    found = [model_find(world.organisation, NAME, key=str(key)) for key in range(200)]
    assert {model.id for model in found} == {one.reference}
    assert 60 < sum(model.shadow == two.digest for model in found) < 140


def test_serving_the_canary_ends_it(world: Any, make_version: Any, promote: Any) -> None:
    one, two = make_version(), make_version()
    promote(one)
    promote(two, "canary", 0.25)
    alias = promote(two)
    assert (alias.current, alias.canary, alias.canary_share) == (two, None, 0.0)


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"alias": "production"}, InvalidInput, "alias: must look like"),
        ({"change": "burn"}, InvalidInput, "change: must be one of serve, canary, shadow"),
        ({"change": "canary", "share": 1.0}, InvalidInput, "share: must be at least 0.001 and less than 1"),
        ({"change": "canary"}, Conflict, "serves nothing yet"),
        ({"reference": "tone"}, InvalidInput, "version: must look like"),
        ({"reference": "none@0123456789ab"}, NotFound, "version: your organisation has no adapter"),
        ({"reason": "  "}, InvalidInput, "reason: say why"),
        ({"reason": "x" * 301}, InvalidInput, "reason: say why, in at most 300"),
    ],
)
def test_a_bad_request_names_the_field(
    world: Any, make_version: Any, fields: dict[str, Any], error: type[DomainError], message: str
) -> None:
    asked = {
        "alias": NAME,
        "reference": make_version().reference,
        "change": "serve",
        "reason": "why not",
        "share": 0.5,
    }
    with as_person(world.owner), pytest.raises(error, match=message):
        aliases.promotion_request(organisation=world.organisation, **{**asked, **fields})


def test_an_alias_keeps_its_task_and_base(world: Any, make_version: Any, ask: Any, promote: Any) -> None:
    promote(make_version())
    with pytest.raises(InvalidInput, match="is an adapter for tagging, tone:production for chat"):
        ask(make_version(task="tagging"))
    with pytest.raises(Conflict, match="was made for another base"):
        ask(make_version(of_another_base=True))


def test_what_is_served_is_not_retired(world: Any, make_version: Any, ask: Any, promote: Any) -> None:
    one, two = make_version(), make_version()
    promote(one)
    with pytest.raises(Conflict, match="tone:production serves tone@"):
        versions.version_retire(organisation=world.organisation, reference=one.reference, reason="old")
    promote(two)
    versions.version_retire(organisation=world.organisation, reference=one.reference, reason="old")
    with pytest.raises(Conflict, match="is retired"):
        ask(one)
    with pytest.raises(NotFound, match="is retired"):
        model_find(world.organisation, one.reference)
    with as_person(world.owner), pytest.raises(Conflict, match="has served no other version"):
        aliases.alias_roll_back(organisation=world.organisation, alias=NAME, reason="back")
    versions.version_restore(organisation=world.organisation, reference=one.reference, reason="a mistake")
    with as_person(world.owner):
        aliases.alias_roll_back(organisation=world.organisation, alias=NAME, reason="back")
    assert served(world) == one.reference


def test_one_change_is_open_at_a_time(make_version: Any, ask: Any) -> None:
    one = make_version()
    ask(one)
    with pytest.raises(Conflict, match="open request"):
        ask(one)


@examples(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example([0, 1, 0, 2, None, None])  # the first served twice, and one between
@given(st.lists(st.one_of(st.integers(0, 2), st.none()), max_size=8))
def test_rolling_back_walks_back(
    world: Any, make_version: Any, promote: Any, steps: list[int | None]
) -> None:
    """A number serves that version, None rolls back: what was served before is a stack."""
    made, stack, name = [make_version() for _ in range(3)], list[Any](), NAME
    with tenant(world.organisation):
        Alias.objects.all().delete()
    for step in steps:
        if step is None:
            before = next((one for one in reversed(stack[:-1]) if one != stack[-1]), None)
            if before is None:
                with pytest.raises((Conflict, NotFound)):
                    aliases.alias_roll_back(organisation=world.organisation, alias=name, reason="back")
                continue
            aliases.alias_roll_back(organisation=world.organisation, alias=name, reason="back")
            while stack[-1] != before:
                stack.pop()
        elif not stack or made[step] != stack[-1]:
            promote(made[step])
            stack.append(made[step])
        if stack:
            assert served(world) == stack[-1].reference


def test_many_who_roll_back_at_once_are_told_the_truth(committed_world: Any, base: Any) -> None:
    """The second looked for the row by what it named before the first moved it, and found no alias."""
    with tenant(committed_world.organisation) as owner:
        row = base_registered(base_card())
        made = [
            AdapterVersion.objects.create(
                organisation_id=owner,
                name="tone",
                digest=uuid7().hex[::-1] * 2,
                base=row,
                card={"task": "chat"},
            )
            for _ in range(3)
        ]
    for version in made:
        with as_person(committed_world.owner):
            asked = aliases.promotion_request(
                organisation=committed_world.organisation, alias=NAME, reference=version.reference,
                change="serve", reason="better",
            )  # fmt: skip
        with as_person(committed_world.colleague):
            aliases.promotion_approve(
                organisation=committed_world.organisation, promotion_id=asked.pk, because="known",
                without_evaluation=True,
            )  # fmt: skip

    def back(_: int) -> str:
        try:
            with as_person(committed_world.owner):
                aliases.alias_roll_back(
                    organisation=committed_world.organisation, alias=NAME, reason="rude", generation=3
                )
        except DomainError as error:
            return error.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(4) as pool:
        ends = sorted(pool.map(back, range(4)))
    assert ends == ["conflict", "conflict", "conflict", "done"]
    assert model_find(committed_world.organisation, NAME).id == made[1].reference
