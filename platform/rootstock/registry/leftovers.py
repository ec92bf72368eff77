"""What interrupted processes leave of adapters is taken away: in storage, and beside the local copies."""

import re
import shutil
import time
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage

from rootstock.accounts.tenancy import every_tenant, tenant
from rootstock.registry.contents import (
    FETCHING,
    PREFIX,
    UPLOADS,
    adapter_discard,
    keys_delete,
    upload_keys,
)
from rootstock.registry.models import AdapterUpload, AdapterVersion, UploadState
from rootstock.registry.scratch import scratch_sweep

INTAKE = ".intake-"
FRESH_S = 3600.0  # of a local copy: the registry may only be about to name it
_DIGEST = re.compile(r"[0-9a-f]{64}")


def adapters_sweep() -> dict[str, int]:
    """Every few minutes. Counts the uploads of which something lay in storage, contents there that are no version's,
    and the local copies of nothing."""
    scratch_sweep(Path(settings.ADAPTERS_DIR), (INTAKE, FETCHING))
    return {"uploads": _uploads(), "unregistered": _unregistered(), "copies": _copies()}


def _uploads() -> int:
    """What was stored for uploads to be tried that are tried no more."""
    count = 0
    for organisation in _owners(UPLOADS):
        for upload in map(UUID, _folders(f"{UPLOADS}/{organisation}")):
            with tenant(organisation):
                checking = AdapterUpload.objects.filter(pk=upload, state=UploadState.CHECKING).exists()
            if not checking:
                keys_delete(upload_keys(organisation, upload))
                count += 1
    return count


def _unregistered() -> int:
    """What a process left that was killed in the middle of registering. Who registers now holds the content's lock,
    which `adapter_discard` waits for before it looks again."""
    count = 0
    for organisation in _owners(PREFIX):
        there = set(_folders(f"{PREFIX}/{organisation}"))
        with tenant(organisation):
            known = AdapterVersion.objects.filter(digest__in=there).values_list("digest", flat=True)
            left = there - set(known)
        for digest in left:
            adapter_discard(organisation, digest)
        count += len(left)
    return count


def _owners(folder: str) -> list[UUID]:
    return [UUID(name) for name in _folders(folder)]


def _folders(folder: str) -> list[str]:
    try:
        return list(default_storage.listdir(folder)[0])
    except FileNotFoundError:
        return []


def _copies() -> int:
    """Local copies of what no organisation has a version of."""
    root = Path(settings.ADAPTERS_DIR)
    there = {path.name: path for path in root.glob("*") if _DIGEST.fullmatch(path.name) and _is_old(path)}
    with every_tenant("residency"):
        wanted = set(AdapterVersion.objects.filter(digest__in=there).values_list("digest", flat=True))
    for digest in there.keys() - wanted:
        shutil.rmtree(there[digest], ignore_errors=True)
    return len(there.keys() - wanted)


def _is_old(path: Path) -> bool:
    try:
        return path.stat().st_mtime < time.time() - FRESH_S
    except OSError:
        return False
