"""/api/v1/fraud/rules: versions, checks, agreement, roll-back."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.fraud.models import RulesMove, RulesVersion
from apps.fraud.rules.names import NAMES
from rootstock.accounts.services import api_key_create
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from tests.apps.fraud.conftest import body
from tests.apps.fraud.rules.conftest import definition, rule
from tests.apps.fraud.test_transactions import problems
from tests.fixtures.world import Api

PATH = "/fraud/rules"
SCOPES = ("fraud:read", "fraud:write", "fraud:rules", "fraud:approve")


@pytest.fixture
def people(bank):
    """Two people's keys."""
    made = (bank.owner, bank.person("fraud_supervisor"))
    return [
        Api(api_key_create(organisation=bank.organisation, name="k", scopes=SCOPES, created_by=one)[1])
        for one in made
    ]


def write(api, *rules, **changes):
    """A version's number."""
    response = api.post(f"{PATH}/versions", definition(*rules, **changes))
    assert response.status_code == 201, response.json()
    return response.json()["number"]


def serve(first, second, number):
    """Bring a version into force."""
    asked = first.post(f"{PATH}/requests", {"version": number, "reason": "tested"}).json()
    return second.post(f"{PATH}/requests/{asked['id']}/approve", {})


def test_it_works(people, runtime, fresh_rules):
    first, second = people
    number = write(first, rule("LARGE", "amount > 1000", 95))
    assert first.get(PATH).json()["current"] is None
    assert first.post("/fraud/transactions", body(1, amount="2000.00")).json()["decision"]["rules"] == ""
    response = serve(first, second, number)
    assert response.status_code == 200
    assert response.json()["current"]["number"] == number == 1
    decision = first.post("/fraud/transactions", body(2, amount="2000.00")).json()["decision"]
    assert (decision["outcome"], decision["by"]) == ("decline", ["rules"])
    assert decision["rules"] == response.json()["current"]["reference"]
    [move] = first.get(f"{PATH}/moves").json()["items"]
    assert (move["kind"], move["before"], move["after"]) == ("serve", "", decision["rules"])


def test_a_version_is_numbered_and_never_changed(people):
    api = people[0]
    given = definition(rule("A"), rule("B", 'channel == "card" and not has_device', -5.5))
    first = api.post(f"{PATH}/versions", given | {"note": "first"}).json()
    assert api.post(f"{PATH}/versions", given | {"note": "again"}).json() == first
    assert write(api, rule("C")) == 2
    found = api.get(f"{PATH}/versions/1").json()
    assert found == first
    assert found["definition"] == given
    assert [one["number"] for one in api.get(f"{PATH}/versions").json()["items"]] == [2, 1]
    assert api.get(f"{PATH}/versions/9").status_code == 404


def test_facts_are_told(people):
    facts = {one["name"]: one for one in people[0].get(f"{PATH}/facts").json()}
    assert facts["channel"]["kind"] == "channel"
    assert facts["amount"]["meaning"]


def test_a_problem_names_field_position_and_reason(people):
    given = definition(
        rule("A"), rule("A"), rule("B", "amount > 1 and amout > 2"), rule("C", ""), review=50, decline=40
    )
    for path in ("check", "versions"):
        response = people[0].post(f"{PATH}/{path}", given)
        assert response.status_code == 422
        found = problems(response)
        assert set(found) == {
            "decline", "typologies.0.rules.1.code", "typologies.0.rules.2.when", "typologies.0.rules.3.when"
        }  # fmt: skip
        [placed] = [one for one in response.json()["errors"] if one["field"].endswith("2.when")]
        assert placed["position"] == 16
        assert "did you mean amount" in placed["reason"]


def typology(number):
    """One with fifty rules."""
    return {"name": f"t{number}", "label": "x", "rules": [rule(f"R{number}_{place}") for place in range(50)]}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"review": 0}, "review"),
        ({"review": "x"}, "review"),
        ({"decline": 1e9}, "decline"),
        ({"typologies": []}, "typologies"),
        ({"colour": 1}, "colour"),
        ({"typologies": [{"name": "Bad Name", "label": "x", "rules": [rule()]}]}, "typologies.0.name"),
        ({"typologies": [{"name": "ok", "label": "x", "rules": []}]}, "typologies.0.rules"),
        ({"typologies": [{"name": "ok", "label": "x", "rules": [rule("no code")]}]}, "typologies.0.rules.0.code"),
        ({"typologies": [{"name": "ok", "label": "x", "rules": [rule(points=1e9)]}]}, "typologies.0.rules.0.points"),
        ({"typologies": [{"name": "ok", "label": "x", "rules": [rule(when=3)]}]}, "typologies.0.rules.0.when"),
        (definition(rule(when="amount / 0 > 1")), "typologies.0.rules.0.when"),
        ({"typologies": [typology(n) for n in range(5)]}, "typologies"),
    ],
)  # fmt: skip
def test_bad_fields_are_named(people, changes, field):
    response = people[0].post(f"{PATH}/check", definition() | changes)
    assert response.status_code == 422
    assert field in problems(response)


def test_check_stores_nothing(people, bank):
    found = people[0].post(f"{PATH}/check", definition(rule("A", "amount > 1 and score > 0.5")))
    assert found.json() == {"rules": 1, "facts": ["amount", "score"]}
    with tenant(bank.organisation):
        assert not RulesVersion.objects.exists()


