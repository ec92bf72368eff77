"""Rules in force, in the worker: REST, lane, decision."""

from uuid import uuid4

import pytest

from apps.fraud.models import Decision, RulesInForce, RulesVersion
from apps.fraud.rules.stored import RulesInMemory, rules_at
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import body
from tests.apps.fraud.rules.conftest import definition, rule

pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/transactions"


@pytest.fixture
def serve(bank, runtime):
    """Put a definition in force, or in the shadow."""
    runtime._consumers["fraud.score"].handler.rules = RulesInMemory(fresh_s=0.0)

    def put(given, field="current", organisation=bank.organisation):
        with tenant(organisation) as owner:
            made = RulesVersion.objects.create(
                organisation_id=owner, number=RulesVersion.objects.count() + 1, definition=given,
                digest=uuid4().hex * 2, made_by="person:1",
            )  # fmt: skip
            RulesInForce.objects.update_or_create(
                organisation_id=owner, defaults={field: made, "generation": made.number}
            )
        return made

    return put


def test_it_works(api, bank, serve):
    version = serve(definition(rule("LARGE", "amount > 1000", 50), rule("SHOP", "has_merchant", 45)))
    sent = [body(1), body(2, amount="1500.00"), body(3, amount="1500.00", merchant="Shop")]
    small, large, both = (one["decision"] for one in api.post(PATH, sent).json()["items"])
    assert [one["outcome"] for one in (small, large, both)] == ["approve", "review", "decline"]
    assert {one["rules"] for one in (small, large, both)} == {version.reference}
    assert [one["code"] for one in both["reasons"][:2]] == ["LARGE", "SHOP"]
    assert both["reasons"][0]["values"] == {"amount": 1500.0}
    assert (both["rule_score"], both["contributions"]["rules"] > 0) == (95, True)
    assert both["score"] > large["score"] > large["probability"]
    with tenant(bank.organisation):
        assert Decision.objects.get(sequence=3).rules == version.reference
    found = rules_at(organisation=bank.organisation.pk, reference=both["rules"])
    assert found.reference == version.reference


def test_a_rule_that_cannot_be_read_any_more_never_holds_and_the_log_says_so(api, serve, caplog):
    """And one that divides by 0, as could be stored once, gives nothing."""
    serve(
        definition(
            rule("GONE", "moon_phase > 1", 95),
            rule("ZERO", "amount / 0 > 1", 95),
            rule("LARGE", "amount > 1"),
        )
    )
    decision = api.post(PATH, body()).json()["decision"]
    assert (decision["outcome"], decision["rule_score"]) == ("review", 50)
    [told] = [one.getMessage() for one in caplog.records if one.name == "apps.fraud.rules.ruleset"]
    assert "GONE" in told
    assert "there is no fact moon_phase" in told


def test_the_shadow_is_kept_and_decides_nothing(api, bank, serve):
    version = serve(definition(rule("LARGE", "amount > 1", 95)), "shadow")
    decision = api.post(PATH, body()).json()["decision"]
    assert (decision["outcome"], decision["rules"], decision["rule_score"]) == ("approve", "", 0)
    with tenant(bank.organisation):
        kept = Decision.objects.get().shadow
    assert kept == {"rules": version.reference, "outcome": "decline", "points": 95, "hits": ["LARGE"]}


def test_rules_are_their_organisations_own(api, bank, serve):
    serve(definition(rule("ALL", "amount > 0", 95)))
    other = bank.api("fraud:write", organisation=bank.other)
    assert other.post(PATH, body()).json()["decision"]["outcome"] == "approve"
    assert api.post(PATH, body()).json()["decision"]["outcome"] == "decline"


def test_it_is_read_again_when_it_has_changed_and_not_before(bank, serve, django_assert_num_queries):
    memory, organisation = RulesInMemory(fresh_s=0.0), bank.organisation.pk
    assert memory.of(organisation) is None
    version = serve(definition())
    first = memory.of(organisation)
    assert first.reference == version.reference
    assert memory.of(organisation) is first
    patient = RulesInMemory(fresh_s=1000.0)
    known = patient.of(organisation)
    serve(definition(rule("OTHER")))
    with django_assert_num_queries(0):
        assert patient.of(organisation) is known
    assert memory.of(organisation).reference != first.reference
