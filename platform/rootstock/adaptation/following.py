"""A training followed from a terminal: one line that moves, and a line for what should stay to be read."""

import sys
from collections.abc import Iterator
from typing import TextIO

from rootstock.adaptation.openai.telling import event_told
from rootstock.console import formats
from rootstock.jobs.events import Progress
from rootstock.jobs.feed import feed
from rootstock.jobs.models import Job, JobEvent

_LOOK_S = 1.0


def progress_line(progress: Progress) -> str:
    """How far it is."""
    if progress.state == "queued":
        return "waits for the trainer"
    parts = [f"step {progress.done:,} of {progress.total:,}" if progress.total else "starting"]
    if progress.message:
        parts.append(progress.message)
    if progress.eta_s is not None:
        parts.append(f"about {formats.span(progress.eta_s)} left")
    return " · ".join(parts)


def followed(job: Job, out: TextIO = sys.stdout) -> None:
    """Watch it to its end. On no terminal only what stays is written."""
    moves = out.isatty()
    width = 0
    for progress, events in _news(job):
        for event in events:
            if event.type not in ("step", "done"):
                out.write(f"{' ' * width}\r" if moves else "")
                out.write(f"{event_told(event)['message']}\n")
        if moves:
            line = progress_line(progress)
            out.write(f"{line.ljust(width)}\r")
            width = len(line)
        out.flush()
    out.write("\n" if moves else "")


def _news(job: Job) -> Iterator[tuple[Progress, list[JobEvent]]]:
    with feed.watch(organisation=job.organisation_id, job_id=job.pk) as watcher:
        while True:
            news = watcher.take(_LOOK_S)
            if news is None:
                continue
            yield news.progress, news.events
            if news.final:
                return
