"""What exactly is hashed of a row: its canonical JSON. The same text comes out before it is stored and after.

Canonical means: keys sorted, no spaces, UTF-8, times in UTC with microseconds. `plain` brings free data to a form
that PostgreSQL's jsonb gives back unchanged, which knows no exponent and no negative zero.
"""

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from rootstock.audit.models import AuditRoot, Leaf


def canonical(value: Any) -> bytes:
    """The canonical JSON of plain data."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def plain(value: Any) -> Any:
    """Data as JSON can hold it and jsonb returns it. Raises TypeError or ValueError for what it cannot."""
    if isinstance(value, str):
        return str(value)  # an enumeration's member becomes its value
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot go into the audit trail")


def _number(value: float) -> float | int:
    if not math.isfinite(value):
        raise ValueError("a number of the audit trail must be finite")
    return int(Decimal(repr(value))) if value.is_integer() else value


def leaf_content(row: "Leaf") -> dict[str, Any]:
    """What of a row of the trail is hashed, as plain data."""
    return {"leaf": row.LEAF} | {name: text_of(getattr(row, name)) for name in row.HASHED}


def leaf_digest(row: "Leaf") -> bytes:
    """SHA-256 of the canonical JSON of a row of the trail."""
    return sha256(canonical(leaf_content(row))).digest()


def root_content(root: "AuditRoot") -> dict[str, Any]:
    """What of a root is hashed, as plain data; the root before it included."""
    return {
        "organisation": str(root.organisation_id),
        "sequence": root.sequence,
        "count": root.count,
        "merkle": bytes(root.merkle).hex(),
        "previous": bytes(root.previous).hex(),
        "at": text_of(root.at),
    }


def root_digest(root: "AuditRoot") -> bytes:
    """SHA-256 of what a root says of itself."""
    return sha256(canonical(root_content(root))).digest()


def text_of(value: Any) -> Any:
    """A column's value as canonical JSON has it: times in UTC, bytes in hexadecimal."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return str(value) if isinstance(value, UUID) else value
