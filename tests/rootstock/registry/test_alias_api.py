"""Aliases and promotions over REST: from the request to the roll-back, and who may not."""

import hashlib
from typing import Any

import pytest

from rootstock.accounts.models import Role
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry

NAME = "tone:production"
AGREED = {"because": "I agree", "without_evaluation": True}
BOTH = ("adapters:read", "adapters:write", "adapters:approve")


@pytest.fixture
def two_people(world: Any) -> Any:
    """Keys of two people."""
    from rootstock.accounts.services import api_key_create
    from tests.fixtures.world import Api

    return [
        Api(
            api_key_create(organisation=world.organisation, name=user.username, scopes=BOTH, created_by=user)[
                1
            ]
        )
        for user in (world.owner, world.person(Role.ML_ENGINEER))
    ]


def test_it_works(world: Any, make_version: Any, two_people: Any) -> None:
    first, second = two_people
    one, two = make_version(), make_version()
    for version in (one, two):
        asked = first.post("/promotions", {"alias": NAME, "version": version.reference, "reason": "better"})
        assert asked.status_code == 201, asked.content
        path = f"/promotions/{asked.json()['id']}"
        assert first.post(f"{path}/approve", {}).status_code == 403
        assert second.post(f"{path}/approve", AGREED).json()["current"] == version.reference
        assert first.get(path).json()["state"] == "approved"
    assert first.post(f"/aliases/{NAME}/roll-back", {"reason": "rude"}).json()["current"] == one.reference
    moves = first.get(f"/aliases/{NAME}/moves").json()["items"]
    assert [move["move"] for move in moves] == ["roll_back", "serve", "serve"]
    assert first.get("/aliases").json()["items"][0]["generation"] == 3
    assert first.get("/promotions?state=open").json()["items"] == []


def test_a_version_tells_where_it_is_from_and_who_agreed(
    world: Any, make_version: Any, two_people: Any
) -> None:
    first, _ = two_people
    parent = make_version()
    child = make_version(parent=parent, created_by=f"person:{world.owner.pk}")
    told = first.get(f"/adapters/{child.reference}").json()
    assert (told["approval"], told["card"]["approver"], told["card"]["approved_at"]) == (None, "", None)
    promote(two_people, child)
    told = first.get(f"/adapters/{child.reference}").json()
    assert (told["parent"], told["created_by"]) == (parent.reference, f"person:{world.owner.pk}")
    approval = told["approval"]
    assert (approval["alias"], approval["because"]) == (NAME, AGREED["because"])
    assert approval["requested_by"].startswith("key:")
    assert approval["approved_by"] not in ("", approval["requested_by"])
    second = world.person(Role.ML_ENGINEER).username
    assert approval["requester"] == f"API key {world.owner.username}, made by {world.owner.username}"
    assert approval["approver"] == f"API key {second}, made by {second}"
    agreed = {name: told["card"][name] for name in ("approver", "approved_at")}
    assert agreed == {name: approval[name] for name in agreed}
    page = world.browser(world.owner).get(f"/adapters/{child.pk}/").content.decode()
    assert f"by {approval['approver']}, for <code>{NAME}</code>" in page
    listed = {one["reference"]: one for one in first.get("/adapters").json()["items"]}
    assert listed[child.reference] == told
    assert listed[parent.reference]["approval"] is None


def test_a_person_who_agrees_on_the_page_is_told_over_rest(
    world: Any, make_version: Any, two_people: Any
) -> None:
    first, _ = two_people
    version = make_version()
    body = {"alias": NAME, "version": version.reference, "reason": "better"}
    asked = first.post("/promotions", body).json()
    path = f"/deployments/promotions/{asked['id']}/approve"
    world.browser(world.person(Role.ML_ENGINEER)).post(path, {"reason": "I agree", "without_evaluation": "1"})
    told = first.get(f"/adapters/{version.reference}").json()
    assert told["card"]["approver"] == told["approval"]["approver"] == world.person(Role.ML_ENGINEER).username
    assert told["approval"]["approved_by"] == f"person:{world.person(Role.ML_ENGINEER).pk}"


@pytest.mark.parametrize("change", ["canary", "shadow"])
def test_a_canary_and_a_shadow_are_told_of(make_version: Any, two_people: Any, change: str) -> None:
    one, two, three = make_version(), make_version(), make_version()
    promote(two_people, one)
    told = promote(two_people, two, change=change, share=0.1)
    assert (told["current"], told[change], told[f"{change}_share"]) == (one.reference, two.reference, 0.1)
    assert promote(two_people, two, change=change, share=0.5)[f"{change}_share"] == 0.5
    assert promote(two_people, three)["current"] == three.reference
    ended = two_people[0].post(f"/aliases/{NAME}/end", {"what": change, "reason": "enough"})
    assert ended.json()[change] is None


