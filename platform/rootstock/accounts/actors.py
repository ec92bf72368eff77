"""Who acts: a person, an API key, an OAuth client, or the system on its own.

The edge (API authentication, pages, the job runner) says it once with `acting`; the audit trail reads it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Kind = Literal["person", "key", "client", "system"]


@dataclass(slots=True, frozen=True)
class Actor:
    """`id` is the person's, key's or client's primary key; of the system it is the part that acts ("retention")."""

    kind: Kind
    id: str


SYSTEM = Actor("system", "rootstock")
_current: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current_actor() -> Actor:
    """Who acts now."""
    return _current.get()


def act_as(actor: Actor) -> None:
    """From now on within this request; the edge forgets it when the request ends."""
    _current.set(actor)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Act as `actor` within the block."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)
