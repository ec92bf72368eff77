"""What the database says after the kills of `random_kills.py`."""

from pathlib import Path
from typing import Any
from uuid import UUID

from tests.bench.kill_site import TARGETS, Site


def jobs_of(site: Site) -> list[tuple[UUID, str, int, int]]:
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


def counted(var: Path, site: Site) -> dict[str, float]:
    from django.db import connection

    from tests.bench.kill_processes import STEPS

    with connection.cursor() as cursor:
        cursor.execute("SELECT job, step, count(*) FROM bench_ledger GROUP BY job, step")
        rows = {(job, step): count for job, step, count in cursor.fetchall()}
    jobs, events = {job: (state, attempts) for job, state, attempts, _ in jobs_of(site)}, _events(site)
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
