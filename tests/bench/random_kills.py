"""`kill -9` at random moments: nothing is lost, nothing is done twice.

    python tests/bench/random_kills.py [--kills 500] [--seed 1] [--gap 0.7]

Real embedded PostgreSQL and Valkey under var/random-kills, three worker processes (threads and prefork), beat with the
reaper and the schedules, two submitters. A seeded killer sends SIGKILL to one after the other, to a pool's child, to
Valkey, to a PostgreSQL backend (the server then restarts all of them) and to the postmaster, and now and then empties
Valkey altogether. Each job writes a row for each of three steps and one for its end, without any constraint that would
hide a double. Afterwards every job must have ended, and every row must be there once.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

ROOT = Path(__file__).resolve().parents[2]
if __name__ in ("__main__", "__mp_main__"):
    sys.path[0:0] = [str(ROOT / "platform"), str(ROOT)]

from tests.bench.kill_counts import counted, jobs_of  # noqa: E402
from tests.bench.kill_site import TARGETS, Role, Site  # noqa: E402
from tests.bench.report import Bar, report  # noqa: E402

KILLS, SEED, GAP_S = 500, 1, 0.7
LEASE_S = "2"
DRAIN_S = 120.0
SUBMIT_GAP_S = 0.2
QUEUED = "10"  # of an organisation: the workers are always busy, and the rest is soon done at the end


def measure(
    *, kills: int = KILLS, seed: int = SEED, gap_s: float = GAP_S, var: Path | None = None
) -> dict[str, Any]:
    """Run the whole in a process of its own (it has services and settings of its own) and give its figures."""
    command = [sys.executable, str(Path(__file__).resolve()), "--kills", str(kills), "--seed", str(seed)]
    command += ["--gap", str(gap_s), *(["--var", str(var)] if var else [])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"random_kills ended with {done.returncode}: {done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])["metrics"]
    return figures


def run(kills: int, seed: int, gap_s: float, var: Path) -> dict[str, float]:
    """Start everything, kill, wait until all has ended, and count."""
    began, fate = time.monotonic(), random.Random(seed)
    from rootstock import embedded

    embedded.ensure(var)
    try:
        site = _site(var, _prepare(), fate)
        mender = threading.Thread(target=site.mend, daemon=True)
        try:
            site.start()
            mender.start()
            _wait_for_a_first_job(site)
            _kill_at_random(site, kills, gap_s, fate)
            killing_s = time.monotonic() - began
            _stop_submitting(site)
            drained_s = _drain(site)
        finally:
            site.stop()
            mender.join()
        return counted(var, site) | {
            "killing_s": round(killing_s, 1), "drain_s": round(drained_s, 1),
            "seconds": round(time.monotonic() - began, 1), "seed": seed,
        }  # fmt: skip
    finally:
        embedded.stop(var)


def _prepare() -> list[UUID]:
    """The database, three organisations, the ledger, and a schedule that is due every two seconds."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, connections

    call_command("migrate", database="admin", verbosity=0)
    with connections["admin"].cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bench_ledger (job uuid, step int, attempt int)")
        cursor.execute("GRANT SELECT, INSERT ON bench_ledger TO rootstock_app")
        cursor.execute("CREATE INDEX IF NOT EXISTS bench_ledger_job ON bench_ledger (job)")
        cursor.execute("TRUNCATE bench_ledger")
    connections["admin"].close()
    organisations = [_organisation(number) for number in range(3)]
    connection.close()
    return organisations


def _organisation(number: int) -> UUID:
    from rootstock.accounts.services import organisation_create
    from rootstock.accounts.tenancy import tenant
    from rootstock.jobs.models import JobSchedule

    organisation = organisation_create(name=f"Killed {number} {time.time_ns()}")
    if number == 0:
        from django.utils import timezone

        with tenant(organisation):
            JobSchedule.objects.create(
                organisation=organisation, name="often", kind="bench.ledger", every_s=2,
                params={"pause": 0.4, "file": False}, next_run_at=timezone.now(),
            )  # fmt: skip
    return organisation.pk


