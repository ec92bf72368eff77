"""Persons, keys and clients by name, where rows keep them as `kind:id`."""

from collections.abc import Iterable
from uuid import UUID

from rootstock.accounts.models import Organisation
from rootstock.audit.words import actor_names


class Names:
    """Persons by name, keys and clients with whoever made them; all asked for at once."""

    def __init__(self, organisation: Organisation | UUID, stored: Iterable[str]) -> None:
        self._known = actor_names(organisation, {self._who(name) for name in stored if name}, makers=True)

    def of(self, stored: str) -> str:
        """The name; empty for nobody."""
        return self._known.get(self._who(stored), "") if stored else ""

    @staticmethod
    def _who(stored: str) -> tuple[str, str]:
        kind, _, id = stored.partition(":")
        return kind, id
