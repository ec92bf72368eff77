"""One supervised process: start, watch, start again after a crash, end."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Mapping

from rootstock.supervisor.definition import Definition
from rootstock.supervisor.output import Output

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
STABLE_AFTER_S = 30.0  # what was ready and ran this long has not crashed at its start
KEPT_LINES = 200


class Child:
    """Not thread-safe: only the supervisor's own thread calls it, apart from the reading properties."""

    def __init__(self, definition: Definition, environment: Mapping[str, str], output: Output) -> None:
        self.definition = definition
        self.ready = False
        self.crashes = 0  # in a row, each soon after its start
        self._environment = {**environment, **definition.environment}
        self._output = output
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._process: subprocess.Popen[str] | None = None
        self._started_at = self._start_again_at = 0.0

    @property
    def pid(self) -> int | None:
        """The running process, None between a crash and the restart."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def last_line(self) -> str:
        """The last thing it said."""
        return self._lines[-1] if self._lines else ""

    def start(self) -> None:
        """Start it in a session of its own: a Ctrl-C at the terminal reaches the supervisor alone."""
        self.ready, self._started_at = False, time.monotonic()
        self._lines.clear()
        try:
            self._process = subprocess.Popen(
                self.definition.command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as error:
            self._lines.append(str(error))
            self._start_later(f"could not start: {error}")
            return
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def watch(self) -> None:
        """One look: notice readiness or a crash, and start again when the delay is over."""
        process = self._process
        if process is None:
            if time.monotonic() >= self._start_again_at:
                self.start()
        elif process.poll() is not None:
            self._crashed(process.returncode)
        elif not self.ready:
            self.ready = self.definition.ready(tuple(self._lines))

    def request_end(self) -> None:
        """Ask it to end; its main process tells its own children."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    def insist(self) -> None:
        """Ask again for a quick end: Celery drops what is in hand, which its lease brings back."""
        if not self.ended() and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGQUIT)

    def kill(self) -> None:
        """End it and everything in its session's group."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process is None or self._process.poll() is not None

    def _crashed(self, status: int) -> None:
        self.kill()  # what it left behind in its group
        self._start_later(f"ended with {signal.Signals(-status).name if status < 0 else f'status {status}'}")

    def _start_later(self, what: str) -> None:
        proven = self.ready and time.monotonic() - self._started_at > STABLE_AFTER_S
        self.crashes = 1 if proven else self.crashes + 1
        delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** (self.crashes - 1))
        self.ready, self._process = False, None
        self._start_again_at = time.monotonic() + delay
        self._output.line(self.definition.name, f"{what}; starting again in {delay:g} s")

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None  # noqa: S101  (opened as a pipe above)
        with process.stdout:
            for line in process.stdout:
                if text := line.rstrip():
                    self._lines.append(text)
                    self._output.line(self.definition.name, text)
