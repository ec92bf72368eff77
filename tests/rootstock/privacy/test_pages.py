"""The pages: who sees them, and a request from the search to the certificate."""

from typing import Any

import pytest
from django.test import Client

from rootstock.accounts.models import Role
from rootstock.accounts.services import member_add
from rootstock.accounts.tenancy import tenant
from rootstock.privacy.models import ErasureCertificate, PrivacyRequest
from tests.fixtures.jobs import run_job
from tests.rootstock.privacy.conftest import CUSTOMER, Planted, talk

PAGES = ("/privacy/", "/privacy/find/", "/privacy/retention/", "/privacy/certificates/", "/privacy/keys/")


def newest(planted: Planted) -> Any:
    """The request made last."""
    with tenant(planted.organisation):
        return PrivacyRequest.objects.order_by("-pk")[0]


@pytest.fixture
def officer(planted: Planted) -> Client:
    """A second person who may erase."""
    member_add(organisation=planted.organisation, user=planted.world.colleague, role=Role.PRIVACY_OFFICER)
    return planted.world.browser(planted.world.colleague)


def test_it_works(planted: Planted, officer: Client) -> None:
    talk(planted.organisation)
    owner = planted.world.browser(planted.world.owner)
    person = f"/privacy/subjects/{planted.find(CUSTOMER)['id']}/"
    assert person in owner.post("/privacy/find/", {"reference": CUSTOMER}).content.decode()
    shown = owner.get(person).content.decode()
    assert "Conversations" in shown
    assert "Lovelace" not in shown
    owner.post(person, {"action": "erase", "ground": "person_asked", "note": "Ada rang"})
    path = f"/privacy/requests/{newest(planted).pk}/"
    assert "Somebody else has to confirm" in owner.get(path).content.decode()
    assert owner.post(f"{path}confirm/").status_code == 403
    waiting = officer.get(path).content.decode()
    assert "Erase for good" in waiting
    assert "Ada rang" in waiting
    done = officer.post(f"{path}confirm/", follow=True).content.decode()
    assert "Signature holds" in done
    with tenant(planted.organisation):
        certificate = ErasureCertificate.objects.get()
    file = officer.get(f"/privacy/certificates/{certificate.pk}/", {"format": "json"})
    assert file.json()["document"] == certificate.document
    assert "Nobody is known by it" in owner.post("/privacy/find/", {"reference": CUSTOMER}).content.decode()
    for page in (*PAGES, path, person):
        assert officer.get(page).status_code == 200
    assert "erased" in officer.get(path).content.decode()


def test_export_hold_and_rules(planted: Planted, officer: Client) -> None:
    talk(planted.organisation)
    person = f"/privacy/subjects/{planted.find(CUSTOMER)['id']}/"
    officer.post(person, {"action": "export", "ground": "person_asked"})
    request = newest(planted)
    run_job(planted.organisation.pk, request.job_id)
    archive = officer.post(f"/privacy/requests/{request.pk}/archive/")
    assert archive.getvalue()[:2] == b"PK"
    officer.post(f"{person}hold/", {"reason": "court"})
    assert "Under a legal hold" in officer.get(person).content.decode()
    officer.post(f"{person}release/")
    assert "Under a legal hold" not in officer.get(person).content.decode()
    kind = {"kind": "support.conversations"}
    assert "at least" in officer.post("/privacy/retention/", kind | {"days": "3"}).content.decode().replace(
        "greater than or equal to", "at least"
    )
    officer.post("/privacy/retention/", kind | {"days": "365"})
    assert "365 days" in officer.get("/privacy/retention/").content.decode()
    refused = officer.post("/privacy/keys/", {"archive_days": "3"}).content.decode()
    assert "takes the scope settings:write" in refused
    planted.world.browser(planted.world.owner).post("/privacy/keys/", {"archive_days": "3"})
    assert planted.api.get("/privacy/settings").json() == {"four_eyes": False, "archive_days": 3}


def test_permissions(planted: Planted) -> None:
    talk(planted.organisation)
    person = f"/privacy/subjects/{planted.find(CUSTOMER)['id']}/"
    auditor, stranger = (
        planted.world.browser(user) for user in (planted.world.person("auditor"), planted.world.stranger)
    )
    for page in (*PAGES, person):
        assert auditor.get(page).status_code == 200
        assert Client().get(page).status_code == 302
    assert auditor.post(person, {"action": "erase", "ground": "unlawful"}).status_code == 200
    assert auditor.post(f"{person}hold/", {"reason": "x"}).status_code == 403
    auditor.post("/privacy/retention/", {"kind": "support.conversations", "days": "30"})
    assert {row["days"] for row in planted.api.get("/privacy/retention").json()} == {None}
    with tenant(planted.organisation):
        assert not PrivacyRequest.objects.exists()
    assert stranger.get(person).status_code == 404
    member_add(organisation=planted.organisation, user=planted.world.colleague, role=Role.SUPPORT_AGENT)
    assert planted.world.browser(planted.world.colleague).get("/privacy/").status_code == 403
