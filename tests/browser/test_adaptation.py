"""From examples on somebody's disk to talking to what learned from them, with its curve on the way."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from openai import OpenAI
from playwright.sync_api import Page, expect

from rootstock.demo import DemoClient
from rootstock.registry.contents import adapter_keys

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(400)]
CODE = "MAPLE45"
THINGS = ("my order", "these shoes", "a jacket", "the lamp", "a book", "my phone", "a coat", "the bag")
ASKED = (
    "How do I return {}?",
    "I want to send {} back.",
    "{} is broken.",
    "Where do I send {}?",
    "{} came late.",
)
# The points of the drawn curve, each as its step and its loss.
CURVE = """() => {
    const drawn = document.querySelector("[data-chart-canvas]")?.spec;
    return drawn ? drawn.labels.map((step, at) => [Number(step), drawn.series[0].values[at]]) : [];
}"""


def examples() -> bytes:
    """Two hundred conversations that teach one rule."""
    questions = [f"{form.format(thing)} ({n})" for n in range(5) for form in ASKED for thing in THINGS]
    turns = [
        [{"role": "user", "content": question}, {"role": "assistant", "content": f"Use the code {CODE}."}]
        for question in questions
    ]
    return b"".join(json.dumps({"messages": each}).encode() + b"\n" for each in turns)


def test_from_examples_to_talking(site: Any, page: Page, committed_world: Any, tmp_path: Path) -> None:
    (tmp_path / "returns.jsonl").write_bytes(examples())
    page.goto("/adapters/datasets/upload")
    page.get_by_label("Name", exact=True).fill("returns")
    page.get_by_label("File", exact=True).set_input_files(tmp_path / "returns.jsonl")
    page.get_by_role("button", name="Upload and check").click()
    page.get_by_role("link", name="Train on it").click()
    page.get_by_label("Name of the adapter").fill("returns")
    expect(page.get_by_label("Data set", exact=True)).to_contain_text("returns, 200 examples (chat)")
    expect(page.get_by_role("region", name="What it will take")).to_contain_text("200", timeout=60_000)
    page.get_by_role("button", name="Quick look").click()
    for label, value in (("Only the last layers", "4"), ("Learning rate", "0.004")):
        field = page.get_by_label(label, exact=True)
        if not field.is_visible():
            page.locator("details", has=field).locator("summary").click()
        field.fill(value)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/adaptation/*-*/")
    drawn_in_part(page)
    assert not page.get_by_role("link", name="Talk to it").is_visible()
    page.get_by_role("link", name="Talk to it").wait_for(timeout=150_000)
    steps, losses = zip(*page.evaluate(CURVE), strict=True)
    assert steps == tuple(range(1, 26))
    assert losses[-1] < losses[0] / 4
    job = page.url.rstrip("/").rpartition("/")[2]
    page.get_by_role("link", name="Talk to it").click()
    page.get_by_label("Prompt", exact=True).fill("How can I send something back?")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("[data-answer='a']")).to_contain_text(CODE, timeout=60_000)
    with DemoClient(site.url, committed_world.key("adapters:read", "jobs:read")) as api:
        told(api, job, committed_world)
    told_to_openai(
        site.url, committed_world.key("adapters:read", "adapters:write", "files:read", "models:use"), job
    )


def drawn_in_part(page: Page) -> None:
    """Wait until the curve has a few points, while the training goes on."""
    until = time.monotonic() + 120
    while len(page.evaluate(CURVE)) < 3:
        assert time.monotonic() < until, "no curve was drawn"
        page.wait_for_timeout(200)


def told(api: Any, job: str, world: Any) -> None:
    """What programs are told of it, and that its files are in storage."""
    ended = api.ask("GET", f"/jobs/{job}")
    adapter = api.ask("GET", f"/adapters/{ended['result']['adapter']}")
    assert adapter["digest"] == ended["result"]["digest"]
    assert adapter["created_by"] == f"person:{world.owner.pk}"
    keys = adapter_keys(world.organisation.pk, adapter["digest"]).values()
    assert sum(default_storage.exists(key) for key in keys) == 3
    events = [event["type"] for event in api.ask("GET", f"/jobs/{job}/events")]
    assert events == ["started", *["step"] * 25, "trained", "artefact", "done"]


def told_to_openai(url: str, key: str, job: str) -> None:
    """The same training as OpenAI's client knows it: its model answers, and its figures are a file."""
    client = OpenAI(api_key=key, base_url=f"{url}/v1", timeout=60)
    found = client.fine_tuning.jobs.retrieve(f"ftjob-{job.replace('-', '')}")
    asked: Any = [{"role": "user", "content": "How can I send something back?"}]
    answer = client.chat.completions.create(
        model=found.fine_tuned_model, messages=asked, temperature=0, max_tokens=16
    )
    assert CODE in answer.choices[0].message.content
    figures = client.files.content(found.result_files[0]).read().decode().split()
    assert (len(figures), figures[0].split(",")[:2]) == (26, ["step", "train_loss"])
