"""Who uses the services, and when they start and stop.

Three lock files in `var/`: `services.users` is held shared by every process that uses the services,
`services.start` by the one that is starting them, `services.keeper` by the keeper. The keeper waits for
`services.users` exclusively, which it gets when the last user is gone, and stops the servers while it
holds it: whoever comes meanwhile waits, and then starts them afresh.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rootstock.embedded import postgres, valkey
from rootstock.embedded.errors import EmbeddedError
from rootstock.embedded.place import Place, find_place, make_var

KEEPER = Path(__file__).parent / "keeper.py"


@dataclass(slots=True)
class Use:
    """This process's use of the services of one `var`: its open lock file, and how often it asked for them."""

    lock: int
    times: int = 0
    place: Place | None = None


_uses: dict[Path, Use] = {}


def join(var: Path) -> None:
    """Become a user of the services under `var`, starting what does not run. Each call needs its `leave`."""
    var = var.resolve()
    make_var(var)
    try:
        use = _uses.get(var) or Use(_lock(var / "services.users", fcntl.LOCK_SH))
    except OSError as error:
        raise EmbeddedError(f"cannot lock {error.filename or var}: {error.strerror}") from None
    _uses[var] = use
    use.times += 1
    try:
        with held(var / "services.start"):
            use.place = find_place(var)
            start(use.place)
            _ensure_keeper(var)
    except BaseException:
        leave(var)
        raise


def heal(var: Path) -> list[str]:
    """Start again the servers whose process is gone; one that is only slow to answer is left alone."""
    use = _uses.get(var.resolve())
    if use is None or use.place is None or not (dead := _dead(use.place)):
        return []
    with held(var.resolve() / "services.start"):
        start(find_place(var))
    return dead


def leave(var: Path) -> None:
    """Stop being a user. The last one stops the servers before this returns."""
    var = var.resolve()
    use = _uses.get(var)
    if use is None:
        return
    use.times -= 1
    if use.times == 0:
        _leave_for_good(var, _uses.pop(var).lock)


def _leave_for_good(var: Path, users: int) -> None:
    try:
        if _try(users, fcntl.LOCK_EX):
            _stop_servers(find_place(var))
        elif not _try(
            users, fcntl.LOCK_SH
        ):  # neither free nor shared: the keeper has it and is stopping them
            with held(var / "services.keeper"):
                pass
    finally:
        os.close(users)


def _dead(place: Place) -> list[str]:
    servers = (("PostgreSQL", postgres), ("Valkey", valkey))
    return [name for name, server in servers if not server.is_alive(place)]


def start(place: Place) -> None:
    """Both servers, side by side."""
    valkey.begin(place)
    postgres.begin(place)
    valkey.finish(place)
    postgres.finish(place)


def keep(var: Path) -> None:
    """The keeper's whole life: wait until nobody uses the services, then stop them."""
    if not (var / "services").exists():  # removed before this process came to run
        return
    place = find_place(var)
    with held(var / "services.keeper"), held(var / "services.users"):
        _stop_servers(place)


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a lock file exclusively, waiting for it."""
    descriptor = _lock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


def _ensure_keeper(var: Path) -> None:
    lock = var / "services.keeper"
    try:
        os.close(_lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        return
    subprocess.Popen(
        [sys.executable, str(KEEPER), str(var)],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _stop_servers(place: Place) -> None:
    valkey.stop(place)
    postgres.stop(place)
    shutil.rmtree(place.run, ignore_errors=True)


def _try(descriptor: int, mode: int) -> bool:
    """Change the hold on an open lock file without waiting; when that fails, the earlier hold is gone too."""
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock(path: Path, mode: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
