"""Figures of the running platform: for Prometheus at /metrics, and of the last minutes for the console."""

from rootstock.metrics.recent import Recent, recent

__all__ = ["Recent", "recent"]
