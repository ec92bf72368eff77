"""The operators' site: staff only, the role's scopes, the organisation's rows, the audit trail."""

import pytest
from django.db import connection
from django.http import HttpResponse

from rootstock.accounts.actors import SYSTEM, acting
from rootstock.accounts.models import ApiKey, Membership, Organisation, Role, User
from rootstock.accounts.services import api_key_create
from rootstock.audit.models import AuditEntry
from rootstock.jobs.schedules import schedule_create
from rootstock.jobs.services import job_create
from rootstock.operator.site import site
from tests.fixtures.services import as_tenant


@pytest.fixture(autouse=True)
def running(services):
    """Pages look at Valkey."""


@pytest.fixture
def operator(world):
    """The owner, made staff."""
    User.objects.filter(pk=world.owner.pk).update(is_staff=True)
    return world.browser(world.owner)


@pytest.fixture
def superuser(world):
    """An operator of the whole platform, member of nothing."""
    return world.browser(User.objects.create_superuser(username="root", password="a-long-password-1"))


def job(organisation):
    return job_create(organisation=organisation, kind="adapters.train", params={"name": "tone"})


def test_it_works(world, operator):
    mine, theirs = job(world.organisation), job(world.other)
    page = operator.get("/operator/jobs/job/")
    assert page.status_code == 200
    assert str(mine.pk) in page.text
    assert str(theirs.pk) not in page.text


def test_every_list_and_one_row_of_each_can_be_seen(world, operator):
    job(world.organisation)
    User.objects.filter(pk=world.owner.pk).update(is_superuser=True)
    for model, admin in site._registry.items():
        address = f"/operator/{model._meta.app_label}/{model._meta.model_name}/"
        assert operator.get(address).status_code == 200, address
        with as_tenant(world.organisation):
            row = model.objects.order_by("-pk").first()
        if row is not None:
            assert operator.get(f"{address}{row.pk}/change/").status_code == 200, (address, admin)


def test_the_menu_leads_there_and_only_operators(world, operator):
    assert 'href="/operator/"' in operator.get("/style/").text
    assert 'href="/operator/"' not in world.browser(world.colleague).get("/style/").text


def test_its_menu_leads_to_where_adapters_are_uploaded(world, operator):
    """For who may: the console has the form, with its pieces and its checks."""
    assert 'href="/adapters/upload"' in operator.get("/operator/jobs/job/").text
    User.objects.filter(pk=world.colleague.pk).update(is_staff=True)
    assert 'href="/adapters/upload"' not in world.browser(world.colleague).get("/operator/").text


def test_who_is_not_staff_is_sent_home(world):
    page = world.browser(world.colleague).get("/operator/jobs/job/", follow=True)
    assert page.redirect_chain[-1][0] == "/"


def test_the_anonymous_sign_in_on_the_one_page(client, db):
    assert client.get("/operator/", follow=True).redirect_chain[-1][0].startswith("/login/")


@pytest.mark.parametrize(
    ("entered", "permitted"),
    [
        ({"memberships": []}, True),
        ({}, False),  # nobody looked at the session's age or the second factor
        ({"memberships": [], "must_enrol": True}, False),
    ],
)
def test_the_site_itself_asks_whether_the_person_may_go_on(world, rf, entered, permitted):
    request = rf.get("/operator/")
    request.user = User(username="op", is_staff=True)
    for name, value in entered.items():
        setattr(request, name, value)
    assert site.has_permission(request) is permitted
    with acting(SYSTEM):
        answer = site.admin_view(lambda request: HttpResponse("in"))(request)
    assert (answer.status_code == 200) is permitted


def test_who_must_enrol_is_sent_from_the_operators_sign_in_to_it(rf):
    request = rf.get("/operator/login/")
    request.user, request.must_enrol = User(username="op", is_staff=True), True
    assert site.login(request)["Location"] == "/account/2fa/"


def test_another_organisations_row_is_not_there(world, operator):
    page = operator.get(f"/operator/jobs/job/{job(world.other).pk}/change/", follow=True)
    assert page.redirect_chain  # Django's admin: "does not exist", back to the index


def test_a_role_without_the_scope_does_not_see_the_model(world):
    User.objects.filter(pk=world.colleague.pk).update(is_staff=True)
    with as_tenant(world.organisation):
        Membership.objects.filter(user=world.colleague).update(role="fraud_analyst")
    browser = world.browser(world.colleague)
    assert browser.get("/operator/accounts/apikey/").status_code == 403
    assert browser.get("/operator/accounts/user/").status_code == 403


def test_reading_permits_no_action(world):
    key, _ = api_key_create(organisation=world.organisation, name="bank", scopes=["fraud:read"])
    User.objects.filter(pk=world.colleague.pk).update(is_staff=True)  # an auditor: reads, writes nothing
    world.browser(world.colleague).post(
        "/operator/accounts/apikey/", {"action": "revoke", "_selected_action": [str(key.pk)]}
    )
    with as_tenant(world.organisation):
        assert ApiKey.objects.get(pk=key.pk).revoked_at is None


