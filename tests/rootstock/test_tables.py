"""Declared tables: filters, order, paging both ways, columns, saved views, CSV."""

import csv
import io
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace

import pytest
from django.apps import apps
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.safestring import mark_safe
from hypothesis import given
from hypothesis import strategies as st

from rootstock.audit.models import AuditEntry
from rootstock.console import saved
from rootstock.console.models import ColumnChoice, SavedView
from rootstock.console.tables import (
    BulkAction,
    ChoiceFilter,
    Column,
    DateFilter,
    NumberFilter,
    Table,
    TextFilter,
    embedded,
    part_or_none,
    selected_ids,
    table_page,
)
from rootstock.console.tables.columns import safe_csv
from rootstock.errors import InvalidInput, NotFound
from rootstock.ids import uuid7_at
from rootstock.jobs.models import Job
from tests.fixtures.services import as_tenant

STATES = [("queued", "Queued"), ("failed", "Failed")]
TABLE = Table(
    name="test-jobs",
    label="Jobs",
    columns=[
        Column("kind", "Kind", css="strong", order="kind"),
        Column(
            "state", "State", value=lambda row: mark_safe(f"<b>{row.state}</b>"), csv=lambda row: row.state
        ),
        Column("done", "Done", css="num", order="done"),
        Column("started_at", "Started", order="started_at", nullable=True),
        Column("created", "Created", value=lambda row: row.created_at, order="id"),
        Column("message", "Message", shown=False),
    ],
    filters=[
        TextFilter("q", "Kind", lookup="kind__startswith"),
        ChoiceFilter("state", "State", lookup="state", choices=STATES),
        DateFilter("created", "Created", lookup="created_at"),
        DateFilter("made", "Made", lookup="created_at", by_id=True),
        NumberFilter("done", "Done", lookup="done"),
    ],
    sort="-created",
    row_url=lambda row: f"/jobs/{row.pk}/",
    actions=[BulkAction("Cancel", "/jobs/cancel-chosen/", confirm="They stop.")],
    page_size=4,
)


@pytest.fixture
def request_of(world, services):
    """A signed-in request for a table."""

    def make(query: str = "", user=None, **headers: str):
        request = RequestFactory().get(f"/list/{query}", headers=headers)
        request.organisation, request.user = world.organisation, user or world.owner
        return request

    return make


