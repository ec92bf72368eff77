"""A decision by rules and lists, made again after both have changed."""

import pytest

from apps.fraud.models import Decision
from rootstock.accounts.tenancy import tenant
from tests.apps.fraud.conftest import body
from tests.apps.fraud.rules.conftest import definition, rule
from tests.apps.fraud.rules.test_in_force import serve
from tests.apps.fraud.test_replay import replay

__all__ = ["serve"]
pytestmark = pytest.mark.usefixtures("runtime")
PATH = "/fraud/transactions"


def test_it_agrees_with_the_rules_and_lists_of_then(api, bank, serve):
    lists = bank.api("fraud:rules")
    serve(definition(rule("PACE", "payer_count_1h >= 3", 50), rule("WATCHED", "payee_watched", 45)))
    entry = {"effect": "deny", "kind": "device", "value": "phone-7", "reason": "stolen"}
    denied = lists.post("/fraud/lists", entry).json()["id"]
    lists.post("/fraud/lists", entry | {"effect": "watch", "kind": "payee", "value": "DE89-0001"})
    sent = [body(n, device="phone-7") if n == 2 else body(n) for n in range(1, 7)]
    outcomes = [one["decision"]["outcome"] for one in api.post(PATH, sent).json()["items"]]
    assert outcomes == ["review", "decline", "review", "decline", "decline", "decline"]
    lists.post(f"/fraud/lists/{denied}/end")
    serve(definition(rule("NEVER", "amount > 1000000", 1)))
    api.post(PATH, [body(n, device="phone-7") for n in range(7, 10)])
    with tenant(bank.organisation):
        decisions = list(Decision.objects.order_by("sequence"))
    assert len({one.rules for one in decisions}) == 2
    for one in decisions:
        assert "agrees: " in replay(one.pk)
