"""The adaptation part: train an adapter on the resident base over REST, follow it, then use it."""

import time
from collections.abc import Callable
from typing import Any

from rootstock.demo.client import DemoClient, DemoFailure
from rootstock.demo.show import Row, Show

NAME = "larkfield-desk"


def train(api: DemoClient, show: Show, dataset: bytes, settings: dict[str, Any]) -> tuple[str, Row]:
    """The new adapter's reference, and the row that tells how its training went."""
    uploaded = api.ask(
        "POST", "/datasets", expect=(201, 200), data={"name": NAME}, files={"file": ("desk.jsonl", dataset)}
    )
    show.step(f"uploaded {uploaded['rows']} training conversations ({uploaded['sha256'][:12]})")
    began = time.monotonic()
    job = api.ask(
        "POST", "/adapters/train", expect=202, json={"name": NAME, "dataset_id": uploaded["id"], **settings}
    )
    finished = api.follow_job(job["id"], _reporter(show), timeout_s=600)
    reference = finished["result"]["adapter"]
    losses = [event["data"]["loss"] for event in _events(api, job["id"]) if event["type"] == "step"]
    if len(losses) < 2 or losses[-1] >= losses[0]:
        raise DemoFailure(f"training did not lower the loss: {losses[:1]} to {losses[-1:]}")
    show.step(f"trained {reference}: loss {losses[0]:.2f} to {losses[-1]:.2f} in {len(losses)} steps")
    seconds = time.monotonic() - began
    outcome = f"{reference}, loss {losses[0]:.2f} → {losses[-1]:.2f}"
    return reference, Row("adapter trained on the resident base", 1, seconds * 1000, None, outcome)


def _events(api: DemoClient, job_id: str) -> list[dict[str, Any]]:
    return list(api.ask("GET", f"/jobs/{job_id}/events?limit=1000"))


def _reporter(show: Show) -> Callable[[dict[str, Any]], None]:
    def report(job: dict[str, Any]) -> None:
        if job["state"] == "running":
            show.progress(job["done"], job["total"], f"training, {job['message'] or 'starting'}: step")

    return report
