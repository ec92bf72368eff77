"""How long Rootstock takes to be ready, on a first and on a second start: `make bench`.

The first start makes the database and converts the base model; the second finds both.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rootstock import embedded
from tests.bench.report import Bar, report

ROOT = Path(__file__).resolve().parents[2]
READY = re.compile(r"ready in ([\d.]+) s")


def main() -> None:
    """Print one table."""
    var = Path(tempfile.mkdtemp(prefix="rootstock-bench-"))
    var.chmod(0o755)
    try:
        metrics = {
            "services_first_start_s": seconds(lambda: embedded.ensure(var)),
            "services_stop_s": seconds(lambda: embedded.stop(var)),
            "services_second_start_s": seconds(lambda: embedded.ensure(var)),
        }
        embedded.stop(var)
        metrics |= {"up_first_start_s": up(var), "up_second_start_s": up(var)}
    finally:
        shutil.rmtree(var)
    report(
        "start",
        {name: round(took, 2) for name, took in metrics.items()},
        [Bar("up_second_start_s", "<=", 15.0)],
    )


def seconds(action: Callable[[], object]) -> float:
    """How long the action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def up(var: Path) -> float:
    """`manage.py up` until it says that it is ready, by its own clock; then stop it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "ROOTSTOCK_VAR": str(var), "ROOTSTOCK_PORT": str(port)}
    command = [sys.executable, str(ROOT / "manage.py"), "up"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        ready = next((found for line in process.stdout or () if (found := READY.search(line))), None)
        process.send_signal(signal.SIGINT)
        process.communicate()
    if ready is None:
        sys.exit(f"manage.py up ended with status {process.returncode} before it was ready")
    return float(ready[1])


if __name__ == "__main__":
    main()
