"""All the checks of one file, in order; the first that refuses ends them."""

import shutil
from pathlib import PurePath
from typing import BinaryIO, cast

from django.conf import settings

from rootstock.files.clamd import check_virus
from rootstock.files.looking import CPU_S, Outcome, Report, look
from rootstock.files.purposes import purpose_named
from rootstock.files.scanners import Refusal
from rootstock.files.uploads import incoming_file
from rootstock.limited import LimitBroken, ReaderLost, StopWith, told_by


def scan(
    stream: BinaryIO, *, name: str, purpose: str, size: int, stop_with: StopWith | None = None
) -> Report:
    """Look at a file. Raises Unavailable or ReaderLost when a check cannot be made now; it stays in quarantine then.

    What is larger than FILE_INLINE_BYTES is only looked at by a process with limits, which `stop_with` may end.
    """
    if size <= settings.FILE_INLINE_BYTES:
        report = look(stream, name, purpose_named(purpose).types)
        return _with_viruses(report, stream)
    with incoming_file() as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        report = _limited(cast(BinaryIO, copy), name, purpose, stop_with)
        return _with_viruses(report, cast(BinaryIO, copy))


def _limited(copy: BinaryIO, name: str, purpose: str, stop_with: StopWith | None) -> Report:
    arguments = PurePath(name).suffix, *sorted(purpose_named(purpose).types)
    try:
        told = list(
            told_by("rootstock.files.looking", *arguments, cpu_s=CPU_S, stdin=copy, stop_with=stop_with)
        )
    except LimitBroken as broken:
        report = Report()
        report.refused("limits", str(broken))
        return report
    if not told:
        raise ReaderLost("the process that checks files said nothing", retry_after=2)
    return Report.of(told[0])


def _with_viruses(report: Report, stream: BinaryIO) -> Report:
    if report.is_clean and settings.CLAMD:
        try:
            report.passed("viruses", check_virus(stream, settings.CLAMD))
        except Refusal as refusal:
            report.refused("viruses", str(refusal))
    elif report.is_clean:
        report.checks.append(Outcome("viruses", None, "not checked: no virus scanner is configured"))
    return report
