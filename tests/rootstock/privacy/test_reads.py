"""Whoever reads personal data on the privacy pages is on the audit trail."""

from typing import Any

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from tests.rootstock.privacy.conftest import CUSTOMER, Planted, talk


def reads(planted: Planted, action: str) -> list[tuple[str, str, Any]]:
    """Who read what of whom."""
    with tenant(planted.organisation):
        rows = AuditEntry.objects.filter(action=action).order_by("id")
        return [(row.actor_kind, row.object_id, row.data) for row in rows]


def test_a_search_is_recorded(planted: Planted) -> None:
    talk(planted.organisation)
    subject = planted.find(CUSTOMER)
    planted.world.browser(planted.world.owner).post("/privacy/find/", {"reference": CUSTOMER})
    planted.search("nobody@example.org")
    what = {"what": "reference search", "count": 1, "ids": [subject["id"]]}
    listed = reads(planted, f"{subject['type']}.listed")
    assert listed == [("key", "", what), ("person", "", what)]
    assert CUSTOMER.lower() not in str(listed).lower()


def test_the_reason_of_a_hold_is_recorded(planted: Planted) -> None:
    talk(planted.organisation)
    subject = planted.find(CUSTOMER)
    browser = planted.world.browser(planted.world.owner)
    page = f"/privacy/subjects/{subject['id']}/"
    browser.get(page)
    assert reads(planted, f"{subject['type']}.read") == []
    browser.post(f"{page}hold/", {"reason": "court"})
    assert "court" in browser.get(page).content.decode()
    assert reads(planted, f"{subject['type']}.read") == [("person", subject["id"], {"what": "legal hold"})]


def test_the_note_of_a_request_is_recorded(planted: Planted) -> None:
    talk(planted.organisation)
    subject = planted.find(CUSTOMER)
    page = f"/privacy/requests/{planted.ask(subject)['id']}/"
    browser = planted.world.browser(planted.world.owner)
    assert "Ada Lovelace rang" in browser.get(page).content.decode()
    told = [("person", subject["id"], {"what": "request note"})]
    assert reads(planted, f"{subject['type']}.read") == told
    assert planted.second.post(f"/privacy{page[8:]}confirm").status_code == 200
    browser.get(page)
    assert reads(planted, f"{subject['type']}.read") == told  # nothing is left to read
