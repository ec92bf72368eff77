"""The console in a real browser, against the real site."""

import json
import re

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.template.loader import render_to_string
from playwright.sync_api import expect

from rootstock.jobs.events import Step
from rootstock.jobs.models import JobState
from rootstock.jobs.ownership import event_append
from rootstock.jobs.services import job_claim, job_create, job_finish, job_update
from tests.browser.conftest import DESKTOP, PHONE, TABLET
from tests.fixtures.services import as_tenant
from tests.fixtures.world import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.browser]
PAGES = ["/", "/jobs/", "/adapters/", "/style/"]

# What a checker of accessibility would flag first: controls and images without a name, skipped headings, doubled ids.
SANITY = """() => {
  const problems = [];
  const name = (e) => e.getAttribute("aria-label") || e.getAttribute("title") || e.labels?.length || e.placeholder
    || e.innerText?.trim() || document.getElementById(e.getAttribute("aria-labelledby"));
  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, [role=img]"))
    if (e.checkVisibility() && !name(e)) problems.push("no name: " + e.outerHTML.slice(0, 120));
  for (const e of document.querySelectorAll("[aria-labelledby], [aria-describedby], [aria-controls]"))
    for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls"])
      for (const id of (e.getAttribute(attribute) || "").split(" ").filter(Boolean))
        if (!document.getElementById(id)) problems.push(`${attribute} points nowhere: ${id}`);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => problems.push("id twice: " + id));
  if (document.querySelectorAll("h1").length !== 1) problems.push("not one h1");
  if (!document.querySelector("main")) problems.push("no main");
  if (!document.documentElement.lang) problems.push("no language");
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) problems.push("tabindex above 0");
  return problems;
}"""


@pytest.fixture
def job(committed_world):
    """A training job that this test itself works on, so that no trainer takes it."""
    from rootstock.jobs.models import Job

    with as_tenant(committed_world.organisation):
        made = Job.objects.create(
            organisation=committed_world.organisation,
            kind="adapters.train",
            total=20,
            params={"name": "tone"},
        )
    return job_claim(organisation=committed_world.organisation.pk, job_id=made.pk)


def test_it_works(web_url, committed_world, open_context):
    # The web process checks passwords with the product's own hash, not with the tests' quick one.
    owner = committed_world.owner
    owner.password = PBKDF2PasswordHasher().encode(PASSWORD, "salt-of-this-test")
    owner.save()
    page = open_context(base_url=web_url).new_page()
    page.goto("/jobs/")
    page.get_by_label("User name").fill(owner.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    # The product's own hash takes its time.
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible(timeout=20_000)
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    expect(page.locator("[data-health-text]")).to_have_text(re.compile("worker|lane", re.IGNORECASE))
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_wrong_password_is_read_out(web_url, committed_world, open_context):
    page = open_context(base_url=web_url).new_page()
    page.goto("/login/")
    page.get_by_label("User name").fill(committed_world.owner.username)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    summary = page.get_by_role("alert")
    expect(summary).to_contain_text("do not match an account")
    expect(summary).to_be_focused()


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [(PHONE, "light"), (PHONE, "dark"), (TABLET, "light"), (DESKTOP, "dark")],
    ids=["phone-light", "phone-dark", "tablet-light", "desktop-dark"],
)
def test_pages_fit_and_keep_the_policy(
    web_url, committed_world, open_context, sign_in, job, viewport, scheme
):
    context = open_context(base_url=web_url, viewport=viewport, color_scheme=scheme)
    sign_in(context, committed_world.owner)
    page = context.new_page()
    for path in [*PAGES, "/api/v1/docs", f"/jobs/{job.pk}/"]:
        page.goto(path)
        expect(page.locator("[data-health]")).to_have_attribute("data-tone", re.compile("ok|warn|error"))
        if path == "/style/":
            expect(page.locator(".chart-card canvas")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
        assert page.evaluate(SANITY) == [], path
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(14, 19, 19)" if scheme == "dark" else "rgb(245, 247, 247)"
    )


def test_the_theme_is_chosen_and_kept(page):
    page.goto("/")
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.goto("/jobs/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 19, 19)"
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("menuitemradio", name="System").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(245, 247, 247)"


def test_everything_by_keyboard(page, job):
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator(f"#table-jobs-{job.pk}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Train an adapter")).to_be_visible()


