"""One supervisor per `var`, and no process that outlives it.

The supervisor holds the lock on `var/up.lock`. A guard process waits for that lock, which the kernel hands
over even after `kill -9`, and ends what is left. Processes are recognised by a variable in their environment,
which their own children inherit: no list of pids that could be stale.
"""

import fcntl
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from rootstock.supervisor.errors import SupervisorError

MARK = "ROOTSTOCK_UP"
SCRIPT = Path(__file__).parent / "guard_process.py"
GUARD_PATIENCE_S = 5.0
_held: dict[Path, int] = {}


def mark(var: Path) -> dict[str, str]:
    """The environment variable that marks a process as one of this `var`."""
    return {MARK: str(var.resolve())}


def take(var: Path) -> None:
    """Become the one supervisor of `var`, after ending what a killed one left; raises SupervisorError."""
    var = var.resolve()
    descriptor = _open(var)
    until = time.monotonic() + GUARD_PATIENCE_S * 3
    while not _try(descriptor):
        holder = _holder(var)
        if holder is not None or time.monotonic() > until:
            os.close(descriptor)
            raise SupervisorError(f"Rootstock is already running on {var} (process {holder or 'unknown'})")
        time.sleep(0.05)  # the guard of a killed supervisor is still at work
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    _held[var] = descriptor
    sweep(var, GUARD_PATIENCE_S)
    _start_guard(var)


def release(var: Path) -> None:
    """Stop being the supervisor of `var`; the guard wakes, finds nothing to end, and ends."""
    os.close(_held.pop(var.resolve()))


def watch(var: Path) -> None:
    """The guard's whole life: wait until the supervisor is gone, then end what is left."""
    descriptor = _open(var)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    sweep(var, GUARD_PATIENCE_S)


def sweep(var: Path, patience_s: float) -> None:
    """End every marked process: asked first, killed after `patience_s`."""
    asked: set[int] = set()
    until = time.monotonic() + patience_s
    while left := marked(var):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                if time.monotonic() > until:
                    process.kill()
                elif process.pid not in asked:
                    process.terminate()
                    asked.add(process.pid)
        time.sleep(0.05)


def marked(var: Path) -> list[psutil.Process]:
    """The living processes that belong to `var`, this one excepted."""
    wanted, found = str(var.resolve()), []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ours = process.environ().get(MARK) == wanted and process.status() != psutil.STATUS_ZOMBIE
            if ours and process.pid != os.getpid():
                found.append(process)
    return found


def _holder(var: Path) -> int | None:
    """The supervisor that is running, by the pid it wrote; None when that one is gone."""
    try:
        pid = int((var / "up.lock").read_text())
        return pid if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, psutil.Error):
        return None


def _start_guard(var: Path) -> None:
    subprocess.Popen(
        [sys.executable, str(SCRIPT), str(var)],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _open(var: Path) -> int:
    try:
        return os.open(var / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SupervisorError(f"cannot open {var / 'up.lock'}: {error.strerror}") from None


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
