"""Two workers serve an alias: it moves and rolls back for both at once, and each keeps what it serves warm."""

import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rootstock.demo import DemoClient
from rootstock.lanes.health import WorkerHealth, snapshot
from rootstock.operations import stack
from rootstock.operations.environment import environment
from rootstock.registry.services import adapter_register
from tests.fixtures.adapters import adapter_in

pytestmark = pytest.mark.slow
NAME = "brought:production"
SCOPES = ("adapters:read", "adapters:write", "adapters:approve", "models:use")


def languages() -> list[WorkerHealth]:
    """The workers that serve the language lanes."""
    return [worker for worker in snapshot().workers if "language" in worker.groups]


def until(reached: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.fixture
def second_worker(site: Any) -> Iterator[None]:
    command = stack._worker("language-2", "language", "threads", 2)
    worker = subprocess.Popen(
        command,
        env=os.environ | environment() | {"ROOTSTOCK_LANES": "language", "ROOTSTOCK_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: len(languages()) == 2)
    yield
    worker.terminate()
    worker.wait(30)


def promote(people: list[DemoClient], reference: str) -> None:
    first, second = people
    asked = first.ask(
        "POST", "/promotions", expect=201, json={"alias": NAME, "version": reference, "reason": "better"}
    )
    second.ask(
        "POST", f"/promotions/{asked['id']}/approve", json={"because": "known", "without_evaluation": True}
    )


def answers(client: DemoClient, count: int) -> set[str]:
    """The versions that answer so many requests at once."""
    body = {"model": NAME, "messages": [{"role": "user", "content": "Tell me all."}], "max_tokens": 24}
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: client.post("/v1/chat/completions", json=body), range(count)))
    assert {one.status_code for one in told} == {200}
    return {one.json()["model"] for one in told}


def written() -> list[int]:
    """Tokens that each worker has written."""
    return [worker.engine["generated_tokens"] for worker in languages() if worker.engine]


def test_a_roll_back_reaches_both(
    second_worker: None, people: list[DemoClient], committed_world: Any, tmp_path: Path
) -> None:
    one, two = (
        adapter_register(
            organisation=committed_world.organisation,
            folder=adapter_in(tmp_path / str(seed), seed),
            job_id=None,
        )
        for seed in (1, 2)
    )
    promote(people, one.reference)
    promote(people, two.reference)
    until(lambda: all({two.digest} <= {a["adapter"] for a in worker.adapters} for worker in languages()))
    before = written()
    assert answers(people[0], 24) == {two.reference}
    people[0].ask("POST", f"/aliases/{NAME}/roll-back", json={"reason": "it was rude"})
    assert answers(people[0], 24) == {one.reference}
    until(lambda: all(now > then for now, then in zip(written(), before, strict=True)))
