"""The course of the demo."""

from collections.abc import Callable
from functools import partial
from importlib import import_module

import httpx
from django.conf import settings
from django.utils.module_loading import import_string

from rootstock.demo import adaptation, promotion
from rootstock.demo.client import DemoClient, DemoFailure
from rootstock.demo.seed import Seeded
from rootstock.demo.show import Row, Show


def play(url: str, seeded: Seeded, show: Show) -> list[Row]:
    """Every vertical's part, then the adaptation. A part that fails is a row that is not ok; the others still run."""
    rows: list[Row] = []
    for name, vertical in settings.VERTICALS.items():
        with DemoClient(url, seeded.tokens[name]) as api:
            rows += _part(vertical.label, import_string(vertical.demo), api, show)
    with DemoClient(url, seeded.tokens["support"]) as api, DemoClient(url, seeded.tokens["agrees"]) as second:
        rows += _part("Adaptation", partial(_adapt, second), api, show)
    return rows


def _part(label: str, run: Callable[[DemoClient, Show], list[Row]], api: DemoClient, show: Show) -> list[Row]:
    show.heading(label)
    try:
        return run(api, show)
    except (DemoFailure, httpx.HTTPError) as error:
        reason = str(error) or type(error).__name__
        show.failure(reason)
        return [Row(label, 0, None, None, reason, ok=False)]


def _adapt(second: DemoClient, api: DemoClient, show: Show) -> list[Row]:
    """`second` is another person's: nobody promotes alone."""
    desk = import_module(settings.DEMO_ADAPTATION)
    reference, row = adaptation.train(api, show, desk.dataset(), desk.TRAINING)
    rows = [row, *desk.play_adapted(api, show, reference)]
    return rows + promotion.serve(api, second, show, reference, desk.frozen())
