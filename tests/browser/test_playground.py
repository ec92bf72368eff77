"""The playground in a real browser. What a worker would say is said here, token by token, so that it can be looked at
while it is being said; the last test asks the real one."""

import json
import math
import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import DecisionRecord
from rootstock.gateway import usage
from rootstock.gateway.models import UsageDay
from rootstock.lanes import wire
from rootstock.lanes.client import connection
from rootstock.lanes.generation import generation_of
from rootstock.privacy import transit
from rootstock.registry.base import base_card, base_registered
from rootstock.registry.models import AdapterVersion
from tests.browser.conftest import PHONE
from tests.browser.test_axe import looked_over, violations
from tests.browser.test_console import SANITY

pytestmark = [pytest.mark.slow, pytest.mark.browser]
LANE = "gateway.generate"
WORDS = [
    ("Your", 0.97),
    (" par", 0.71),
    ("cel", 0.999),
    (" is", 0.4),
    (" l", 0.2),
    ("ate", 0.93),
    (" 📦", 0.04),
    (".", 0.5),
]


def logprob(text: str, probability: float) -> dict:
    """A token as an event tells it."""
    return {"token": text, "logprob": math.log(probability), "bytes": list(text.encode())}


def token(text: str, probability: float) -> dict:
    """A `token` event of one token, with what else was likely."""
    top = [logprob(text, probability), logprob(" other", (1 - probability) / 2), logprob("\n", 0.0001)]
    return {"text": text, "index": 0, "logprobs": [logprob(text, probability) | {"top_logprobs": top}]}


class Teller:
    """Serves the lane as a worker would: says `words`, then `end`; what is left unsaid waits for `go`."""

    def __init__(self) -> None:
        generation = generation_of(LANE)
        self.queue, self.alive = wire.queue_key(LANE, generation), wire.alive_key(LANE, generation)
        self.words, self.end, self.asked, self.go, self.over = WORDS, "done", [], threading.Event(), False
        connection().delete(self.queue)
        connection().set(self.alive, 1, ex=120)
        self.thread = threading.Thread(target=self.serve)

    def serve(self) -> None:
        """One answer after the other, each from a thread of its own."""
        while not self.over:
            found = connection().blpop([self.queue], timeout=0.2)
            if found:
                threading.Thread(target=self.say, args=[wire.Item.decode(found[1])], daemon=True).start()

    def say(self, item: wire.Item) -> None:
        """One answer; it ends early when nobody wants the rest."""
        payload, key = transit.reveal(item.payload, f"{item.call}:0"), item.call
        self.asked.append(payload)
        connection().set(wire.working_key(key), 1, ex=60)
        self.tell(key, "start", {"model": payload["model"], "fingerprint": "f" * 16})
        for at, (text, probability) in enumerate(self.words):
            if at == 2:
                while not (self.go.wait(0.05) or connection().exists(wire.cancel_key(key))):
                    pass
            if connection().exists(wire.cancel_key(key)):
                return self.tell(key, "done", done(at, "cancelled"))
            self.tell(key, "token", token(text, probability))
        if self.end == "error":
            return self.tell(
                key, "error", {"code": "internal", "detail": "the engine fell over", "errors": []}
            )
        return self.tell(key, "done", done(len(self.words), "stop"))

    def tell(self, key: str, kind: str, data: dict) -> None:
        """Write an event as workers do."""
        sealed = transit.conceal(data, f"{key}:event")
        connection().xadd(wire.stream_key(key), {"type": kind, "data": json.dumps(sealed)})


def done(tokens: int, finish: str) -> dict:
    """A `done` event."""
    return {
        "usage": {"prompt": 30, "completion": tokens, "cached": 16},
        "finish": [finish],
        "timings": {"queued_ms": 3.2, "first_token_ms": 80.0, "total_ms": 80.0 + 50 * (tokens - 1)},
    }


@pytest.fixture
def teller(base, services) -> Iterator[Teller]:
    """The lane, served."""
    made = Teller()
    made.thread.start()
    yield made
    made.over = True
    made.go.set()
    made.thread.join()
    connection().delete(made.queue, made.alive)


