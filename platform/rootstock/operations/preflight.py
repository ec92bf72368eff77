"""What must hold before the start. Each check raises Refusal with one line that says what to do."""

import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from rootstock.supervisor import guard

NEEDED_BYTES = 2 * 2**30
PYTHON = (3, 11)


class Refusal(Exception):
    """Rootstock cannot start here; the message is for the person at the terminal."""


def check(var: Path, host: str, port: int) -> None:
    """All checks, the cheapest first."""
    python_version(sys.version_info[:2])
    writable(var)
    free_space(var)
    port_free(host, port)


def python_version(version: tuple[int, int]) -> None:
    """The one minor version that the lock file is made for."""
    if version != PYTHON:
        raise Refusal(f"Python 3.11 is needed, this is {version[0]}.{version[1]}: run make install")


def writable(var: Path) -> None:
    """`var` exists or can be made, and takes a file."""
    probe = var / f".probe-{os.getpid()}"
    try:
        var.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise Refusal(f"cannot write to {var} ({error.strerror}): fix it or set ROOTSTOCK_VAR") from None


def free_space(var: Path, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> None:
    """Database, model and adapters need room; a full disk would stop them in the middle."""
    found = free(var)
    if found < NEEDED_BYTES:
        raise Refusal(
            f"{found / 2**30:.1f} GB free on the disk of {var}, {NEEDED_BYTES / 2**30:.0f} GB needed:"
            " free some or set ROOTSTOCK_VAR"
        )


def port_free(host: str, port: int) -> None:
    """Nobody listens on the web port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            why = f"in use by {_listener(port)}" if error.errno == 98 else error.strerror
            raise Refusal(f"port {port} on {host} is {why}: set ROOTSTOCK_PORT to another") from None


def _listener(port: int) -> str:
    """Who listens: a Rootstock of another folder, or a program by its name and pid, as far as one may see."""
    try:
        found = [
            c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port
        ]
        process = psutil.Process(found[0])
        other = process.environ().get(guard.MARK)
        return f"the Rootstock of {other}" if other else f"{process.name()} (process {process.pid})"
    except (IndexError, TypeError, psutil.Error):
        return "another program"
