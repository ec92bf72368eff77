"""The lists of the privacy pages."""

from django.urls import reverse
from django.utils.safestring import SafeString

from rootstock.console.tables import ChoiceFilter, Column, Empty, Table
from rootstock.console.templatetags.console import pill
from rootstock.privacy.holdings import subject_types
from rootstock.privacy.models import Action, ErasureCertificate, Ground, PrivacyRequest, RequestState
from rootstock.privacy.rotation import MasterKeyStatus

STATES = {
    RequestState.WAITING: ("warn", "hourglass"),
    RequestState.RUNNING: ("info", "loader-circle"),
    RequestState.DONE: ("ok", ""),
    RequestState.REFUSED: ("neutral", "ban"),
    RequestState.FAILED: ("error", ""),
}


def state_pill(row: PrivacyRequest) -> SafeString:
    """How far a request has come."""
    tone, symbol = STATES[RequestState(row.state)]
    return pill(tone, RequestState(row.state).label, symbol)


def type_words(name: str) -> str:
    """A kind of person in words."""
    known = subject_types().get(name)
    return known.label if known else name


REQUESTS = Table(
    name="privacy-requests",
    label="Requests",
    columns=[
        Column("action", "Request", value=lambda row: Action(row.action).label, css="strong"),
        Column("person", "Person", value=lambda row: type_words(row.subject.type)),
        Column("ground", "Why", value=lambda row: Ground(row.ground).label, css="wide"),
        Column("state", "State", value=state_pill, csv=lambda row: row.state),
        Column("created_at", "Asked", order="id"),
        Column("finished_at", "Ended"),
        Column("subject_id", "Subject", css="mono", shown=False),
    ],
    filters=[
        ChoiceFilter("state", "State", lookup="state", choices=RequestState.choices),
        ChoiceFilter("action", "Request", lookup="action", choices=Action.choices),
    ],
    sort="-created_at",
    row_url=lambda row: reverse("privacy-request", args=[row.pk]),
    empty=Empty(
        "No requests yet",
        "Find a person by a reference, then export or erase what is held of them.",
        "fingerprint",
    ),
)


def _counted(row: ErasureCertificate) -> int:
    return sum(row.document["destroyed"].values())


CERTIFICATES = Table(
    name="privacy-certificates",
    label="Certificates",
    columns=[
        Column(
            "subject", "Person", value=lambda row: type_words(row.document["subject"]["type"]), css="strong"
        ),
        Column("rows", "Rows erased", value=_counted, css="num"),
        Column("fingerprint", "Key", value=lambda row: row.document["key"]["fingerprint"], css="mono"),
        Column("issued_at", "Issued", order="id"),
    ],
    filters=[],
    sort="-issued_at",
    row_url=lambda row: reverse("privacy-certificate", args=[row.pk]),
    empty=Empty(
        "No certificates yet", "Each erasure leaves one: signed, and without personal data.", "badge-check"
    ),
)


def key_pill(key: MasterKeyStatus) -> SafeString:
    """Whether a master key wraps, still unwraps, can go, or is missing."""
    if not key.present:
        return pill("error", "Missing here")
    if key.active:
        return pill("ok", "Active")
    return pill("warn", "Still in use") if key.in_use else pill("neutral", "Can be dropped")
