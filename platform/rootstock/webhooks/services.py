"""Writes on webhooks, for everybody else: `event_emit` in the transaction of a change."""

from rootstock.webhooks.outbox import event_emit, events_emit

__all__ = ["event_emit", "events_emit"]
