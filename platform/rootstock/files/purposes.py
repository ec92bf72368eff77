"""What files are uploaded for: one literal table. A purpose says which types it takes, how large, for how long."""

from dataclasses import dataclass
from datetime import timedelta

from rootstock.errors import InvalidInput
from rootstock.files.scanners import OOXML

MIB = 1024 * 1024
_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_TABLES = frozenset({"text/csv", "application/json", "application/jsonl"})
_OFFICE = frozenset(
    OOXML + kind
    for kind in ("presentationml.presentation", "spreadsheetml.sheet", "wordprocessingml.document")
)


@dataclass(slots=True, frozen=True)
class Purpose:
    """One thing that files are uploaded for."""

    label: str
    types: frozenset[str]
    max_bytes: int
    keep: timedelta | None = None  # None: until somebody deletes it
    offered: bool = True  # in the console; the others have a page of their own


PURPOSES: dict[str, Purpose] = {
    "adapter": Purpose(
        "Adapter to be checked",
        frozenset({"application/x-safetensors", "application/zip", "application/json"}),
        512 * MIB,
        timedelta(days=7),  # an adapter's intake uses them up; what nobody brought to it does not stay
        offered=False,
    ),
    "attachment": Purpose(
        "Attachment", _IMAGES | _OFFICE | {"application/pdf", "text/plain", "text/csv"}, 25 * MIB
    ),
    "dataset": Purpose("Training data", frozenset({"application/jsonl"}), 16 * MIB),
    "fine-tune": Purpose("Fine-tuning data", frozenset({"application/jsonl"}), 16 * MIB),
    "import": Purpose(
        "Data to import",
        _TABLES | {"application/zip", "application/gzip", "application/x-tar"},
        512 * MIB,
        timedelta(days=30),
    ),
    "knowledge": Purpose(
        "Knowledge base", _OFFICE | {"application/pdf", "text/plain", "text/html", "text/csv"}, 50 * MIB
    ),
    "model": Purpose(
        "Model",
        frozenset({"application/x-safetensors", "application/zip", "application/json"}),
        512 * MIB,
        timedelta(days=7),  # an adapter's intake uses them up; what nobody brought to it does not stay
    ),
}


def purpose_named(name: str) -> Purpose:
    """The purpose. Raises InvalidInput naming the choices."""
    if name not in PURPOSES:
        raise InvalidInput.field("purpose", f"must be one of {', '.join(sorted(PURPOSES))}")
    return PURPOSES[name]
