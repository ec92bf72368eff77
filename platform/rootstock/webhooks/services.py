"""Writes on webhooks. Everybody else needs `event_emit`, in the transaction of a change."""

from rootstock.webhooks.endpoints import (
    delivery_replay,
    endpoint_create,
    endpoint_delete,
    endpoint_disable,
    endpoint_enable,
    endpoint_rotate,
    endpoint_test,
    endpoint_update,
    failed_replay,
)
from rootstock.webhooks.outbox import event_emit, events_emit

__all__ = [
    "delivery_replay",
    "endpoint_create",
    "endpoint_delete",
    "endpoint_disable",
    "endpoint_enable",
    "endpoint_rotate",
    "endpoint_test",
    "endpoint_update",
    "event_emit",
    "events_emit",
    "failed_replay",
]
