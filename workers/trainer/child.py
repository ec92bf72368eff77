"""The training process. `Child` starts and follows it; `python -m workers.trainer.child spec.json` is it.

A process of its own maps the same quantized base as the worker, can be killed at any moment, and dies with its
parent. It knows no Django, database or queue: a spec file comes in, then JSON lines that say what share of its time
it may work; events go out as JSON lines: those of the training and, where a worker may offer its base, first one of
kind "base" that says whose memory is used.
"""

import argparse
import ctypes
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models_zoo.llm  # noqa: F401  (sets OpenMP's waiting before torch is loaded)
from workers.trainer.base import BASE_LOST, Base
from workers.trainer.pacing import Duty

if TYPE_CHECKING:
    from models_zoo.llm.training import TrainEvent

_PR_SET_PDEATHSIG = 1
_QUIET_S = 0.5
_GRACE_S = 3.0
FAULT = "fault.txt"
REFUSED = re.compile(r"models_zoo\.llm\.foreign\.\w+: ")  # begins what a process says that refuses to train


class Child:
    """The running child, as a context manager: leaving the block ends whatever still runs.

    It is asked to end first, and killed with all of its own children after a grace of some seconds.
    offers, wait_s: see `workers.trainer.base.Base`. processes: more than one are started by torchrun, each on a device
    of its own; they die with it.
    """

    module = "workers.trainer.child"  # what it runs

    def __init__(
        self, spec: Path, offers: Path | None = None, wait_s: float = 0.0, processes: int = 1
    ) -> None:
        self.failure: str | None = None
        self.ending_s = 0.0  # from when it was first asked to end until nothing of it was left
        self._asked_at: float | None = None
        self._spec = spec
        self._several = processes > 1
        self._start = ["-m", self.module]
        if self._several:
            alone = ["--standalone", "--nproc-per-node", str(processes), "--max-restarts", "0"]
            self._start = ["-m", "torch.distributed.run", *alone, *self._start]
        self._base = [] if offers is None else ["--offers", str(offers), "--wait", str(wait_s)]

    def __enter__(self) -> "Child":
        self._errors = (self._spec.parent / "errors.log").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, *self._start, str(self._spec), *self._base],
            stdout=subprocess.PIPE,
            stderr=self._errors,
            stdin=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()
        assert self._process.stdin is not None  # noqa: S101  (a pipe was asked for)
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._errors.close()

    def allow(self, share: float) -> None:
        """Let it work for this share of the time, more than 0 and at most 1."""
        assert self._process.stdin is not None  # noqa: S101  (a pipe was asked for)
        with suppress(BrokenPipeError):  # it has ended: its events say so
            self._process.stdin.write(json.dumps({"share": share}).encode() + b"\n")
            self._process.stdin.flush()

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def end(self) -> None:
        """Ask it to end, then insist. May be called from any thread, and again."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
        with suppress(ProcessLookupError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGTERM)
                self._wait(_GRACE_S)
            os.killpg(self._process.pid, signal.SIGKILL)  # what it started may have outlived it
        self._process.wait()
        self._reader.join(_GRACE_S)  # when all who could write are gone
        self.ending_s = self.ending_s or time.monotonic() - self._asked_at

    def _wait(self, seconds: float) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def events(self) -> Iterator[dict[str, Any] | None]:
        """The child's events; None about twice a second while it is quiet. Sets `failure` when it ends badly."""
        while True:
            try:
                line = self._lines.get(timeout=_QUIET_S)
            except queue.Empty:
                yield None
                continue
            if line is None:
                break
            yield json.loads(line)
        if self._process.wait() != 0:
            self.failure = self._reason()

    @property
    def lost(self) -> bool:
        """It ended by a signal, for want of memory for instance, or with the worker whose base it trained on, and
        not by a fault of its own."""
        status = self._process.returncode or 0
        if self._several and status > 0:
            return not self._fault.exists()
        return status < 0 or status == BASE_LOST

    @property
    def ended(self) -> str:
        """How it ended, in words that quote nothing of its own."""
        status = self._process.returncode
        if status == BASE_LOST:
            return "the worker whose base the training used has ended"
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    @property
    def _fault(self) -> Path:
        """What one of several processes says of a fault of its own."""
        return self._spec.with_name(FAULT)

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  (a pipe was asked for)
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _reason(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        if self._process.returncode == BASE_LOST:
            return self.ended
        if self._several:
            told = self._fault.read_text() if self._fault.exists() else "one of its processes was lost"
            return f"the training failed: {told[:300]}"
        said = lines[-1].replace(f"{self._spec.parent}/", "") if lines else "no message"
        if refused := REFUSED.match(said):
            return said[refused.end() :][:300]
        return f"the training process failed ({self.ended}): {said[:300]}"


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Train an adapter as the spec says and print events."""
    from models_zoo.llm.card import record_from
    from models_zoo.llm.training import TrainSpec, train_lora

    run(lambda values, duty, base: train_lora(record_from(TrainSpec, values, where="spec"), duty, base))


def run(begin: Callable[[dict[str, Any], Duty, Base], Iterator["TrainEvent"]]) -> None:
    """Print the events of the training that `begin` begins from the spec's values."""
    parser = argparse.ArgumentParser(description="One training.")
    parser.add_argument("spec", type=Path)
    parser.add_argument("--offers", type=Path, default=None)
    parser.add_argument("--wait", type=float, default=0.0)
    options = parser.parse_args()
    os.nice(10)  # serving comes first on a shared processor
    several, first = "RANK" in os.environ, os.environ.get("RANK", "0") == "0"
    if several:
        _die_with_parent()
    values = json.loads(options.spec.read_text())
    duty = Duty(_finish_on_device if values.get("device", "cpu").startswith("cuda") else None)
    if first:  # the others wait for it
        threading.Thread(target=_listen, args=(duty,), daemon=True).start()
    base = Base(
        options.offers, options.wait, lambda shared, text: _tell(kind="base", shared=shared, text=text)
    )
    try:
        for event in begin(values, duty, base):
            if first:
                _tell(**asdict(event))
    except Exception as error:
        if several and not _is_of_another(error):
            options.spec.with_name(FAULT).write_text(f"{type(error).__name__}: {error}")
        base.let_go_first()
        raise


def _is_of_another(error: Exception) -> bool:
    """Whether a process may only have failed because another is gone: then what they do together raises this."""
    import torch

    return isinstance(error, RuntimeError) and not isinstance(error, torch.OutOfMemoryError)


def _tell(**fields: object) -> None:
    told = {key: str(value) if isinstance(value, Path) else value for key, value in fields.items()}
    print(json.dumps(told), flush=True)  # noqa: T201  (the protocol)


def _listen(duty: Duty) -> None:
    for line in sys.stdin:
        duty.allow(json.loads(line)["share"])


def _finish_on_device() -> None:
    import torch

    torch.cuda.synchronize()


if __name__ == "__main__":
    main()
