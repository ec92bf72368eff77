"""The registry's pages: what they say, what they change, and who may."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from rootstock.accounts.models import Role
from rootstock.accounts.tenancy import tenant
from rootstock.audit.words import object_url
from rootstock.console.needs import needs_of
from rootstock.jobs.events import Step
from rootstock.jobs.models import Job
from rootstock.jobs.ownership import event_append
from rootstock.jobs.services import job_claim, job_create
from rootstock.lanes import wire
from rootstock.lanes.client import connection
from rootstock.registry import aliases, versions
from rootstock.registry.datasets.services import dataset_create
from rootstock.registry.models import (
    AdapterGrant,
    AdapterUpload,
    AdapterVersion,
    Alias,
    Dataset,
    Evaluation,
    Promotion,
    ShadowTally,
)
from tests.rootstock.registry.conftest import as_person

NAME = "tone:production"


@pytest.fixture
def engineer(world: Any) -> Any:
    """A second person who may decide."""
    return world.person(Role.ML_ENGINEER)


@pytest.fixture
def owner(world: Any) -> Client:
    """The owner's session."""
    return world.browser(world.owner)


def text_of(client: Client, path: str, **query: str) -> str:
    """A page without its markup, on one line."""
    answer = client.get(path, query)
    assert answer.status_code == 200, (path, answer.status_code)
    plain = re.sub(r"<(script|template).*?</\1>|<[^>]+>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"[ \n]+", " ", plain)


def propose(client: Client, version: Any, **fields: Any) -> Any:
    """Ask for it on the page; the answer."""
    form = {"alias": NAME, "change": "serve", "share": 10, "reason": "it answers better"}
    return client.post(f"/adapters/{version.pk}/propose/", form | fields)


def decide(
    world: Any, user: Any, what: str = "approve", reason: str = "I agree", waiving: bool = True
) -> Any:
    """The second person's word on the open promotion, of a version never evaluated; the page that follows."""
    with tenant(world.organisation):
        asked = Promotion.objects.get(state="open")
    path = f"/deployments/promotions/{asked.pk}/{what}"
    given = {"reason": reason, "without_evaluation": "1"} if waiving else {"reason": reason}
    return world.browser(user).post(path, given, follow=True)


@pytest.fixture
def promote(world: Any, owner: Client, engineer: Any) -> Any:
    """The owner asks on the page, the engineer agrees on it."""

    def promote(version: Any, change: str = "serve", share: int = 10) -> Alias:
        assert propose(owner, version, change=change, share=share).status_code == 302
        decide(world, engineer)
        with tenant(world.organisation):
            return Alias.objects.select_related("current").get(name=NAME)

    return promote


def measured(world: Any, version: Any, **metrics: float) -> Evaluation:
    """An evaluation on the organisation's one test set."""
    with tenant(world.organisation) as owner:
        dataset, _ = Dataset.objects.get_or_create(
            organisation_id=owner, sha256="d" * 64,
            defaults={"name": "desk-test", "task": "chat", "rows": 40, "bytes": 1, "is_test": True},
        )  # fmt: skip
        sample = {
            "input": "Where is it?",
            "expected": "Here",
            "base": "<b>No</b> idea",
            "adapter": version.name,
        }
        return Evaluation.objects.create(
            organisation_id=owner, version=version, dataset=dataset, base=version.base, rows=40, metrics=metrics,
            baseline={"similarity": 0.25}, samples=[sample],
        )  # fmt: skip


def test_it_works(world: Any, owner: Client, engineer: Any, make_version: Any) -> None:
    """Two people move an alias on the pages, and one of them takes it back."""
    one, two = make_version(), make_version()
    for version in (one, two):
        assert propose(owner, version).status_code == 302
        page = decide(world, engineer).content.decode()
        assert "Approved: tone:production serves" in page
    with tenant(world.organisation):
        alias = Alias.objects.select_related("current").get()
    assert alias.current == two
    board = text_of(owner, "/deployments/")
    assert "generation 2" in board
    assert f"{one.reference} → {two.reference} by {world.owner.username}" not in board
    assert f"by {engineer.username}" in board
    asked = {"reason": "it was rude", "generation": alias.generation}
    back = owner.post(f"/deployments/{alias.pk}/roll-back", asked, follow=True)
    assert "is rolled back" in back.content.decode()
    again = owner.post(f"/deployments/{alias.pk}/roll-back", asked, follow=True)
    assert "has moved meanwhile" in again.content.decode()
    shown = text_of(owner, f"/deployments/{alias.pk}/")
    assert "Rolled back" in shown
    assert "it was rude" in shown
    story = text_of(owner, f"/adapters/{two.pk}/")
    assert f"Asked: tone:production serves {two.reference} to everybody by {world.owner.username}" in story
    assert "it answers better" in story
    assert "I agree" in story


def test_nobody_agrees_with_themselves(world: Any, owner: Client, make_version: Any) -> None:
    propose(owner, make_version())
    assert "You proposed it" in text_of(owner, "/deployments/")
    page = decide(world, world.owner).content.decode()
    assert "Nothing was changed: a second person has to confirm it" in page
    with tenant(world.organisation):
        assert not Alias.objects.exists()
    page = decide(world, world.owner, "refuse", "a mistake").content.decode()
    assert "stays as it is" in page
    assert "Withdrawn" in page


def test_a_refusal_needs_a_reason(world: Any, owner: Client, engineer: Any, make_version: Any) -> None:
    propose(owner, make_version())
    assert "say why" in decide(world, engineer, "refuse", " ").content.decode()
    assert "too early" in decide(world, engineer, "refuse", "too early").content.decode()


def test_what_was_never_evaluated_is_approved_for_a_reason(
    world: Any, owner: Client, engineer: Any, make_version: Any
) -> None:
    version = make_version()
    propose(owner, version)
    board = world.browser(engineer).get("/deployments/").content.decode()
    assert 'name="without_evaluation"' in board
    assert "It was never evaluated on a frozen test set" in board
    assert "was never evaluated" in decide(world, engineer, waiving=False).content.decode()
    assert "say why it may be served" in decide(world, engineer, reason="").content.decode()
    measured(world, version, similarity=0.5)
    board = world.browser(engineer).get("/deployments/").content.decode()
    assert 'name="without_evaluation"' not in board
    assert "Approved: tone" in decide(world, engineer, reason="", waiving=False).content.decode()


def test_it_is_measured_from_its_page(world: Any, owner: Client, make_version: Any) -> None:
    version = make_version()
    lines = b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
    upload = SimpleUploadedFile("desk.jsonl", lines * 4)
    dataset, _ = dataset_create(
        organisation=world.organisation, name="desk", content=upload, task="chat", is_test=True
    )
    assert "desk, 4 examples" in text_of(owner, f"/adapters/{version.pk}/")
    path = f"/adapters/{version.pk}/evaluate"
    assert "waits for a worker" in owner.post(path, {"dataset_id": dataset.pk}, follow=True).content.decode()
    with tenant(world.organisation):
        assert Job.objects.get(kind="adapters.evaluate").params["version"] == str(version.pk)
    for wrong in ("x", str(version.pk)):
        assert "It was not started" in owner.post(path, {"dataset_id": wrong}, follow=True).content.decode()


def test_what_waits_is_told_to_who_can_decide(
    world: Any, owner: Client, engineer: Any, make_version: Any
) -> None:
    propose(owner, make_version())
    scopes = frozenset({"adapters:approve"})
    with as_person(engineer):
        [need] = needs_of(world.organisation, scopes)
    assert (need.text, need.url) == ("1 promotion waits for a second person", "/deployments/")
    with as_person(world.owner):
        assert needs_of(world.organisation, scopes) == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"alias": "production"}, "Must look like support-tone:production"),
        ({"change": "canary"}, "serves nothing yet"),
        ({"change": "burn"}, "burn is not one of the available choices"),
        ({"reason": " "}, "This field is required"),
        ({"share": 200, "change": "canary"}, "less than or equal to 99"),
    ],
)
def test_a_bad_proposal_is_told_beside_its_field(
    owner: Client, make_version: Any, fields: dict[str, Any], told: str
) -> None:
    answer = propose(owner, make_version(), **fields)
    assert answer.status_code == 422
    assert told in answer.content.decode()


