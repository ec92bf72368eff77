"""The outside witness: each new root is told to a place that the database's owner does not rule.

Who rewrites the whole chain cannot rewrite what has been told, so the rewriting is noticed.
ROOTSTOCK_AUDIT_WITNESS is `log` (one line of the log; the default in production), `none`, a file's path (by
default one under var/), or an http(s) address.
"""

import json
import logging
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from django.conf import settings
from django.utils import timezone

from rootstock.accounts.tenancy import every_tenant, tenant
from rootstock.audit.models import AuditRoot, WitnessState

log = logging.getLogger(__name__)
TIMEOUT_S = 5.0
BATCH = 200
TURN_S, LEASE = 20.0, timedelta(seconds=60)
FIRST_S, LONGEST_S = 5.0, 3600.0


def witness_owe(root: AuditRoot) -> None:
    """Note that the witness has to be told of a root, in the root's own transaction."""
    if settings.AUDIT_WITNESS == "none":
        return
    before = {"told": root.sequence - 1, "due_at": timezone.now()}
    WitnessState.objects.get_or_create(organisation_id=root.organisation_id, defaults=before)
    state = WitnessState.objects.select_for_update().get()
    if state.due_at is None:
        state.due_at = timezone.now()
        state.save(update_fields=["due_at"])


def organisations_owing() -> list[UUID]:
    """The organisations whose witness has to be told of something now."""
    due = WitnessState.objects.filter(due_at__lte=timezone.now())
    with every_tenant("audit"):
        return list(due.values_list("organisation_id", flat=True))


def witness_catch_up() -> None:
    """Tell what is owed, in every organisation; a witness that is away is not asked for each of them."""
    for one in organisations_owing():
        if not witness_tell(one):
            break


def witness_tell(organisation: UUID) -> bool:
    """Tell the witness every root that it has not heard of, in their order. False when it is away.

    It is asked again after a pause that doubles, up to an hour. It may hear of a root twice.
    """
    state, error = _claimed(organisation), ""
    if state is None:
        return True
    until = time.monotonic() + TURN_S
    try:
        for root in _owed(organisation, state.told):
            _tell(root)
            state.told, state.told_at = root.sequence, timezone.now()
            if time.monotonic() > until:
                break
    except (OSError, httpx.HTTPError) as fault:
        error = type(fault).__name__
        log.error(
            "audit roots of %s behind %s: the witness was not told: %s", organisation, state.told, error
        )
    _settle(organisation, state, error)
    return not error


def _claimed(organisation: UUID) -> WitnessState | None:
    """The state, when something is due that nobody else tells; theirs is then a lease."""
    now = timezone.now()
    with tenant(organisation):
        due = WitnessState.objects.filter(due_at__lte=now)
        return WitnessState.objects.get() if due.update(due_at=now + LEASE) else None


def _owed(organisation: UUID, told: int) -> list[AuditRoot]:
    with tenant(organisation):
        return list(AuditRoot.objects.defer("leaves").filter(sequence__gt=told).order_by("sequence")[:BATCH])


def _settle(organisation: UUID, state: WitnessState, error: str) -> None:
    """Write down how it went, and when it goes on."""
    now = timezone.now()
    with tenant(organisation):
        held = WitnessState.objects.select_for_update().get()  # no root is written meanwhile
        held.told, held.told_at, held.error = state.told, state.told_at, error
        held.failures = held.failures + 1 if error else 0
        if error:
            held.due_at = now + timedelta(seconds=min(LONGEST_S, FIRST_S * 2 ** min(held.failures - 1, 20)))
        else:
            held.due_at = now if AuditRoot.objects.filter(sequence__gt=held.told).exists() else None
        held.save()


def _tell(root: AuditRoot) -> None:
    told, where = telling(root), settings.AUDIT_WITNESS
    line = json.dumps(told, separators=(",", ":"))
    if where == "log":
        log.info("audit root %s", line)
    elif where.startswith(("http://", "https://")):
        httpx.post(where, json=told, timeout=TIMEOUT_S).raise_for_status()
    elif where != "none":
        _append(Path(where), line)


def telling(root: AuditRoot) -> dict[str, Any]:
    """What a witness is told of a root."""
    return {
        "organisation": str(root.organisation_id),
        "sequence": root.sequence,
        "count": root.count,
        "hash": bytes(root.hash).hex(),
        "at": root.at.isoformat(),
    }


def witnessed(path: Path, organisation: str) -> dict[int, str]:
    """What a witness's file says of one organisation: the hash of each root by its sequence.

    Lines may carry anything before the JSON, as those of a log do. Raises OSError when the file cannot be read.
    """
    found: dict[int, str] = {}
    with path.open() as lines:
        for line in lines:
            told = _told(line)
            if told.get("organisation") == organisation:
                found.setdefault(told["sequence"], told["hash"])  # the first word counts
    return found


def own_witness(organisation: str) -> dict[int, str]:
    """What this machine's own witness file says; empty where the witness is no file or was told nothing here."""
    path = Path(settings.AUDIT_WITNESS)
    return witnessed(path, organisation) if path.is_absolute() and path.exists() else {}


def _told(line: str) -> dict[str, Any]:
    start = line.find('{"organisation":')
    try:
        told = json.loads(line[start:]) if start >= 0 else {}
    except ValueError:
        return {}
    return told if {"organisation", "sequence", "hash"} <= told.keys() else {}


def _append(path: Path, line: str) -> None:
    with path.open("a") as stream:
        stream.write(line + "\n")
        stream.flush()
        os.fsync(stream.fileno())
