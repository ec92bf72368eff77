"""Saved views and column choices: reads (inside `tenant()`) and writes."""

from uuid import UUID

from django.core import signing
from django.db.models import Q

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.console.models import ColumnChoice, SavedView
from rootstock.errors import InvalidInput, NotFound

MAX_VIEWS = 50
MAX_QUERY = 2000
_TABLE = 60
_SALT = "rootstock.console.saved"


def columns_of(*, user: User, table: str) -> list[str]:
    """The columns that the person chose; none when they never did."""
    found = ColumnChoice.objects.filter(user=user, table=table).first()
    return [str(key) for key in found.columns] if found else []


def views_of(*, user: User, table: str) -> list[SavedView]:
    """The person's own views and those shared with everybody, by name."""
    return list(SavedView.objects.filter(Q(user=user) | Q(shared=True), table=table)[: MAX_VIEWS * 4])


def columns_choose(*, organisation: Organisation, user: User, table: str, columns: list[str]) -> None:
    """Remember the columns; an empty list goes back to the table's own."""
    _check_table(table)
    chosen = [key[:40] for key in columns][:60]
    with tenant(organisation):
        if chosen:
            ColumnChoice.objects.update_or_create(
                organisation=organisation, user=user, table=table, defaults={"columns": chosen}
            )
        else:
            ColumnChoice.objects.filter(user=user, table=table).delete()


def query_offered(table: str, query: str) -> str:
    """The query that a table's page offers for keeping, signed: the page left out what names a person."""
    return signing.dumps([table, query], salt=_SALT)


def query_accepted(table: str, offered: str) -> str:
    """The query of `query_offered`. Raises InvalidInput for any other text."""
    try:
        made_for, query = signing.loads(offered, salt=_SALT)
    except signing.BadSignature:
        made_for, query = "", ""
    if made_for != table:
        raise InvalidInput.field("query", "was not written by this table's page; load the page again")
    return str(query)


def view_save(
    *, organisation: Organisation, user: User, table: str, name: str, query: str, shared: bool
) -> SavedView:
    """Keep a view under a name; the person's own view of that name is replaced."""
    _check_table(table)
    name = name.strip()
    if not 1 <= len(name) <= 60:
        raise InvalidInput.field("name", "give it a name of at most 60 characters")
    if len(query) > MAX_QUERY:
        raise InvalidInput.field("query", "these filters are too long to keep")
    with tenant(organisation):
        own = SavedView.objects.filter(user=user, table=table)
        if not own.filter(name=name).exists() and own.count() >= MAX_VIEWS:
            raise InvalidInput.field("name", f"at most {MAX_VIEWS} views of a table; delete one first")
        kept, _ = SavedView.objects.update_or_create(
            organisation=organisation,
            user=user,
            table=table,
            name=name,
            defaults={"query": query, "shared": shared},
        )
        if shared:
            _audit(organisation, "saved_view.shared", kept)
    return kept


def view_delete(*, organisation: Organisation, user: User, view_id: UUID) -> SavedView:
    """Forget one of the person's own views."""
    with tenant(organisation):
        found = SavedView.objects.filter(pk=view_id, user=user).first()
        if found is None:
            raise NotFound("no such view of yours")
        if found.shared:
            _audit(organisation, "saved_view.deleted", found)
        SavedView.objects.filter(pk=found.pk).delete()
    return found


def _audit(organisation: Organisation, action: str, view: SavedView) -> None:
    audit_record(
        organisation=organisation,
        action=action,
        object_type="saved_view",
        object_id=view.pk,
        data={"table": view.table},
    )


def _check_table(table: str) -> None:
    if not (0 < len(table) <= _TABLE and table.replace("-", "").replace("_", "").replace(".", "").isalnum()):
        raise InvalidInput.field("table", "is not the name of a table")