def test_a_canary_without_its_share(owner: Client, make_version: Any, promote: Any) -> None:
    promote(make_version())
    answer = propose(owner, make_version(), change="canary", share="")
    assert "Must be at least 0.001 and less than 1" in answer.content.decode()


def test_canary_and_shadow_on_the_board(world: Any, owner: Client, make_version: Any, promote: Any) -> None:
    one, two, three = make_version(), make_version(), make_version()
    promote(one)
    promote(two, "canary", 25)
    alias = promote(three, "shadow", 50)
    with tenant(world.organisation) as organisation:
        for day in (1, 2):
            ShadowTally.objects.create(
                organisation_id=organisation, alias=alias, current=one, shadow=three, day=f"2026-11-0{day}",
                compared=10, failed=1, same=5, agreement=8.0, current_ms=1000.0, shadow_ms=1500.0,
            )  # fmt: skip
    shown = text_of(owner, "/deployments/")
    assert "75\u202f%" in shown
    assert "25\u202f%" in shown
    assert "50\u202f% the same, 80\u202f% alike, of 20 ; 150&nbsp;ms beside 100&nbsp;ms" in shown
    assert "2 failed" in shown
    for what in ("canary", "shadow"):
        owner.post(f"/deployments/{alias.pk}/end", {"what": what, "reason": "enough"})
    assert "Canary ended" in text_of(owner, f"/deployments/{alias.pk}/")
    wrong = owner.post(f"/deployments/{alias.pk}/end", {"what": "current", "reason": "enough"}, follow=True)
    assert "must be canary or shadow" in wrong.content.decode()


