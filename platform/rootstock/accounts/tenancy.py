"""Tenancy: rows carry their organisation, and PostgreSQL's row-level security stands beneath the code.

The application connects as a role that cannot bypass the policies. `tenant(organisation)` opens a transaction and
sets the tenant for it alone; a query outside such a block sees no tenant's rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import connection, connections, models, transaction
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from rootstock.ids import uuid7

if TYPE_CHECKING:
    from django.apps import AppConfig
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

    from rootstock.accounts.models import Organisation

R = TypeVar("R", bound=models.Model)
ORGANISATION_SETTING = "rootstock.organisation"
# The application's role may put rows into these and read them, and nothing else (audit.append_only).
APPEND_ONLY = ("audit_auditentry", "audit_decisionrecord", "audit_humanaction", "audit_auditroot")
_current: ContextVar[UUID | None] = ContextVar("tenant", default=None)


class TenantModel(models.Model):
    """A row that belongs to one organisation. Its migration adds `EnableTenantPolicy`; a test checks that."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organisation = models.ForeignKey("accounts.Organisation", on_delete=models.CASCADE, related_name="+")

    class Meta:
        abstract = True


def set_local(name: str, value: str) -> None:
    """Set a PostgreSQL variable for the rest of the current transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, true)", [name, value])


def own_rows(queryset: models.QuerySet[R]) -> models.QuerySet[R]:
    """The current tenant's rows, said in the query too.

    A policy with a second condition ("or the system asks") fits no index: a tenant with few rows would walk through
    everybody's. With the condition in the query an index that begins with the organisation does.
    """
    owner = _current.get()
    if owner is None or not issubclass(queryset.model, TenantModel):
        return queryset
    return queryset.filter(organisation_id=owner)


@contextmanager
def tenant(organisation: "Organisation | UUID") -> Iterator[UUID]:
    """A transaction in which the rows of `organisation`, and no others, can be seen and written.

    Raises RuntimeError inside the block of another organisation: one transaction serves one tenant.
    """
    wanted = organisation if isinstance(organisation, UUID) else organisation.pk
    outer = _current.get()
    if outer == wanted:
        with transaction.atomic():
            yield wanted
        return
    if outer is not None:
        raise RuntimeError("a transaction of one organisation cannot enter another's")
    token = _current.set(wanted)
    try:
        with transaction.atomic():
            set_local(ORGANISATION_SETTING, str(wanted))
            yield wanted
            if connection.in_atomic_block and connection.savepoint_ids:
                set_local(
                    ORGANISATION_SETTING, ""
                )  # an outer transaction (a test's) goes on without a tenant
    finally:
        _current.reset(token)


@contextmanager
def every_tenant(part: str) -> Iterator[None]:
    """A transaction that may read, in every organisation, what policies open to this part of the system."""
    with transaction.atomic():
        set_local("rootstock.system", part)
        yield
        if connection.savepoint_ids:  # an outer transaction goes on without it
            set_local("rootstock.system", "")


_OWN = f"organisation_id = NULLIF(current_setting('{ORGANISATION_SETTING}', true), '')::uuid"


class EnableTenantPolicy(Operation):
    """Row-level security for a `TenantModel`'s table: only the transaction's organisation.

    `readable_when` is a further SQL condition under which a row may be read (never written).
    """

    reversible = True
    reduces_to_sql = True

    def __init__(self, model_name: str, readable_when: str | None = None) -> None:
        self.model_name = model_name
        self.readable_when = readable_when

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """For Django's migration writer."""
        return type(self).__name__, [self.model_name, self.readable_when], {}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Policies are not part of the model state."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: "BaseDatabaseSchemaEditor",
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Enable and force the policy."""
        table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
        schema_editor.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        schema_editor.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        schema_editor.execute(f'CREATE POLICY tenant ON "{table}" USING ({_OWN}) WITH CHECK ({_OWN})')
        if self.readable_when:
            schema_editor.execute(
                f'CREATE POLICY readable ON "{table}" FOR SELECT USING ({self.readable_when})'
            )

    def database_backwards(
        self,
        app_label: str,
        schema_editor: "BaseDatabaseSchemaEditor",
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Remove the policy."""
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        schema_editor.execute(f'DROP POLICY IF EXISTS tenant ON "{table}"')
        schema_editor.execute(f'DROP POLICY IF EXISTS readable ON "{table}"')
        schema_editor.execute(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY')

    def describe(self) -> str:
        """One line for `migrate`'s output."""
        return f"Row-level security on {self.model_name}"


def grant_application_role(sender: "AppConfig", using: str, **kwargs: Any) -> None:
    """After migrations: the application's role may read and write rows, and not alter or truncate tables."""
    role = str(settings.DATABASES["default"]["USER"])
    owner = connections[using]
    with transaction.atomic(using=using), owner.cursor() as cursor:
        quoted = owner.ops.quote_name(role)
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {quoted}")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}")
        cursor.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {quoted}")
        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename = ANY(%s)", [[*APPEND_ONLY]])
        for (table,) in cursor.fetchall():
            name = owner.ops.quote_name(table)
            cursor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {name} FROM {quoted}")
