"""Finding and ending a server whose parent is long gone."""

import signal
import time
from collections.abc import Sequence
from pathlib import Path

import psutil


def find(pid: str, name: str, folder: Path) -> psutil.Process | None:
    """The process, if it is the one meant. A pid alone proves nothing: after a restart it may be anyone's."""
    try:
        process = psutil.Process(int(pid))
        ours = name in process.name() and Path(process.cwd()) == folder.resolve()
    except (ValueError, psutil.Error):
        return None
    return process if ours and is_alive(process) else None


def users_of(folder: Path) -> list[psutil.Process]:
    """The processes that work in `folder`."""
    name = str(folder.resolve())
    return [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == name]


def is_alive(process: psutil.Process) -> bool:
    """Running and not a zombie, which in containers may wait long for its reaper."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end(process: psutil.Process, requests: Sequence[signal.Signals], patience_s: float) -> None:
    """Send one request after the other, each after waiting for the one before, until the process is gone."""
    for request in requests:
        if not is_alive(process):
            return
        process.send_signal(request)
        until = time.monotonic() + patience_s
        while is_alive(process) and time.monotonic() < until:
            time.sleep(0.01)
