"""Endpoints, and real receivers for them."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rootstock.accounts.tenancy import tenant
from rootstock.webhooks.models import WebhookEndpoint
from rootstock.webhooks.signing import sealed, secret_new

RECEIVER = Path(__file__).parent / "receiver.py"


class Receiver:
    """A receiver process on a port of its own; it can be killed and come back."""

    def __init__(self, secret: str, certificate: str = "") -> None:
        self.secret, self.certificate = secret, certificate
        self.port = 0
        self.start()

    def start(self) -> None:
        command = [sys.executable, str(RECEIVER), self.secret, str(self.port)]
        self.process = subprocess.Popen(
            [*command, *([self.certificate] if self.certificate else [])], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def log(self) -> list[dict]:
        with urllib.request.urlopen(self.url("/log")) as answer:
            return json.load(answer)


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    """A receiver on this machine, which the operator has allowed."""
    settings.WEBHOOK_ALLOW = ("127.0.0.1",)
    settings.WEBHOOK_TIMEOUT_S = 1
    found = Receiver(secret_new())
    yield found
    found.kill()


@pytest.fixture
def endpoint_at(world):
    """Makes an endpoint of the world's organisation."""

    def make(url: str, secret: str = "", events: tuple[str, ...] = ("*",), **fields) -> WebhookEndpoint:
        with tenant(world.organisation):
            made = WebhookEndpoint(organisation=world.organisation, url=url, events=list(events), **fields)
            made.secret = sealed(made.pk, secret or secret_new())
            made.save()
        return made

    return make
