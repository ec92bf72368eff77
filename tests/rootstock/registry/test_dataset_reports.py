"""What a report finds, which lines it names, what is made of that, and what is refused because of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput
from rootstock.jobs.models import Job
from rootstock.jobs.ownership import job_claim
from rootstock.jobs.running import run_claimed
from rootstock.privacy.subjects import subject_ensure
from rootstock.registry.datasets import reporting
from rootstock.registry.datasets.fitness import refuse_unfit, warnings_of
from rootstock.registry.datasets.report import bar_of
from rootstock.registry.models import Dataset
from rootstock.registry.selectors import dataset_get

PARCEL = "Where is my parcel? It was sent on Monday and has not arrived."
TURNS = [
    ("Hi", "Hello, how can I help you today?"),
    (PARCEL, "Please tell me its number."),
    (PARCEL, "Please tell me its number"),
    (PARCEL + " Help!", "Please tell me its number."),
    ("My mail is ana@example.org", "Thank you."),
    ("Say it often", "no " * 40),
    ("Which shops are open on Sundays in July?", "The one at the station."),
]


def lines_of(*turns: tuple[str, str]) -> bytes:
    rows = [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}
        for asked, answer in turns
    ]
    return "\n".join(map(json.dumps, rows)).encode()


def upload(world: Any, content: bytes, name: str = "desk", **form: Any) -> dict[str, Any]:
    file = SimpleUploadedFile("a.jsonl", content)
    answer = world.api("adapters:write").upload("/datasets", name=name, file=file, **form)
    assert answer.status_code in (200, 201), answer.content
    return answer.json()


def report(world: Any, dataset: dict[str, Any]) -> dict[str, Any]:
    return world.api("adapters:read").get(f"/datasets/{dataset['id']}/report").json()["report"]


def found(told: dict[str, Any]) -> dict[str, list[int]]:
    return {
        f"{one['kind']} {one['detail']}".strip(): [line["line"] for line in one["lines"]]
        for one in told["problems"]
    }


def row_of(world: Any, dataset: dict[str, Any]) -> Dataset:
    return dataset_get(organisation=world.organisation, dataset_id=dataset["id"])


def test_it_works(world: Any, base: Path) -> None:
    """A small set is looked at when it comes: figures, and lines by their numbers."""
    test = upload(world, lines_of(TURNS[6], ("Is it late?", "No.")), name="desk-test", is_test=True)
    told = report(world, upload(world, lines_of(*TURNS)))
    assert found(told) == {
        "leak": [7], "duplicate": [3], "near_duplicate": [4], "personal email": [5], "repetitive": [6],
    }  # fmt: skip
    [leak] = [one for one in told["problems"] if one["kind"] == "leak"]
    assert (leak["severity"], leak["dataset"], leak["lines"][0]["other"]) == ("blocking", test["id"], 1)
    assert told["tests"] == [test["id"]]
    assert sum(bar["rows"] for bar in told["lengths"]) == told["rows"] == 7
    assert (
        0
        < told["tokens"]["learned"]
        < told["tokens"]["total"]
        == sum(bar["tokens"] for bar in told["lengths"])
    )
    assert "example.org" not in json.dumps(told)


def run(world: Any, job_id: str) -> Job:
    """As a worker would."""
    job = job_claim(organisation=world.organisation.pk, job_id=job_id, worker="test")
    assert job is not None
    run_claimed(job)
    with tenant(world.organisation):
        return Job.objects.get(pk=job_id)


def test_a_large_set_is_looked_at_by_a_job(
    committed_world: Any, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = committed_world
    monkeypatch.setattr(reporting, "AT_ONCE", 10)
    dataset = upload(world, lines_of(*TURNS))
    told = world.api("adapters:read").get(f"/datasets/{dataset['id']}/report").json()
    assert told["report"] is None
    body, api = {"max_tokens": 64, "least_evenness": 0.0}, world.api("adapters:write")
    again = api.post(f"/datasets/{dataset['id']}/report", body)
    assert (again.status_code, again.json()["job_id"]) == (202, told["job_id"])  # one at a time
    ended = run(world, told["job_id"])
    assert (ended.state, ended.result["problems"]) == ("succeeded", 4)
    assert found(report(world, dataset))["repetitive"] == [6]
    run(world, api.post(f"/datasets/{dataset['id']}/report", body).json()["job_id"])
    told = report(world, dataset)
    assert (told["max_tokens"], "repetitive" in found(told)) == (64, False)
    assert 6 in found(told)["long"]


def test_lines_are_dropped_into_a_new_version(world: Any) -> None:
    dataset, api = upload(world, lines_of(*TURNS)), world.api("adapters:read", "adapters:write")
    pruned = api.post(f"/datasets/{dataset['id']}/prune", {"lines": [3, 6]})
    assert pruned.status_code == 201
    told = pruned.json()
    assert (told["name"], told["rows"], told["parent_id"]) == ("desk", 5, dataset["id"])
    kept = api.get(f"/datasets/{told['id']}/examples", first=2, limit=2).json()
    assert kept["total"] == 5
    assert [(one["line"], one["example"]["messages"][0]["content"]) for one in kept["items"]] == [
        (2, TURNS[1][0]), (3, TURNS[3][0]),
    ]  # fmt: skip
    again = api.post(f"/datasets/{dataset['id']}/prune", {"lines": [6, 3, 3]})
    assert (again.status_code, again.json()["id"]) == (200, told["id"])
    assert api.get(f"/datasets/{dataset['id']}").json()["rows"] == 7
    uses = world.api("adapters:read").get(f"/datasets/{dataset['id']}/uses").json()
    assert uses == {"adapters": [], "trainings": [], "evaluated": [], "versions": [told["id"]]}


@pytest.mark.parametrize("lines", [[], [0], [8], list(range(1, 8))])
def test_what_cannot_be_dropped(world: Any, lines: list[int]) -> None:
    dataset = upload(world, lines_of(*TURNS))
    answer = world.api("adapters:write").post(f"/datasets/{dataset['id']}/prune", {"lines": lines})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "lines"


def test_nothing_is_trained_that_gives_its_test_away(world: Any, base: Path) -> None:
    """Whether the test set was there when the report was made, or came after it."""
    first = row_of(world, upload(world, lines_of(TURNS[6], ("Late?", "No.")), name="first", is_test=True))
    dataset = row_of(world, upload(world, lines_of(*TURNS)))
    later = row_of(world, upload(world, lines_of(TURNS[4], ("Late?", "Yes.")), name="later", is_test=True))
    refuse_unfit(dataset=dataset, max_tokens=256)
    for test, line in ((first, 7), (later, 5)):
        with pytest.raises(
            InvalidInput, match=rf"1 of its examples ask what {test.name} asks \(lines {line}\)"
        ):
            refuse_unfit(dataset=dataset, max_tokens=256, evaluation=test)
    assert {one.kind for one in warnings_of(dataset)} == {
        "duplicate",
        "near_duplicate",
        "personal",
        "repetitive",
    }


def test_nothing_is_trained_of_which_nothing_is_left(world: Any, base: Path) -> None:
    dataset = row_of(world, upload(world, lines_of((PARCEL * 5, "Its number?"))))
    with pytest.raises(
        InvalidInput, match="no example of desk is left to learn from when cut behind 16 tokens"
    ):
        refuse_unfit(dataset=dataset, max_tokens=16)
    refuse_unfit(dataset=dataset, max_tokens=256)


def test_labels_and_what_contradicts(world: Any) -> None:
    rows = [
        {"text": PARCEL, "labels": ["parcel"]},
        {"text": PARCEL, "labels": ["joy"]},
        {"text": "Hi", "labels": []},
    ]
    content = "\n".join(map(json.dumps, rows)).encode()
    told = report(world, upload(world, content, task="classification"))
    assert found(told) == {"contradiction": [2]}
    assert {one["name"]: one["count"] for one in told["labels"]} == {"parcel": 1, "joy": 1}
    assert told["unlabelled"] == 1


def test_pairs_are_counted_as_two(world: Any, base: Path) -> None:
    pair = {"prompt": PARCEL, "chosen": "Please tell me its number.", "rejected": "Gone."}
    told = report(world, upload(world, json.dumps(pair).encode(), task="preference"))
    chat = report(world, upload(world, lines_of((PARCEL, pair["chosen"])), name="chat"))
    assert told["sequences"] == 2
    assert told["tokens"]["total"] > 1.5 * chat["tokens"]["total"]


@pytest.mark.parametrize(("tokens", "bar"), [(1, (1, 16)), (16, (1, 16)), (17, (17, 32)), (1024, (1009, 1024)),
                                             (1025, (1025, 2048)), (5000, (4097, 8192))])  # fmt: skip
def test_bars(tokens: int, bar: tuple[int, int]) -> None:
    assert bar_of(tokens) == bar


def test_who_may_see_what(world: Any) -> None:
    dataset = upload(world, lines_of(*TURNS))
    for path, scope in (("", "adapters:read"), ("/report", "adapters:read"), ("/uses", "adapters:read"),
                        ("/examples", "adapters:write"), ("/content", "adapters:write")):  # fmt: skip
        there = f"/datasets/{dataset['id']}{path}"
        assert world.api(scope).get(there).status_code == 200
        assert world.api("jobs:read").get(there).status_code == 403
        assert world.api(scope, organisation=world.other).get(there).status_code == 404
    assert world.api("adapters:read").get(f"/datasets/{dataset['id']}/content").status_code == 403
    assert world.api("adapters:read").post(f"/datasets/{dataset['id']}/report", {}).status_code == 403


@pytest.mark.parametrize("by_a_job", [False, True])
def test_persons_go_along_with_what_is_left(
    world: Any, by_a_job: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_a_job:
        monkeypatch.setattr(reporting, "AT_ONCE", 10)
    with tenant(world.organisation):
        subject = subject_ensure(world.organisation, "support.customer", "C-1")
    dataset = upload(world, lines_of(*TURNS), subject_ids=[str(subject.pk)])
    pruned = world.api("adapters:write").post(f"/datasets/{dataset['id']}/prune", {"lines": [1]}).json()
    assert pruned["subject_ids"] == [str(subject.pk)]
