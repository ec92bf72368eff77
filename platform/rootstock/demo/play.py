"""The course of the demo."""

from importlib import import_module

from django.conf import settings
from django.utils.module_loading import import_string

from rootstock.demo import adaptation
from rootstock.demo.client import DemoClient
from rootstock.demo.seed import Seeded
from rootstock.demo.show import Row, Show


def play(url: str, seeded: Seeded, show: Show) -> list[Row]:
    """Every vertical's part, then the adaptation. Raises DemoFailure at the first thing that is not as it should be."""
    rows: list[Row] = []
    for name, vertical in settings.VERTICALS.items():
        show.heading(vertical.label)
        with DemoClient(url, seeded.tokens[name]) as api:
            rows += import_string(vertical.demo)(api, show)
    show.heading("Adaptation")
    with DemoClient(url, seeded.tokens["support"]) as api:
        part = import_module(settings.DEMO_ADAPTATION)
        reference, row = adaptation.train(api, show, part.dataset(), part.TRAINING)
        rows += [row, *part.play_adapted(api, show, reference)]
    return rows
