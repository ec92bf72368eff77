"""The supervisor itself: one thread that starts, watches and ends all processes."""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rootstock.supervisor import guard
from rootstock.supervisor.child import Child
from rootstock.supervisor.definition import Definition
from rootstock.supervisor.errors import SupervisorError
from rootstock.supervisor.output import Output

LOOK_EVERY_S = 0.1
PATIENCE_S = 10.0
INSIST_AFTER_S = 2.5
HOPELESS_CRASHES = 2


class Supervisor:
    """Runs the processes of one `var` folder. As a context manager it is the only one there until its exit.

    None of its processes outlives it: a guard ends them if it is killed.
    """

    def __init__(self, var: Path, definitions: Sequence[Definition], output: Output | None = None) -> None:
        self._var = var.resolve()
        self._definitions = definitions
        self._output = output or Output()
        self._children: dict[str, Child] = {}
        self._stop, self._hurry = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Reserve `var`; raises SupervisorError when another supervisor runs there."""
        guard.take(self._var)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        guard.release(self._var)

    def start(self) -> None:
        """Start every process at once."""
        environment: Mapping[str, str] = {**os.environ, "PYTHONUNBUFFERED": "1", **guard.mark(self._var)}
        self._children = {each.name: Child(each, environment, self._output) for each in self._definitions}
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._thread.start()

    def wait_ready(self, timeout_s: float = 180.0) -> None:
        """Return once every process is ready; raises SupervisorError naming the one that is not."""
        until = time.monotonic() + timeout_s
        while waiting := [child for child in self._children.values() if not child.ready]:
            for child in waiting:
                if child.crashes >= HOPELESS_CRASHES:
                    raise SupervisorError(
                        f"{child.definition.name} keeps ending at its start: {child.last_line}"
                    )
            if time.monotonic() > until:
                names = ", ".join(child.definition.name for child in waiting)
                raise SupervisorError(f"not ready after {timeout_s:.0f} s: {names}")
            time.sleep(LOOK_EVERY_S)

    def run_forever(self) -> None:
        """Watch until `stop` is called or a signal raises KeyboardInterrupt here."""
        self._stop.wait()

    def stop(self) -> None:
        """End every process: asked first, killed after ten seconds. Nothing that they started is left."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def hurry(self) -> None:
        """Make a `stop` in progress kill at once."""
        self._hurry.set()

    def pid(self, name: str) -> int | None:
        """The process id of a running process, None between a crash and the restart."""
        return self._children[name].pid

    def is_ready(self, name: str) -> bool:
        """Whether the process has shown that it can work since it was last started."""
        return self._children[name].ready

    def _run(self) -> None:
        children = list(self._children.values())
        try:
            for child in children:
                child.start()
            while not self._stop.wait(LOOK_EVERY_S):
                for child in children:
                    child.watch()
        finally:
            self._end(children)

    def _end(self, children: Sequence[Child]) -> None:
        for child in children:
            child.request_end()
        until = time.monotonic() + PATIENCE_S
        insist_at = until - PATIENCE_S + INSIST_AFTER_S
        while time.monotonic() < until and not all(child.ended() for child in children):
            if self._hurry.wait(0.02):
                break
            if time.monotonic() > insist_at:
                insist_at = until
                for child in children:
                    child.insist()
        for child in children:
            if not child.ended():
                self._output.line(child.definition.name, "did not end when asked; killed")
            child.kill()
        guard.sweep(self._var, patience_s=1.0)