def test_who_asked_cannot_agree(people, bank):
    first, second = people
    number = write(second)
    asked = first.post(f"{PATH}/requests", {"version": number, "reason": "tested"}).json()
    assert asked["state"] == "open"
    own_other_key = Api(
        api_key_create(organisation=bank.organisation, name="k2", scopes=SCOPES, created_by=bank.owner)[1]
    )
    for one in (first, own_other_key, bank.api(*SCOPES)):
        assert one.post(f"{PATH}/requests/{asked['id']}/approve", {}).status_code == 403
    assert first.get(PATH).json()["current"] is None
    assert first.post(f"{PATH}/requests", {"version": number, "reason": "again"}).status_code == 409
    assert second.post(f"{PATH}/requests/{asked['id']}/approve", {"because": "fine"}).status_code == 200
    assert second.post(f"{PATH}/requests/{asked['id']}/approve", {}).status_code == 409
    assert first.post(f"{PATH}/requests", {"version": number, "reason": "again"}).status_code == 409
    found = first.get(f"{PATH}/requests/{asked['id']}").json()
    assert (found["state"], found["because"]) == ("approved", "fine")


def test_refused_and_withdrawn(people):
    first, second = people
    number = write(first)
    for one, state in ((second, "refused"), (first, "withdrawn")):
        asked = first.post(f"{PATH}/requests", {"version": number, "reason": "tested"}).json()
        ended = one.post(f"{PATH}/requests/{asked['id']}/refuse", {"reason": "no"}).json()
        assert ended["state"] == state
    assert [one["state"] for one in first.get(f"{PATH}/requests").json()["items"]] == ["withdrawn", "refused"]
    assert len(first.get(f"{PATH}/requests", state="refused").json()["items"]) == 1
    assert first.get(f"{PATH}/requests", state="colour").status_code == 422


def test_of_many_who_agree_at_once_one_does(people, bank):
    first, second = people
    asked = first.post(f"{PATH}/requests", {"version": write(first), "reason": "tested"}).json()
    with ThreadPoolExecutor(4) as pool:
        codes = list(
            pool.map(
                lambda _: second.post(f"{PATH}/requests/{asked['id']}/approve", {}).status_code, range(4)
            )
        )
    assert sorted(codes) == [200, 409, 409, 409]
    with tenant(bank.organisation):
        assert RulesMove.objects.count() == 1


def test_many_who_write_at_once_get_numbers_of_their_own(people):
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(lambda n: write(people[n % 2], rule(f"R{n % 4}")), range(8)))
    assert sorted(numbers) == [1, 1, 2, 2, 3, 3, 4, 4]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from(sorted(NAMES) + list("()[]<>=+-*/.'")), max_size=30).map("".join)
)
def test_whatever_is_written_is_read_or_refused(people, text):
    response = people[0].post(f"{PATH}/check", definition(rule("A", text, text="A rule")))
    assert response.status_code in (200, 400, 422)
    if response.status_code == 422:
        assert "typologies.0.rules.0.when" in problems(response)


def test_roll_back(people):
    first, second = people
    for code in ("A", "B", "C"):
        serve(first, second, write(first, rule(code)))

    def back(**given):
        return second.post(f"{PATH}/roll-back", {"reason": "too many alerts", **given})

    assert back(generation=1).status_code == 409
    assert back(generation=3).json()["current"]["number"] == 2
    assert back().json()["current"]["number"] == 1
    assert back().json()["current"] is None
    assert back().status_code == 409
    assert back(version=3).json()["current"]["number"] == 3
    assert back(version=0).json()["current"] is None
    write(first, rule("D"))
    assert back(version=4).status_code == 409
    assert back(version=9).status_code == 404


def test_roll_back_of_a_version_that_was_in_force_twice(people):
    first, second = people
    a, b = write(first, rule("A")), write(first, rule("B"))
    for number in (a, b, a, write(first, rule("C"))):
        serve(first, second, number)
    found = [second.post(f"{PATH}/roll-back", {"reason": "too many alerts"}).json() for _ in range(4)]
    assert [one["current"] and one["current"]["number"] for one in found] == [a, b, a, None]


def test_it_is_recorded(people, bank):
    first, second = people
    serve(first, second, write(first))
    with tenant(bank.organisation):
        actions = set(AuditEntry.objects.filter(action__startswith="rules.").values_list("action", flat=True))
    assert actions == {"rules.written", "rules.requested", "rules.serve", "rules.approved"}


def test_scopes_and_organisations(people, bank):
    first = people[0]
    number = write(first)
    asked = first.post(f"{PATH}/requests", {"version": number, "reason": "tested"}).json()
    reader = bank.api("fraud:read", "fraud:write")
    assert reader.post(f"{PATH}/versions", definition()).status_code == 403
    assert reader.post(f"{PATH}/requests", {"version": 1, "reason": "x"}).status_code == 403
    writer = bank.api("fraud:rules")
    assert writer.post(f"{PATH}/requests/{asked['id']}/approve", {}).status_code == 403
    assert writer.post(f"{PATH}/roll-back", {"reason": "x"}).status_code == 403
    stranger = bank.api(*SCOPES, organisation=bank.other)
    assert stranger.get(f"{PATH}/versions/{number}").status_code == 404
    assert stranger.get(f"{PATH}/requests/{asked['id']}").status_code == 404
    assert stranger.post(f"{PATH}/requests/{asked['id']}/approve", {}).status_code == 404
    assert stranger.get(PATH).json() == {"current": None, "shadow": None, "generation": 0, "lists": 0}
