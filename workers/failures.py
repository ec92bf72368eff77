"""What a caller is told when the engine puts off what was asked of it."""

from rootstock.errors import Busy, DeadlineExceeded, DomainError
from workers.engine.protocol import EngineBusy, EngineTimeout


def put_off(problem: EngineBusy | EngineTimeout, late: str) -> DomainError:
    """The error of a call that found the queue full, or was not done in time, which is told as `late`."""
    if isinstance(problem, EngineTimeout):
        return DeadlineExceeded(late, retry_after=1)
    return Busy("the engine's queue is full", retry_after=2)
