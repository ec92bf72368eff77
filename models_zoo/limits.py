"""Limits of a process that reads what strangers sent: its memory, its processor time, the clock, what it writes.

How it ended says which limit it broke: `OUT_OF_MEMORY` as its status, SIGXCPU for its processor time. Whatever else
ended it says nothing about what it read.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MEMORY_BYTES = 512 << 20
FILE_BYTES = 513 << 20  # the largest that one file may become
CPU_S = 120
CLOCK_S = 600  # nobody waits longer, whatever it does; who started it may end it sooner
OUT_OF_MEMORY = 64
_GRACE_S = 5  # between the signal that names the limit and the one that nothing survives


@contextmanager
def limited(cpu_s: int = CPU_S) -> Iterator[None]:
    """From here on the process and what it starts stay within the limits; without memory it ends at once.

    cpu_s: seconds of processor time.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + _GRACE_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(CLOCK_S)
    try:
        yield
    except MemoryError:
        sys.stdout.flush()
        os._exit(OUT_OF_MEMORY)
