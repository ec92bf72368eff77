"""Lists as declared tables: filters, sorting, paging, columns, saved views, CSV, keyboard, phone cards.

    WEBHOOKS = Table(
        name="webhooks",
        label="Webhooks",
        columns=[
            Column("url", "Address", css="strong wide"),
            Column("state", "State", value=lambda row: status_pill(row.state), csv=lambda row: row.state),
            Column("deliveries", "Deliveries", css="num", order="deliveries"),
            Column("created", "Created", value=lambda row: row.created_at, order="id"),
        ],
        filters=[
            TextFilter("q", "Address", lookup="url__icontains"),
            ChoiceFilter("state", "State", lookup="state", choices=State.choices),
            DateFilter("created", "Created", lookup="created_at", by_id=True),
        ],
        sort="-created",
        row_url=lambda row: reverse("webhooks:endpoint", args=[row.pk]),
        empty=Empty("No webhooks yet", "Add an address; events are sent to it.", "webhook"),
    )

    @tenant_page("webhooks:read")
    def webhook_list(request: PageRequest) -> HttpResponseBase:
        return table_page(request, WEBHOOKS, Webhook.objects.all(), "webhooks/list.html", {"extra": 1})

and in the template: `{% include "console/tables/table.html" %}`. The queryset is evaluated inside `tenant()`.

A page costs the same wherever it lies and however many rows there are: rows follow a cursor of (sorted column, id),
nothing is counted and nothing skipped. So give `order=` only to a column with an index (organisation, column, id);
`order="id"` is creation time. For a column that may be NULL say `nullable=True`.

`embedded(request, table, queryset)` gives the same as a `TableView` for a page with several tables: give each its own
`prefix`, so that their parameters do not mix. `of_rows` shows a short list of plain objects (each with a `pk`).
"""

from rootstock.console.tables.actions import BulkAction, selected_ids
from rootstock.console.tables.columns import Column
from rootstock.console.tables.filters import ChoiceFilter, DateFilter, Filter, NumberFilter, TextFilter
from rootstock.console.tables.pages import embedded, of_rows, part_or_none, table_page
from rootstock.console.tables.table import Empty, Table
from rootstock.console.tables.view import TableView

__all__ = [
    "BulkAction",
    "ChoiceFilter",
    "Column",
    "DateFilter",
    "Empty",
    "Filter",
    "NumberFilter",
    "Table",
    "TableView",
    "TextFilter",
    "embedded",
    "of_rows",
    "part_or_none",
    "selected_ids",
    "table_page",
]
