"""Who may see a job and who may act on it: `jobs:*` opens the area, the scope of the job's kind opens the job."""

from typing import TypeVar

from django.conf import settings
from django.db.models import Model, QuerySet

from rootstock.errors import Forbidden
from rootstock.jobs.retry import kind_of

Scopes = frozenset[str]
M = TypeVar("M", bound=Model)


def _reading(kind: str) -> str:
    """The scope that reads what such a job works on."""
    return f"{kind_of(kind).scope.partition(':')[0]}:read"


def may_see(scopes: Scopes, kind: str) -> bool:
    """Its state, events, result and files: for who may read what it works on, or start such a job."""
    return not scopes.isdisjoint({_reading(kind), kind_of(kind).scope})


def may_act(scopes: Scopes, kind: str) -> bool:
    """Start, cancel or repeat one."""
    return kind_of(kind).scope in scopes


def require_see(scopes: Scopes, kind: str) -> None:
    """Raise Forbidden unless a job of this kind may be seen."""
    if not may_see(scopes, kind):
        raise Forbidden(f"seeing this kind of job needs the scope {_reading(kind)}")


def require_act(scopes: Scopes, kind: str) -> None:
    """Raise Forbidden unless a job of this kind may be started and stopped."""
    if not may_act(scopes, kind):
        raise Forbidden(f"acting on this kind of job needs the scope {kind_of(kind).scope}")


def kinds_seen(scopes: Scopes) -> list[str]:
    """The kinds whose jobs may be seen."""
    return [kind for kind in settings.JOB_KINDS if may_see(scopes, kind)]


def seen(rows: QuerySet[M], scopes: Scopes) -> QuerySet[M]:
    """The jobs or schedules that may be seen. Those of a kind that is gone are for who may see every kind."""
    kinds = kinds_seen(scopes)
    return rows if len(kinds) == len(settings.JOB_KINDS) else rows.filter(kind__in=kinds)
