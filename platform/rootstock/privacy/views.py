"""Pages: persons, requests, retention, certificates, keys."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from rootstock.accounts.auth import PageRequest, tenant_page
from rootstock.accounts.tenancy import tenant
from rootstock.accounts.views.common import scopes_of
from rootstock.audit.services import read_record
from rootstock.audit.words import actor_names
from rootstock.console.forms import saved
from rootstock.console.tables import table_page
from rootstock.privacy import holds, requests, retention, rotation, selectors, signing
from rootstock.privacy.api import archive_response
from rootstock.privacy.erasure import certificate_file
from rootstock.privacy.fields import is_erased
from rootstock.privacy.forms import FindForm, HoldForm, RequestForm, RuleForm, SettingsForm
from rootstock.privacy.holdings import Expiring, kind_labels, subject_types
from rootstock.privacy.models import (
    Action,
    ErasureCertificate,
    Ground,
    PrivacyRequest,
    RequestState,
    RetentionRule,
    SubjectKey,
)
from rootstock.privacy.persons import name_of, person_behind
from rootstock.privacy.tables import CERTIFICATES, REQUESTS, key_pill, state_pill, type_words

READ, WRITE = "privacy:read", "privacy:write"


def _may_write(request: PageRequest) -> bool:
    return WRITE in scopes_of(request)


@require_GET
@tenant_page(READ)
def request_list(request: PageRequest) -> HttpResponseBase:
    """Requests, the newest first."""
    return table_page(
        request, REQUESTS, selectors.requests_of(), "privacy/requests.html", {"tab": "requests"}
    )


@require_http_methods(["GET", "POST"])
@tenant_page(READ)
def find(request: PageRequest) -> HttpResponse:
    """Persons by a reference. It comes by POST, so that it stands in no address and no log."""
    form, found = FindForm(request.POST or None), None
    if form.is_valid():
        found = saved(
            form,
            lambda: selectors.subjects_find(
                organisation=request.organisation, reference=form.cleaned_data["reference"]
            ),
        )
    context = {"tab": "find", "form": form, "found": found, "types": subject_types().values()}
    return render(request, "privacy/find.html", context)


@require_http_methods(["GET", "POST"])
@tenant_page(READ)
def subject(request: PageRequest, subject_id: UUID) -> HttpResponse:
    """One person: what is held, the hold, the requests."""
    form = RequestForm(request.POST if request.method == "POST" and _may_write(request) else None)
    if form.is_valid():
        made = saved(
            form,
            lambda: requests.request_create(
                organisation=request.organisation,
                subject_id=subject_id,
                created_by=request.user,
                **form.cleaned_data,
            ),
        )
        if made:
            messages.success(request, "The request is made.")
            return redirect("privacy-request", made.pk)
    person = selectors.subject_get(organisation=request.organisation, subject_id=subject_id)
    if person.hold and not is_erased(person.hold.reason):
        _record_read(request, person.key, "legal hold")
    context = {
        "tab": "find",
        "person": person,
        "requests": [
            (row, Action(row.action).label, state_pill(row))
            for row in selectors.subject_requests(organisation=request.organisation, subject_id=subject_id)
        ],
        "form": form,
        "hold_form": HoldForm(),
        "may_write": _may_write(request),
        "may_upload": "files:write" in scopes_of(request),
    }
    return render(request, "privacy/subject.html", context)


@require_POST
@tenant_page(WRITE)
def hold_place(request: PageRequest, subject_id: UUID) -> HttpResponse:
    """Put a person under a legal hold."""
    holds.hold_place(
        organisation=request.organisation, subject_id=subject_id, reason=request.POST.get("reason", "")
    )
    messages.success(request, "The person is under a legal hold.")
    return redirect("privacy-subject", subject_id)


@require_POST
@tenant_page(WRITE)
def hold_release(request: PageRequest, subject_id: UUID) -> HttpResponse:
    """End a legal hold."""
    holds.hold_release(organisation=request.organisation, subject_id=subject_id)
    messages.success(request, "The legal hold has ended.")
    return redirect("privacy-subject", subject_id)


@require_GET
@tenant_page(READ)
def request_page(request: PageRequest, request_id: UUID) -> HttpResponse:
    """One request."""
    found = selectors.request_get(organisation=request.organisation, request_id=request_id)
    if found.note and not is_erased(found.note):
        _record_read(request, found.subject, "request note")
    context = {
        "tab": "requests",
        "asked": found,
        "title": Action(found.action).label,
        "type": type_words(found.subject.type),
        "ground": Ground(found.ground).label,
        "pill": state_pill(found),
        "requested_by": _named(request, found.requested_by),
        "decided_by": _named(request, found.decided_by) if found.decided_by else "",
        "waiting": found.state == RequestState.WAITING,
        "certificate": getattr(found, "certificate", None),
        "may_write": _may_write(request),
        "needs_other": _needs_other(request, found),
    }
    return render(request, "privacy/request.html", context)


def _record_read(request: PageRequest, key: SubjectKey, what: str) -> None:
    read_record(organisation=request.organisation, subject_type=key.type, subject_id=key.pk, what=what)


def _named(request: PageRequest, name: str) -> str:
    kind, _, id = name.partition(":")
    return actor_names(request.organisation, [(kind, id)])[kind, id]


def _needs_other(request: PageRequest, found: PrivacyRequest) -> bool:
    """Whether somebody else has to confirm."""
    with tenant(request.organisation):
        same = person_behind(name_of()) == requests.asked_by(found)
        return same and requests.needs_second(found)


@require_POST
@tenant_page(WRITE)
def request_confirm(request: PageRequest, request_id: UUID) -> HttpResponse:
    """Erase."""
    certificate = requests.request_confirm(organisation=request.organisation, request_id=request_id)
    messages.success(request, "The person's data is erased. This is the certificate.")
    return redirect("privacy-certificate", certificate.pk)


@require_POST
@tenant_page(WRITE)
def request_refuse(request: PageRequest, request_id: UUID) -> HttpResponse:
    """Do not erase."""
    requests.request_refuse(organisation=request.organisation, request_id=request_id)
    messages.success(request, "The request is refused; nothing was erased.")
    return redirect("privacy-request", request_id)


@require_POST
@tenant_page(WRITE)
def archive(request: PageRequest, request_id: UUID) -> HttpResponseBase:
    """The archive of an export."""
    return archive_response(organisation=request.organisation, request_id=request_id)


@require_http_methods(["GET", "POST"])
@tenant_page(READ)
def retention_page(request: PageRequest) -> HttpResponse:
    """Every kind of data with its rule."""
    in_use = retention.kinds_in_use(request.organisation)
    rows: list[tuple[Expiring, RetentionRule | None, RuleForm]] = []
    for kind, rule in retention.rules_of(request.organisation):
        mine = request.method == "POST" and _may_write(request) and request.POST.get("kind") == kind.name
        form = RuleForm(
            request.POST if mine else None,
            initial={"days": rule.days if rule else None},
            auto_id=f"{kind.name}-%s",
            label=f"Days to keep {kind.label.lower()}",
        )
        if mine and _rule_saved(request, form, kind.name):
            messages.success(request, "The rule is saved. It is enforced within six hours.")
            return redirect("privacy-retention")
        rows.append((kind, rule, form))
    context = {
        "tab": "retention",
        "rows": [row for row in rows if row[0].name in in_use or row[2].is_bound],
        "others": [row for row in rows if row[0].name not in in_use and not row[2].is_bound],
        "may_write": _may_write(request),
    }
    return render(request, "privacy/retention.html", context)


def _rule_saved(request: PageRequest, form: RuleForm, kind: str) -> bool:
    def save() -> bool:
        retention.rule_set(organisation=request.organisation, kind=kind, days=form.cleaned_data["days"])
        return True

    return saved(form, save) is not None


@require_GET
@tenant_page(READ)
def certificate_list(request: PageRequest) -> HttpResponseBase:
    """Certificates, the newest first."""
    return table_page(
        request,
        CERTIFICATES,
        ErasureCertificate.objects.all(),
        "privacy/certificates.html",
        {"tab": "certificates"},
    )


@require_GET
@tenant_page(READ)
def certificate(request: PageRequest, certificate_id: UUID) -> HttpResponse:
    """One certificate, to be read and printed; `?format=json` is the file that can be verified."""
    found = selectors.certificate_get(organisation=request.organisation, certificate_id=certificate_id)
    if request.GET.get("format") == "json":
        name = f'attachment; filename="certificate-{found.pk}.json"'
        return JsonResponse(certificate_file(found), headers={"Content-Disposition": name})
    document = found.document
    labels = kind_labels()
    context = {
        "tab": "certificates",
        "certificate": found,
        "document": document,
        "erased_at": datetime.fromisoformat(document["erased_at"]),
        "requested_at": datetime.fromisoformat(document["request"]["requested_at"]),
        "type": type_words(document["subject"]["type"]),
        "ground": Ground(document["request"]["ground"]).label,
        "destroyed": [(labels.get(name, name), count) for name, count in document["destroyed"].items()],
        "contents": [(labels.get(name, name), ids) for name, ids in document.get("contents", {}).items()],
        "requested_by": _named(request, document["request"]["requested_by"]),
        "confirmed_by": _named(request, document["request"]["confirmed_by"]),
        "genuine": signing.is_signed(document, found.signature, signing.public_key()),
    }
    return render(request, "privacy/certificate.html", context)


@require_http_methods(["GET", "POST"])
@tenant_page(READ)
def keys_page(request: PageRequest) -> HttpResponse:
    """The master keys, and how requests are handled."""
    current = requests.settings_of(request.organisation)
    initial = {"four_eyes": current.four_eyes, "archive_days": current.archive_days}
    form = SettingsForm(
        request.POST if request.method == "POST" and _may_write(request) else None, initial=initial
    )
    if saved(
        form,
        lambda: requests.settings_update(
            organisation=request.organisation, granted=scopes_of(request), **form.cleaned_data
        ),
    ):
        messages.success(request, "Saved.")
        return redirect("privacy-keys")
    context = {
        "tab": "keys",
        "form": form,
        "may_write": _may_write(request),
        "keys": [(key, key_pill(key)) for key in rotation.status(request.organisation)],
        "public_key": signing.public_key(),
    }
    return render(request, "privacy/keys.html", context)
