"""Data sets and adapters: what is accepted, what is refused and why."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rootstock.errors import InvalidInput
from rootstock.registry import datasets
from rootstock.registry.datasets.examples import ChatExample
from rootstock.registry.datasets.reading import canonical_line, canonical_lines

GOOD = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
LINE = json.dumps(GOOD).encode()


def upload(world, content: bytes, name: str = "desk"):
    from django.core.files.uploadedfile import SimpleUploadedFile

    return world.api("adapters:write").upload(
        "/datasets", name=name, file=SimpleUploadedFile("a.jsonl", content)
    )


def test_it_works(world) -> None:
    answer = upload(world, LINE + b"\n\n" + LINE)
    assert answer.status_code == 201
    assert answer.json()["rows"] == 2
    listed = world.api("adapters:read").get("/datasets").json()["items"]
    assert [d["id"] for d in listed] == [answer.json()["id"]]


def test_the_same_content_is_the_same_data_set(world) -> None:
    first, again = upload(world, LINE), upload(world, LINE, name="again")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    spaced = json.dumps(GOOD, indent=None, separators=(" , ", " : ")).encode()
    assert upload(world, b"\n" + spaced).json() == first.json()
    elsewhere = world.api("adapters:write", organisation=world.other)
    from django.core.files.uploadedfile import SimpleUploadedFile

    answer = elsewhere.upload("/datasets", name="theirs", file=SimpleUploadedFile("a.jsonl", LINE))
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "file"),
        (b"\n \n", "file"),
        (b"\xff\xfe", "file"),
        (LINE + b"\n{", "line 2"),
        (LINE + b"\n[]", "line 2"),
        (b'{"messages": []}', "line 1.messages"),
        (json.dumps({"messages": GOOD["messages"][:1] * 2}).encode(), "line 1.messages"),
        (LINE.replace(b"user", b"root"), "line 1.messages.0.role"),
        (LINE.replace(b'"Hello"', b"7"), "line 1.messages.1.content"),
        (LINE.replace(b"Hello", b""), "line 1.messages.1.content"),
        (json.dumps(GOOD | {"more": 1}).encode(), "line 1.more"),
        (b"[" * 100_000, "line 1"),
    ],
)
def test_bad_files_name_the_line_and_store_nothing(world, content, field) -> None:
    answer = upload(world, content)
    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["field"] == field
    assert world.api("adapters:read").get("/datasets").json()["items"] == []


PAIR = {"messages": GOOD["messages"][:1], "chosen": "Hello", "rejected": "Go away"}
CHAT, ASKED = ChatExample.model_validate(GOOD).model_dump(), GOOD["messages"][:1]


@pytest.mark.parametrize(
    ("task", "row", "stored"),
    [
        ("chat", {"instruction": "Hi", "output": "Hello"}, CHAT),
        ("chat", {"prompt": "Hi", "completion": "Hello"}, CHAT),
        ("chat", {"prompt": ASKED, "completion": GOOD["messages"][1:]}, CHAT),
        ("classification", {"text": "Hi", "label": "joy"}, {"text": "Hi", "labels": ["joy"]}),
        ("classification", {"text": "Hi", "label": 3}, {"text": "Hi", "labels": ["3"]}),
        ("tagging", {"tokens": ["to", "New", "York"], "tags": ["O", "B-PLACE", "I-PLACE"]},
         {"text": "to New York", "spans": [[3, 11, "PLACE"]]}),
        ("preference", PAIR, PAIR),
        ("preference", {"prompt": "Hi", "chosen": "Hello", "rejected": "Go away"}, PAIR),
        ("preference", {"chosen": GOOD["messages"], "rejected": [*ASKED, {"role": "assistant", "content": "Go away"}]},
         PAIR),
    ],
)  # fmt: skip
def test_other_forms_become_the_stored_one(task, row, stored) -> None:
    [line] = canonical_lines(iter([("line 1", json.dumps(row))]), task)
    assert json.loads(line) == stored
    assert canonical_line(stored) == line


@pytest.mark.parametrize(
    ("task", "row", "field"),
    [
        ("chat", {"instruction": "Hi", "output": "Hello", "more": 1}, "line 1.more"),
        ("chat", {"instruction": None, "output": "Hello"}, "line 1.prompt"),
        ("chat", {"instruction": "Hi", "output": ""}, "line 1.messages.1.content"),
        ("chat", {"instruction": "Hi", "output": " \n"}, "line 1.messages.1.content"),
        ("classification", {"text": "\t ", "label": "a"}, "line 1.text"),
        ("preference", PAIR | {"rejected": "Hello "}, "line 1"),
        ("preference", PAIR | {"messages": GOOD["messages"]}, "line 1.messages"),
        ("preference", {"chosen": GOOD["messages"], "rejected": "Go away"}, "line 1.rejected"),
        ("tagging", {"tokens": ["a"], "tags": ["B-X", "O"]}, "line 1.tags"),
        ("tagging", {"tokens": ["a"], "tags": [1]}, "line 1.tags"),
        ("classification", {"text": "Hi", "label": [1]}, "line 1.label"),
    ],
)
def test_what_no_example_can_be_made_of_is_told(task, row, field) -> None:
    with pytest.raises(InvalidInput) as refusal:
        list(canonical_lines(iter([("line 1", json.dumps(row))]), task))
    assert refusal.value.errors[0].field == field


@pytest.mark.parametrize("line", ['{"messages": ' + "9" * 5000 + "}", '"' + "x" * 2_100_000 + '"'])
def test_lines_that_would_cost_too_much_are_refused(line) -> None:
    with pytest.raises(InvalidInput) as refusal:
        list(canonical_lines(iter([("line 1", line)]), "chat"))
    [found] = refusal.value.errors
    assert "too long" in found.reason or "longer than" in found.reason


def test_a_stored_example_is_one_line_however_lines_are_told_apart(world) -> None:
    odd = {"messages": [*ASKED, {"role": "assistant", "content": "one\u2028two\x85three"}]}
    [line] = canonical_lines(iter([("line 1", json.dumps(odd, ensure_ascii=False))]), "chat")
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line) == odd


@pytest.mark.parametrize("name", ["", "A", "a b", "../x", "a" * 80])
def test_bad_names_are_refused(world, name) -> None:
    answer = upload(world, LINE, name=name)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "name"


def test_too_large_a_file_is_refused(world, monkeypatch) -> None:
    monkeypatch.setattr(datasets.reading, "MAX_BYTES", 10)
    assert "larger than" in upload(world, LINE).json()["detail"]


@pytest.mark.parametrize(("reference", "status"), [("x", 422), ("desk@zz", 422), ("desk@0123456789ab", 404)])
def test_unknown_adapters(world, reference, status) -> None:
    answer = world.api("adapters:read").get(f"/adapters/{reference}")
    assert answer.status_code == status
    assert "reference" in answer.json()["detail"]


@given(content=st.binary(max_size=400) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_accepted_or_refused_with_a_reason(content) -> None:
    rows, reasons = 0, []
    try:
        rows = datasets.check_stream(io.BytesIO(content), "chat")
    except InvalidInput as refusal:
        reasons = refusal.errors
    assert (rows > 0) != bool(reasons)
