"""A decision by rules and lists, made again after both have changed."""

from decimal import Decimal

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


@pytest.mark.slow
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


def test_under_which_amount_the_rules_would_have_let_it_pass(api, serve):
    """The model lets it pass at any amount: what counts is the whole decision."""
    serve(definition(rule("LARGE", "amount > 500 and channel == 'card'", 50)))
    sent = api.post(PATH, body(1, amount="900.00")).json()
    assert (sent["decision"]["outcome"], sent["decision"]["by"]) == ("review", ["rules"])
    found = api.get(f"{PATH}/{sent['id']}/explanation").json()
    assert Decimal("490.00") < Decimal(found["would_pass_under"]) <= Decimal("500.00")
    passing = api.post(PATH, body(2, payer="GB29-0002", amount=found["would_pass_under"])).json()
    assert passing["decision"]["outcome"] == "approve"


def test_where_no_amount_would_do(api, serve):
    serve(definition(rule("CARD", "channel == 'card'", 50)))
    sent = api.post(PATH, body(1, amount="900.00")).json()
    assert api.get(f"{PATH}/{sent['id']}/explanation").json()["would_pass_under"] is None
