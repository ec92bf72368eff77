"""Names of persons are found in an uploaded data set by the running site's worker, and told by line and field alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

pytestmark = pytest.mark.slow
PLAIN = ["Where is my parcel?", "How do I reset the router?", "The shop is closed.", "My card does not work."]
NAMED = {3: ("messages.0.content", "Ludmilla Abernathy"), 17: ("messages.1.content", "Konstantin Wieczorek")}


@pytest.fixture
def api(demo_client: Any) -> Any:
    return demo_client("adapters:read", "adapters:write", "jobs:read", "jobs:write")


def turns(line: int) -> tuple[str, str]:
    asked, answer = f"{PLAIN[line % 4]} That is my question {line}.", "Let me look."
    if line == 3:
        asked = "Hello, my name is Ludmilla Abernathy and I have not received my order."
    if line == 17:
        answer = "Please ask for Mr Konstantin Wieczorek when you come to the shop."
    return asked, answer


def content(rows: int) -> bytes:
    made = []
    for line in range(1, rows + 1):
        asked, answer = turns(line)
        messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        made.append(json.dumps({"messages": messages}))
    return "\n".join(made).encode()


def test_it_works(api: Any) -> None:
    made = api.ask(
        "POST", "/datasets", expect=201, data={"name": "desk"}, files={"file": ("a.jsonl", content(40))}
    )
    seen: list[dict[str, Any]] = []
    ended = api.follow_job(made["names_job_id"], seen.append)
    assert ended["result"] == {"dataset": made["id"], "looked": 40, "lines": 2}
    told = api.ask("GET", f"/datasets/{made['id']}/report")["names"]
    assert (told["looked"], told["rows"]) == (40, 40)
    assert told["adapter"].startswith("clinical-deid@")
    assert {one["line"]: one["fields"] for one in told["found"]["lines"]} == {
        line: [field] for line, (field, _) in NAMED.items()
    }
    assert all(0.5 < one["value"] <= 1 for one in told["found"]["lines"])
    log = (Path(settings.VAR_DIR) / "site.log").read_text()
    for name in ("Ludmilla", "Abernathy", "Wieczorek"):
        assert name not in json.dumps([told, ended, seen]) + log


def test_a_sample_and_then_all(api: Any) -> None:
    """The bound is told; asked to, the worker reads the rest as well."""
    made = api.ask(
        "POST", "/datasets", expect=201, data={"name": "desk"}, files={"file": ("a.jsonl", content(30))}
    )
    api.follow_job(made["names_job_id"], lambda job: None)
    for rows, looked in ((10, 10), (20_000, 30)):
        asked = api.ask("POST", f"/datasets/{made['id']}/names", expect=202, json={"rows": rows})
        api.follow_job(asked["names_job_id"], lambda job: None)
        told = api.ask("GET", f"/datasets/{made['id']}/report")["names"]
        assert (told["looked"], told["rows"]) == (looked, 30)
    assert told["found"]["count"] == 2


def test_without_the_adapter_there_is_no_answer(services: None) -> None:
    """A worker without the base cannot have it, and does not say that there are no names."""
    from uuid import uuid4

    from rootstock.errors import Unavailable
    from workers.handlers import LaneRequest
    from workers.names import NamesHandler
    from workers.runtime import Runtime

    handler = NamesHandler()
    handler.load(Runtime("test", ("score",)))
    [answer] = handler.run([LaneRequest("1", uuid4(), {"text": "Ludmilla Abernathy"}, 0.0)])
    assert isinstance(answer, Unavailable)
    assert "Ludmilla" not in answer.detail
