"""The console's pages, without a browser."""

import datetime
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template import Context, Template
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from rootstock.console import formats
from rootstock.console.charts import Chart, Series
from rootstock.console.diffs import side_by_side
from rootstock.console.graphs import Edge, Graph, Node
from rootstock.console.selectors import holdings
from rootstock.console.templatetags import console as tags
from rootstock.console.views import server_error
from rootstock.jobs.events import Evaluation, Step
from rootstock.jobs.models import JobState
from rootstock.jobs.ownership import event_append
from rootstock.jobs.services import job_cancel, job_claim, job_create, job_finish, job_update
from tests.fixtures.services import as_tenant
from tests.fixtures.world import PASSWORD

CONSOLE = Path(tags.__file__).parents[1]
STATIC = CONSOLE / "static" / "console"
PAGES = ["/", "/jobs/", "/adapters/", "/style/"]


@pytest.fixture(autouse=True)
def running(services):
    """Pages read the workers' health from Valkey."""


@pytest.fixture
def browser(world):
    return world.browser(world.owner)


@pytest.fixture
def job(world):
    return job_create(
        organisation=world.organisation,
        kind="adapters.train",
        params={"name": "tone"},
        total=10,
        created_by=world.owner,
    )


class Inline(HTMLParser):
    """Collects what the page's policy would refuse, and controls without a name."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        inline_script = tag == "script" and "src" not in given and given.get("type") != "application/json"
        if tag == "style" or inline_script:
            self.found.append(f"<{tag}>")
        evaluated = ("style", "hx-on", "hx-vals", "hx-vars")
        self.found += [f"{tag}[{n}]" for n in given if n in evaluated or re.match(r"on|hx-on:", n)]
        if any(value and value.strip().startswith("javascript:") for value in given.values()):
            self.found.append(f"{tag} javascript:")


# --- signing in and out ---------------------------------------------------------------------------------------


def test_it_works(world):
    client = Client()
    assert client.get("/").headers["Location"] == "/login/?next=/"
    answer = client.post(
        "/login/", {"username": world.owner.username, "password": PASSWORD, "next": "/jobs/"}
    )
    assert answer.headers["Location"] == "/jobs/"
    page = client.get("/").content.decode()
    assert world.organisation.name in page
    assert client.post("/logout/").headers["Location"] == "/login/"
    assert client.get("/").status_code == 302


def test_a_wrong_password_is_explained(world):
    page = Client().post("/login/", {"username": world.owner.username, "password": "wrong"})
    assert page.status_code == 200
    assert b"do not match an account" in page.content
    assert b'role="alert"' in page.content


def test_signing_in_leads_to_no_other_site(world):
    form = {"username": world.owner.username, "password": PASSWORD, "next": "https://example.org/"}
    assert Client().post("/login/", form).headers["Location"] == "/"


def test_a_person_without_an_organisation_is_told(db):
    from rootstock.accounts.services import user_create

    page = Client(headers={"accept": "text/html"})
    page.force_login(user_create(username="nobody-yet", password=PASSWORD))
    answer = page.get("/")
    assert answer.status_code == 403
    assert b"belongs to no organisation" in answer.content


# --- every page -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*PAGES, "/api/v1/docs", "/login/", "/nowhere/"])
def test_pages_keep_the_policy(path, world, job):
    client = Client() if path == "/login/" else world.browser(world.owner)
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    found = Inline(answer.content.decode())
    assert found.found == []
    assert len(found.ids) == len(set(found.ids)), "an id is used twice"


@pytest.mark.parametrize("path", PAGES)
def test_pages_need_a_session(path, db):
    assert Client().get(path).headers["Location"].startswith("/login/")


def test_the_rail_shows_what_the_role_may_read(world):
    from rootstock.accounts.models import Role
    from rootstock.accounts.services import member_add, user_create

    clinician = user_create(username=f"dr-{world.organisation.slug}", password=PASSWORD)
    member_add(organisation=world.organisation, user=clinician, role=Role.CLINICIAN)
    page = world.browser(clinician).get("/").content.decode()
    assert 'href="/jobs/"' in page
    assert 'href="/adapters/"' not in page


@pytest.mark.parametrize(
    ("cookie", "attribute"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')]
)
def test_the_chosen_theme_comes_from_the_server(browser, cookie, attribute):
    browser.cookies["rootstock_theme"] = cookie
    assert f'<html lang="en-GB" {attribute}' in browser.get("/").content.decode()


def test_an_unknown_theme_is_ignored(browser):
    browser.cookies["rootstock_theme"] = '"><script>'
    assert b"data-theme=" not in browser.get("/").content.split(b"<head>")[0]


def test_no_cache_keeps_a_page_or_an_answer(world, browser):
    api = world.api("jobs:read")
    for answer in (
        browser.get("/people/"),
        browser.get("/api/v1/jobs"),
        api.get("/jobs"),
        api.get("/nothing"),
    ):
        assert answer["Cache-Control"] == "no-store"
    ahead = browser.get("/jobs/", headers={"sec-purpose": "prefetch"})
    assert ahead["Cache-Control"] == "private, no-cache"


def test_the_figures_of_the_home_page_are_in_a_table_too(browser):
    page = browser.get("/").content.decode()
    table = page.partition("<noscript>")[2].partition("</noscript>")[0]
    assert "Requests a second" in table
    assert table.count("<tr>") == 16


def test_a_csv_file_has_whole_figures(world, browser, job):
    with as_tenant(world.organisation):
        type(job).objects.filter(pk=job.pk).update(done=37_401, total=37_412)
    text = b"".join(browser.get("/jobs/?format=csv").streaming_content).decode()
    assert "37401 of 37412" in text


# --- organisations --------------------------------------------------------------------------------------------


def test_switching_to_an_organisation_of_ones_own(world, browser):
    from rootstock.accounts.models import Role
    from rootstock.accounts.services import member_add

    member_add(organisation=world.other, user=world.owner, role=Role.AUDITOR)
    browser.post("/organisation/", {"organisation": str(world.other.pk)})
    assert f"and what {world.other.name} has" in browser.get("/").content.decode()


@pytest.mark.parametrize("wanted", ["", "not-an-id", "other"])
def test_switching_elsewhere_is_refused(world, browser, wanted):
    wanted = str(world.other.pk) if wanted == "other" else wanted
    assert browser.post("/organisation/", {"organisation": wanted}).status_code == 403
    assert f"and what {world.organisation.name} has" in browser.get("/").content.decode()


# --- health ---------------------------------------------------------------------------------------------------


def test_home_and_dot_say_what_the_workers_say(browser, valkey, monkeypatch):
    from rootstock.lanes import health

    worker = health.WorkerHealth(
        name="language-1", groups=["language"], lanes={},
        base={"name": "smollm2", "fingerprint": "ab", "bytes": 93_000_000},
        adapters=[
            {"adapter": "tone@0123456789ab", "shipped": True},
            {"adapter": "neighbours-secret@ba9876543210", "shipped": False},
        ], engine=None, memory_bytes=400_000_000, started_at=0, seen_at=0,
    )  # fmt: skip
    serving = {"language-1": sorted(health.Health(True).queues)}
    monkeypatch.setattr(
        "rootstock.console.selectors.snapshot", lambda: health.Health(True, [worker], serving)
    )
    monkeypatch.setattr("rootstock.lanes.health.settings.LANES", {})
    page = browser.get("/").content.decode()
    assert "tone@0123456789ab" in page
    assert "neighbours-secret" not in page
    assert "1 of other organisations" in page
    assert "88.7" in page
    assert browser.get("/health/").json() == {"tone": "ok", "text": "1 worker up"}


def test_a_queue_that_nobody_serves_is_named(browser, monkeypatch):
    from rootstock.lanes.health import Health, WorkerHealth

    worker = WorkerHealth("w", ["score"], {}, None, [], None, 1, 0, 0)
    processes = {"w": ["score", "language", "adaptation", "webhooks", "housekeeping"], "beat": ["beat"]}
    monkeypatch.setattr("rootstock.lanes.health.settings.LANES", {})
    monkeypatch.setattr("rootstock.console.selectors.snapshot", lambda: Health(True, [worker], processes))
    assert browser.get("/health/").json() == {"tone": "warn", "text": "1 queue unserved"}
    page = browser.get("/").content.decode()
    assert "Queues that nobody serves: general." in page


def test_no_worker_is_said_with_what_it_means(browser, monkeypatch):
    from rootstock.lanes.health import Health

    monkeypatch.setattr("rootstock.console.selectors.snapshot", lambda: Health(True, []))
    assert browser.get("/health/").json() == {"tone": "error", "text": "No worker"}
    assert b"refused with 503" in browser.get("/home/live/").content


# --- jobs -----------------------------------------------------------------------------------------------------


def test_jobs_are_listed_and_filtered(browser, job):
    address = f"/jobs/{job.pk}/".encode()
    assert address in browser.get("/jobs/").content
    assert address in browser.get("/jobs/?state=queued").content
    assert address not in browser.get("/jobs/?state=failed").content


def test_a_wrong_filter_is_a_page_too(world, job):
    client = Client(headers={"accept": "text/html"})
    client.force_login(world.owner)
    answer = client.get("/jobs/?state=perhaps")
    assert answer.status_code == 422
    assert b"must be one of" in answer.content


def test_a_job_follows_its_work(world, browser, job):
    claimed = job_claim(organisation=world.organisation.pk, job_id=job.pk)
    owner = {"organisation": world.organisation.pk, "job_id": job.pk, "fence": claimed.fence}
    job_update(**owner, done=4, message="loss 1.2")
    with as_tenant(world.organisation):
        for step in (1, 2, 3):
            event_append(job, Step(step=step, steps=10, loss=2.5 / step))
        event_append(job, Evaluation(best=True, metrics={"score": 0.5}))
    live = browser.get(f"/jobs/{job.pk}/live/")
    assert live.status_code == 200
    page = live.content.decode()
    assert 'value="4" max="10"' in page
    assert "loss 1.2" in page
    assert "Training loss" in page
    assert "best · metrics score 0.5" in page
    job_finish(**owner, state=JobState.SUCCEEDED, result={"adapter": "tone@0123456789ab"})
    last = browser.get(f"/jobs/{job.pk}/live/")
    assert b"data-final" in last.content, "the page goes on asking"
    assert "tone@0123456789ab" in last.content.decode()


def test_cancelling_from_the_page(world, browser, job):
    assert b"Cancel job" in browser.get(f"/jobs/{job.pk}/").content
    assert browser.post(f"/jobs/{job.pk}/cancel/").headers["Location"] == f"/jobs/{job.pk}/"
    page = browser.get(f"/jobs/{job.pk}/").content
    assert b"Cancelled" in page
    assert b"Cancel job" not in page


def test_cancelling_twice_is_explained(world, job):
    job_cancel(organisation=world.organisation, job_id=job.pk)
    client = Client(headers={"accept": "text/html"})
    client.force_login(world.owner)
    answer = client.post(f"/jobs/{job.pk}/cancel/")
    assert answer.status_code == 409
    assert b"already cancelled" in answer.content.lower()


def test_an_auditor_looks_and_does_not_cancel(world, job):
    auditor = world.browser(world.colleague)
    assert b"Cancel job" not in auditor.get(f"/jobs/{job.pk}/").content
    assert auditor.post(f"/jobs/{job.pk}/cancel/").status_code == 403


@pytest.mark.parametrize("path", ["", "live/"])
def test_a_stranger_sees_no_job(world, job, path):
    assert world.browser(world.stranger).get(f"/jobs/{job.pk}/{path}").status_code == 404
    assert str(job.pk).encode() not in world.browser(world.stranger).get("/jobs/").content


def test_cancelling_needs_the_token(world, job):
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.owner)
    answer = client.post(f"/jobs/{job.pk}/cancel/")
    assert answer.status_code == 403
    assert b"This form has expired" in answer.content


# --- the API's reference ---------------------------------------------------------------------------------------


def test_the_reference_tells_every_operation_with_its_scope(db):
    from rootstock.api import api

    page = Client().get("/api/v1/docs").content.decode()
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method in methods:
            assert f'<span class="method" data-method="{method.upper()}">' in page
            assert f'<code class="strong">{path}</code>' in page
    row = page[page.index("/api/v1/jobs/{job_id}/cancel") :]
    assert '<span class="tag end">jobs:write</span>' in row[:300]


def test_the_reference_reads_nested_and_alternative_bodies():
    from rootstock.console.reference import Field, Reference

    line = {"type": "object", "title": "Line", "properties": {"amount": {"type": "number", "minimum": 0}}}
    order = {
        "type": "object",
        "title": "Order",
        "required": ["lines"],
        "properties": {"lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}}},
    }
    body = {"oneOf": [{"$ref": "#/components/schemas/Order"}, {"type": "array", "items": order}]}
    operation = {"operationId": "make", "requestBody": {"content": {"application/json": {"schema": body}}}}
    document = {
        "paths": {"/orders": {"post": operation}},
        "components": {"schemas": {"Order": order, "Line": line}},
    }
    [section] = Reference(document, {"make": "orders:write"}).sections()
    [told] = section.operations
    assert told.scope == "orders:write"
    assert told.bodies[0].shape == "Order or list of Order"
    assert told.bodies[0].fields == [
        Field("lines", "list of Line", True, ""),
        Field("lines.amount", "number", False, "at least 0"),
    ]


# --- errors ---------------------------------------------------------------------------------------------------


def test_errors_are_pages_with_the_request_id(browser):
    answer = browser.get("/nowhere/")
    assert answer.status_code == 404
    assert answer.headers["X-Request-Id"] in answer.content.decode()


def test_a_fault_of_ours_is_a_page_for_people_and_a_problem_for_programs():
    page = server_error(RequestFactory().get("/"))
    assert page.status_code == 500
    assert b"Something broke on our side" in page.content
    problem = server_error(RequestFactory().get("/api/v1/jobs"))
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert json.loads(problem.content)["code"] == "internal"


# --- components -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "level"),
    [(0.0, "low"), (0.29, "low"), (0.3, "medium"), (0.6, "high"), (0.85, "critical"), (1.0, "critical")],
)
def test_risk_is_word_shape_and_colour(score, level):
    html = tags.risk(score)
    assert f'data-level="{level}"' in html
    assert level.capitalize() in html
    assert f"#{tags.RISK_ICONS[level]}" in html


def test_a_note_is_escaped_and_its_entities_marked():
    text = "<b>fever</b> & cough"
    spans = [{"start": 14, "end": 20, "label": "symptom"}, {"start": 3, "end": 8, "label": "symptom"}]
    html = tags.marked_note(text, spans)
    assert "<b>" not in html
    assert ">fever</mark>" in html
    shown = re.sub(r"<[^>]+>", "", html).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert shown == text


def test_a_kind_of_entity_has_the_same_colour_in_every_note():
    alone = tags.marked_note("Jo", [{"start": 0, "end": 2, "label": "NAME"}])
    after = tags.marked_note("1 May Jo", [
        {"start": 0, "end": 5, "label": "DATE"}, {"start": 6, "end": 8, "label": "NAME"},
    ])  # fmt: skip
    hue = re.search(r'data-label="NAME" data-hue="(\d)"', alone).group()
    assert hue in after


def test_overlapping_and_impossible_spans_lose_no_text():
    spans = [
        {"start": 0, "end": 5, "label": "a"},
        {"start": 3, "end": 8, "label": "b"},
        {"start": 6, "end": 99, "label": "c"},
    ]
    html = tags.marked_note("0123456789", spans)
    assert re.sub(r"<[^>]+>", "", html) == "0123456789"
    assert html.count("<mark") == 1


def test_a_chart_and_its_table_show_the_same():
    chart = Chart("c", "Chart", ["a", "b"], [Series("x", [1, None]), Series("y", [3, 4])])
    assert chart.rows() == [("a", [1, 3]), ("b", [None, 4])]
    assert [series["values"] for series in chart.spec()["series"]] == [[1, None], [3, 4]]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.34, "340 ms"),
        (4.25, "4.2 s"),
        (42, "42 s"),
        (59.9, "60 s"),
        (245, "4 min 05 s"),
        (11400, "3 h 10 min"),
        (187200, "2 d 4 h"),
    ],
)
def test_spans_of_time(seconds, text):
    assert formats.span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (9999, "9,999"),
        (12.5, "12.50"),
        (12_345, "12.3k"),
        (12_000, "12k"),
        (4_500_000, "4.5M"),
        (-2e9, "-2B"),
    ],
)
def test_large_numbers(value, text):
    assert formats.abbreviated(value) == text


def test_code_marks_escape():
    assert tags.code_marks("<i> `a<b` &") == "&lt;i&gt; <code>a&lt;b</code> &amp;"


def test_money_is_exact():
    assert formats.money("1234567.10", "EUR") == "1,234,567.10\u00a0EUR"


# --- files ----------------------------------------------------------------------------------------------------


def test_every_icon_in_use_is_in_the_sprite():
    symbols = set(re.findall(r'<symbol id="([a-z0-9-]+)"', (STATIC / "vendor/lucide/icons.svg").read_text()))
    root = CONSOLE.parents[2]
    templates = [
        path for folder in ("platform", "apps") for path in (root / folder).rglob("templates/**/*.html")
    ]
    used = {name for path in templates for name in re.findall(r'{% icon "([a-z0-9-]+)"', path.read_text())}
    named = {name for path in templates for name in re.findall(r'symbol="([a-z0-9-]+)"', path.read_text())}
    coded = (
        set(tags.TONE_ICONS.values()) | set(tags.RISK_ICONS.values()) | {s[1] for s in tags.STATES.values()}
    )
    assert used | named | coded <= symbols


def test_every_vendored_file_names_version_and_licence():
    vendor = STATIC / "vendor"
    listed = (vendor / "VENDOR.md").read_text()
    for path in vendor.rglob("*.*"):
        if path.suffix in (".js", ".svg", ".css"):
            assert str(path.relative_to(vendor)) in listed
            assert (path.parent / "LICENSE").exists()


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, two: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(two)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast_of_text_is_enough(theme):
    css = (STATIC / "console.css").read_text()
    pairs = re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", css)
    token = {name: (light, dark)[theme] for name, light, dark in pairs}
    grounds = ["bg", "surface", "surface-2"]
    checked = [(text, ground) for text in ("text", "text-2", "text-3", "accent") for ground in grounds]
    checked += [
        (tone, ground)
        for tone in ("ok", "warn", "error", "info", "high")
        for ground in (f"{tone}-soft", "surface")
    ]
    checked += [("on-accent", "accent"), ("on-critical", "critical"), ("accent-strong", "accent-soft")]
    checked += [("violet", "violet-soft"), ("text", "violet-soft"), ("error", "bg"), ("text-2", "surface-3")]
    low = {pair: round(_contrast(*map(token.__getitem__, pair)), 2) for pair in checked}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


# --- diffs, graphs ----------------------------------------------------------------------------------------------


def test_a_diff_shows_both_sides_and_skips_what_is_equal():
    old = {f"k{n:02}": n for n in range(30)}
    lines = side_by_side(old, old | {"k15": 99})
    changed = [line for line in lines if line.kind == "changed"]
    assert [(line.old.strip(), line.new.strip()) for line in changed] == [('"k15": 15,', '"k15": 99,')]
    assert lines[0].kind == "skipped"
    assert len(lines) < 12
    assert side_by_side("same", "same") == []


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_diff_loses_no_changed_line(old, new):
    lines = side_by_side(old, new)
    gone = [line.old for line in lines if line.kind in ("changed", "removed")]
    come = [line.new for line in lines if line.kind in ("changed", "added")]
    if old.splitlines() != new.splitlines():
        assert gone or come
    assert set(gone) <= set(old.splitlines())
    assert set(come) <= set(new.splitlines())


def test_a_graph_and_its_list_say_the_same():
    graph = Graph("g", "G", [Node("a", "A", url="/a"), Node("b", "B")], [Edge("a", "b", "twice", 2)])
    [line] = graph.connections()
    assert (line.source.label, line.target.label, line.label) == ("A", "B", "twice")
    assert graph.spec()["edges"][0]["width"] == 2.2


def test_a_sparkline_leaves_gaps_out():
    assert "points=" not in tags.sparkline([1, None])
    assert tags.sparkline([1, None, 3]).count(",") == 2


def test_times_are_written_one_way_everywhere() -> None:
    moment = datetime.datetime(2026, 9, 3, 16, 5, 7, tzinfo=datetime.UTC)
    assert formats.moment(moment) == "3 Sep 2026, 16:05"
    assert formats.moment(moment.date()) == "3 Sep 2026"
    assert 'title="3 Sep 2026, 16:05 UTC"' in tags.when(moment)
    assert Template("{{ at }}").render(Context({"at": moment})) == "3 Sep 2026, 16:05"


def test_moments_on_a_chart_are_the_viewers(rf) -> None:
    moment = datetime.datetime(2026, 9, 3, 16, 5, tzinfo=datetime.UTC)
    chart = Chart("c", "Pulse", [moment], [Series("bpm", [72.0])])
    assert chart.spec() | {"series": []} == {
        "kind": "line", "unit": "", "labels": ["2026-09-03T16:05:00+00:00"], "moments": True, "series": [],
    }  # fmt: skip
    assert "data-local" in render_to_string("console/components/chart_card.html", tags.chart_card(chart))


def test_the_home_page_does_not_count_each_time(world, browser, django_assert_num_queries) -> None:
    world.api("support:write").post("/support/conversations", {"subject": "One"})
    held = {"organisation": world.organisation, "scopes": frozenset({"support:read"})}
    first = holdings(**held)
    assert first[0].value == "1"
    with django_assert_num_queries(0):
        assert holdings(**held) == first


def test_a_plain_table_names_itself_and_escapes_its_words() -> None:
    html = Template(
        '{% load console %}{% plaintable name "Check" "Took:num" "Action:hidden" %}'
        "<tr><td>{{ x }}</td></tr>{% endplaintable %}"
    ).render(Context({"name": "A & B", "x": "<b>"}))
    assert 'aria-label="A &amp; B: table"' in html
    assert '<th scope="col" class="num">Took</th>' in html
    assert '<span class="visually-hidden">Action</span>' in html
    assert "<tr><td>&lt;b&gt;</td></tr>" in html


def test_who_names_a_view_is_told_not_to_name_a_person(browser) -> None:
    assert "name no person" in browser.get("/jobs/").content.decode()
