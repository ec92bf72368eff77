"""The outside witness: each new root is told to a place that the database's owner does not rule.

Who rewrites the whole chain cannot rewrite what has been told, so the rewriting is noticed.
ROOTSTOCK_AUDIT_WITNESS is `log` (one line of the log; the default in production), `none`, a file's path (by
default one under var/), or an http(s) address.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any

import httpx
from django.conf import settings

from rootstock.audit.models import AuditRoot

log = logging.getLogger(__name__)
TIMEOUT_S = 5.0


def witness_tell(root: AuditRoot) -> None:
    """Tell the witness of a root. One that is away is logged and told of the next: each root names the last."""
    told, where = telling(root), settings.AUDIT_WITNESS
    line = json.dumps(told, separators=(",", ":"))
    try:
        if where == "log":
            log.info("audit root %s", line)
        elif where.startswith(("http://", "https://")):
            httpx.post(where, json=told, timeout=TIMEOUT_S).raise_for_status()
        elif where != "none":
            _append(Path(where), line)
    except (OSError, httpx.HTTPError) as error:
        log.error("audit root %s: the witness was not told: %s", line, type(error).__name__)


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