def promote(two_people: Any, version: Any, **change: Any) -> dict[str, Any]:
    """Asked by one, agreed on by the other; the alias as it is told then."""
    body = {"alias": NAME, "version": version.reference, "reason": "better", **change}
    asked = two_people[0].post("/promotions", body)
    answer = two_people[1].post(f"/promotions/{asked.json()['id']}/approve", AGREED)
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def test_two_who_roll_back_go_back_one_version(make_version: Any, two_people: Any) -> None:
    made = [make_version() for _ in range(3)]
    for version in made:
        seen = promote(two_people, version)["generation"]
    body = {"reason": "rude", "generation": seen}
    answers = [api.post(f"/aliases/{NAME}/roll-back", body) for api in two_people]
    assert [answer.status_code for answer in answers] == [200, 409]
    assert "has moved meanwhile" in answers[1].json()["detail"]
    assert two_people[0].get(f"/aliases/{NAME}").json()["current"] == made[1].reference


def test_a_card_says_what_it_is_for(world: Any, make_version: Any, two_people: Any) -> None:
    api, one = two_people[0], make_version()
    card = {"purpose": "", "limits": "", "licence": ""}
    told = api.put(
        f"/adapters/{one.reference}/card", card | {"purpose": "Answers", "limits": "No medical advice"}
    ).json()
    assert (told["card"]["purpose"], told["card"]["task"]) == ("Answers", "chat")
    for wrong, field in (({"limits": "x" * 2001}, "limits"), ({"bogus": 1}, "bogus")):
        refused = api.put(f"/adapters/{one.reference}/card", card | wrong)
        assert [error["field"] for error in refused.json()["errors"]] == [field]
    assert (
        api.put(f"/adapters/{one.reference}/card", {"limits": "None"}).status_code == 422
    )  # it would empty the rest
    with tenant(world.organisation):
        described = AuditEntry.objects.get(action="adapter.described")
    assert described.data["changed"] == ["purpose", "limits"]
    assert described.data["licence_sha256"] == hashlib.sha256(b"").hexdigest()


def test_what_is_kept_and_retired(make_version: Any, two_people: Any) -> None:
    api, one = two_people[0], make_version()
    assert api.put(f"/adapters/{one.reference}/keep", {"keep": "pinned"}).json()["keep"] == "pinned"
    told = api.post(f"/adapters/{one.reference}/retire", {"reason": "old"}).json()
    assert (told["keep"], told["retired_because"]) == ("", "old")
    assert api.put(f"/adapters/{one.reference}/keep", {"keep": "warm"}).status_code == 409
    assert api.post(f"/adapters/{one.reference}/restore", {}).status_code == 422
    assert api.post(f"/adapters/{one.reference}/restore", {"reason": "oh"}).json()["retired_at"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"share": 2}, "share"),
        ({"change": "burn"}, "change"),
        ({"reason": ""}, "reason"),
        ({"alias": "x"}, "alias"),
        ({"version": "x"}, "version"),
        ({"change": "canary", "share": 1}, "share"),
        ({"change": "canary", "share": 1e-320}, "share"),
        ({"chnage": "canary", "share": 0.5}, "chnage"),
    ],
)
def test_a_bad_request_names_the_field(
    make_version: Any, two_people: Any, body: dict[str, Any], field: str
) -> None:
    good = {"alias": NAME, "version": make_version().reference, "reason": "better"}
    refused = two_people[0].post("/promotions", good | body)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [field]


def test_it_is_private(world: Any, make_version: Any, two_people: Any) -> None:
    first, second = two_people
    asked = first.post(
        "/promotions", {"alias": NAME, "version": make_version().reference, "reason": "better"}
    )
    path = f"/promotions/{asked.json()['id']}"
    world.assert_private(f"/api/v1{path}", "adapters:read")
    second.post(f"{path}/approve", AGREED)
    world.assert_private(f"/api/v1/aliases/{NAME}", "adapters:read")
    only_asks = world.api("adapters:read", "adapters:write")
    assert only_asks.post(f"/aliases/{NAME}/roll-back", {"reason": "x"}).status_code == 403
