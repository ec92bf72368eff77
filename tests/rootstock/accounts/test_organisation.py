"""The organisation's settings."""

import pytest

from rootstock.accounts.services import organisation_update
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.errors import InvalidInput

FORM = {"name": "Acme & Sons", "session_hours": "8", "mfa_required": "on"}


def test_it_works(world) -> None:
    page = world.browser(world.owner)
    assert page.get("/settings/").status_code == 200
    assert page.post("/settings/", FORM)["Location"] == "/settings/"
    world.organisation.refresh_from_db()
    found = world.organisation
    assert (found.name, found.session_hours, found.mfa_required) == ("Acme & Sons", 8, True)
    with tenant(found):
        entry = AuditEntry.objects.get(action="organisation.changed")
    assert entry.data == {"name": "Acme & Sons", "session_hours": 8, "mfa_required": True}


def test_over_rest(world) -> None:
    api = world.api("settings:write")
    assert api.get("/organisation").json()["session_hours"] is None
    assert api.patch("/organisation", {"session_hours": 4}).json()["session_hours"] == 4
    assert api.patch("/organisation", {"name": "Acme"}).json()["session_hours"] == 4
    assert api.patch("/organisation", {"session_hours": None}).json()["session_hours"] is None
    assert api.patch("/organisation", {"mfa_required": None}).json()["mfa_required"] is False


def test_what_changes_nothing_is_not_told(world) -> None:
    organisation = world.organisation
    organisation_update(
        organisation=organisation, name=organisation.name, session_hours=None, mfa_required=False
    )
    with tenant(organisation):
        assert not AuditEntry.objects.filter(action="organisation.changed").exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"session_hours": 0}, "session_hours"),
        ({"session_hours": 13}, "session_hours"),
    ],
)
def test_what_is_wrong_is_named(world, wrong, field) -> None:
    answer = world.api("settings:write").patch("/organisation", wrong)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


def test_two_factors_cannot_be_required_where_they_are_off(world, settings) -> None:
    settings.MFA = "off"
    with pytest.raises(InvalidInput, match="mfa_required"):
        organisation_update(organisation=world.organisation, name="A", session_hours=None, mfa_required=True)


def test_a_refusal_is_shown_beside_its_field(world) -> None:
    page = world.browser(world.owner).post("/settings/", FORM | {"session_hours": "100"}).content.decode()
    assert "Must be between 1 and 12" in page
