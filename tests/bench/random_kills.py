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
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import UUID

ROOT = Path(__file__).resolve().parents[2]
if __name__ in ("__main__", "__mp_main__"):
    sys.path[0:0] = [str(ROOT / "platform"), str(ROOT)]

import psutil  # noqa: E402

from tests.bench.report import Bar, report  # noqa: E402

KILLS, SEED, GAP_S = 500, 1, 0.7
LEASE_S = "2"
DRAIN_S = 120.0
SUBMIT_GAP_S = 0.2
QUEUED = "10"  # of an organisation: the workers are always busy, and the rest is soon done at the end
TARGETS = {
    "worker": 34, "pool child": 12, "submitter": 16, "beat": 12, "postgres backend": 10, "valkey": 8,
    "valkey emptied": 4, "postmaster": 4,
}  # fmt: skip


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


@dataclass
class Role:
    """One process to be: how it is started, and what runs."""

    name: str
    target: Callable[..., None]
    arguments: tuple[Any, ...]
    process: BaseProcess | None = None


@dataclass
class Site:
    """The processes beside the embedded services."""

    var: Path
    roles: list[Role]
    organisations: list[UUID]
    context: Any
    killed: Counter[str] = field(default_factory=Counter)
    orphans: list[tuple[float, psutil.Process]] = field(default_factory=list)
    leaving: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start what does not run."""
        for role in self.roles:
            if role.process is None or not role.process.is_alive():
                role.process = self.context.Process(
                    target=role.target, args=(str(self.var / "log" / role.name), *role.arguments)
                )
                role.process.start()

    def mend(self) -> None:
        """Until the end: start services that were killed, and end the children of killed workers after a while."""
        from rootstock import embedded

        while not self.leaving.wait(0.2):
            try:
                embedded.heal(self.var)
            except (embedded.EmbeddedError, OSError) as error:
                print(f"heal: {error}", file=sys.stderr)
            now = time.monotonic()
            for due, orphan in self.orphans:
                if now >= due:
                    _kill(orphan)
            self.orphans = [(due, orphan) for due, orphan in self.orphans if now < due]

    def stop(self) -> None:
        """End everything that was started here."""
        self.leaving.set()
        for role in self.roles:
            if role.process is not None and role.process.pid is not None:
                for child in _children(role.process.pid):
                    _kill(child)
                role.process.kill()
                role.process.join()
        for _, orphan in self.orphans:
            _kill(orphan)

    def kill(self, what: str, fate: random.Random) -> bool:
        """One kill; False when there is nothing of that sort just now."""
        found = _SEARCH[what](self, fate)
        if found is None:
            return False
        if what == "valkey emptied":
            return _empty_valkey()
        if what == "worker":  # its pool's children live on for a while: they still own their jobs
            self.orphans += [(time.monotonic() + fate.uniform(0, 3), c) for c in _children(found.pid)]
        return _kill(found)


def _kill(process: psutil.Process) -> bool:
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _role(prefix: str) -> Callable[[Site, random.Random], psutil.Process | None]:
    def find(site: Site, fate: random.Random) -> psutil.Process | None:
        alive = [
            r.process for r in site.roles if r.name.startswith(prefix) and r.process and r.process.is_alive()
        ]
        return _process(fate.choice(alive).pid) if alive else None

    return find


def _process(pid: int | None) -> psutil.Process | None:
    try:
        return psutil.Process(pid) if pid else None
    except psutil.NoSuchProcess:
        return None


def _pool_child(site: Site, fate: random.Random) -> psutil.Process | None:
    children = [c for r in site.roles if r.process and r.process.pid for c in _children(r.process.pid)]
    return fate.choice(children) if children else None


def _server(name: str, backend: bool) -> Callable[[Site, random.Random], psutil.Process | None]:
    def find(site: Site, fate: random.Random) -> psutil.Process | None:
        from rootstock.embedded import postgres, valkey
        from rootstock.embedded.place import find_place

        place = find_place(site.var)
        found = (postgres._postmaster if name == "postgres" else valkey._server)(place)
        if found is None or not backend:
            return found
        backends = [c for c in _children(found.pid) if "rootstock_app" in " ".join(c.cmdline())]
        return fate.choice(backends) if backends else None

    return find


def _empty_valkey() -> bool:
    import redis

    from rootstock.lanes import wire

    try:
        with wire.connect() as valkey:
            valkey.flushall()
    except redis.RedisError:
        return False
    return True


_SEARCH: dict[str, Callable[[Site, random.Random], psutil.Process | None]] = {
    "worker": _role("worker"),
    "pool child": _pool_child,
    "submitter": _role("submitter"),
    "beat": _role("beat"),
    "postgres backend": _server("postgres", backend=True),
    "postmaster": _server("postgres", backend=False),
    "valkey": _server("valkey", backend=False),
    "valkey emptied": _server("valkey", backend=False),
}


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
        return _counted(var, site) | {
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
        what = fate.choices(names, weights)[0]
        if site.kill(what, fate):
            site.killed[what] += 1
        site.start()


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
    while time.monotonic() < until and not _patiently(lambda: any(j[1] == "succeeded" for j in _jobs(site))):
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
    return sum(state not in ("succeeded", "failed", "cancelled") for _, state, _, _ in _jobs(site))


def _jobs(site: Site) -> list[tuple[UUID, str, int, int]]:
    from rootstock.accounts.tenancy import tenant
    from rootstock.jobs.models import Job

    found: list[tuple[UUID, str, int, int]] = []
    for organisation in site.organisations:
        with tenant(organisation):
            found += Job.objects.values_list("pk", "state", "attempts", "last_event")
    return found


def _events(site: Site) -> dict[UUID, list[tuple[int, str, dict[str, Any]]]]:
    from rootstock.accounts.tenancy import tenant
    from rootstock.jobs.models import JobEvent

    found: dict[UUID, list[tuple[int, str, dict[str, Any]]]] = {}
    for organisation in site.organisations:
        with tenant(organisation):
            rows = JobEvent.objects.order_by("sequence").values_list("job", "sequence", "type", "data")
            for job, *event in rows:
                found.setdefault(job, []).append(tuple(event))
    return found


def _counted(var: Path, site: Site) -> dict[str, float]:
    from django.db import connection

    from tests.bench.kill_processes import STEPS

    with connection.cursor() as cursor:
        cursor.execute("SELECT job, step, count(*) FROM bench_ledger GROUP BY job, step")
        rows = {(job, step): count for job, step, count in cursor.fetchall()}
    jobs, events = {job: (state, attempts) for job, state, attempts, _ in _jobs(site)}, _events(site)
    succeeded = {job for job, (state, _) in jobs.items() if state == "succeeded"}
    accepted = {UUID(line) for line in (var / "accepted").read_text().split()}
    final = {"succeeded", "failed", "cancelled"}
    ended_once = [sum(type == "done" for _, type, _ in events.get(job, [])) == 1 for job in jobs]
    gapless = [[s for s, _, _ in found] == list(range(1, len(found) + 1)) for found in events.values()]
    return {
        "kills": site.killed.total(),
        **{f"kills_{what.replace(' ', '_')}": site.killed[what] for what in TARGETS},
        "jobs": len(jobs),
        "accepted": len(accepted),
        "succeeded": len(succeeded),
        "cancelled": sum(state == "cancelled" for state, _ in jobs.values()),
        "attempts": sum(attempts for _, attempts in jobs.values()),
        "attempts_cut_short": sum(
            data.get("code") == "worker_lost" for e in events.values() for _, _, data in e
        ),
        "attempts_most": max(attempts for _, attempts in jobs.values()),
        "lost": len(accepted - jobs.keys())
        + sum((job, step) not in rows for job in succeeded for step in range(STEPS + 1))
        + sum(state == "failed" for state, _ in jobs.values()),
        "doubled": sum(count - 1 for count in rows.values())
        + sum((job, STEPS) in rows for job in jobs.keys() - succeeded),
        "stuck": sum(state not in final for state, _ in jobs.values()),
        "ended_not_once": ended_once.count(False),
        "events_with_gaps": gapless.count(False),
    }


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
