"""The witness outside: told of each root, and no reason for a root to fail."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.utils import timezone

from rootstock.accounts.tenancy import tenant
from rootstock.audit.models import WitnessState
from rootstock.audit.roots import roots_write
from rootstock.audit.services import audit_record
from rootstock.audit.witness import organisations_owing, own_witness, witness_catch_up, witness_tell


@pytest.fixture
def listener() -> Iterator[tuple[str, list[dict]]]:
    """An address that keeps what it is told."""
    told: list[dict] = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", told
    server.shutdown()
    server.server_close()


def seal(organisation):
    audit_record(organisation=organisation, action="thing.made", object_type="thing")
    [root] = roots_write(organisation=organisation)
    return root


def test_it_works(committed_world, settings, tmp_path: Path) -> None:
    settings.AUDIT_WITNESS = str(tmp_path / "roots.log")
    roots = [seal(committed_world.organisation) for _ in range(2)]
    seal(committed_world.other)
    told = own_witness(str(committed_world.organisation.pk))
    assert told == {root.sequence: bytes(root.hash).hex() for root in roots}


def test_an_address_is_told(committed_world, settings, listener) -> None:
    settings.AUDIT_WITNESS, told = listener
    root = seal(committed_world.organisation)
    assert [one["hash"] for one in told] == [bytes(root.hash).hex()]
    assert own_witness(str(committed_world.organisation.pk)) == {}


def test_the_log_is_told(committed_world, settings, caplog) -> None:
    settings.AUDIT_WITNESS = "log"
    root = seal(committed_world.organisation)
    assert bytes(root.hash).hex() in caplog.text


@pytest.mark.parametrize("where", ["http://127.0.0.1:9/", "/nowhere/at/all.log"])
def test_a_witness_that_is_away_stops_nothing(committed_world, settings, caplog, where: str) -> None:
    settings.AUDIT_WITNESS = where
    first = seal(committed_world.organisation)
    assert "was not told" in caplog.text
    assert seal(committed_world.organisation).sequence == first.sequence + 1


def make_due(organisation) -> None:
    with tenant(organisation):
        WitnessState.objects.update(due_at=timezone.now())


def test_a_witness_that_was_away_is_told_what_it_missed(committed_world, settings, listener) -> None:
    organisation, (address, told) = committed_world.organisation, listener
    settings.AUDIT_WITNESS = "http://127.0.0.1:9/"
    roots = [seal(organisation) for _ in range(2)]
    api = committed_world.api("audit:read")
    state = api.get("/audit/chain").json()["witness"]
    assert (state["told"], state["untold"], state["failures"], state["error"]) == (0, 2, 1, "ConnectError")
    assert organisation.pk not in organisations_owing(), "it is left in peace for a while"
    page = committed_world.browser(committed_world.owner)
    assert b"The witness does not answer." in page.get("/audit/chain/").content
    make_due(organisation)
    witness_tell(organisation.pk)
    assert api.get("/audit/chain").json()["witness"]["failures"] == 2
    settings.AUDIT_WITNESS = address
    make_due(organisation)
    assert organisation.pk in organisations_owing()
    witness_catch_up()
    mine = [one["sequence"] for one in told if one["organisation"] == str(organisation.pk)]
    assert mine == list(range(1, roots[-1].sequence + 1))[-len(mine) :]
    assert mine[-2:] == [root.sequence for root in roots], "in their order"
    state = api.get("/audit/chain").json()["witness"]
    assert (state["untold"], state["failures"], state["error"], state["next_try_at"]) == (0, 0, "", None)
    assert b"The witness does not answer." not in page.get("/audit/chain/").content
    witness_catch_up()
    assert len([one for one in told if one["organisation"] == str(organisation.pk)]) == len(mine), "once"


def test_the_pause_doubles_up_to_an_hour(committed_world, settings) -> None:
    settings.AUDIT_WITNESS = "http://127.0.0.1:9/"
    seal(committed_world.organisation)
    for failures, pause in ((2, 10), (3, 20), (20, 3600)):
        with tenant(committed_world.organisation):
            WitnessState.objects.update(failures=failures - 1, due_at=timezone.now())
        before = timezone.now()
        witness_tell(committed_world.organisation.pk)
        with tenant(committed_world.organisation):
            state = WitnessState.objects.get()
        assert state.failures == failures
        assert before + timedelta(seconds=pause) <= state.due_at <= timezone.now() + timedelta(seconds=pause)


def test_lines_that_are_none_are_passed_over(committed_world, settings, tmp_path: Path) -> None:
    path = tmp_path / "roots.log"
    settings.AUDIT_WITNESS = str(path)
    organisation = str(committed_world.organisation.pk)
    junk = ["", "hello", '{"organisation":', f'{{"organisation":"{organisation}"}}', '{"organisation":1}x']
    path.write_text("\n".join(junk) + "\n")
    assert own_witness(organisation) == {}