def test_the_list_groups_versions_by_name(world: Any, owner: Client, make_version: Any, promote: Any) -> None:
    old, desk = make_version("tone"), make_version("desk", task="tagging")
    new = make_version("tone")
    promote(new)
    versions.version_retire(organisation=world.organisation, reference=old.reference, reason="old")
    shown = text_of(owner, "/adapters/")
    assert shown.index("tone Chat · 2 versions") < shown.index(f"@{new.digest[:12]}")
    assert shown.index(f"@{new.digest[:12]}") < shown.index(f"@{old.digest[:12]}")
    assert shown.index(f"@{old.digest[:12]}") < shown.index("desk Tagging · 1 version")
    for query, expected in (
        ({"state": "serving"}, [new]), ({"state": "retired"}, [old]), ({"state": "idle"}, [desk]),
        ({"task": "chat"}, [new, old]), ({"task": "tagging"}, [desk]), ({"name": "de"}, [desk]),
        ({"origin": "uploaded"}, []), ({"base": str(desk.base_id)}, [new, old, desk]),
    ):  # fmt: skip
        shown = text_of(owner, "/adapters/", **query)
        found = {one for one in (old, desk, new) if f"@{one.digest[:12]}" in shown}
        assert found == set(expected), query
    assert owner.get("/adapters/", {"task": "cooking"}).status_code == 422


def test_pages_of_the_list_do_not_cut_a_name_in_two(owner: Client, make_version: Any) -> None:
    for _ in range(10):
        make_version("tone")
    for number in range(26):
        make_version(f"other-{number:02}")
    first = owner.get("/adapters/").content.decode()
    assert "other-25" in first
    assert "other-00" not in first
    following = re.search(r'href="(\?after=[^"]+)"', first)
    assert following
    second = text_of(owner, f"/adapters/{following.group(1)}")
    assert "other-00 Chat · 1 version" in second
    assert "tone Chat · 10 versions show all" in second
    assert "tone Chat · 10 versions" in text_of(owner, "/adapters/", name="tone")
    lines = b"".join(owner.get("/adapters/?format=csv&name=tone").streaming_content).decode().splitlines()
    assert len(lines) == 11


