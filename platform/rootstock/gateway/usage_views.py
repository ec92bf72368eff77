"""Pages: use of the models, and the budget."""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.models import Organisation
from rootstock.accounts.views.common import scopes_of
from rootstock.audit.words import actor_names
from rootstock.console.forms import saved
from rootstock.console.tables import of_rows
from rootstock.gateway import budgets, charts, selectors, usage
from rootstock.gateway.forms import BudgetForm, PeriodForm
from rootstock.gateway.selectors import Usage
from rootstock.gateway.tables import USAGE, UsageRow

DAYS = 30
MOST_ROWS = 200


@require_GET
@tenant_page("usage:read")
def usage_page(request: PageRequest) -> HttpResponse:
    """What is used of the budget, and use by day, model and caller."""
    organisation, form = request.organisation, PeriodForm({"days": request.GET.get("days", DAYS)})
    until = timezone.now().date()
    since = until - timedelta(days=(form.cleaned_data["days"] if form.is_valid() else DAYS) - 1)
    by_model = selectors.usage_sums(organisation=organisation, since=since, until=until, by=("day", "model"))
    by_caller = selectors.usage_sums(
        organisation=organisation, since=since, until=until, by=("day", "caller")
    )
    rows = selectors.usage_sums(organisation=organisation, since=since, until=until, by=("caller", "model"))
    names = _Names(organisation, by_caller)
    budget, (today, month) = usage.budget_get(organisation), selectors.tokens_used(organisation)
    most = budgets.streams_allowed(budget.streams)
    context = {
        "period": form,
        "tiles": charts.budget_tiles(budget, today, month, budgets.streams_under_way(organisation), most),
        "charts": charts.usage_charts(charts.days_between(since, until), by_model, by_caller, names.of),
        "table": of_rows(request, USAGE, [_row(one, names) for one in rows[:MOST_ROWS]]),
        "may_set": "settings:write" in scopes_of(request),
        "may_use": "models:use" in scopes_of(request),
    }
    return render(request, "gateway/usage.html", context)


@require_http_methods(["GET", "POST"])
@tenant_page("settings:write")
def budget_page(request: PageRequest) -> HttpResponse:
    """Change the budget."""
    current = usage.budget_get(request.organisation)
    initial = {name: getattr(current, name) for name in BudgetForm.base_fields}
    form = BudgetForm(request.POST or None, initial=initial)
    if saved(form, lambda: usage.budget_set(organisation=request.organisation, **form.cleaned_data)):
        messages.success(request, "The budget is changed.")
        return redirect("usage")
    return render(request, "gateway/budget.html", {"form": form, "streams": settings.GATEWAY_STREAMS})


class _Names:
    """Callers by name."""

    def __init__(self, organisation: Organisation, rows: Sequence[Usage]) -> None:
        self._names = actor_names(organisation, {self._who(row) for row in rows})

    def of(self, row: Usage) -> str:
        """Whoever is gone is called by kind."""
        return self._names[self._who(row)]

    @staticmethod
    def _who(row: Usage) -> tuple[str, str]:
        return row.holder_kind or "", row.holder_id or ""


def _row(row: Usage, names: _Names) -> UsageRow:
    return UsageRow(
        f"{row.holder_id}-{row.model}",
        names.of(row),
        row.model or "",
        row.calls,
        row.prompt_tokens,
        row.cached_tokens,
        row.completion_tokens,
        row.tokens,
    )
