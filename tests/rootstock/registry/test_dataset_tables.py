"""CSV and Parquet become the same data set as the JSON Lines they say, and a preview says what they would become."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from rootstock.errors import InvalidInput
from rootstock.registry.datasets import columns as choosing
from rootstock.registry.datasets import reading
from rootstock.registry.datasets.previews import dataset_preview

PARQUET = Path(__file__).parents[2] / "models_zoo/tables/snappy_v1.parquet"
CSV = "text;label\n=SUM(A1);joy\nTwo\n lines;anger\n".replace("Two\n lines", '"Two\n lines"').encode()


def send(world: Any, content: bytes, name: str = "a.csv", path: str = "/datasets", **form: Any) -> Any:
    file = SimpleUploadedFile(name, content)
    return world.api("adapters:write").upload(
        path, **({"name": "desk", "task": "classification", "file": file} | form)
    )


def preview(world: Any, content: bytes, name: str = "a.csv", **form: Any) -> Any:
    file = SimpleUploadedFile(name, content)
    form = {"task": "classification", "file": file} | form
    return world.api("adapters:write").upload("/datasets/preview", **form)


def test_it_works(world: Any) -> None:
    made = send(world, CSV)
    assert (made.status_code, made.json()["rows"]) == (201, 2)
    rows = [{"text": "=SUM(A1)", "labels": ["joy"]}, {"text": "Two\n lines", "labels": ["anger"]}]
    again = send(world, "\n".join(map(json.dumps, rows)).encode(), name="a.jsonl")
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    content = world.api("adapters:write").get(f"/datasets/{made.json()['id']}/content")
    assert [json.loads(line) for line in b"".join(content.streaming_content).splitlines()] == rows


@pytest.mark.slow
def test_a_parquet_file_with_conversations(world: Any) -> None:
    refused = send(world, PARQUET.read_bytes(), task="chat")
    assert refused.status_code == 422  # some rows have no conversation
    assert refused.json()["errors"][0]["field"].startswith("row 1.")
    columns = json.dumps({"prompt": "text", "completion": "label"})
    told = send(world, PARQUET.read_bytes(), name="whatever", task="chat", columns=columns).json()
    assert told["errors"][0] == {"field": "row 6.prompt", "reason": "is empty"}
    shown = preview(world, PARQUET.read_bytes(), task="chat", columns=columns).json()
    assert shown["examples"][1]["messages"][1] == {"role": "assistant", "content": "anger"}


def test_other_names_have_to_be_confirmed(world: Any) -> None:
    content = b"utterance,intent,when\nWhere is it?,parcel,now\n"
    refused = send(world, content).json()["errors"][0]
    assert refused["field"] == "columns"
    assert "the file has utterance, intent, when" in refused["reason"]
    shown = preview(world, content).json()
    assert shown["missing"]
    assert shown["chosen"] == {"text": "utterance", "label": "intent"}
    assert shown["rows"] == [["Where is it?", "parcel", "now"]]
    assert shown["examples"] == [{"text": "Where is it?", "labels": ["parcel"]}]
    made = send(world, content, columns=json.dumps(shown["chosen"]))
    assert made.status_code == 201


@pytest.mark.parametrize(
    ("content", "form", "field"),
    [
        (b"", {}, "file"),
        (b"text,label\nx\n", {}, "file"),
        ("text,label\nfür,x\n".encode("latin-1"), {}, "file"),
        (b"text,label\nx,\n", {}, "line 2.label"),
        (b"text,label\nx,y\n", {"columns": "x"}, "columns"),
        (b"text,label\nx,y\n", {"columns": '{"text": 1}'}, "columns"),
        (b"text,label\nx,y\n", {"columns": '{"text": "text", "label": "z"}'}, "columns.label"),
        (b"text,label\nx,y\n", {"columns": '{"text": "text", "colour": "label"}'}, "columns.colour"),
        (b"text,label\nx,y\n", {"columns": '{"text": "text"}'}, "columns"),
        (b"PAR1" + b"\0" * 30, {}, "file"),
        (b"text,label\nx,y\n", {"task": "weather"}, "task"),
    ],
)
def test_what_is_wrong_is_told(world: Any, content: bytes, form: dict[str, Any], field: str) -> None:
    answer = send(world, content, **form)
    assert answer.status_code == 422, answer.content
    assert answer.json()["errors"][0]["field"] == field
    assert world.api("adapters:read").get("/datasets").json()["items"] == []


def test_a_small_file_that_becomes_a_large_one_is_refused(world: Any) -> None:
    bomb = PARQUET.with_name("bomb.parquet").read_bytes()
    answer = send(world, bomb, task="chat", columns='{"prompt": "text", "completion": "text"}').json()
    assert answer["errors"][0]["reason"] == "holds more than 64 MiB"


def test_too_large_a_table_is_not_read(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    assert "larger than" in send(world, CSV).json()["detail"]


def test_lines_are_looked_at_by_their_own_names() -> None:
    content = SimpleUploadedFile("a.jsonl", b'{"question": "Hi", "answer": "Hello", "id": 7}\n[]\n')
    shown = dataset_preview(content=content, task="chat")
    assert shown.columns == ["question", "answer", "id"]
    assert shown.chosen == {"prompt": "question", "completion": "answer"}
    assert shown.examples == []
    assert "row 1" in shown.problem
    assert dataset_preview(content=content, task="chat", columns=shown.chosen).problem.startswith("row 2")


def test_only_a_whole_example_is_taken_for_one() -> None:
    assert choosing.columns_chosen("chat", ["instruction", "output", "id"], None) == {
        "prompt": "instruction", "completion": "output",
    }  # fmt: skip
    with pytest.raises(InvalidInput, match="prompt"):
        choosing.columns_chosen("chat", ["instruction", "id"], None)


def test_who_may_look(world: Any) -> None:
    form = {"task": "classification", "file": SimpleUploadedFile("a.csv", CSV)}
    assert world.api("adapters:read").upload("/datasets/preview", **form).status_code == 403