@pytest.fixture
def playground(teller, page: Page, committed_world) -> Page:
    """The page, with an adapter to choose beside the base."""
    with tenant(committed_world.organisation):
        AdapterVersion.objects.create(
            organisation=committed_world.organisation, name="tone", digest="a" * 64, card={"task": "chat"},
            base=base_registered(base_card()),
        )  # fmt: skip
    page.goto("/playground/")
    return page


def answer(page: Page, side: str):
    """One of the two answers."""
    return page.locator(f"[data-answer={side}]")


def ask(page: Page, prompt: str = "Where is my parcel?") -> None:
    """With the keyboard alone."""
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.keyboard.press("Control+Enter")


def test_two_answers_are_written_beside_each_other(playground, teller, committed_world):
    expect(playground.get_by_label("Model B")).to_have_value("tone")
    expect(answer(playground, "a")).to_contain_text("The answer appears here")
    ask(playground)
    for side in ("a", "b"):
        expect(answer(playground, side)).to_have_attribute("data-state", "writing")
        expect(answer(playground, side).get_by_role("option")).to_have_count(2)
    expect(playground.get_by_role("button", name="Stop")).to_be_visible()
    assert violations(playground) == []
    teller.go.set()
    for side, model in (("a", "base"), ("b", "tone@" + "a" * 12)):
        shown = answer(playground, side)
        expect(shown).to_have_attribute("data-state", "done")
        expect(shown.locator("[data-model]")).to_have_text(model)
        expect(shown.locator("[data-figure=first]")).to_have_text("80 ms")
        expect(shown.locator("[data-figure=rate]")).to_have_text("20 tokens/s")
        expect(shown.locator("[data-figure=prompt]")).to_have_text("30 tokens, 16 cached")
        expect(shown.locator("[data-figure=finish]")).to_have_text("its end")
        shown.get_by_role("button", name="Text").click()
        expect(shown.locator("[data-text]")).to_have_text("Your parcel is late 📦.")
    expect(playground.get_by_role("status").filter(has_text="Finished.")).to_be_visible()
    answer(playground, "b").get_by_role("button", name="Table").click()  # a longer card
    feet = [answer(playground, side).locator("[data-foot]").bounding_box() for side in ("a", "b")]
    assert feet[0]["y"] == pytest.approx(feet[1]["y"], abs=1)
    assert {asked["model"] for asked in teller.asked} == {"base", "tone@" + "a" * 12}
    assert teller.asked[0]["sampling"]["logprobs"] == 5
    assert playground.evaluate(SANITY) == []
    assert looked_over(playground) == []


def test_tokens_are_walked_with_the_keyboard(playground, teller):
    teller.go.set()
    ask(playground)
    shown = answer(playground, "a")
    expect(shown).to_have_attribute("data-state", "done")
    expect(shown.get_by_role("option").nth(6)).to_have_attribute("data-likely", "0")
    shown.get_by_role("button", name="Table").focus()
    playground.keyboard.press("Tab")
    expect(shown.get_by_role("option").first).to_be_focused()
    expect(shown.locator("[data-alternatives]")).to_contain_text("Your 97.0")
    playground.keyboard.press("ArrowRight")
    expect(shown.get_by_role("option", name="·par, 71.0")).to_be_focused()
    expect(shown.locator("[data-alternatives] li")).to_have_count(3)
    expect(shown.locator("[data-alternatives] li").nth(1)).to_contain_text("·other")
    playground.keyboard.press("End")
    expect(shown.get_by_role("option").last).to_be_focused()
    shown.get_by_role("option").nth(3).hover()
    expect(shown.locator("[data-alternatives]")).to_contain_text("·is 40.0")
    shown.get_by_role("button", name="Table").click()
    expect(shown.locator("[data-rows] tr")).to_have_count(8)
    expect(shown.locator("[data-rows] tr").nth(6)).to_contain_text("4.0")
    assert violations(playground) == []


