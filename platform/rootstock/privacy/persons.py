"""Who stands behind an actor: the four eyes must belong to two people, whatever they act by."""

from rootstock.accounts.actors import Actor, current_actor
from rootstock.accounts.models import ApiKey, MachineClient
from rootstock.errors import Forbidden


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


def check_two_persons(first: str, confirming: str) -> None:
    """The person who asked, and the actor who confirms.

    Raise Forbidden unless two people, both known, stand behind the two. Call it inside `tenant()`."""
    second = person_behind(confirming)
    if _is_machine(second):
        raise Forbidden("nobody is known to stand behind this key or client: a person has to confirm it")
    if _is_machine(first):
        raise Forbidden(
            "nobody is known to stand behind the key or client that asked for it: ask for it anew"
        )
    if first == second:
        raise Forbidden("a second person has to confirm it: you asked for it yourself")


def _is_machine(name: str) -> bool:
    return name.startswith(("key:", "client:"))
