"""How an endpoint keeps its effect from happening twice, where the usual way does not fit it.

Usual: effect and stored answer are one transaction. `claims_first` is for endpoints that wait, for a worker which must
see what was committed, or for a mail server, a storage, a name server, which must not hold up whoever waits for a lock:
the key is taken in a transaction of its own before, the answer stored in another after. One that may still fail when
its effect is committed says so by `effect_done`.
`repeatable` is `claims_first` for requests that name for good what they make: one that ended without an answer is done
again under its key, since what it had done is recognised.
`keeps_its_own` is for endpoints whose requests are recognised without a key, which then changes nothing.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from django.http import HttpRequest

F = TypeVar("F", bound=Callable[..., Any])
Way = Literal["atomic", "claims_first", "repeatable", "keeps_its_own"]
_MARK, _DONE = "idempotency_way", "idempotency_effect_done"


def claims_first(view: F) -> F:
    """The key is taken before the effect; a request that ended without an answer is never done again."""
    setattr(view, _MARK, "claims_first")
    return view


def repeatable(view: F) -> F:
    """The key is taken before the effect; a request that ended without an answer may be done again."""
    setattr(view, _MARK, "repeatable")
    return view


def keeps_its_own(view: F) -> F:
    """What is sent again is recognised without a key."""
    setattr(view, _MARK, "keeps_its_own")
    return view


def way_of(view: Callable[..., Any]) -> Way:
    """The way of an endpoint."""
    way: Way = getattr(view, _MARK, "atomic")
    return way


def effect_done(request: HttpRequest) -> None:
    """What was asked is committed: whatever the request is answered now, it is not done again under its key."""
    setattr(request, _DONE, True)


def is_effect_done(request: HttpRequest) -> bool:
    """Whether the endpoint has said so."""
    return getattr(request, _DONE, False)
