"""The embedded Valkey: start, ready, stop. Every step may be repeated."""

import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

from rootstock.embedded.errors import EmbeddedError
from rootstock.embedded.logs import last_line, rotate
from rootstock.embedded.place import Place
from rootstock.embedded.processes import end, find, users_of

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


def begin(place: Place) -> None:
    """Start the server unless it answers already. Returns before it is ready."""
    if is_ready(place):
        return
    for process in users_of(place.home):  # alive without a socket
        end(process, (signal.SIGTERM, signal.SIGKILL), STOP_TIMEOUT_S)
    _pid_file(place).unlink(missing_ok=True)
    rotate(_log(place))
    options = {
        "port": "0",
        "unixsocket": str(_socket(place)),
        "unixsocketperm": "700",
        "daemonize": "yes",
        "pidfile": str(_pid_file(place)),
        "logfile": str(_log(place)),
        "dir": str(place.home),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "appenddirname": "valkey",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    arguments = [text for key, value in options.items() for text in (f"--{key}", value)]
    started = subprocess.run(
        [str(place.valkey_server), *arguments], check=False, stdout=subprocess.DEVNULL, **place.as_user
    )
    if started.returncode:
        raise EmbeddedError(f"Valkey did not start: {last_line(_log(place))} (log: {_log(place)})")


def finish(place: Place) -> None:
    """Wait until the server answers (it loads its append-only file first); raises EmbeddedError."""
    until = time.monotonic() + START_TIMEOUT_S
    while not is_ready(place):
        if time.monotonic() > until:
            raise EmbeddedError(f"Valkey did not start: {last_line(_log(place))} (log: {_log(place)})")
        time.sleep(0.02)


def is_ready(place: Place) -> bool:
    """Whether the server answers PING with PONG."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(2.0)
            probe.connect(str(_socket(place)))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def is_alive(place: Place) -> bool:
    """Whether the server's process is there, ready or not."""
    return _server(place) is not None


def stop(place: Place) -> None:
    """Shut the server down after it has written its append-only file."""
    server = _server(place)
    if server is not None:
        end(server, (signal.SIGTERM, signal.SIGKILL), STOP_TIMEOUT_S)


def _socket(place: Place) -> Path:
    return place.run / "valkey.sock"


def _pid_file(place: Place) -> Path:
    return place.home / "valkey.pid"


def _log(place: Place) -> Path:
    return place.home / "valkey.log"


def _server(place: Place) -> psutil.Process | None:
    try:
        return find(_pid_file(place).read_text(), "valkey", place.home)
    except OSError:
        return None