def _site(var: Path, organisations: list[UUID], fate: random.Random) -> Site:
    from tests.bench import kill_processes as them

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.bench.kill_processes"])
    accepted, names = str(var / "accepted"), [str(one) for one in organisations]
    return Site(
        var,
        [
            Role("worker-1", them.worker, ("one", "threads", 3)),
            Role("worker-2", them.worker, ("two", "threads", 2)),
            Role("worker-3", them.worker, ("three", "prefork", 2)),
            Role("beat", them.beat, ()),
            *(
                Role(f"submitter-{n}", them.submitter, (accepted, names, SUBMIT_GAP_S, fate.getrandbits(32)))
                for n in (1, 2)
            ),
        ],
        organisations,
        context,
    )


def _kill_at_random(site: Site, kills: int, gap_s: float, fate: random.Random) -> None:
    names, weights = list(TARGETS), list(TARGETS.values())
    while site.killed.total() < kills:
        time.sleep(min(4.0, fate.expovariate(1 / gap_s)))
        _until_work_goes_on()
        what = fate.choices(names, weights)[0]
        if site.kill(what, fate):
            site.killed[what] += 1
        site.start()


def _until_work_goes_on() -> None:
    """A kill should meet work: on a slow machine, wait for what the last one has stopped; five seconds at most."""
    until = time.monotonic() + 5
    while time.monotonic() < until and not _patiently(_running):
        time.sleep(0.05)


def _running() -> bool:
    from rootstock.accounts.tenancy import every_tenant
    from rootstock.jobs.models import Job

    with every_tenant("reaper"):
        return Job.objects.filter(state="running").exists()


def _stop_submitting(site: Site) -> None:
    for role in [r for r in site.roles if r.name.startswith("submitter")]:
        if role.process is not None:
            role.process.kill()
            role.process.join()
        site.roles.remove(role)
    _patiently(lambda: _pause_schedules(site))


def _pause_schedules(site: Site) -> bool:
    from rootstock.accounts.tenancy import tenant
    from rootstock.jobs.models import JobSchedule

    for organisation in site.organisations:
        with tenant(organisation):
            JobSchedule.objects.update(next_run_at=None)
    return True


def _drain(site: Site) -> float:
    """Wait until every job has ended, with all processes alive; seconds."""
    began = time.monotonic()
    while time.monotonic() - began < DRAIN_S:
        site.start()
        if _patiently(lambda: not _waiting(site)):
            break
        time.sleep(0.2)
    return time.monotonic() - began


def _wait_for_a_first_job(site: Site) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and not _patiently(
        lambda: any(j[1] == "succeeded" for j in jobs_of(site))
    ):
        time.sleep(0.1)


def _patiently(ask: Callable[[], bool]) -> bool:
    """Ask a database that may be restarting."""
    from django.db import connection

    from rootstock.jobs.retry import PASSING

    while True:
        try:
            return ask()
        except PASSING:
            connection.close()
            time.sleep(0.2)


def _waiting(site: Site) -> int:
    return sum(state not in ("succeeded", "failed", "cancelled") for _, state, _, _ in jobs_of(site))


BARS = [Bar(name, "<=", 0) for name in ("lost", "doubled", "stuck", "ended_not_once", "events_with_gaps")]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--gap", type=float, default=GAP_S, help="mean seconds between two kills")
    parser.add_argument("--var", type=Path, default=ROOT / "var" / "random-kills")
    given = parser.parse_args()
    var = given.var.resolve()
    os.environ |= {
        "ROOTSTOCK_VAR": str(var), "DJANGO_SETTINGS_MODULE": "rootstock.settings", "ROOTSTOCK_JOB_LEASE_S": LEASE_S,
        "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}", "ROOTSTOCK_JOBS_QUEUED": QUEUED,
    }  # fmt: skip
    for name in ("DATABASE_URL", "DATABASE_ADMIN_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    var.mkdir(parents=True, exist_ok=True)
    (var / "accepted").unlink(missing_ok=True)
    shutil.rmtree(var / "log", ignore_errors=True)
    metrics = run(given.kills, given.seed, given.gap, var)
    report("random_kills", metrics, [Bar("kills", ">=", given.kills), *BARS])


if __name__ == "__main__":
    main()
