"""Where the forms around a table post to. Each comes back to the page it was sent from."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.rendered_for import FIELD
from rootstock.console import saved
from rootstock.console.personal import token_of

MAX_VALUE = 300  # no filter takes as much; the list says so
FORM = ("csrfmiddlewaretoken", FIELD, "next", "prefix", "personal")


@require_POST
@tenant_page()
def columns_choose(request: PageRequest, table: str) -> HttpResponse:
    """Remember which columns the person wants."""
    saved.columns_choose(
        organisation=request.organisation,
        user=request.user,
        table=table,
        columns=[] if "reset" in request.POST else request.POST.getlist("columns"),
    )
    return HttpResponseRedirect(back_to(request))


@require_POST
@tenant_page()
def filter_apply(request: PageRequest, table: str) -> HttpResponse:
    """Lead to the list that a filter form asks for; what names a person stands sealed in its address."""
    personal, prefix = request.POST.getlist("personal"), request.POST.get("prefix", "")
    query = QueryDict(mutable=True)
    for name, value in request.POST.items():
        text = str(value).strip()[:MAX_VALUE]
        if not text or name in FORM:
            continue
        sealed = name in personal
        query[name] = token_of(request, table, name.removeprefix(prefix), text) if sealed else text
    path = back_to(request).partition("?")[0]
    return HttpResponseRedirect(f"{path}?{query.urlencode()}" if query else path)


@require_POST
@tenant_page()
def view_save(request: PageRequest, table: str) -> HttpResponse:
    """Keep the filters, order and columns as a view, and open it."""
    query = saved.query_accepted(table, request.POST.get("query", ""))
    prefix = request.POST.get("prefix", "")
    kept = saved.view_save(
        organisation=request.organisation,
        user=request.user,
        table=table,
        name=request.POST.get("name", ""),
        query=query,
        shared=request.POST.get("shared") == "on",
    )
    path = back_to(request).partition("?")[0]
    return HttpResponseRedirect(f"{path}?{query}{'&' if query else ''}{prefix}view={kept.pk}")


@require_POST
@tenant_page()
def view_delete(request: PageRequest, view_id: UUID) -> HttpResponse:
    """Forget a view."""
    saved.view_delete(organisation=request.organisation, user=request.user, view_id=view_id)
    return HttpResponseRedirect(back_to(request))


def back_to(request: HttpRequest) -> str:
    """The page of this site that a form names in `next`; Home for anything else."""
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()})
    return wanted if safe and wanted.startswith("/") else "/"
