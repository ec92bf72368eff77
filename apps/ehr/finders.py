"""What the command palette finds of records."""

from django.db.models import Q
from django.urls import reverse

from apps.ehr.evidence import PATIENT
from apps.ehr.pages import board_row
from apps.ehr.selectors import owners, patients, with_risk
from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import list_read_record
from rootstock.console.finding import MOST, Found, id_bounds


def find(*, organisation: Organisation, text: str, scopes: frozenset[str]) -> list[Found]:
    """Patients by a whole record number, or by the beginning of our id. Whoever is shown is on the audit trail."""
    bounds = id_bounds(text)
    with tenant(organisation):
        wanted = Q(pk__in=owners(organisation.pk, text))
        found = patients().filter(
            wanted | Q(pk__range=bounds) if bounds else wanted, organisation=organisation
        )
        rows = [board_row(shown) for shown in with_risk(list(found.order_by("-pk")[:MOST]))]
        list_read_record(
            organisation=organisation,
            subject_type=PATIENT,
            subject_ids=[row.pk for row in rows],
            what="command palette",
        )
    return [
        Found(
            row.patient.name,
            reverse("ehr:patient", args=[row.pk]),
            f"{row.number} · {row.badge.text}",
            "stethoscope",
        )
        for row in rows
    ]
