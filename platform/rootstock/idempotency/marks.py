"""How an endpoint keeps its effect from happening twice, where the usual way does not fit it.

Usual: effect and stored answer are one transaction. `claims_first` is for endpoints that wait for a worker, which must
see what was committed: the key is taken in a transaction of its own before, the answer stored in another after.
`keeps_its_own` is for endpoints whose requests name for good what they make: a key adds nothing.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
Way = Literal["atomic", "claims_first", "keeps_its_own"]
_MARK = "idempotency_way"


def claims_first(view: F) -> F:
    """The key is taken before the effect; a request that ended without an answer is never done again."""
    setattr(view, _MARK, "claims_first")
    return view


def keeps_its_own(view: F) -> F:
    """What is sent again is recognised without a key."""
    setattr(view, _MARK, "keeps_its_own")
    return view


def way_of(view: Callable[..., Any]) -> Way:
    """The way of an endpoint."""
    way: Way = getattr(view, _MARK, "atomic")
    return way
