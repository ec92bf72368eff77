"""From the submission of a job to the start of its function: p50, p95, p99 in milliseconds.

    python tests/bench/job_start.py [--jobs 200] [--flood 2000]

Real embedded PostgreSQL and Valkey under var/job-start and one Celery worker process of four threads, as `manage.py up`
runs them; ten jobs a second come in. The time is taken before `job_create`, which the web process calls, and on the
first line of the job's function; both processes read one machine's clock. A second figure is that of urgent jobs
submitted while a flood of bulk jobs waits: the claim order, not the broker, puts them first.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

ROOT = Path(__file__).resolve().parents[2]
if __name__ in ("__main__", "__mp_main__"):
    sys.path[0:0] = [str(ROOT / "platform"), str(ROOT)]

from tests.bench.report import Bar, report  # noqa: E402

JOBS, FLOOD = 200, 2000
GAP_S = 0.1
BARS = [Bar("submit_to_start_p95_ms", "<=", 150)]


def measure(*, jobs: int = JOBS, flood: int = FLOOD, var: Path | None = None) -> dict[str, float]:
    """Run it in a process of its own (it has services and settings of its own) and give its figures."""
    command = [sys.executable, str(Path(__file__).resolve()), "--jobs", str(jobs), "--flood", str(flood)]
    command += ["--var", str(var)] if var else []
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"job_start ended with {done.returncode}: {done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])["metrics"]
    return figures


def run(jobs: int, flood: int, var: Path) -> dict[str, float]:
    """Start the services and the worker, submit, and read when each job started."""
    from rootstock import embedded

    embedded.ensure(var)
    try:
        organisation = _prepare()
        worker = _worker(var)
        try:
            _submit(organisation, 20, priority=1, gap_s=GAP_S)  # warm
            quiet = _latencies(_submit(organisation, jobs, priority=1, gap_s=GAP_S), organisation)
            _submit(organisation, flood, priority=2, gap_s=0, wait=False)
            urgent = _latencies(_submit(organisation, 50, priority=0, gap_s=GAP_S), organisation)
        finally:
            worker.kill()
            worker.join()
    finally:
        embedded.stop(var)
    return {
        **{f"submit_to_start_{name}_ms": value for name, value in _percentiles(quiet).items()},
        **{f"urgent_in_a_flood_{name}_ms": value for name, value in _percentiles(urgent).items()},
        "jobs": jobs,
        "flood": flood,
    }


def _prepare() -> UUID:
    import django

    django.setup()
    from django.core.management import call_command

    from rootstock.accounts.services import organisation_create

    call_command("migrate", database="admin", verbosity=0)
    return organisation_create(name=f"Started {time.time_ns()}").pk


def _worker(var: Path) -> Any:
    from tests.bench import kill_processes as them

    process = multiprocessing.get_context("spawn").Process(
        target=them.worker, args=(str(var / "worker.log"), "start", "threads", 4)
    )
    process.start()
    return process


def _submit(
    organisation: UUID, count: int, *, priority: int, gap_s: float, wait: bool = True
) -> dict[UUID, float]:
    """When each was submitted. With `wait`, all of them have ended on return."""
    from rootstock.accounts.tenancy import tenant
    from rootstock.jobs.models import FINAL_STATES, Job
    from rootstock.jobs.services import job_create
    from tests.bench.kill_processes import NOTHING

    begun: dict[UUID, float] = {}
    for _ in range(count):
        before = time.time()
        job = job_create(organisation=organisation, kind=NOTHING, params={}, priority=priority)
        begun[job.pk] = before
        time.sleep(gap_s)
    until = time.monotonic() + 120
    while wait and time.monotonic() < until:
        with tenant(organisation):
            if not Job.objects.filter(pk__in=begun).exclude(state__in=FINAL_STATES).exists():
                break
        time.sleep(0.1)
    return begun


def _latencies(begun: dict[UUID, float], organisation: UUID) -> list[float]:
    """Milliseconds from before the submission to the first line of the job's function."""
    from rootstock.accounts.tenancy import tenant
    from rootstock.jobs.models import Job

    with tenant(organisation):
        results = dict(Job.objects.filter(pk__in=begun).values_list("pk", "result"))
    return [(results[pk]["at"] - before) * 1000 for pk, before in begun.items()]


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {name: round(cuts[at - 1], 1) for name, at in (("p50", 50), ("p95", 95), ("p99", 99))}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=JOBS)
    parser.add_argument("--flood", type=int, default=FLOOD)
    parser.add_argument("--var", type=Path, default=ROOT / "var" / "job-start")
    given = parser.parse_args()
    var = given.var.resolve()
    var.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "ROOTSTOCK_VAR": str(var), "DJANGO_SETTINGS_MODULE": "rootstock.settings",
        "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}", "ROOTSTOCK_JOBS_QUEUED": "100000",
    }  # fmt: skip
    for name in ("DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    report("job_start", run(given.jobs, given.flood, var), BARS)


if __name__ == "__main__":
    main()
