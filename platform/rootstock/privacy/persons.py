"""Who stands behind an actor: the four eyes must belong to two people, whatever they act by."""

from rootstock.accounts.actors import Actor, current_actor
from rootstock.accounts.models import ApiKey, MachineClient


def name_of(actor: Actor | None = None) -> str:
    """The actor as stored: kind and id."""
    who = actor or current_actor()
    return f"{who.kind}:{who.id}"


def person_behind(name: str) -> str:
    """The person who made the key or client, else the actor itself. Call it inside `tenant()`."""
    kind, _, id = name.partition(":")
    if kind == "key":
        maker = ApiKey.objects.filter(pk=id).values_list("created_by_id", flat=True).first()
    elif kind == "client":
        maker = MachineClient.objects.filter(pk=id).values_list("created_by_id", flat=True).first()
    else:
        return name
    return f"person:{maker}" if maker else name
