"""PostgreSQL 18 (with pgvector) and Valkey 9 from Python wheels, for a machine that has neither.

`urls()` only computes where they listen; `ensure()` starts what does not run yet and keeps it running as
long as any process that called it lives; `heal()` starts again what was killed. A keeper process stops the
servers when the last user is gone, however it ended: callers hold a shared file lock, which the kernel drops
even after `kill -9`.

Everything listens on unix sockets in a private folder named after `var`, so two checkouts never meet.
"""

from dataclasses import dataclass
from pathlib import Path

from rootstock.embedded.errors import EmbeddedError
from rootstock.embedded.place import run_folder

__all__ = ["EmbeddedError", "Services", "ensure", "heal", "stop", "urls"]


@dataclass(slots=True, frozen=True)
class Services:
    """Where the embedded services listen."""

    database_url: str
    database_admin_url: str
    redis_url: str


def urls(var: Path) -> Services:
    """The addresses of the services under `var`, whether they run or not."""
    run = run_folder(var)
    return Services(
        database_url=f"postgresql://rootstock_app@/rootstock?host={run}",
        database_admin_url=f"postgresql://rootstock@/rootstock?host={run}",
        redis_url=f"unix://{run}/valkey.sock?db=0",
    )


def ensure(var: Path) -> Services:
    """Start the services under `var` or join the running ones, until as many calls of `stop`.

    Raises EmbeddedError with a plain reason.
    """
    from rootstock.embedded import lifetime

    lifetime.join(var)
    return urls(var)


def heal(var: Path) -> list[str]:
    """Start again what has died under a user of `var`, and name it. Cheap when nothing has; raises EmbeddedError."""
    from rootstock.embedded import lifetime

    return lifetime.heal(var)


def stop(var: Path) -> None:
    """Give up one use of the services; the last user stops them."""
    from rootstock.embedded import lifetime

    lifetime.leave(var)