@pytest.fixture
def jobs(world):
    """Eleven jobs: values that repeat, some without a start."""
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with as_tenant(world.organisation):
        return [
            Job.objects.create(
                organisation=world.organisation,
                kind=f"kind.{number % 3}",
                state="failed" if number % 2 else "queued",
                done=number // 2,
                message="=1+1" if number == 3 else f"m{number}",
                started_at=start + timedelta(hours=number // 2) if number % 4 else None,
            )
            for number in range(11)
        ]


def keys(view) -> list:
    return [row.pk for row in view.rows]


def test_it_works(request_of, jobs):
    view = embedded(request_of(), TABLE, Job.objects.all())
    assert keys(view) == [job.pk for job in reversed(jobs)][:4]
    assert [head.label for head in view.heads] == ["Kind", "State", "Done", "Started", "Created"]
    assert view.rows[0].cells[1].html == "<b>queued</b>"
    assert view.previous_url == ""
    assert view.next_url.startswith("?after=")


@pytest.mark.parametrize(
    ("sort", "field"),
    [("kind", "kind"), ("-kind", "kind"), ("done", "done"), ("-done", "done"), ("created", "id"), ("-created", "id"),
     ("started_at", "started_at"), ("-started_at", "started_at")],
)  # fmt: skip
def test_every_order_can_be_walked_there_and_back(request_of, jobs, sort, field):
    forward, view = [], embedded(request_of(f"?sort={sort}"), TABLE, Job.objects.all())
    pages = [keys(view)]
    while view.next_url:
        view = embedded(request_of(view.next_url), TABLE, Job.objects.all())
        pages.append(keys(view))
    forward = [pk for page in pages for pk in page]
    assert len(forward) == len(set(forward)) == 11

    def place(job):
        value = getattr(job, field)
        return (value is not None, value or 0, job.pk) if value is None else (True, value, job.pk)

    expected = sorted((j for j in jobs if getattr(j, field) is not None), key=place)
    blank = sorted((j for j in jobs if getattr(j, field) is None), key=lambda j: j.pk)
    ordered = blank + expected
    assert forward == [job.pk for job in (reversed(ordered) if sort.startswith("-") else ordered)]
    back = [keys(view)]
    while view.previous_url:
        view = embedded(request_of(view.previous_url), TABLE, Job.objects.all())
        back.insert(0, keys(view))
    assert [pk for page in back for pk in page][-8:] == forward[-8:]
    assert sorted({pk for page in back for pk in page}) == sorted(forward)


def test_rows_that_arrive_meanwhile_shift_no_page(world, request_of, jobs):
    view = embedded(request_of(), TABLE, Job.objects.all())
    with as_tenant(world.organisation):
        Job.objects.create(organisation=world.organisation, kind="late")
    second = embedded(request_of(view.next_url), TABLE, Job.objects.all())
    assert keys(second) == [job.pk for job in reversed(jobs)][4:8]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?q=kind.1", 4),
        ("?state=failed", 5),
        ("?state=failed&q=kind.1", 2),
        ("?done_min=2", 7),
        ("?done_min=2&done_max=3", 4),
        ("?created_from=2020-01-01", 11),
        ("?created_to=2020-01-01", 0),
    ],
)
def test_filters(request_of, jobs, query, count):
    view = embedded(request_of(query), replace(TABLE, page_size=50), Job.objects.all())
    assert len(view.rows) == count
    assert view.filtered
    assert all(chip.text and "created" not in chip.url for chip in view.chips[:1])


def test_days_are_the_viewers_days(world, request_of):
    with as_tenant(world.organisation):
        job = Job.objects.create(organisation=world.organisation, kind="late")
        Job.objects.filter(pk=job.pk).update(created_at=datetime(2026, 3, 14, 23, 30, tzinfo=UTC))
    for zone, count in (("UTC", 0), ("Europe/Berlin", 1), ("Mars/Olympus", 0), ("../etc", 0)):
        request = request_of("?created_from=2026-03-15&created_to=2026-03-15")
        request.COOKIES["rootstock_zone"] = zone
        assert len(embedded(request, TABLE, Job.objects.all()).rows) == count


def test_days_by_the_ids(world, request_of):
    """The bounds over ids narrow nothing that the time itself would not."""
    now = timezone.now()
    with as_tenant(world.organisation):
        for ago in (0, 2, 4):
            at = now - timedelta(days=ago)
            one = Job.objects.create(organisation=world.organisation, pk=uuid7_at(at), kind=f"ago-{ago}")
            Job.objects.filter(pk=one.pk).update(created_at=at)
    day = (now - timedelta(days=2)).date()
    for query, kinds in (
        (f"?made_from={day}&made_to={day}", ["ago-2"]),
        (f"?made_from={day}", ["ago-0", "ago-2"]),
        ("?made_from=1900-01-01&made_to=2200-12-31", ["ago-0", "ago-2", "ago-4"]),
    ):
        view = embedded(request_of(query), TABLE, Job.objects.all())
        assert [row.cells[0].html for row in view.rows] == kinds, query


