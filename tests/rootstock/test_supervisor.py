"""The supervisor over small real processes: readiness, crashes, ends, and what a killed one leaves behind."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from rootstock.operations import preflight
from rootstock.operations.preflight import Refusal
from rootstock.supervisor import Definition, Output, Supervisor, SupervisorError, answers, guard, says

pytestmark = pytest.mark.slow  # real processes

ROOT = Path(__file__).resolve().parents[2]
SLEEPER = "print('here I am', flush=True); import time; time.sleep(60)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPER
PARENT = (
    f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True); "
)
UP = """
import sys, time
from pathlib import Path
from rootstock.supervisor import Definition, Supervisor, says
program = [sys.executable, "-c", sys.argv[2]]
with Supervisor(Path(sys.argv[1]), [Definition("deaf", program, says("here"))]) as supervisor:
    supervisor.start()
    supervisor.wait_ready(20)
    print("up", flush=True)
    time.sleep(60)
"""


def program(name: str, source: str, **environment: str) -> Definition:
    return Definition(name, [sys.executable, "-c", source], says("here I am"), environment)


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 15.0) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def up_in_another_process(var: Path, source: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "platform")}
    process = subprocess.Popen(
        [sys.executable, "-c", UP, str(var), source], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    while process.stdout.readline() != "up\n":
        assert process.poll() is None
    return process


def test_it_works(tmp_path: Path) -> None:
    stream = io.StringIO()
    definitions = [program("one", SLEEPER), program("two", SLEEPER)]
    with Supervisor(tmp_path, definitions, Output(stream)) as supervisor:
        supervisor.start()
        supervisor.wait_ready(20)
        pids = [supervisor.pid("one"), supervisor.pid("two")]
        assert all(pid and psutil.pid_exists(pid) for pid in pids)
    assert guard.marked(tmp_path) == []
    assert "one        │ here I am\n" in stream.getvalue()


def test_a_killed_process_comes_back(tmp_path: Path) -> None:
    with Supervisor(tmp_path, [program("worker", SLEEPER)], Output(io.StringIO())) as supervisor:
        supervisor.start()
        supervisor.wait_ready(20)
        first = supervisor.pid("worker")
        assert first
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: not supervisor.is_ready("worker"), "the kill went unnoticed")
        supervisor.wait_ready(20)
        assert supervisor.pid("worker") not in (None, first)


def test_a_process_that_cannot_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    definitions = [program("good", SLEEPER), program("bad", "import sys; sys.exit('no such model')")]
    with Supervisor(tmp_path, definitions, Output(io.StringIO())) as supervisor:
        supervisor.start()
        with pytest.raises(SupervisorError, match="bad keeps ending at its start: no such model"):
            supervisor.wait_ready(30)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    missing = Definition("web", ["/no/such/program"], says("x"))
    with Supervisor(tmp_path, [missing], Output(io.StringIO())) as supervisor:
        supervisor.start()
        with pytest.raises(SupervisorError, match="/no/such/program"):
            supervisor.wait_ready(30)


def test_a_process_that_never_gets_ready_is_named(tmp_path: Path) -> None:
    silent = Definition("silent", [sys.executable, "-c", SLEEPER], says("something else"))
    with Supervisor(tmp_path, [silent], Output(io.StringIO())) as supervisor:
        supervisor.start()
        with pytest.raises(SupervisorError, match="not ready after 1 s: silent"):
            supervisor.wait_ready(1)


def test_stopping_ends_deaf_processes_and_their_children(tmp_path: Path) -> None:
    stream = io.StringIO()
    definitions = [program("deaf", PARENT + DEAF), program("docile", SLEEPER)]
    with Supervisor(tmp_path, definitions, Output(stream)) as supervisor:
        supervisor.start()
        supervisor.wait_ready(20)
        wait_for(lambda: len(guard.marked(tmp_path)) == 3, "its child did not start")
        threading.Timer(1.0, supervisor.hurry).start()
    assert guard.marked(tmp_path) == []
    assert "deaf       │ did not end when asked; killed\n" in stream.getvalue()
    assert "docile     │ did not end" not in stream.getvalue()


def test_only_one_runs_at_a_time(tmp_path: Path) -> None:
    with (
        Supervisor(tmp_path, []),
        pytest.raises(SupervisorError, match=f"already running .*process {os.getpid()}"),
        Supervisor(tmp_path, []),
    ):
        pytest.fail("two supervisors of one folder")


def test_nothing_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    process = up_in_another_process(tmp_path, PARENT + DEAF)
    wait_for(lambda: len(guard.marked(tmp_path)) == 2, "the processes did not start")
    process.kill()
    process.communicate()
    wait_for(lambda: not guard.marked(tmp_path), "orphans are left")


def test_a_start_after_a_kill_waits_for_the_guard_and_finds_a_clean_place(tmp_path: Path) -> None:
    process = up_in_another_process(tmp_path, SLEEPER)
    process.kill()
    process.communicate()
    with Supervisor(tmp_path, [program("worker", SLEEPER)], Output(io.StringIO())) as supervisor:
        assert guard.marked(tmp_path) == []
        supervisor.start()
        supervisor.wait_ready(20)


def test_ready_by_http() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        assert not answers("127.0.0.1", listener.getsockname()[1], "/healthz")(())


def test_output_survives_a_reader_that_left() -> None:
    reader, writer = os.pipe()
    output = Output(os.fdopen(writer, "w"))
    os.close(reader)
    output.line("web", "nobody reads this")
    output.line("web", "nor this")


def test_a_port_in_use_names_the_program(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(Refusal, match=rf"port {port} .* in use by .*{os.getpid()}.*set ROOTSTOCK_PORT"):
            preflight.port_free("127.0.0.1", port)
    preflight.port_free("127.0.0.1", port)


def test_a_full_disk_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"0\.5 GB free .* 2 GB needed"):
        preflight.free_space(tmp_path, lambda path: 2**29)
    preflight.free_space(tmp_path, lambda path: 2**32)


def test_no_write_permission_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"cannot write to /proc/rootstock .*set ROOTSTOCK_VAR"):
        preflight.writable(Path("/proc/rootstock"))
    preflight.writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_another_python_is_refused() -> None:
    with pytest.raises(Refusal, match=r"Python 3\.11 is needed, this is 3\.12"):
        preflight.python_version((3, 12))