def test_stop_keeps_what_was_written(playground, teller):
    ask(playground)
    expect(answer(playground, "b").get_by_role("option")).to_have_count(2)
    playground.get_by_role("button", name="Stop").click()
    for side in ("a", "b"):
        expect(answer(playground, side).locator("[data-figure=finish]")).to_have_text("Stop")
    expect(playground.get_by_role("status").filter(has_text="Stopped.")).to_be_visible()
    expect(playground.get_by_role("button", name="Ask")).to_be_enabled()


def test_one_model_alone(playground, teller):
    teller.go.set()
    playground.get_by_label("Model B").select_option("")
    ask(playground)
    expect(answer(playground, "a")).to_have_attribute("data-state", "done")
    expect(answer(playground, "b")).to_be_hidden()
    playground.get_by_label("Model B").select_option("base")
    ask(playground)
    expect(answer(playground, "b")).to_have_attribute("data-state", "done")


def test_what_is_refused_is_told_where_it_is_wrong(playground, watch):
    watch.expected.append("422")
    playground.get_by_text("How tokens are chosen").click()
    playground.get_by_label("Temperature").fill("7")
    playground.get_by_text("How tokens are chosen").click()
    ask(playground, " ")
    summary = playground.get_by_role("alert").first
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("Write something to ask")
    expect(playground.get_by_label("Temperature")).to_be_visible()
    expect(playground.get_by_label("Temperature")).to_have_attribute("aria-invalid", "true")
    assert violations(playground) == []
    assert playground.evaluate(SANITY) == []


def test_a_spent_budget_and_a_failure_are_told(playground, teller, committed_world, watch):
    watch.expected.append("429")
    usage.budget_set(organisation=committed_world.organisation, tokens_per_day=0)
    ask(playground)
    expect(playground.get_by_role("alert").first).to_contain_text("used 0 of its 0 tokens of this day")
    usage.budget_set(organisation=committed_world.organisation, tokens_per_day=None)
    teller.end = "error"
    teller.go.set()
    ask(playground)
    expect(answer(playground, "a").get_by_role("alert")).to_contain_text("the engine fell over")
    expect(answer(playground, "a").get_by_role("option")).to_have_count(len(WORDS))
    assert violations(playground) == []


def test_on_a_phone_in_the_dark(teller, web_url, committed_world, open_context, sign_in):
    context = open_context(base_url=web_url, viewport=PHONE, color_scheme="dark")
    sign_in(context, committed_world.owner)
    page = context.new_page()
    page.goto("/playground/")
    teller.go.set()
    page.get_by_label("Model B").select_option("base")
    ask(page)
    expect(answer(page, "b")).to_have_attribute("data-state", "done")
    expect(answer(page, "a")).to_be_in_viewport()
    for view in ("Text", "Table", "Probabilities"):
        answer(page, "a").get_by_role("button", name=view).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], view
        assert violations(page) == [], view


def test_the_real_worker_answers(site, page, committed_world):
    page.goto("/playground/")
    page.get_by_label("Model B").select_option("base")
    ask(page, "Say hello.")
    for side in ("a", "b"):
        shown = answer(page, side)
        expect(shown).to_have_attribute("data-state", "done", timeout=60_000)
        expect(shown.locator("[data-figure=finish]")).to_have_text(re.compile("its end|the limit"))
        text = shown.locator("[data-text]").text_content()
        assert text
        assert text == "".join(shown.get_by_role("option").all_text_contents())
        assert all(one.get_attribute("data-likely") for one in shown.get_by_role("option").all())
    texts = [answer(page, side).locator("[data-text]").text_content() for side in ("a", "b")]
    assert texts[0] == texts[1]  # greedy, of the same model
    with tenant(committed_world.organisation):
        [counted] = UsageDay.objects.all()
        records = list(DecisionRecord.objects.filter(kind="gateway.generate"))
    assert (counted.calls, counted.holder_id, counted.model) == (2, str(committed_world.owner.pk), "base")
    assert len(records) == 2
    assert all(texts[0] not in json.dumps(record.output) for record in records)
    page.goto("/engine/")
    expect(page.locator(".tile", has_text="First token")).to_contain_text("half are quicker")
    assert looked_over(page) == []
