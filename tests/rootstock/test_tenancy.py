"""Row-level security holds beneath the code."""

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, transaction

from rootstock.accounts.models import ApiKey, Membership
from rootstock.accounts.tenancy import TenantModel, tenant
from rootstock.jobs.models import Job

TENANT_MODELS = [model for model in apps.get_models() if issubclass(model, TenantModel)]


def test_a_query_without_tenant_sees_nothing(world) -> None:
    world.key("jobs:read")
    assert ApiKey.objects.count() == 0
    assert Membership.objects.count() == 0
    with tenant(world.organisation):
        assert ApiKey.objects.count() == 1
        assert Membership.objects.count() == 2
    assert ApiKey.objects.count() == 0


def test_a_tenant_sees_only_its_rows(world) -> None:
    with tenant(world.other):
        assert [m.user for m in Membership.objects.all()] == [world.stranger]


def test_a_tenant_cannot_write_another_tenants_row(world) -> None:
    with (
        tenant(world.organisation),
        pytest.raises(ProgrammingError, match="row-level security"),
        transaction.atomic(),
    ):
        Job.objects.create(organisation=world.other, kind="adapters.train")


def test_a_tenant_cannot_change_another_tenants_row(world) -> None:
    with tenant(world.other):
        job = Job.objects.create(organisation=world.other, kind="adapters.train")
    with tenant(world.organisation):
        assert Job.objects.filter(pk=job.pk).update(state="failed") == 0
        assert Job.objects.filter(pk=job.pk).delete()[0] == 0


def test_one_transaction_serves_one_tenant(world) -> None:
    with tenant(world.organisation), pytest.raises(RuntimeError), tenant(world.other):
        pass


def test_the_application_cannot_bypass_the_policies(db) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False, False)
        with pytest.raises(ProgrammingError), transaction.atomic():
            cursor.execute("ALTER TABLE jobs_job DISABLE ROW LEVEL SECURITY")


@pytest.mark.parametrize("model", TENANT_MODELS, ids=lambda m: m._meta.label)
def test_every_tenant_model_has_its_policy(db, model) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = %s",
            [model._meta.db_table],
        )
        assert cursor.fetchone() == (True, True), f"add EnableTenantPolicy to {model._meta.label}'s migration"
