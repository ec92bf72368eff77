"""The list of files, as a declared table."""

from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.safestring import SafeString

from rootstock.console.tables import ChoiceFilter, Column, DateFilter, Empty, Table, TextFilter
from rootstock.console.templatetags.console import pill
from rootstock.files.models import FileState, StoredFile
from rootstock.files.purposes import PURPOSES

_TONES = {
    FileState.CLEAN: ("ok", "Clean"),
    FileState.QUARANTINED: ("info", "Being checked"),
    FileState.REFUSED: ("error", "Refused"),
    FileState.UPLOADING: ("neutral", "Uploading"),
}


def file_pill(row: StoredFile) -> SafeString:
    """The file's state."""
    return pill(*_TONES[FileState(row.state)])


def purpose_label(row: StoredFile) -> str:
    """What it was uploaded for, in words."""
    known = PURPOSES.get(row.purpose)
    return known.label if known else row.purpose


FILES = Table(
    name="files",
    label="Files",
    columns=[
        Column("name", "Name", css="strong wide"),
        Column("purpose", "For", value=purpose_label),
        Column("subject_id", "About person", css="mono", shown=False),
        Column("type", "Type", css="mono", shown=False),
        Column(
            "bytes", "Size", value=lambda row: filesizeformat(row.bytes), csv=lambda row: row.bytes, css="num"
        ),
        Column("state", "State", value=file_pill, csv=lambda row: row.state),
        Column("reason", "Why refused", css="wide"),
        Column("by", "Uploaded by", value=lambda row: str(row.uploaded_by or "the API")),
        Column("expires", "Kept until", value=lambda row: row.expires_at, shown=False),
        Column("created", "Uploaded", value=lambda row: row.created_at, order="id"),
    ],
    filters=[
        TextFilter("q", "Name", lookup="name__icontains"),
        ChoiceFilter("purpose", "For", lookup="purpose", choices=[(n, p.label) for n, p in PURPOSES.items()]),
        ChoiceFilter("state", "State", lookup="state", choices=FileState.choices),
        DateFilter("created", "Uploaded", lookup="created_at", by_id=True),
    ],
    sort="-created",
    row_url=lambda row: reverse("file", args=[row.pk]),
    empty=Empty("No files yet", "Drop one above. It is checked before anything is done with it.", "files"),
)
