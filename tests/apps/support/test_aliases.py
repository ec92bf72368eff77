"""The desk and its aliases: what answers and what reads follows promotions and roll-backs, from the next message on."""

import time
from typing import Any

import pytest

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import DecisionRecord
from rootstock.registry.models import AdapterVersion, Alias, ShadowTally
from rootstock.registry.resolving import place
from tests.apps.support.helpers import listen, patch, post
from tests.fixtures.registry import version_row

TONE, EMOTION = "support-tone:production", "support-emotion:production"
READS = {"task": "classification"}


@pytest.fixture
def serving(desk, base) -> Any:
    """Has an alias serve a new version; what else it may have."""

    def serve(alias: str, card: dict[str, str] | None = None, **more: Any) -> AdapterVersion:
        from django.utils import timezone

        with tenant(desk.organisation) as owner:
            version = version_row(owner, alias.partition(":")[0], card=card or {"task": "chat"})
            row = Alias.objects.filter(name=alias).first() or Alias(organisation_id=owner, name=alias)
            row.current, row.moved_at = version, timezone.now()
            for name, value in more.items():
                setattr(row, name, value)
            row.save()
        return version

    return serve


def answered(desk, api, conversation, text: str = "Hello") -> Any:
    """The answer, once it is written, and its decision record."""
    posted = post(api, conversation, text)
    assert posted.status_code == 201, posted.content
    listen(api, posted)
    with tenant(desk.organisation):
        return posted.json(), DecisionRecord.objects.filter(kind="support.reply").order_by("-pk").first()


def test_the_desk_follows_an_alias(desk, api, conversation, engine, serving) -> None:
    one = serving(TONE)
    assert patch(api, {"adapter": TONE}).json()["adapter"] == TONE
    told, record = answered(desk, api, conversation)
    assert (told["adapter"], engine.asked[-1][1]) == (one.reference, one.digest)
    assert (record.adapter, record.adapter_digest) == (one.reference, one.digest)
    two = serving(TONE)
    told, _ = answered(desk, api, conversation)
    assert (told["adapter"], engine.asked[-1][1]) == (two.reference, two.digest)


def test_a_conversation_stays_with_its_canary(desk, api, conversation, engine, serving) -> None:
    canary = serving(TONE)
    one = serving(TONE)
    key = conversation.rpartition("/")[2]
    patch(api, {"adapter": TONE})
    for share, version in ((place(canary, key) + 1e-9, canary), (place(canary, key) - 1e-9, one)):
        with tenant(desk.organisation):
            Alias.objects.update(canary=canary, canary_share=share)
        told, _ = answered(desk, api, conversation)
        assert told["adapter"] == version.reference


def test_what_an_alias_does_not_mean_is_refused(api, conversation, engine, serving) -> None:
    assert patch(api, {"adapter": TONE}).status_code == 404
    assert post(api, conversation, "Hello", adapter=TONE).status_code == 404
    tagger = serving("notes:production", {"task": "tagging"})
    answer = post(api, conversation, "Hello", adapter="notes:production")
    told = f"{tagger.reference} is an adapter for tagging, not for chat"
    assert answer.json()["errors"] == [{"field": "adapter", "reason": told}]
    assert engine.asked == []


def test_emotions_are_read_by_the_organisations_own(desk, api, conversation, engine, serving) -> None:
    shipped = post(api, conversation, "Thank you").json()
    assert shipped["emotion"]["adapter"] == "support-emotion@aaaaaaaaaaaa"
    one = serving(EMOTION, READS)
    told, _ = answered(desk, api, str(start(api)))
    assert (told["emotion"]["adapter"], engine.read[-1]) == (one.reference, one.digest)
    with tenant(desk.organisation):
        record = DecisionRecord.objects.filter(kind="support.emotion").order_by("-pk").first()
    assert (record.adapter, record.adapter_digest) == (one.reference, one.digest)


def test_one_with_other_labels_reads_nothing(api, engine, serving) -> None:
    one = serving(EMOTION, READS)
    engine.labels = ("angry", "glad")
    answer = post(api, str(start(api)), "Thank you")
    assert answer.status_code == 422
    assert f"{one.reference}, which {EMOTION} serves, has no label" in answer.json()["detail"]
    assert engine.read == []


def start(api) -> str:
    """A conversation's path."""
    return f"/support/conversations/{api.post('/support/conversations', {}).json()['id']}"


def test_a_shadow_is_compared_with_what_was_said(desk, api, conversation, engine, serving) -> None:
    shadow = serving(TONE)
    one = serving(TONE, shadow=shadow, shadow_share=0.999_999_999)
    patch(api, {"adapter": TONE})
    told, _ = answered(desk, api, conversation)
    assert told["adapter"] == one.reference
    tally = tallied(desk)
    assert (tally.compared, tally.same) == (1, 1)
    assert [adapter for _, adapter in engine.asked] == [one.digest, shadow.digest]


def tallied(desk) -> ShadowTally:
    """The comparisons, once there is one."""
    for _ in range(100):
        with tenant(desk.organisation):
            if tally := ShadowTally.objects.first():
                return tally
        time.sleep(0.1)
    raise AssertionError("nothing was compared")


@pytest.mark.parametrize(("words", "agreement"), [("thank you, I am happy", 2 / 3), ("thank you", 1.0)])
def test_a_shadow_reads_unseen(desk, api, engine, serving, words: str, agreement: float) -> None:
    shadow = serving(EMOTION, READS)
    one = serving(EMOTION, READS, shadow=shadow, shadow_share=0.999_999_999)
    engine.blind[shadow.digest] = "joy"
    told, _ = answered(desk, api, str(start(api)), words)
    assert told["emotion"]["adapter"] == one.reference
    tally = tallied(desk)
    assert (tally.compared, tally.same) == (1, agreement == 1.0)
    assert tally.agreement == pytest.approx(agreement)
    assert engine.read == [one.digest, shadow.digest]


def test_a_shadow_without_the_labels_counts_as_failed(desk, api, engine, serving) -> None:
    shadow = serving(EMOTION, READS)
    serving(EMOTION, READS, shadow=shadow, shadow_share=0.999_999_999)
    engine.blind[shadow.digest] = "all"
    answered(desk, api, str(start(api)))
    assert (tallied(desk).compared, tallied(desk).failed) == (0, 1)
