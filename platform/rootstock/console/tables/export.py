"""A table as a CSV file: streamed in chunks by cursor, each its own short transaction, so memory stays flat."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from rootstock.accounts.actors import Actor, acting, current_actor
from rootstock.accounts.auth import PageRequest
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record, list_read_record
from rootstock.console.tables.keyset import take
from rootstock.console.tables.table import Table
from rootstock.console.tables.view import TableView
from rootstock.middleware import request_id, within_request

CHUNK = 1000


def record_reading(request: PageRequest, table: Table, rows: Sequence[Any]) -> None:
    """Note on the audit trail whose data was shown, where the rows are of persons."""
    if table.reads:
        list_read_record(
            organisation=request.organisation,
            subject_type=table.reads,
            subject_ids=[row.pk for row in rows],
            what=table.label.lower(),
        )


@dataclass(slots=True, frozen=True)
class _Reader:
    """Who asks, in which request. The rows are read after the middleware has forgotten both."""

    actor: Actor = field(default_factory=current_actor)
    request: str = field(default_factory=request_id.get)

    @contextmanager
    def again(self) -> Iterator[None]:
        """For one chunk; not across a `yield`, where the thread serves others."""
        with acting(self.actor), within_request(self.request):
            yield


class _Line:
    """What csv writes to: it only hands each line back."""

    def write(self, line: str) -> str:
        """The line itself."""
        return line


def csv_response(request: PageRequest, view: TableView, queryset: QuerySet[Any]) -> StreamingHttpResponse:
    """The file: the same filters, order and columns, every row. Who took it is on the audit trail, not what it held."""
    with tenant(request.organisation):
        audit_record(
            organisation=request.organisation,
            action="table.exported",
            object_type="table",
            object_id=view.table.name,
            data={"columns": view.state.columns, "filters": sorted(view.state.values)},
        )
    name = f"{view.table.name}-{timezone.now():%Y%m%d-%H%M}.csv"
    return StreamingHttpResponse(
        _lines(request, view, queryset, _Reader()),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _lines(
    request: PageRequest, view: TableView, queryset: QuerySet[Any], reader: _Reader
) -> Iterator[bytes]:
    writer = csv.writer(_Line())
    columns = view.shown
    yield "\N{BYTE ORDER MARK}".encode() + writer.writerow([column.label for column in columns]).encode()
    for rows in _chunks(request, view, queryset, reader):
        yield "".join(writer.writerow([column.plain(row) for column in columns]) for row in rows).encode()


def _chunks(
    request: PageRequest, view: TableView, queryset: QuerySet[Any], reader: _Reader
) -> Iterator[list[Any]]:
    table, after = view.table, ""
    while True:
        with reader.again(), tenant(request.organisation):
            found = take(view.state.narrowed(queryset), view.state.sort, after=after, limit=CHUNK)
            record_reading(request, table, found.rows)
            rows = list(table.prepare(found.rows) if table.prepare else found.rows)
        yield rows
        after = found.after
        if not after:
            return
