"""The list of uploaded adapters, and their checks as a page shows them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.safestring import SafeString

from rootstock.console.tables import ChoiceFilter, Column, DateFilter, Empty, Table, TextFilter
from rootstock.console.templatetags.console import pill
from rootstock.registry.intake import CHECKS
from rootstock.registry.models import AdapterUpload, UploadState

_TONES = {
    UploadState.CHECKING: ("info", "Being checked"),
    UploadState.REFUSED: ("error", "Refused"),
    UploadState.TAKEN: ("ok", "Taken"),
}
_WORDS = {
    "scan": "No virus, nothing hidden in an archive",
    "files": "The files that an adapter has, and no others",
    "tensors": "The weights' header is sound and within its limits",
    "configuration": "Plain LoRA within the limits of rank and modules",
    "fit": "Every tensor has its place in the served base",
    "values": "Every number is finite, and they change something",
    "effect": "A worker loads it, and its output differs from the base's",
}


@dataclass(slots=True, frozen=True)
class Step:
    """One check: what it looks at, and what it found. `state` is passed, refused, running, waiting or left_out."""

    name: str
    about: str
    state: str
    text: str


@dataclass(slots=True, frozen=True)
class Brought:
    """An upload as the list shows it: with the name of who brought it."""

    upload: AdapterUpload
    by: str

    @property
    def pk(self) -> UUID:
        """For the table."""
        return self.upload.pk

    def __getattr__(self, name: str) -> Any:
        return getattr(self.upload, name)


def upload_pill(row: AdapterUpload | Brought) -> SafeString:
    """The upload's state."""
    return pill(*_TONES[UploadState(row.state)])


def steps(row: AdapterUpload) -> list[Step]:
    """Every check of an upload, those to come too."""
    told: list[dict[str, Any]] = row.checks
    found = [
        Step(
            one["check"], _WORDS.get(one["check"], ""), "passed" if one["passed"] else "refused", one["text"]
        )
        for one in told
    ]
    seen = {one.name for one in found}
    rest = [name for name in CHECKS if name not in seen]
    states = (
        ["running", *["waiting"] * len(rest)]
        if row.state == UploadState.CHECKING
        else ["left_out"] * len(rest)
    )
    return found + [Step(name, _WORDS[name], state, "") for name, state in zip(rest, states, strict=False)]


UPLOADS = Table(
    name="adapter-uploads",
    label="Uploaded adapters",
    columns=[
        Column("name", "Name", css="strong"),
        Column("state", "State", value=upload_pill, csv=lambda row: row.state),
        Column("reason", "Why refused", css="wide"),
        Column(
            "version", "Version", value=lambda row: row.version.reference if row.version else "", css="mono"
        ),
        Column("by", "Uploaded by", value=lambda row: row.by),
        Column("created", "Uploaded", value=lambda row: row.created_at, order="id"),
        Column("finished", "Decided", value=lambda row: row.finished_at, shown=False),
    ],
    filters=[
        TextFilter("q", "Name", lookup="name__icontains"),
        ChoiceFilter("state", "State", lookup="state", choices=UploadState.choices),
        DateFilter("created", "Uploaded", lookup="created_at", by_id=True),
    ],
    sort="-created",
    row_url=lambda row: reverse("adapter-upload-page", args=[row.pk]),
    empty=Empty(
        "Nobody has brought an adapter yet",
        "Upload one: it is checked step by step, and what is refused says why and leaves nothing behind.",
        "package",
    ),
)
