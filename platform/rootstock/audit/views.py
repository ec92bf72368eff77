"""Pages: the trail, one entry with its proof, decisions, the chain; and what people do with decisions."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.audit import selectors
from rootstock.audit.downloads import trail_download
from rootstock.audit.models import ActionKind, AuditEntry, DecisionRecord
from rootstock.audit.roots import roots_write
from rootstock.audit.services import action_record, reasons_read
from rootstock.audit.tables import DECISIONS, ROOTS, entries_table, outcome_words, root_rows
from rootstock.audit.verify import Verdict
from rootstock.audit.verifying import verify_request
from rootstock.audit.words import action_words, actor_names, actors_of, kind_words, object_url, thing_words
from rootstock.console.tables import table_page
from rootstock.errors import DomainError, Forbidden, InvalidInput

READ = "audit:read"


@require_GET
@tenant_page(READ)
def trail(request: PageRequest) -> HttpResponseBase:
    """What was done."""
    found = AuditEntry.objects.all()
    return table_page(request, entries_table(request), found, "audit/trail.html", {"tab": "trail"})


@require_GET
@tenant_page(READ)
def entry(request: PageRequest, entry_id: UUID) -> HttpResponse:
    """One entry with its proof."""
    row = selectors.entry_get(organisation=request.organisation, entry_id=entry_id)
    names = actor_names(request.organisation, actors_of([row]))
    context = {
        "tab": "trail",
        "entry": row,
        "words": action_words(row.action),
        "thing": thing_words(row.object_type),
        "thing_url": object_url(row.object_type, row.object_id),
        "actor": names[row.actor_kind, row.actor_id],
        "digest": bytes(row.digest).hex(),
        "proof": selectors.proof_of(organisation=request.organisation, row=row, at=row.at),
    }
    return render(request, "audit/entry.html", context)


@require_GET
@tenant_page(READ)
def decisions(request: PageRequest) -> HttpResponseBase:
    """What models and rules decided."""
    found = DecisionRecord.objects.all()
    return table_page(request, DECISIONS, found, "audit/decisions.html", {"tab": "decisions"})


@require_GET
@tenant_page(READ)
def decision(request: PageRequest, decision_id: UUID) -> HttpResponse:
    """One decision with what people did with it, and its proof."""
    record = selectors.decision_get(organisation=request.organisation, decision_id=decision_id)
    context = decision_context(request, record) | {
        "tab": "decisions",
        "thing": thing_words(record.subject_type),
        "thing_url": object_url(record.subject_type, record.subject_id),
        "input_hash": bytes(record.input_hash).hex(),
        "digest": bytes(record.digest).hex(),
        "proof": selectors.proof_of(organisation=request.organisation, row=record, at=record.decided_at),
    }
    return render(request, "audit/decision.html", context)


@require_POST
@tenant_page()
def act(request: PageRequest, decision_id: UUID) -> HttpResponseBase:
    """Confirm, override or release a decision, from whichever page showed it."""
    record = selectors.decision_get(organisation=request.organisation, decision_id=decision_id)
    if f"{record.vertical}:write" not in ROLE_SCOPES[request.membership.role]:
        raise Forbidden("your role may not decide on this; an administrator can change that")
    problem = ""
    try:
        action_record(
            organisation=request.organisation,
            decision_id=decision_id,
            action=request.POST.get("action", ""),
            reason=request.POST.get("reason", ""),
        )
    except InvalidInput as error:
        problem = error.errors[0].reason
    record = selectors.decision_get(organisation=request.organisation, decision_id=decision_id)
    if request.headers.get("HX-Request") == "true":
        context = decision_context(request, record) | {"problem": problem}
        return render(request, "audit/panel_one.html", context)
    if problem:
        messages.error(request, f"Nothing was recorded: the reason {problem}.")
    return HttpResponseRedirect(_back(request, reverse("audit-decision", args=[decision_id])))


@require_GET
@tenant_page()
def panel(request: PageRequest, subject_type: str, subject_id: str) -> HttpResponse:
    """The decisions on one thing, for the page of its vertical to load."""
    found = selectors.decisions_of(
        organisation=request.organisation, subject_type=subject_type, subject_id=subject_id, limit=1
    )
    scopes = ROLE_SCOPES[request.membership.role]
    shown = [one for one in found if READ in scopes or f"{one.vertical}:read" in scopes]
    context = {"decisions": [decision_context(request, one) for one in shown]}
    return render(request, "audit/panel.html", context)


@require_GET
@tenant_page(READ)
def chain(request: PageRequest) -> HttpResponseBase:
    """The seals and how the last verification ended."""
    state = selectors.chain_of(organisation=request.organisation)
    context = {
        "tab": "chain",
        "chain": state,
        "last_hash": bytes(state.last.hash).hex() if state.last else "",
    }
    return table_page(request, ROOTS, root_rows(), "audit/chain.html", context)


@require_POST
@tenant_page(READ)
def verify(request: PageRequest) -> HttpResponseBase:
    """Verify the chain now, or by a job where it is long."""
    roots_write(organisation=request.organisation)
    try:
        found = verify_request(organisation=request.organisation, created_by=request.user)
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect("audit-chain")
    return redirect("audit-chain") if isinstance(found, Verdict) else redirect("job", found.pk)


@require_GET
@tenant_page(READ)
def export(request: PageRequest) -> HttpResponseBase:
    """The trail as a file."""
    return trail_download(organisation=request.organisation)


def decision_context(request: PageRequest, record: DecisionRecord) -> dict[str, Any]:
    """What a panel shows of one decision."""
    scopes = ROLE_SCOPES[request.membership.role]
    actions = list(record.actions.all())
    reasons_read(record)
    names = actor_names(request.organisation, actors_of(actions))
    return {
        "decision": record,
        "words": kind_words(record.kind),
        "outcome": outcome_words(record.output),
        "actions": [(one, names[one.actor_kind, one.actor_id], selectors.reason_of(one)) for one in actions],
        "may_act": f"{record.vertical}:write" in scopes,
        "may_audit": READ in scopes,
        "choices": ActionKind.choices,
        "problem": "",
    }


def _back(request: PageRequest, default: str) -> str:
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()})
    return wanted if safe else default
