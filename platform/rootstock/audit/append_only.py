"""The database itself keeps the trail: rows are put in and read, and a trigger queues each for the next root."""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

RETENTION_SETTING = "rootstock.audit_retention"

# The application's role has no right to change these tables (accounts.tenancy.APPEND_ONLY). The triggers bind their
# owner too; only a deletion that says it is retention passes, and only the owner's (audit.retention, on record).
_REFUSE = f"""
CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('{RETENTION_SETTING}', true) = 'on'
       AND pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% on %: the audit trail is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON "{{table}}" FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON "{{table}}" FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
"""
_QUEUE = """
CREATE OR REPLACE FUNCTION audit_queue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_pendingleaf (id, organisation_id, leaf, digest)
        SELECT id, organisation_id, TG_ARGV[0], digest FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER queue_leaf AFTER INSERT ON "{table}" REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION audit_queue('{leaf}');
"""
_DROP = """
DROP TRIGGER IF EXISTS append_only ON "{table}";
DROP TRIGGER IF EXISTS no_truncate ON "{table}";
DROP TRIGGER IF EXISTS queue_leaf ON "{table}";
"""


class AppendOnly(Operation):
    """Rows of this table are never updated, deleted or truncated; with `leaf`, each waits for the next root."""

    reversible = True
    reduces_to_sql = True

    def __init__(self, model_name: str, leaf: str = "") -> None:
        self.model_name = model_name
        self.leaf = leaf

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """For Django's migration writer."""
        return type(self).__name__, [self.model_name, self.leaf], {}

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Triggers are not part of the model state."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Create the triggers."""
        table = to_state.apps.get_model(app_label, self.model_name)._meta.db_table
        schema_editor.execute(_REFUSE.format(table=table), params=None)
        if self.leaf:
            schema_editor.execute(_QUEUE.format(table=table, leaf=self.leaf), params=None)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Remove them."""
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        schema_editor.execute(_DROP.format(table=table), params=None)

    def describe(self) -> str:
        """One line for `migrate`'s output."""
        return f"Append-only: {self.model_name}"