@pytest.mark.parametrize("path", ["jobs", "files", "audit"])
def test_a_list_of_some_days_is_read_in_the_index_of_ids(world, services, path):
    page = world.browser(world.owner)
    names = {"audit": "at"}.get(path, "created")
    with CaptureQueriesContext(connection) as asked:
        assert page.get(f"/{path}/?{names}_from=1900-01-01&{names}_to=2026-03-01").status_code == 200
    listed = [one["sql"] for one in asked if "at\" < '2026-03-02" in one["sql"]]
    assert listed
    assert all('"id" >= ' in sql and '"id" < ' in sql for sql in listed)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?state=perhaps", "state"),
        ("?created_from=yesterday", "created_from"),
        ("?created_from=0001-01-01", "created_from"),
        ("?created_from=2026-03-02&created_to=2026-03-01", "created_to"),
        ("?done_min=many", "done_min"),
        ("?done_min=NaN", "done_min"),
        ("?done_min=3&done_max=2", "done_max"),
        ("?sort=message", "sort"),
        ("?sort=password", "sort"),
        ("?after=garbage", "after"),
        ("?after=WzEsMl0", "after"),
        ("?sort=-started_at&after=WyJ4IiwiMDE5NyJd", "after"),
        ("?q=" + "x" * 300, "q"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_shown(request_of, jobs, query, field):
    view = embedded(request_of(query), TABLE, Job.objects.all())
    assert [problem.field for problem in view.problems] == [field]
    assert view.rows == []


def test_another_organisations_rows_are_not_there(world, request_of, jobs):
    request = request_of()
    request.organisation, request.user = world.other, world.stranger
    assert embedded(request, TABLE, Job.objects.all()).rows == []


def test_the_part_comes_alone_when_htmx_asks(world, request_of, jobs):
    request = request_of("?state=failed", **{"HX-Target": "table-test-jobs-part"})
    answer = table_page(request, TABLE, Job.objects.all(), "console/base.html")
    page = answer.content.decode()
    assert "<html" not in page
    assert 'id="table-test-jobs-part"' in page
    assert 'aria-sort="none"' in page
    assert "State: <strong>Failed</strong>" in page
    assert 'data-confirm="They stop."' in page


def test_a_wrong_address_is_said_in_the_page(world, jobs):
    request = RequestFactory().get("/list/?state=perhaps", headers={"HX-Target": "table-test-jobs-part"})
    request.organisation, request.user = world.organisation, world.owner
    page = table_page(request, replace(TABLE), Job.objects.all(), "console/base.html").content.decode()
    assert "must be one of queued, failed" in page


def test_csv_has_every_row_and_only_plain_values(world, request_of, jobs, monkeypatch):
    monkeypatch.setattr("rootstock.console.tables.export.CHUNK", 3)
    request = request_of("?format=csv&sort=done&columns=kind,state,done,message,started_at")
    view = embedded(request, TABLE, Job.objects.all())
    answer = part_or_none(request, view, Job.objects.all())
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    lines = list(csv.reader(io.StringIO(text)))
    assert lines[0] == ["Kind", "State", "Done", "Started", "Message"]
    assert len(lines) == 12
    assert {line[1] for line in lines[1:]} == {"queued", "failed"}
    assert "'=1+1" in {line[4] for line in lines}
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="test-jobs-')
    with as_tenant(world.organisation):
        entry = AuditEntry.objects.get(action="table.exported")
    assert entry.data == {"columns": ["kind", "state", "done", "started_at", "message"], "filters": []}


@given(st.text())
def test_no_text_becomes_a_formula(text):
    assert safe_csv(text).lstrip(" ")[:1] not in ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
    assert safe_csv(text).removeprefix("'") == text or safe_csv(text) == text


def test_numbers_stay_numbers():
    assert [safe_csv(value) for value in (-3, 2.5, None, True)] == ["-3", "2.5", "", "True"]


# --- columns and saved views -----------------------------------------------------------------------------------


def test_columns_are_remembered_per_person(world, request_of, jobs):
    who = {"organisation": world.organisation, "user": world.owner, "table": "test-jobs"}
    saved.columns_choose(**who, columns=["message", "state", "no-such"])
    heads = [head.label for head in embedded(request_of(), TABLE, Job.objects.all()).heads]
    assert heads == ["Kind", "State", "Message"]
    theirs = embedded(request_of(user=world.colleague), TABLE, Job.objects.all())
    assert [head.label for head in theirs.heads][-1] == "Created"
    saved.columns_choose(**who, columns=[])
    with as_tenant(world.organisation):
        assert not ColumnChoice.objects.exists()


def test_views_are_kept_shared_and_forgotten(world, request_of, jobs):
    who = {"organisation": world.organisation, "user": world.owner}
    own = saved.view_save(**who, table="test-jobs", name="Mine", query="state=failed", shared=False)
    shared = saved.view_save(**who, table="test-jobs", name="Ours", query="state=queued", shared=True)
    with as_tenant(world.organisation):
        assert [v.name for v in saved.views_of(user=world.owner, table="test-jobs")] == ["Mine", "Ours"]
        assert [v.name for v in saved.views_of(user=world.colleague, table="test-jobs")] == ["Ours"]
        assert AuditEntry.objects.filter(action="saved_view.shared", object_id=str(shared.pk)).exists()
    with pytest.raises(NotFound):
        saved.view_delete(organisation=world.organisation, user=world.colleague, view_id=shared.pk)
    saved.view_delete(**who, view_id=own.pk)
    again = saved.view_save(**who, table="test-jobs", name="Ours", query="", shared=False)
    assert again.pk == shared.pk


@pytest.mark.parametrize(
    ("name", "query", "table"), [("", "", "t"), ("x" * 61, "", "t"), ("v", "q" * 2001, "t"), ("v", "", "../")]
)
def test_views_that_cannot_be_kept(world, name, query, table):
    with pytest.raises(InvalidInput):
        saved.view_save(
            organisation=world.organisation,
            user=world.owner,
            table=table,
            name=name,
            query=query,
            shared=False,
        )


def test_the_forms_come_back_to_where_they_were(world, services):
    browser = world.browser(world.owner)
    answer = browser.post("/tables/jobs/columns", {"columns": ["kind"], "next": "/jobs/?state=failed"})
    assert answer.headers["Location"] == "/jobs/?state=failed"
    answer = browser.post(
        "/tables/jobs/views",
        {"name": "Failed", "query": saved.query_offered("jobs", "state=failed"), "next": "/jobs/?after=x"},
    )
    with as_tenant(world.organisation):
        view = SavedView.objects.get()
    assert answer.headers["Location"] == f"/jobs/?state=failed&view={view.pk}"
    answer = browser.post(f"/tables/views/{view.pk}/delete", {"next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"
    assert world.browser(world.stranger).post(f"/tables/views/{view.pk}/delete").status_code == 404


def test_views_keep_no_value_that_names_a_person(world, request_of, jobs):
    table = replace(TABLE, filters=[replace(TABLE.filters[0], personal=True), *TABLE.filters[1:]])
    view = embedded(request_of("?q=kind.1&state=failed&sort=done&after=&other=7"), table, Job.objects.all())
    assert saved.query_accepted("test-jobs", view.view_query) == "state=failed&sort=done"
    assert view.unsaved == ["Kind"]
    request = request_of("?q=kind.1", **{"HX-Target": "table-test-jobs-part"})
    page = table_page(request, table, Job.objects.all(), "console/base.html").content.decode()
    assert "Left out, because it may name a person: Kind." in page
    plain = request_of("?state=failed", **{"HX-Target": "table-test-jobs-part"})
    assert "Left out" not in table_page(plain, table, Job.objects.all(), "console/base.html").content.decode()


@pytest.fixture
def people_page(world, services):
    """The list of people, filtered as its form does it."""
    browser = world.browser(world.owner)
    form = {"next": "/people/", "personal": "q", "q": world.colleague.username, "role": "", "sort": "joined"}
    return browser, browser.post("/tables/people/filter", form).headers["Location"]


def test_a_personal_filter_stands_sealed_in_the_address(world, people_page):
    browser, address = people_page
    assert address.startswith("/people/?q=~")
    assert address.endswith("&sort=joined")
    assert world.colleague.username not in address
    page = browser.get(address).content.decode()
    assert f"<strong>{world.colleague.username}</strong>" in page
    assert f'value="{world.colleague.username}"' in page
    links = re.findall(r'(?:href|hx-get|action)="([^"]*)"', page)
    assert not [link for link in links if world.colleague.username in link]
    token = address.partition("q=")[2].partition("&")[0]
    assert any("format=csv" in link and token[1:] in link for link in links)


@pytest.mark.parametrize("spoil", ["foreign", "late", "broken", "short", "other table"])
def test_a_token_that_cannot_be_opened_leaves_the_filter_empty(world, people_page, monkeypatch, spoil):
    browser, address = people_page
    if spoil == "foreign":
        browser = world.browser(world.owner)
    elif spoil == "late":
        later = time.time() + 3700
        monkeypatch.setattr("rootstock.console.personal.time.time", lambda: later)
    elif spoil == "other table":
        address = address.replace("/people/?", "/people/invitations/?").removesuffix("&sort=joined")
    else:
        address = "/people/?q=~" + {"broken": "%C3%A9" * 20, "short": "AA"}[spoil]
    answer = browser.get(address)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "has expired, or belongs to another session" in page
    assert f"<strong>{world.colleague.username}</strong>" not in page
    assert answer.headers["Content-Type"].startswith("text/html")
    assert browser.get(f"{address}&format=csv").headers["Content-Type"].startswith("text/html")


def test_a_filter_form_leads_only_to_this_site(world, services):
    answer = world.browser(world.owner).post(
        "/tables/people/filter", {"next": "https://evil.example/", "q": "x"}
    )
    assert answer.headers["Location"] == "/?q=x"


@pytest.mark.parametrize("query", ["q=kind.1", "", saved.query_offered("people", "role=owner")])
def test_only_what_the_page_offered_is_kept(world, services, query):
    answer = world.browser(world.owner).post("/tables/jobs/views", {"name": "V", "query": query, "next": "/"})
    assert answer.status_code == 422
    with as_tenant(world.organisation):
        assert not SavedView.objects.exists()


def test_an_export_notes_which_filters_but_no_value(world, request_of, jobs):
    table = replace(TABLE, filters=[replace(TABLE.filters[0], personal=True), *TABLE.filters[1:]])
    request = request_of("?format=csv&q=kind.1")
    part_or_none(request, embedded(request, table, Job.objects.all()), Job.objects.all())
    with as_tenant(world.organisation):
        assert AuditEntry.objects.get(action="table.exported").data["filters"] == ["q"]


@pytest.mark.parametrize(
    ("table", "query", "kept"),
    [
        ("fraud-payments", "account=ACC-1&outcome=review", "outcome=review"),
        ("ehr-board", "identifier=4711", ""),
        ("support-conversations", "state=open&search=Ada", "state=open"),
        ("people", "q=ada", ""),
        ("jobs", "q=train", "q=train"),
    ],
)
def test_views_from_before_forget_whom_they_named(world, services, table, query, kept):
    who = {"organisation": world.organisation, "user": world.owner}
    saved.view_save(**who, table=table, name="Old", query=query, shared=True)
    step = import_module("rootstock.console.migrations.0002_views_without_persons")
    with as_tenant(world.organisation):
        step.forget(apps, SimpleNamespace(connection=connection))
        assert SavedView.objects.get().query == kept


# --- bulk actions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ids", [[], ["nothing"], ["0197f3c2-a1b4-7000-8000-000000000000"] * 501])
def test_chosen_rows_are_checked(ids):
    with pytest.raises(InvalidInput):
        selected_ids(RequestFactory().post("/", {"ids": ids}))


def test_chosen_rows():
    one = "0197f3c2-a1b4-7000-8000-000000000000"
    assert [str(pk) for pk in selected_ids(RequestFactory().post("/", {"ids": [one]}))] == [one]
