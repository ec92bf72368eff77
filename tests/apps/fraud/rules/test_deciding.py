"""decide(): model, rules and lists become one decision."""

from uuid import uuid4

import pytest

from apps.fraud.deciding import decide, decide_all
from apps.fraud.rules.lists import Entry, Lists
from apps.fraud.rules.ruleset import Rules, RuleSet
from models_zoo.fraud.card import Card
from models_zoo.fraud.scores import Score
from tests.apps.fraud.rules.conftest import definition, rule

FACTS = {"amount": 20.0, "hour": 12.0}
CARD = Card("d" * 64, ("boosting",), "boosting", review=0.3, decline=0.8, label_delay=0.0)


def payment(**changes):
    """What travels on the lane."""
    given = {
        "sequence": 9,
        "time": 1e9,
        "payer": 1,
        "payee": 2,
        "device": 0,
        "merchant": 3,
        "amount": 20.0,
        "channel": 0,
    }
    return {**given, **changes}


def score(probability=0.01):
    """The model's."""
    return Score(probability, CARD.outcome(probability), {"tabular": -1.0, "sequence": 0.0, "graph": 0.0}, [])


def ruleset(*rules, lists=None, **changes):
    """Rules in force."""
    return RuleSet(Rules.of("rules@1-abc", definition(*rules, **changes)), lists or Lists())


def test_without_rules_the_model_decides():
    decided = decide(score(0.5), {}, payment(), None, CARD)
    assert (decided.outcome, decided.score, decided.probability, decided.rules_version) == (
        "review",
        0.5,
        0.5,
        "",
    )
    assert decided.contributions == {"tabular": -1.0, "sequence": 0.0, "graph": 0.0, "rules": 0.0}


@pytest.mark.parametrize(
    ("points", "probability", "outcome"),
    [
        (39, 0.01, "approve"), (40, 0.01, "review"), (89, 0.01, "review"), (90, 0.01, "decline"),
        (39, 0.5, "review"), (40, 0.9, "decline"), (90, 0.5, "decline"), (10, 0.01, "approve"),
    ],
)  # fmt: skip
def test_the_graver_stands_and_the_score_agrees(points, probability, outcome):
    rules = ruleset(rule(points=points))
    decided = decide(score(probability), {"amount": 5000.0}, payment(), rules, CARD)
    assert decided.outcome == outcome == CARD.outcome(decided.score)
    assert decided.score >= decided.probability == probability
    assert decided.rule_score == points
    assert decided.by == [
        name
        for name, said in (("rules", rules.rules.outcome(points)), ("model", CARD.outcome(probability)))
        if said == outcome
    ]
    assert (decided.contributions["rules"] > 0) == (decided.score > probability)


def test_more_points_never_rank_lower():
    given = [
        decide(score(), {"amount": 5000.0}, payment(), ruleset(rule(points=n)), CARD).score
        for n in range(1, 400)
    ]
    assert given == sorted(given)


def test_a_reason_tells_the_values():
    rules = ruleset(rule("BIG", "amount > 1000 and has_merchant", 30), rule("NIGHT", "hour < 6", 5))
    reasons = decide(score(), {"amount": 1500.0, "hour": 1.0}, payment(), rules, CARD).reasons
    assert [one["code"] for one in reasons] == ["BIG", "NIGHT"]
    assert reasons[0]["values"] == {"amount": 1500.0, "has_merchant": 1.0}
    assert (reasons[0]["typology"], reasons[0]["points"], reasons[0]["source"]) == ("test", 30, "rule")


def test_the_weight_of_a_typology_multiplies_and_points_may_be_negative():
    rules = ruleset(rule("BIG", points=30), rule("SHOP", "has_merchant", -10), weight=2.0)
    assert decide(score(), {"amount": 1500.0}, payment(), rules, CARD).rule_score == 40
    assert decide(score(), FACTS, payment(), rules, CARD).rule_score == 0


def test_lists_come_first_and_deny_before_allow():
    deny, allow = uuid4(), uuid4()
    rows = [("deny", "payee", (2, 0), Entry(deny)), ("allow", "payer", (1, 0), Entry(allow))]
    rules = ruleset(rule(points=95))
    denied = decide(score(), FACTS, payment(), RuleSet(None, Lists.of(3, rows)), CARD)
    assert (denied.outcome, denied.score, denied.rules_version) == ("decline", CARD.decline, "lists@3")
    assert (denied.reasons[0]["code"], denied.reasons[0]["entry"]) == ("PAYEE_DENY_LISTED", str(deny))
    allowed = decide(
        score(0.9), {"amount": 5000.0}, payment(), RuleSet(rules.rules, Lists.of(4, rows[1:])), CARD
    )
    assert (allowed.outcome, allowed.rules_version) == ("approve", "rules@1-abc lists@4")
    assert allowed.score >= 0.9


@pytest.mark.parametrize(
    ("kind", "key", "entry", "matches"),
    [
        ("payer", (1, 0), {}, True),
        ("payer", (2, 0), {}, False),
        ("merchant", (3, 0), {}, True),
        ("device", (3, 0), {}, False),
        ("pair", (1, 2), {}, True),
        ("pair", (2, 1), {}, False),
        ("payee", (2, 0), {"channel": 0}, True),
        ("payee", (2, 0), {"channel": 3}, False),
        ("payee", (2, 0), {"until": 1e9 + 1}, True),
        ("payee", (2, 0), {"until": 1e9}, False),
    ],
)
def test_which_entries_match(kind, key, entry, matches):
    lists = Lists.of(1, [("deny", kind, key, Entry(uuid4(), **entry))])
    assert (lists.found(payment()) is not None) == matches


def test_a_shadow_is_told_and_decides_nothing():
    rules = RuleSet(None, shadow=Rules.of("rules@2-def", definition(rule(points=95))))
    decided = decide(score(), {"amount": 5000.0}, payment(), rules, CARD)
    assert (decided.outcome, decided.score, decided.rules_version) == ("approve", 0.01, "")
    assert decided.shadow == {"rules": "rules@2-def", "outcome": "decline", "points": 95, "hits": ["LARGE"]}


def test_a_shadow_keeps_to_lists_and_model():
    tried = Rules.of("rules@2-def", definition(rule(points=50)))
    lists = Lists.of(1, [("allow", "payer", (1, 0), Entry(uuid4()))])
    assert decide(score(0.9), FACTS, payment(), RuleSet(shadow=tried), CARD).shadow["outcome"] == "decline"
    listed = decide(score(), {"amount": 5000.0}, payment(), RuleSet(None, lists, tried), CARD)
    assert (listed.shadow["outcome"], listed.by) == ("approve", ["list"])


def test_a_batch_decides_as_one_by_one():
    rules = ruleset(rule(points=30), rule("CARD", 'channel == "card"', 15), rule("RISK", "score > 0.2", 50))
    payments = [payment(sequence=n, channel=n % 6) for n in range(20)]
    facts = [{"amount": n * 200.0} for n in range(20)]
    scores = [score(n / 20) for n in range(20)]
    together = decide_all(scores, facts, payments, rules, CARD)
    assert together == [decide(*given, rules, CARD) for given in zip(scores, facts, payments, strict=True)]
    assert len({one.outcome for one in together}) == 3
