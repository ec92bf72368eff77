"""Rootstock on one machine: which processes it is made of, and starting all of it."""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from rootstock import embedded
from rootstock.embedded import EmbeddedError
from rootstock.operations import preflight
from rootstock.operations.environment import environment
from rootstock.operations.preparation import prepare
from rootstock.supervisor import Definition, Output, Ready, Supervisor, answers, says

ALONE = ["--without-gossip", "--without-mingle", "--without-heartbeat"]  # no wait for workers elsewhere

HEAL_EVERY_S = 2.0
MOST_WEB_PROCESSES, MOST_TRAININGS = 64, 16


@dataclass(slots=True, frozen=True)
class Address:
    """Where the web process listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        shown = "127.0.0.1" if self.host == "0.0.0.0" else self.host
        return f"http://{shown}:{self.port}"


@dataclass(slots=True, frozen=True)
class Site:
    """A running Rootstock: its address, its processes, and how long the start took."""

    url: str
    supervisor: Supervisor
    ready_after_s: float


def address() -> Address:
    """From ROOTSTOCK_BIND and ROOTSTOCK_PORT; raises ImproperlyConfigured."""
    raw = os.environ.get("ROOTSTOCK_PORT", "8000")
    if not raw.isdigit() or not 0 < int(raw) < 65536:
        raise ImproperlyConfigured(f"ROOTSTOCK_PORT={raw!r}: expected a number from 1 to 65535")
    return Address(os.environ.get("ROOTSTOCK_BIND", "127.0.0.1"), int(raw))


def web_processes() -> int:
    """How many processes answer requests, from ROOTSTOCK_WEB_PROCESSES; raises ImproperlyConfigured."""
    return _count("ROOTSTOCK_WEB_PROCESSES", 2, MOST_WEB_PROCESSES)


def trainings_at_once() -> int:
    """How many trainings run at once, from ROOTSTOCK_TRAININGS; raises ImproperlyConfigured."""
    return _count("ROOTSTOCK_TRAININGS", 1, MOST_TRAININGS)


def _count(name: str, default: int, most: int) -> int:
    raw = os.environ.get(name, str(default))
    if not raw.isdigit() or not 0 < int(raw) <= most:
        raise ImproperlyConfigured(f"{name}={raw!r}: expected a number from 1 to {most}")
    return int(raw)


def processes(web: Address) -> list[Definition]:
    """Every process, all started at once."""
    cores = os.cpu_count() or 2
    figures = {"PROMETHEUS_MULTIPROC_DIR": str(Path(settings.VAR_DIR) / "metrics")}
    language = {"ROOTSTOCK_LANES": "language", "ROOTSTOCK_THREADS": str(cores)}
    score = {"ROOTSTOCK_LANES": "score", "ROOTSTOCK_THREADS": str(max(1, cores // 4))}
    trainings = trainings_at_once()
    trainer = {"ROOTSTOCK_THREADS": str(max(1, cores // trainings))}
    return [
        _process("web", _granian(web), answers(web.host, web.port, "/healthz"), figures),
        _process("language", _worker("language", "language", "threads", 4), says(r"\bready\."), language),
        _process("score", _worker("score", "score", "threads", 4), says(r"\bready\."), score),
        _process(
            "trainer", _worker("trainer", "adaptation", "prefork", trainings), says(r"\bready\."), trainer
        ),
        _process("general", _worker("general", "general", "prefork", 2), says(r"\bready\.")),
        _process("webhooks", _worker("webhooks", "webhooks,housekeeping", "threads", 12), says(r"\bready\.")),
        _process("beat", _celery("rootstock.celery", "beat", "--pidfile", ""), says("is starting")),
    ]


@contextmanager
def site(output: Output | None = None, say: Callable[[str], None] = print) -> Iterator[Site]:
    """Check, prepare and start everything; end what was started on leaving. For the main thread.

    SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt inside. Raises Refusal, EmbeddedError, SupervisorError
    or ImproperlyConfigured, each with one plain line.
    """
    began, var, web = time.monotonic(), Path(settings.VAR_DIR), address()
    preflight.python_version(sys.version_info[:2])
    preflight.writable(var)
    with Supervisor(var, processes(web), output) as supervisor, _signals(supervisor):
        preflight.free_space(var)
        preflight.port_free(web.host, web.port)
        with _services(var, say):
            prepare(say)
            shutil.rmtree(var / "metrics", ignore_errors=True)  # the counts of processes that are gone
            try:
                supervisor.start()
                supervisor.wait_ready()
                yield Site(web.url, supervisor, time.monotonic() - began)
            finally:
                supervisor.stop()


@contextmanager
def _services(var: Path, say: Callable[[str], None]) -> Iterator[None]:
    """The embedded services, unless both are given from outside."""
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        yield
        return
    say(f"starting PostgreSQL and Valkey in {var}")
    embedded.ensure(var)
    left = threading.Event()
    healer = threading.Thread(target=_heal_until, args=(left, var, say), name="healer", daemon=True)
    healer.start()
    try:
        yield
    finally:
        left.set()
        healer.join()
        embedded.stop(var)


def _heal_until(left: threading.Event, var: Path, say: Callable[[str], None]) -> None:
    """Every two seconds: start again an embedded service that was killed."""
    told = ""
    while not left.wait(HEAL_EVERY_S):
        try:
            names = embedded.heal(var)
            trouble = f"{' and '.join(names)} had ended; started again" if names else ""
        except (EmbeddedError, OSError) as error:
            trouble = f"an embedded service has ended and does not start: {error}"
        if trouble and trouble != told:
            say(trouble)
        told = trouble


@contextmanager
def _signals(supervisor: Supervisor) -> Iterator[None]:
    """The first signal unwinds the main thread, which stops everything; a second one makes that quick."""
    seen: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        if len(seen) > 1:
            supervisor.hurry()
        else:
            raise KeyboardInterrupt

    before = {
        number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _process(
    name: str, command: Sequence[str], ready: Ready, additional: Mapping[str, str] | None = None
) -> Definition:
    return Definition(name, command, ready, {**environment(), **(additional or {})})


def _granian(web: Address) -> Sequence[str]:
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        web.host,
        "--port",
        str(web.port),
    ]
    # An open stream holds a thread that sleeps: 300 of them beside whatever else is asked (docs/decisions/0036).
    threads = [
        "--workers",
        str(web_processes()),
        "--runtime-mode",
        "st",
        "--blocking-threads",
        "384",
        "--backpressure",
        "512",
        "--no-ws",
        "--http",
        "1",
    ]
    # A stream that a browser keeps open would hold the stop for as long as the supervisor has patience.
    stop = ["--workers-kill-timeout", "2"]
    return [*command, *threads, *stop, "--log-level", "error", "rootstock.wsgi:application"]


def _worker(name: str, queue: str, pool: str, size: int) -> Sequence[str]:
    options = ["-n", f"{name}@%h", "-Q", queue, "--pool", pool, "-c", str(size)]
    return _celery("workers.app", "--quiet", "worker", *options, *ALONE)


def _celery(application: str, *arguments: str) -> Sequence[str]:
    # Embedded under root, in a container for instance, is a supported case: no page of warning about it.
    hush = ["-W", "ignore:You're running the worker"]
    return [sys.executable, *hush, "-m", "celery", "-A", application, *arguments]
