"""The folder of a job's checkpoint: it outlives the trainer that wrote it, until the job is over."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from rootstock.errors import DomainError
from rootstock.jobs.handle import Cancelled

KEPT = ".resumable-"
FORGOTTEN_AFTER_S = 86_400.0  # without a new checkpoint: its job is not tried again


@contextmanager
def checkpoint_of(root: Path, job_id: UUID) -> Iterator[Path]:
    """The checkpoint's file. Its folder stays when the job may be tried again, and else goes with the block."""
    _forget(root)
    folder = root / f"{KEPT}{job_id}"
    folder.mkdir(exist_ok=True)
    try:
        yield folder / "state.safetensors"
    except Exception as error:
        if isinstance(error, Cancelled) or (isinstance(error, DomainError) and error.permanent):
            shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _forget(root: Path) -> None:
    """Remove what was left of jobs that ended without their trainer, given up or cancelled meanwhile."""
    for folder in root.glob(f"{KEPT}*"):
        with suppress(FileNotFoundError):  # another trainer may be quicker
            if time.time() - folder.stat().st_mtime > FORGOTTEN_AFTER_S:
                shutil.rmtree(folder, ignore_errors=True)
