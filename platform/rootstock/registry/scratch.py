"""Folders for what is being made beside the adapters; those of killed processes are removed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


@contextmanager
def scratch_folder(root: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `root`, after removing those of this prefix whose makers are gone.

    Its maker holds a lock on it: unlike a pid it means the same in every container, and the kernel drops it however
    the process ends. The lock on `root` keeps a sweep from meeting a folder that is not locked yet.
    """
    root.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with _locked(root):
            _sweep(root, prefix)
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, dir=root))
            stack.enter_context(_locked(Path(scratch)))
        yield Path(scratch)


def scratch_sweep(root: Path, prefixes: Collection[str]) -> None:
    """Remove the folders of these prefixes whose makers are gone."""
    if root.is_dir():
        with _locked(root):
            for prefix in prefixes:
                _sweep(root, prefix)


def _sweep(root: Path, prefix: str) -> None:
    for left in root.glob(f"{prefix}*"):
        with suppress(OSError), _locked(left, fcntl.LOCK_NB):
            shutil.rmtree(left)


@contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(descriptor)
