"""The demo: plays the part of a bank's, a hospital's and a support desk's systems through the public REST API.

A vertical's part is its `demo.py` with `play(api, show) -> list[Row]`, named in settings.VERTICALS.
"""

from rootstock.demo.client import DemoClient, DemoFailure
from rootstock.demo.show import Row, Show, Timings

__all__ = ["DemoClient", "DemoFailure", "Row", "Show", "Timings"]
