"""The embedded PostgreSQL: create, start, ready, stop. Every step may be repeated."""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from rootstock.embedded.errors import EmbeddedError
from rootstock.embedded.logs import last_line, rotate
from rootstock.embedded.place import Place
from rootstock.embedded.processes import end, find, users_of

BOOTSTRAP = Path(__file__).parent / "sql" / "bootstrap.sql"
# A failing statement holds what people wrote: the log names the fault and neither statement nor row.
DISCREET = {
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
}
OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "jit": "off",
    "timezone": "UTC",
    **DISCREET,
}
START_TIMEOUT_S = 30.0
APPEAR_TIMEOUT_S = 3.0  # until its pid file must be there
STOP_TIMEOUT_S = 15.0
ORPHAN_TIMEOUT_S = 2.0


def begin(place: Place) -> None:
    """Start the server unless it answers already. Returns before it is ready."""
    if is_ready(place):
        return
    stop(place)  # alive without a socket, or shutting down
    if not (_data(place) / "PG_VERSION").exists():
        _create(place)
    _clear_killed_run(place)
    rotate(_log(place))
    settings = " ".join(f"-c {key}='{value}'" for key, value in OPTIONS.items())
    options = f"-c unix_socket_directories={place.run} {settings}"
    _run(
        place, "pg_ctl", ["-D", str(_data(place)), "-l", str(_log(place)), "-W", "-s", "-o", options, "start"]
    )


def finish(place: Place) -> None:
    """Wait until the server answers, then make roles, extension and database once; raises EmbeddedError."""
    begun = time.monotonic()
    while not is_ready(place):
        waited = time.monotonic() - begun
        if waited > START_TIMEOUT_S or (waited > APPEAR_TIMEOUT_S and _postmaster(place) is None):
            raise EmbeddedError(f"PostgreSQL did not start: {last_line(_log(place))} (log: {_log(place)})")
        time.sleep(0.02)
    _bootstrap(place)


def is_ready(place: Place) -> bool:
    """Whether the server of this very data folder accepts connections."""
    if _postmaster(place) is None or "ready" not in _pid_lines(place)[7:8]:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(place.run / ".s.PGSQL.5432")) == 0


def is_alive(place: Place) -> bool:
    """Whether the server's process is there, ready or not."""
    return _postmaster(place) is not None


def stop(place: Place) -> None:
    """Shut the server down: connections are cut, nothing committed is lost."""
    server = _postmaster(place)
    if server is not None:
        end(server, (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL), STOP_TIMEOUT_S)


def _data(place: Place) -> Path:
    return place.home / "postgres"


def _log(place: Place) -> Path:
    return place.home / "postgres.log"


def _pid_lines(place: Place) -> list[str]:
    try:
        lines = (_data(place) / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []
    return [line.strip() for line in lines]


def _postmaster(place: Place) -> psutil.Process | None:
    lines = _pid_lines(place)
    return find(lines[0], "postgres", _data(place)) if lines else None


def _clear_killed_run(place: Place) -> None:
    """After a kill: children that outlive their server for a moment, and its lock files."""
    for process in users_of(_data(place)):
        end(process, (signal.SIGTERM, signal.SIGKILL), ORPHAN_TIMEOUT_S)
    for lock in (_data(place) / "postmaster.pid", place.run / ".s.PGSQL.5432.lock"):
        lock.unlink(missing_ok=True)


def _create(place: Place) -> None:
    """A new cluster appears complete or not at all: an interrupted one is thrown away."""
    unfinished = place.home / "postgres.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
    _run(place, "initdb", ["-D", str(unfinished), "-U", "postgres", "--auth=trust", *locale])
    unfinished.rename(_data(place))


def _bootstrap(place: Place) -> None:
    stamp = place.home / "bootstrap.sha256"
    wanted = hashlib.sha256(BOOTSTRAP.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    command = [
        place.postgres_programs / "psql",
        "-h",
        place.run,
        "-U",
        "postgres",
        "-d",
        "postgres",
        "-X",
        "-q",
    ]
    _check([*map(str, command), "-v", "ON_ERROR_STOP=1", "-f", str(BOOTSTRAP)], "psql")
    stamp.write_text(wanted)


def _run(place: Place, program: str, arguments: Sequence[str]) -> None:
    _check([str(place.postgres_programs / program), *arguments], program, **place.as_user)


def _check(command: Sequence[str], program: str, **how: object) -> None:
    """Run to the end. Output goes to a file: the server inherits it, and a pipe would never close."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    done = subprocess.run(  # type: ignore[call-overload]
        command, capture_output=program != "pg_ctl", text=True, env=environment, check=False, **how
    )
    if done.returncode:
        raise EmbeddedError(f"{program} failed: {last_line(done.stderr or '') or done.returncode}")
