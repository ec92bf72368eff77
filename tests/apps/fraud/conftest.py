"""A bank with a real scoring lane: the worker's runtime, in this process."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

BASE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def body(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A payment as it is sent."""
    given = {
        "external_id": f"p-{number}",
        "payer": "GB29-0001",
        "payee": "DE89-0001",
        "amount": "12.50",
        "currency": "EUR",
        "channel": "card",
        "occurred_at": (BASE + timedelta(minutes=number)).isoformat(),
    }
    return {**given, **changes}


def ring(length: int, name: str = "R", amount: float = 1000.0) -> list[dict[str, Any]]:
    """The bodies of a circle of payments, each an hour after the one before it and a tenth smaller."""
    return [
        body(
            n,
            external_id=f"{name}-{n}",
            payer=f"{name}-ACC-{n}",
            payee=f"{name}-ACC-{(n + 1) % length}",
            amount=f"{amount * 0.9**n:.2f}",
            channel="instant",
            occurred_at=(BASE + timedelta(minutes=1 + n * 60)).isoformat(),
        )
        for n in range(length)
    ]


@pytest.fixture(scope="module")
def runtime(services: None) -> Iterator[Any]:
    """The lanes of the group `score`, served by this process."""
    from workers.runtime import Runtime

    running = Runtime(f"test-{os.getpid()}", ["score"])
    running.start()
    yield running
    running.stop()


@pytest.fixture
def bank(committed_world: Any) -> Any:
    """A committed world: the lane's own connection sees its rows."""
    return committed_world


@pytest.fixture
def api(bank: Any) -> Any:
    """A client that may do everything in fraud."""
    return bank.api("fraud:read", "fraud:write", "jobs:read")
