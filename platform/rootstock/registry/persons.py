"""Persons, keys, clients and schedules by name, where rows keep them as `kind:id`."""

from collections.abc import Iterable
from uuid import UUID

from rootstock.accounts.models import Organisation
from rootstock.accounts.tenancy import tenant
from rootstock.audit.words import Who, actor_names
from rootstock.jobs.models import JobSchedule

SCHEDULE = "schedule"


class Names:
    """Persons by name; keys, clients and schedules with whoever made them. All are asked for at once."""

    def __init__(self, organisation: Organisation | UUID, stored: Iterable[str]) -> None:
        wanted = {_who(name) for name in stored if name}
        schedules = _schedules(organisation, {id for kind, id in wanted if kind == SCHEDULE})
        actors = {who for who in wanted if who[0] != SCHEDULE}
        actors |= {("person", str(one.created_by_id)) for one in schedules if one.created_by_id}
        self._known = actor_names(organisation, actors, makers=True)
        for one in schedules:
            maker = self._known.get(("person", str(one.created_by_id)))
            self._known[SCHEDULE, str(one.pk)] = f"Schedule {one.name}" + (
                f", made by {maker}" if maker else ""
            )

    def of(self, stored: str) -> str:
        """The name; empty for nobody."""
        if not stored:
            return ""
        kind, _ = who = _who(stored)
        return self._known.get(who, "A deleted schedule" if kind == SCHEDULE else "")


def _who(stored: str) -> Who:
    kind, _, id = stored.partition(":")
    return kind, id


def _schedules(organisation: Organisation | UUID, ids: set[str]) -> list[JobSchedule]:
    if not ids:
        return []
    with tenant(organisation):
        return list(JobSchedule.objects.filter(pk__in=ids))
