"""Members: roles, removal, and who may do it."""

import pytest

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.models import Membership, Role
from rootstock.accounts.services import member_add, member_remove, member_role_change
from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import AuditEntry
from rootstock.errors import Conflict, Forbidden, InvalidInput, NotFound


def membership(world, user):
    with tenant(world.organisation):
        return Membership.objects.get(user=user)


def trail(organisation) -> list[str]:
    with tenant(organisation):
        return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_it_works(world) -> None:
    page = world.browser(world.owner)
    colleague = membership(world, world.colleague)
    assert world.colleague.username in page.get("/people/").content.decode()
    answer = page.post(f"/people/{colleague.pk}/", {"role": Role.CLINICIAN})
    assert answer["Location"] == f"/people/{colleague.pk}/"
    assert membership(world, world.colleague).role == Role.CLINICIAN
    assert page.post(f"/people/{colleague.pk}/remove/")["Location"] == "/people/"
    assert world.browser(world.colleague).get("/").status_code == 403
    assert trail(world.organisation)[-2:] == ["member.role_changed", "member.removed"]


def test_over_rest(world) -> None:
    api = world.api("people:read", "people:write")
    listed = api.get("/people").json()["items"]
    assert {m["username"] for m in listed} == {world.owner.username, world.colleague.username}
    assert [m["role"] for m in api.get("/people", q=world.owner.username).json()["items"]] == [
        "administrator"
    ]
    colleague = membership(world, world.colleague)
    answer = api.patch(f"/people/{colleague.pk}", {"role": "nobody"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "role")
    assert api.delete(f"/people/{colleague.pk}").status_code == 204
    assert api.get(f"/people/{colleague.pk}").status_code == 404


def test_the_last_administrator_stays(world) -> None:
    owner = membership(world, world.owner)
    with pytest.raises(Conflict, match="last administrator"):
        member_remove(organisation=world.organisation, membership_id=owner.pk)
    with pytest.raises(Conflict, match="last administrator"):
        member_role_change(organisation=world.organisation, membership_id=owner.pk, role=Role.AUDITOR)
    page = world.browser(world.owner).post(f"/people/{owner.pk}/remove/")
    assert page.status_code == 409
    member_add(organisation=world.organisation, user=world.colleague, role=Role.ADMINISTRATOR)
    member_remove(organisation=world.organisation, membership_id=owner.pk)


def test_an_administrator_who_is_switched_off_does_not_count(world) -> None:
    member_add(organisation=world.organisation, user=world.colleague, role=Role.ADMINISTRATOR)
    world.colleague.is_active = False
    world.colleague.save()
    with pytest.raises(Conflict):
        member_remove(organisation=world.organisation, membership_id=membership(world, world.owner).pk)


def test_nobody_changes_their_own_role(world) -> None:
    member_add(organisation=world.organisation, user=world.colleague, role=Role.ADMINISTRATOR)
    owner = membership(world, world.owner)
    with acting(Actor("person", str(world.owner.pk))), pytest.raises(Forbidden, match="own role"):
        member_role_change(organisation=world.organisation, membership_id=owner.pk, role=Role.CLINICIAN)
    page = world.browser(world.owner).post(f"/people/{owner.pk}/", {"role": Role.CLINICIAN})
    assert "Nobody changes their own role" in page.content.decode()
    assert membership(world, world.owner).role == Role.ADMINISTRATOR


def test_a_key_gives_no_role_beyond_itself(world) -> None:
    api = world.api("people:read", "people:write")
    colleague = membership(world, world.colleague)
    assert api.patch(f"/people/{colleague.pk}", {"role": "administrator"}).status_code == 403
    assert api.post("/invitations", {"email": "x@example.org", "role": "administrator"}).status_code == 403


@pytest.mark.parametrize("role", ["", "owner", "ADMINISTRATOR"])
def test_unknown_roles_are_refused(world, role) -> None:
    with pytest.raises(InvalidInput, match="role"):
        member_role_change(
            organisation=world.organisation, membership_id=membership(world, world.colleague).pk, role=role
        )


def test_the_page_of_a_member_is_private(world) -> None:
    member = membership(world, world.colleague)
    world.assert_private(f"/people/{member.pk}/", "people:read")
    world.assert_private(f"/api/v1/people/{member.pk}", "people:read")
    world.assert_private(f"/people/{member.pk}/remove/", "people:write", "post")
    with pytest.raises(NotFound):
        member_remove(organisation=world.other, membership_id=member.pk)


def test_who_may_only_read_changes_nothing(world) -> None:
    owner = membership(world, world.owner)
    page = world.browser(world.colleague)  # an auditor
    assert page.get(f"/people/{owner.pk}/").status_code == 200
    assert page.post(f"/people/{owner.pk}/", {"role": Role.AUDITOR}).status_code == 403
    assert b"Invite" not in page.get("/people/").content


def test_the_switch_is_remembered_after_signing_in_anew(world) -> None:
    member_add(organisation=world.other, user=world.owner, role=Role.AUDITOR)
    world.browser(world.owner).post("/organisation/", {"organisation": str(world.other.pk)})
    with tenant(world.other):
        entry = AuditEntry.objects.get(action="person.switched_to")
    assert (entry.actor_id, entry.object_id) == (str(world.owner.pk), str(world.owner.pk))
    world.owner.refresh_from_db()
    assert f"and what {world.other.name} has" in world.browser(world.owner).get("/").content.decode()
    with tenant(world.other):
        Membership.objects.filter(user=world.owner).delete()
    assert f"and what {world.organisation.name} has" in world.browser(world.owner).get("/").content.decode()