def test_a_version_tells_what_it_is_and_where_from(world: Any, owner: Client, make_version: Any) -> None:
    parent, version = make_version("tone"), make_version("tone")
    job = job_create(organisation=world.organisation, kind="adapters.train", params={})
    with tenant(world.organisation) as organisation:
        version.parent, version.job = parent, job
        version.card |= {
            "rank": 8, "targets": ["q_proj", "v_proj"], "layers": 2, "licence": "Apache-2.0",
            "description": "Answers kindly", "metrics": {"loss": 0.5}, "training": {"steps": 3},
        }  # fmt: skip
        version.save()
        checks = [{"check": "tensors", "passed": True, "text": "8 tensors, all as expected"}]
        AdapterUpload.objects.create(
            organisation_id=organisation, name="tone", state="taken", checks=checks, version=version
        )
    shown = text_of(owner, f"/adapters/{version.pk}/")
    for told in ("Answers kindly", "q_proj, v_proj in 2 layers", "Apache-2.0", "8 tensors, all as expected",
                 parent.reference, "Not evaluated yet", "no alias", "0.5000"):  # fmt: skip
        assert told in shown
    assert version.reference in text_of(owner, f"/adapters/{parent.pk}/")


def test_the_curve_of_its_training_is_drawn(world: Any, owner: Client, make_version: Any) -> None:
    version = make_version()
    asked = job_create(organisation=world.organisation, kind="adapters.train", params={})
    job = job_claim(organisation=world.organisation.pk, job_id=asked.pk)
    assert job
    with tenant(world.organisation):
        for step in range(1, 4):
            event_append(job, Step(step=step, steps=3, loss=2 / step))
        version.job = job
        version.save()
    shown = text_of(owner, f"/adapters/{version.pk}/")
    assert "Training loss" in shown
    assert "0.6667" in shown


def test_figures_stand_beside_those_in_production(
    world: Any, owner: Client, make_version: Any, promote: Any
) -> None:
    served, better = make_version("tone"), make_version("tone")
    promote(served)
    measured(world, served, similarity=0.5)
    measured(world, better, similarity=0.75, exact=1)
    shown = text_of(owner, f"/adapters/{better.pk}/")
    assert f"beside {served.reference}, which serves now" in shown
    assert "similarity 0.750 0.250 0.500 +0.250" in shown
    assert "Exactly right 1.000 – – –" in shown
    measured(world, better, rouge_l=0.8123, exact=1)
    shown = text_of(owner, f"/adapters/{better.pk}/")
    assert "ROUGE-L 0.812 · Exactly right 1" in shown
    assert "similarity 0.750" not in shown
    measured(world, better, similarity=0.75)
    compared = owner.get("/adapters/compare/", {"one": better.pk, "other": served.pk}).content.decode()
    assert "+0.250" in compared
    assert "&lt;b&gt;No&lt;/b&gt; idea" in compared
    propose(owner, better)
    with tenant(world.organisation):
        asked = Promotion.objects.get(state="open")
    assert "+0.250" in text_of(owner, f"/deployments/promotions/{asked.pk}/")


def test_what_is_compared_must_be_there(world: Any, owner: Client, make_version: Any) -> None:
    assert "Nothing to compare" in text_of(owner, "/adapters/compare/")
    one, _ = make_version(), make_version()
    assert "Neither was evaluated" in text_of(owner, "/adapters/compare/", one=one.pk, other=one.pk)
    for other in ("x", str(world.organisation.pk)):
        assert owner.get("/adapters/compare/", {"one": one.pk, "other": other}).status_code == 422


def test_a_version_is_kept_retired_and_restored(world: Any, owner: Client, make_version: Any) -> None:
    version = make_version()
    path = f"/adapters/{version.pk}"
    owner.post(f"{path}/keep", {"keep": "pinned"})
    assert "On the device" in text_of(owner, f"{path}/")
    assert "say why" in owner.post(f"{path}/retire", {"reason": ""}, follow=True).content.decode()
    owner.post(f"{path}/retire", {"reason": "rude at night"})
    shown = text_of(owner, f"{path}/")
    assert "rude at night" in shown
    assert "Propose for an alias" not in shown
    assert "say why" in owner.post(f"{path}/restore", {}, follow=True).content.decode()
    owner.post(f"{path}/restore", {"reason": "it was not"})
    with tenant(world.organisation):
        assert AdapterVersion.objects.get().retired_at is None


