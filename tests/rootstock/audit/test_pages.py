"""The audit pages, and the panel on the pages of the verticals."""

import pytest
from django.db import connection

from rootstock.accounts.actors import Actor
from rootstock.accounts.models import Role
from rootstock.accounts.services import member_add, user_create
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry, HumanAction
from rootstock.audit.roots import roots_write
from rootstock.audit.services import audit_record, list_read_record
from tests.fixtures.world import PASSWORD
from tests.rootstock.audit.test_trail import fill


def page(browser, path: str, **query: str) -> str:
    answer = browser.get(path, query)
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


@pytest.fixture
def auditor(world):
    return world.browser(world.colleague)


def test_it_works(world, auditor) -> None:
    record = fill(world.organisation)
    audit_record(
        organisation=world.organisation,
        action="api_key.created",
        object_type="api_key",
        object_id="k-1",
        actor=Actor("person", str(world.owner.pk)),
    )
    trail = page(auditor, "/audit/")
    assert "API key created" in trail
    assert world.owner.username in trail
    assert "Payment scored" in page(auditor, "/audit/decisions/")
    assert "Waiting for its root" in page(auditor, f"/audit/decisions/{record.pk}/")
    roots_write(organisation=world.organisation)
    shown = page(auditor, f"/audit/decisions/{record.pk}/")
    assert "Sealed and unchanged" in shown
    assert "known customer" in shown
    assert 'value="overridden"' not in shown  # an auditor looks on
    with tenant(world.organisation):
        entry = AuditEntry.objects.filter(action="thing.made").latest("id")
    assert "Sealed and unchanged" in page(auditor, f"/audit/entries/{entry.pk}/")
    assert "Last root" in page(auditor, "/audit/chain/")


def test_the_trail_is_filtered(world, auditor) -> None:
    fill(world.organisation)
    who = Actor("person", str(world.owner.pk))
    audit_record(
        organisation=world.organisation, action="job.cancelled", object_type="job", object_id="j1", actor=who
    )
    assert "Thing made" not in page(auditor, "/audit/", actor=f"person:{world.owner.pk}").split("<tbody")[1]
    assert "Job cancelled" not in page(auditor, "/audit/", action="thing.made").split("<tbody")[1]
    assert "Job cancelled" in page(auditor, "/audit/", object_id="j1").split("<tbody")[1]
    assert "<tbody" not in page(auditor, "/audit/", at_to="2020-01-01")
    assert auditor.get("/audit/", {"action": "nonsense"}).status_code == 422


def test_clients_and_people_who_left_can_be_chosen(world, auditor) -> None:
    for who in (Actor("client", "bank-feed"), Actor("person", "999999"), Actor("system", "retention")):
        audit_record(organisation=world.organisation, action="thing.made", object_type="thing", actor=who)
    choices = page(auditor, "/audit/")
    for value in ("client:bank-feed", "person:999999", "system:retention"):
        assert f'value="{value}"' in choices
        assert "Thing made" in page(auditor, "/audit/", actor=value).split("<tbody")[1]


def test_a_list_that_was_read_says_how_long_it_was(world, auditor) -> None:
    list_read_record(organisation=world.organisation, subject_type="patient", subject_ids=[1, 2], what="ward")
    assert "2 on the page" in page(auditor, "/audit/")


def test_verify_on_the_page(world, auditor) -> None:
    fill(world.organisation)
    assert "Nobody has verified" in page(auditor, "/audit/chain/")
    assert auditor.post("/audit/chain/verify").status_code == 302
    assert "The chain is intact" in page(auditor, "/audit/chain/")


def test_the_panel_takes_what_a_person_says(world) -> None:
    record = fill(world.organisation)
    browser = world.browser(world.owner)
    path = f"/audit/panel/payment/{record.subject_id}"
    assert "Payment scored" in page(browser, path)
    act = f"/audit/decisions/{record.pk}/act"
    said = {"action": "overridden", "reason": ""}
    part = browser.post(act, said, headers={"HX-Request": "true"}).content.decode()
    assert "must say why" in part
    said["reason"] = "paid at the counter"
    assert "paid at the counter" in browser.post(act, said, headers={"HX-Request": "true"}).content.decode()
    away = browser.post(act, said | {"next": "https://elsewhere.example/"})
    assert away["Location"] == f"/audit/decisions/{record.pk}/"
    assert browser.post(act, said | {"next": "/fraud/"})["Location"] == "/fraud/"
    with tenant(world.organisation):
        assert HumanAction.objects.filter(actor_id=str(world.owner.pk)).count() == 3


def test_who_may_see_and_act(world, auditor) -> None:
    record = fill(world.organisation)
    clinician = user_create(username=f"clinician-{record.pk.hex[-8:]}", password=PASSWORD)
    member_add(organisation=world.organisation, user=clinician, role=Role.CLINICIAN)
    act = f"/audit/decisions/{record.pk}/act"
    for browser in (auditor, world.browser(clinician)):
        assert browser.post(act, {"action": "confirmed"}).status_code == 403
    assert world.browser(world.stranger).post(act, {"action": "confirmed"}).status_code == 404
    assert world.browser(clinician).get("/audit/").status_code == 403
    panel = page(world.browser(clinician), f"/audit/panel/payment/{record.subject_id}")
    assert "Payment scored" not in panel
    assert "Payment scored" not in page(
        world.browser(world.stranger), f"/audit/panel/payment/{record.subject_id}"
    )


def test_lists_follow_an_index(world) -> None:
    """Each filter of the list walks an index that gives its order: no sort, whatever the number of rows."""
    from rootstock.audit.selectors import EntryFilter, entries

    wanted = [
        EntryFilter(), EntryFilter(action="a"), EntryFilter(actor="1"), EntryFilter(object_id="1"),
        EntryFilter(object_type="t"),
    ]  # fmt: skip
    with tenant(world.organisation) as owner, connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        for one in wanted:
            found = entries(one).filter(organisation_id=owner).order_by("-pk")[:51]
            plan = found.explain()
            assert "Index" in plan, plan
            assert "Sort" not in plan, plan
