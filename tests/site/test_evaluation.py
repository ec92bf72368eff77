"""Adapters are measured on frozen test sets through the running site, beside what there is without them."""

import json
from pathlib import Path
from typing import Any

import pytest

from rootstock.registry.services import adapter_register
from tests.fixtures.adapters import adapter_in

pytestmark = pytest.mark.slow
ANSWERS = [("What is 40 + 2?", "42"), ("Say hello.", "Hello!"), ("And goodbye?", "Goodbye, and thank you.")]


@pytest.fixture
def api(demo_client: Any) -> Any:
    return demo_client("adapters:read", "adapters:write", "jobs:read", "jobs:write")


def frozen_set(api: Any, rows: list[dict[str, Any]], **form: Any) -> str:
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    files = {"file": ("test.jsonl", content)}
    made = api.ask(
        "POST", "/datasets", expect=201, data={"name": "frozen", "is_test": True, **form}, files=files
    )
    return str(made["id"])


def chat_rows() -> list[dict[str, Any]]:
    return [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}
        for asked, answer in ANSWERS
    ]


def test_it_works(api: Any, committed_world: Any, tmp_path: Path) -> None:
    folder = adapter_in(tmp_path / "a", name="brought")
    adapter = adapter_register(
        organisation=committed_world.organisation, folder=folder, job_id=None
    ).reference
    dataset = frozen_set(api, chat_rows())
    job = api.ask("POST", f"/adapters/{adapter}/evaluations", expect=202, json={"dataset_id": dataset})
    ended = api.follow_job(job["id"], lambda job: None)
    [told] = api.ask("GET", f"/adapters/{adapter}/evaluations")["items"]
    assert told["id"] == ended["result"]["evaluation"]
    assert set(told["metrics"]) == set(told["baseline"]) == {"rouge_l", "exact"}
    assert [sample["expected"] for sample in told["samples"]] == [answer for _, answer in ANSWERS]
    assert any(sample["base"] != sample["adapter"] for sample in told["samples"])
    refused = api.post("/api/v1/adapters/train", json={"name": "cheat", "dataset_id": dataset})
    assert refused.status_code == 422
    assert "frozen test set" in refused.json()["detail"]