def test_a_version_is_shared_taken_and_taken_back(world: Any, owner: Client, make_version: Any) -> None:
    version = make_version("tone")
    path, other = f"/adapters/{version.pk}/", world.browser(world.stranger)
    assert (
        "is no other organisation here"
        in owner.post(f"{path}give", {"to": "nobody"}, follow=True).content.decode()
    )
    assert "Nothing is offered to you" in text_of(other, "/adapters/offered/")
    owner.post(f"{path}give", {"to": world.other.slug})
    assert world.other.name in text_of(owner, path)
    assert version.reference in text_of(other, "/adapters/offered/")
    with tenant(world.organisation):
        grant = AdapterGrant.objects.get()
    world.assert_private(f"{path}give", "adapters:approve", "post")
    world.assert_private(f"/adapters/grants/{grant.pk}/take-back", "adapters:approve", "post")
    taken = f"/adapters/offered/{grant.pk}/take"
    assert owner.post(taken).status_code == 404
    assert "yours to use" in other.post(taken, follow=True).content.decode()
    assert "Nothing is offered to you" in text_of(other, "/adapters/offered/")
    assert f"@{version.digest[:12]}" in text_of(other, "/adapters/", origin="shared")
    owner.post(f"/adapters/grants/{grant.pk}/take-back")
    assert "Only your organisation uses it" in text_of(owner, path)


def test_a_card_may_call_its_figures_anything(owner: Client, make_version: Any) -> None:
    metrics = {"items": 5.0, "loss": 1.25}
    version = make_version(card={"task": "chat", "metrics": metrics, "training": {"items": 7}})
    page = text_of(owner, f"/adapters/{version.pk}/")
    assert "5.0000" in page
    assert "1.2500" in page


def test_its_card_says_what_it_is_for(world: Any, owner: Client, make_version: Any) -> None:
    version = make_version()
    path = f"/adapters/{version.pk}/card/"
    told = {"purpose": "Calms <people> down", "limits": "Not for wards", "licence": "MIT"}
    shown = owner.post(path, told, follow=True).content.decode()
    assert "Calms &lt;people&gt; down" in shown
    assert "Not for wards" in shown
    assert "Not for wards" in owner.get(path).content.decode()
    assert b"at most 2000 characters" in owner.post(path, {"limits": "x" * 2001}).content
    world.assert_private(path, "adapters:write")


@pytest.fixture
def workers(services: Any) -> Iterator[Any]:
    """Two workers that tell of adapters."""

    def tell(*adapters: dict[str, Any]) -> None:
        for number, told in enumerate(adapters):
            state = {
                "name": f"map-{number}", "groups": ["language"], "lanes": {}, "base": {"name": "smollm2", "bytes": 1},
                "adapters": [told], "memory_bytes": 1, "started_at": 0.0, "seen_at": 0.0,
                "engine": {"device": "cpu", "slots": 4, "tiers": {"device": 1}, "adapter_bytes": 950,
                           "adapter_room": 1000},
            }  # fmt: skip
            connection().set(f"worker:map-{number}", json.dumps(state), ex=wire.ALIVE_S)

    yield tell
    for number in range(2):
        connection().delete(f"worker:map-{number}")


def placed(digest: str, **told: Any) -> dict[str, Any]:
    return {"adapter": digest, "task": "chat", "slot": 3, "in_use": 2, "rank": 8, "bytes": 900,
            "tier": "device", "pinned": False, "hits": 1234} | told  # fmt: skip


@pytest.mark.parametrize("path", ["/residency/", "/residency/live/"])
def test_the_map_names_only_what_the_organisation_may_know(
    world: Any, owner: Client, make_version: Any, workers: Any, path: str
) -> None:
    version = make_version()
    workers(placed(version.digest), placed("5ec4e7" * 11))
    shown = text_of(owner, path)
    assert version.reference in shown
    assert "slot 3 · 2 now · 1,234 hits" in shown
    assert "950\xa0bytes of 1000\xa0bytes" in shown
    assert "1 of other organisations" in shown
    assert "5ec4e7" not in shown
    assert "On the device" in text_of(owner, "/adapters/")
    workers(placed(version.digest), placed(version.digest, tier="memory", slot=None))
    assert "In memory" in text_of(owner, path)