def test_an_action_goes_through_the_service(world, operator):
    key, _ = api_key_create(organisation=world.organisation, name="bank", scopes=["fraud:read"])
    operator.post("/operator/accounts/apikey/", {"action": "revoke", "_selected_action": [str(key.pk)]})
    with as_tenant(world.organisation):
        assert ApiKey.objects.get(pk=key.pk).revoked_at is not None


def test_an_ended_job_is_refused_with_the_reason(world, operator):
    one = job(world.organisation)
    chosen = {"action": "cancel", "_selected_action": [str(one.pk)]}
    operator.post("/operator/jobs/job/", chosen)
    page = operator.post("/operator/jobs/job/", chosen, follow=True)
    assert "already cancelled" in page.text


def test_jobs_and_schedules_are_those_of_the_roles_kinds(world):
    person = world.person(Role.FRAUD_SUPERVISOR)
    User.objects.filter(pk=person.pk).update(is_staff=True)
    supervisor, training = world.browser(person), job(world.organisation)
    params = {"name": "tone", "dataset": str(training.pk)}
    schedule_create(
        organisation=world.organisation, name="Nightly", kind=training.kind, params=params, every_s=3600
    )
    assert str(training.pk) not in supervisor.get("/operator/jobs/job/").text
    assert "Nightly" not in supervisor.get("/operator/jobs/jobschedule/").text
    chosen = {"action": "cancel", "_selected_action": [str(training.pk)]}
    supervisor.post("/operator/jobs/job/", chosen)
    with as_tenant(world.organisation):
        training.refresh_from_db()
    assert training.state == "queued"


def test_who_only_sees_a_job_does_not_stop_it(world):
    person = world.person(Role.SUPPORT_LEAD)  # reads what trainings work on, and starts none
    User.objects.filter(pk=person.pk).update(is_staff=True)
    training, chosen = job(world.organisation), {"action": "cancel"}
    chosen["_selected_action"] = [str(training.pk)]
    page = world.browser(person).post("/operator/jobs/job/", chosen, follow=True)
    assert "needs the scope adapters:write" in page.text
    with as_tenant(world.organisation):
        training.refresh_from_db()
    assert training.state == "queued"


def test_a_new_organisation_has_its_administrator(superuser):
    assert superuser.get("/", follow=True).redirect_chain[-1][0] == "/operator/"
    superuser.post("/operator/accounts/organisation/add/", {"name": "First Bank"})
    made = Organisation.objects.get(slug="first-bank")
    with as_tenant(made):
        assert Membership.objects.get().role == "administrator"
        assert AuditEntry.objects.filter(action="organisation.added", object_id=made.pk).exists()


def test_an_operator_who_belongs_to_one_organisation_adds_another(world, operator):
    User.objects.filter(pk=world.owner.pk).update(is_superuser=True)
    answer = operator.post("/operator/accounts/organisation/add/", {"name": "Second Bank"})
    assert answer.status_code == 302
    with as_tenant(Organisation.objects.get(slug="second-bank")):
        assert Membership.objects.get().user == world.owner


def test_a_second_organisation_of_the_name_is_refused_in_the_form(world, superuser):
    page = superuser.post("/operator/accounts/organisation/add/", {"name": world.organisation.name})
    assert page.status_code == 200
    assert "another organisation has this name" in page.text


def test_a_person_switched_off_is_told_in_every_trail(world, superuser):
    superuser.post(f"/operator/accounts/user/{world.colleague.pk}/change/", {"is_staff": ""})
    world.colleague.refresh_from_db()
    assert not world.colleague.is_active
    with as_tenant(world.organisation):
        entry = AuditEntry.objects.get(action="user.changed")
    assert entry.data == {"fields": ["is_active"], "is_active": False, "through": "operator"}
    superuser.post(f"/operator/accounts/user/{world.colleague.pk}/change/", {"is_active": "on"})
    with as_tenant(world.organisation):
        told = AuditEntry.objects.filter(action="user.changed").order_by("id")
        assert [entry.data["is_active"] for entry in told] == [False, True]


def test_a_long_list_is_not_counted(world, operator, django_assert_num_queries):
    with connection.execute_wrapper(_refuse_counts):
        assert operator.get("/operator/audit/auditentry/").status_code == 200


def _refuse_counts(execute, sql, params, many, context):
    assert "COUNT(" not in sql.upper()
    return execute(sql, params, many, context)


def test_models_and_rows_are_called_in_plain_words(world, operator):
    one = job(world.organisation)
    index = operator.get("/operator/").text
    for words in ("People and access", "Webhook deliveries", "Data sets", "Back to the console"):
        assert words in index
    assert "Webhook deliverys" not in index
    listed = operator.get("/operator/jobs/job/").text
    for words in ("Train an adapter", "Started by", "Finished"):
        assert words in listed
    page = operator.get(f"/operator/jobs/job/{one.pk}/change/").text
    assert f"Job {one.pk}" in page
    assert "Where it came from" in page
    assert "Job object" not in page
    assert "adapters.train" not in page


def test_the_operators_site_has_its_icon(operator):
    assert 'href="/static/console/mark.svg"' in operator.get("/operator/").text
