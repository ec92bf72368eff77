"""The servers' log files."""

from pathlib import Path

LARGEST = 10 * 2**20


def rotate(log: Path) -> None:
    """Keep one earlier log beside the current one."""
    if log.exists() and log.stat().st_size > LARGEST:
        log.replace(log.with_suffix(".log.1"))


def last_line(source: Path | str) -> str:
    """The last line that says something."""
    try:
        text = source if isinstance(source, str) else source.read_text(errors="replace")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
