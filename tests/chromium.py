"""The Chromium of the browser tests: `find()` one that is there, or, run as a script, install one.

Run by `make test`. It never fails: without a browser the browser tests are skipped, and say why.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REASON = ROOT / "var" / "chromium-missing.txt"
PACKAGE = "chromium-headless-shell"  # without windows and extensions: an eighth less processor time
NAMES = (PACKAGE, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLAYWRIGHT = ("chromium-*/chrome-linux*/chrome", "chromium_headless_shell-*/chrome-*/*headless*shell")
APT_MINUTES = 10


def find() -> str | None:
    """The path of a Chromium that starts: one of the system, else Playwright's own."""
    installed = [path for name in NAMES if (path := shutil.which(name))]
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache" / "ms-playwright"))
    downloaded = [str(path) for pattern in PLAYWRIGHT for path in sorted(cache.glob(pattern), reverse=True)]
    return next((path for path in installed + downloaded if _starts(path)), None)


def why_missing() -> str:
    """Why there is none, for the skipped tests."""
    return REASON.read_text() if REASON.exists() else "no Chromium found: `make test` installs one"


def main() -> None:
    """Find one, else install one, else say why not."""
    if found := find():
        print(f"browser tests use {found}")
        return
    problems = [problem for install in (_by_apt, _by_playwright) if not find() and (problem := install())]
    if found := find():
        print(f"browser tests use {found}")
        return
    REASON.parent.mkdir(parents=True, exist_ok=True)
    REASON.write_text("no Chromium could be installed: " + "; ".join(problems or ["it does not start"]))
    print(f"BROWSER TESTS WILL BE SKIPPED: {REASON.read_text()}")


def _starts(path: str) -> bool:
    """A package may be there whose program does not run, such as a snap's stand-in within a container."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _by_apt() -> str:
    """Debian's package, when this user may install it without being asked; returns what went wrong, or ""."""
    if not shutil.which("apt-get"):
        return "no apt-get"
    sudo = [] if os.getuid() == 0 else ["sudo", "-n"]
    if sudo and (not shutil.which("sudo") or _run([*sudo, "true"])):
        return "apt-get needs root or sudo without a password"
    print(f"installing Debian's {PACKAGE} for the browser tests")
    _run([*sudo, "apt-get", "update", "-q"])
    return _run([*sudo, "apt-get", "install", "-q", "-y", "--no-install-recommends", PACKAGE])


def _by_playwright() -> str:
    print("downloading Playwright's Chromium for the browser tests")
    return _run([sys.executable, "-m", "playwright", "install", "chromium"])


def _run(command: Sequence[str]) -> str:
    """Run to the end; returns "" or the last line of what it said."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60 * APT_MINUTES, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    said = (done.stderr or done.stdout).strip().splitlines()
    return f"{' '.join(command[:3])}: {said[-1] if said else done.returncode}" if done.returncode else ""


if __name__ == "__main__":
    main()