def test_the_trail_and_the_palette_lead_to_the_pages(
    world: Any, owner: Client, make_version: Any, promote: Any
) -> None:
    version = make_version()
    alias = promote(version)
    for thing, page in (("alias", alias), ("adapter", version)):
        assert str(page.pk) in object_url(thing, str(page.pk))
    found = owner.post("/palette/", {"q": "tone"}).json()["groups"]
    urls = {group["label"]: [item["url"] for item in group["items"]] for group in found}
    assert urls == {"Adapters": [f"/adapters/{version.pk}/"], "Aliases": [f"/deployments/{alias.pk}/"]}


def test_without_anything_the_pages_say_what_to_do(owner: Client) -> None:
    for path, told in (
        ("/adapters/", "No adapters yet"), ("/deployments/", "No aliases yet"),
        ("/deployments/promotions/", "No promotions yet"), ("/adapters/datasets/", "No data sets yet"),
    ):  # fmt: skip
        assert told in text_of(owner, path)


def test_they_are_private(world: Any, owner: Client, make_version: Any, promote: Any) -> None:
    one, two = make_version(), make_version()
    alias = promote(one)
    propose(owner, two)
    with tenant(world.organisation):
        asked = Promotion.objects.get(state="open")
    promotion = f"/deployments/promotions/{asked.pk}"
    world.assert_private(f"/adapters/{one.pk}/", "adapters:read")
    world.assert_private(f"/adapters/{one.pk}/propose/", "adapters:write")
    world.assert_private(f"/adapters/{one.pk}/keep", "adapters:write", "post")
    world.assert_private(f"/adapters/{one.pk}/evaluate", "adapters:write", "post")
    world.assert_private(f"/adapters/{one.pk}/retire", "adapters:approve", "post")
    world.assert_private(f"/adapters/{one.pk}/restore", "adapters:approve", "post")
    world.assert_private(f"/deployments/{alias.pk}/", "adapters:read")
    world.assert_private(f"/deployments/{alias.pk}/roll-back", "adapters:approve", "post")
    world.assert_private(f"/deployments/{alias.pk}/end", "adapters:approve", "post")
    world.assert_private(f"{promotion}/", "adapters:read")
    world.assert_private(f"{promotion}/approve", "adapters:approve", "post")
    world.assert_private(f"{promotion}/refuse", "adapters:write", "post")
    stranger = world.browser(world.stranger)
    for path in ("/adapters/", "/deployments/", "/deployments/promotions/", "/adapters/compare/"):
        assert "tone" not in text_of(stranger, path).replace("support-tone:production", "")
    answer = stranger.get("/adapters/compare/", {"one": one.pk, "other": two.pk})
    assert answer.status_code == 422


def test_who_only_reads_is_offered_nothing(
    world: Any, owner: Client, make_version: Any, promote: Any
) -> None:
    one, two = make_version(), make_version()
    promote(one)
    alias = promote(two)
    propose(owner, one)
    reader = world.browser(world.person(Role.AUDITOR))
    for path in ("/deployments/", f"/deployments/{alias.pk}/", f"/adapters/{one.pk}/"):
        shown = reader.get(path).content.decode()
        main = shown[shown.index("<main") : shown.index("</main>")]
        assert 'method="post"' not in main
        assert "Propose for" not in main
    assert timezone.now() > alias.moved_at
    with as_person(world.owner):
        aliases.alias_roll_back(organisation=world.organisation, alias=NAME, reason="back")
    assert "Roll back" not in text_of(reader, "/deployments/")


def test_a_data_set_is_brought_on_its_page(world: Any, owner: Client) -> None:
    good = b'{"text": "Thank you", "labels": ["thanks"]}\n'
    form = {"name": "frozen", "task": "classification", "is_test": "on"}

    def post(content: bytes) -> Any:
        return owner.post(
            "/adapters/datasets/upload", form | {"file": SimpleUploadedFile("a.jsonl", content)}
        )

    refused = post(good + b'{"text": "", "labels": []}')
    assert refused.status_code == 422
    assert "Line 2.text: String should have at least 1 character" in refused.content.decode()
    assert post(good).status_code == 302
    assert "frozen Classification Frozen test set" in text_of(owner, "/adapters/datasets/")
    for role in world.roles_without("adapters:write"):
        assert world.browser(world.person(role)).get("/adapters/datasets/upload").status_code == 403