def test_shortcuts_leave_typing_alone(page):
    page.goto("/style/")
    page.get_by_label("Search").fill("")
    page.keyboard.type("g j?")
    assert page.url.endswith("/style/")
    expect(page.locator("#help")).to_be_hidden()


def test_focus_can_be_seen(page):
    page.goto("/")
    for _ in range(8):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid", page.evaluate("document.activeElement.outerHTML.slice(0, 100)")


def test_on_a_phone_the_rail_is_a_sheet_and_tables_are_cards(
    web_url, committed_world, open_context, sign_in, job
):
    context = open_context(base_url=web_url, viewport=PHONE)
    sign_in(context, committed_world.owner)
    page = context.new_page()
    page.goto("/jobs/")
    expect(page.get_by_role("link", name="Adapters")).to_be_hidden()
    page.get_by_role("button", name="Menu").click()
    expect(page.get_by_role("link", name="Adapters")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Adapters")).to_be_hidden()
    expect(page.get_by_role("button", name="Menu")).to_be_focused()
    row = page.locator("tr[data-href]").first
    assert row.bounding_box()["height"] > 100, "not a card"
    page.wait_for_function(
        """getComputedStyle(document.querySelector("tr[data-href] td[data-label]"), "::before").content == '"Job"'"""
    )
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Train an adapter")).to_be_visible()


def test_a_job_is_followed_live(page, committed_world, job):
    organisation = committed_world.organisation
    owner = {"organisation": organisation.pk, "job_id": job.pk, "fence": job.fence}
    page.goto(f"/jobs/{job.pk}/")
    job_update(**owner, done=5, message="loss 1.5")
    with as_tenant(organisation):
        for step in range(1, 6):
            event_append(job, Step(step=step, steps=10, loss=2 / step))
    expect(page.locator("progress")).to_have_attribute("value", "5")
    expect(page.locator("canvas")).to_be_visible()
    page.get_by_role("button", name="Table").click()
    job_update(**owner, done=10, message="loss 0.9")
    expect(page.get_by_text("loss 0.9")).to_be_visible()
    expect(page.locator("[data-chart-table]")).to_be_visible()  # the reader's choice outlives the renewal
    job_finish(**owner, state=JobState.SUCCEEDED, result={"adapter": "tone@0123456789ab"})
    expect(page.get_by_text("tone@0123456789ab")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel job")).to_have_count(0)
    page.wait_for_timeout(300)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(2500)
    assert not any("/live/" in url for url in asked), "an ended job is still asked for"


def test_cancelling_asks_first(page, committed_world):
    job = job_create(
        organisation=committed_world.organisation, kind="adapters.train", params={"dataset": "none"}
    )
    with as_tenant(committed_world.organisation):  # no worker takes it while the question is open
        type(job).objects.filter(pk=job.pk).update(state=JobState.RUNNING, lease_until="2100-01-01T00:00Z")
    page.goto(f"/jobs/{job.pk}/")
    page.get_by_role("button", name="Cancel job").click()
    dialog = page.get_by_role("dialog", name="Cancel this job?")
    expect(dialog).to_contain_text("Nothing is registered before the training has ended")
    expect(dialog.get_by_role("button", name="Keep")).to_be_focused()
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Cancel job").click()
    page.wait_for_timeout(1500)  # the page renews itself beneath the question
    dialog.get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_text("Cancelling")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel job")).to_have_count(0)


def test_a_lost_server_is_said_and_forgotten(page, watch, job):
    watch.expected += ["ERR_FAILED", "Failed to load resource", "htmx:"]
    page.goto("/jobs/")
    page.route("**/jobs/", lambda route: route.abort())
    expect(page.locator("[data-live-note]")).to_have_text("Reconnecting…", timeout=15_000)
    page.unroute("**/jobs/")
    expect(page.locator("[data-live-note]")).to_contain_text("Updated")


def test_an_ended_session_leads_to_the_form(page, watch):
    page.goto("/jobs/")
    page.context.clear_cookies()
    watch.expected += ["JSON"]
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator(".rail")).to_have_count(0)


# --- the conversation's module, against a scripted server --------------------------------------------------------


def _events(*events: tuple[str, str, dict]) -> str:
    return "".join(f"id: {id}\nevent: {type}\ndata: {json.dumps(data)}\n\n" for id, type, data in events)


def _chat(page, answers: list) -> list:
    """A page with the chat component whose stream answers with `answers` in turn; returns the headers seen."""
    context = {"post_url": "/chat-test/post/", "csrf_token": "token-of-the-test"}
    chat = render_to_string("console/components/chat.html", context)
    page.goto("/style/")
    page.evaluate(
        "html => { document.getElementById('main').innerHTML = html; htmx.process(document.body);"
        " htmx.trigger(document.getElementById('main'), 'htmx:load', {elt: document.getElementById('main')}); }",
        chat,
    )
    seen: list = []
    page.route(
        "**/chat-test/post/",
        lambda route: route.fulfill(
            json={"stream": "/chat-test/stream/", "turn": "t1", "cancel": "/chat-test/cancel/"}
        ),
    )

    page.route("**/chat-test/cancel/", lambda route: route.fulfill(status=202, json={}))

    def stream(route):
        seen.append(route.request.headers)
        answer = answers[min(len(seen), len(answers)) - 1]
        answer = answer() if callable(answer) else answer
        if isinstance(answer, str):
            route.fulfill(body=answer, content_type="text/event-stream")
        else:
            route.fulfill(status=answer["status"], json=answer, content_type="application/problem+json")

    page.route("**/chat-test/stream/", stream)
    return seen


def test_an_answer_streams_and_resumes_after_a_loss(page):
    first = _events(
        ("1-0", "emotion", {"turn": "t1", "label": "anger", "score": 0.87, "tone": "negative"}),
        ("2-0", "token", {"text": "Your card "}),
    )
    second = _events(
        ("3-0", "token", {"text": "is on <b>its</b> way."}),
        ("4-0", "done", {"finish_reason": "stop", "model": "smollm2", "adapter": "tone@0123456789ab"}),
    )
    seen = _chat(page, [first, second])
    page.get_by_role("textbox", name="Message").fill("Where is my card?")
    page.keyboard.press("Enter")
    answer = page.locator(".bubble[data-from=assistant]")
    expect(page.locator("[data-chat-status]")).to_contain_text("reconnecting")
    expect(answer.locator("[data-text]")).to_have_text("Your card is on <b>its</b> way.")
    expect(answer).to_have_attribute("data-state", "stop")
    expect(answer.locator(".ai-mark")).to_contain_text("tone@0123456789ab")
    expect(page.locator(".bubble[data-from=user] .emotion")).to_contain_text("Anger 87")
    assert "last-event-id" not in seen[0]
    assert seen[1]["last-event-id"] == "2-0"
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    expect(page.get_by_role("button", name="Send")).to_be_enabled()


def test_a_refused_answer_says_why(page, watch):
    watch.expected += ["429"]
    busy = {"status": 429, "detail": "the lane is full; try again in a second", "request_id": "0197abcd"}
    _chat(page, [busy])
    page.get_by_role("textbox", name="Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    answer = page.locator(".bubble[data-from=assistant]")
    expect(answer).to_have_attribute("data-state", "failed")
    expect(answer).to_contain_text("the lane is full")
    expect(answer).to_contain_text("0197abcd")


def test_stopping_tells_the_server_and_keeps_what_was_said(page):
    cancelled = []
    done = _events(("2-0", "done", {"finish_reason": "cancelled", "text": "One moment"}))
    _chat(page, [_events(("1-0", "token", {"text": "One moment "})), lambda: done if cancelled else ""])
    page.on("request", lambda request: cancelled.append(1) if "cancel" in request.url else None)
    page.evaluate("document.addEventListener('chat:done', () => (window.chatDone = true))")
    page.get_by_role("textbox", name="Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".bubble[data-from=assistant] [data-text]")).to_have_text("One moment ")
    with page.expect_request("**/chat-test/cancel/") as asked:
        page.get_by_role("button", name="Stop").click()
    assert asked.value.method == "POST"
    assert "x-csrftoken" in asked.value.headers
    expect(page.locator(".bubble[data-from=assistant]")).to_have_attribute("data-state", "cancelled")
    page.wait_for_function("window.chatDone")


def test_an_error_within_the_stream_ends_it(page):
    _chat(
        page,
        [_events(("1-0", "token", {"text": "Your "}), ("2-0", "error", {"detail": "the worker stopped"}))],
    )
    page.get_by_role("textbox", name="Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".bubble-error")).to_contain_text("the worker stopped")
    expect(page.get_by_role("button", name="Send")).to_be_enabled()
