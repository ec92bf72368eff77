"""Reading what strangers sent in a process of its own, within limits of memory, processor time and the clock."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

from models_zoo.limits import CLOCK_S, CPU_S, MEMORY_BYTES, OUT_OF_MEMORY
from rootstock.errors import DomainError

_MAX_LINE = 1 << 20  # of what it tells
_EARLIER_S = 10  # than it would end itself

StopWith = Callable[[Callable[[], None]], None]


class LimitBroken(Exception):
    """What was read takes more than is given to it; the message says of what."""


class ReaderLost(DomainError):
    """The process ended before it was done, and not for what it read: that is tried again."""

    code = "worker_lost"
    http_status = 503
    permanent = False


def told_by(
    module: str,
    *arguments: str,
    cpu_s: int = CPU_S,
    stdin: IO[bytes] | None = None,
    stop_with: StopWith | None = None,
) -> Iterator[dict[str, Any]]:
    """The JSON lines that `python -m module` prints, as they come; it keeps to `models_zoo.limits` by itself.

    `stop_with` is given a function that ends it. Raises LimitBroken, and ReaderLost when something else ended it.
    """
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments], env=_environment(),
        stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        late = threading.Timer(CLOCK_S - _EARLIER_S, process.kill)
        late.start()
        if stop_with:
            stop_with(process.kill)
        try:
            yield from _lines(cast(IO[bytes], process.stdout))
            process.wait()
            was_late = not late.is_alive()
        except BaseException:
            process.kill()
            raise
        finally:
            late.cancel()
    _judge(process.returncode, cpu_s, was_late)


def _lines(told: IO[bytes]) -> Iterator[dict[str, Any]]:
    while line := told.readline(_MAX_LINE):
        try:
            yield json.loads(line)
        except ValueError:
            raise ReaderLost("the process that checks ended in the middle of a word", retry_after=2) from None


def _judge(status: int, cpu_s: int, was_late: bool) -> None:
    if status == OUT_OF_MEMORY:
        raise LimitBroken(f"checking it takes more than {MEMORY_BYTES >> 20} MB of memory")
    if status == -signal.SIGXCPU:
        raise LimitBroken(f"checking it takes more than {cpu_s} s of processor time")
    if status:
        how = f"signal {-status}" if status < 0 else f"status {status}"
        how = f"no end within {CLOCK_S - _EARLIER_S} s" if was_late else how
        raise ReaderLost(
            f"the process that checks ended early ({how}); this says nothing about the content", retry_after=2
        )


def _environment() -> dict[str, str]:
    """What it needs to start: none of this process's secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONSAFEPATH": "1"}
