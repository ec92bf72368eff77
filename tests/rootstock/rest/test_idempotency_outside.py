"""Under an Idempotency-Key nobody's locks are held while something outside is waited for."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction

from rootstock.accounts.models import Organisation
from rootstock.accounts.roles import ROLE_SCOPES
from rootstock.accounts.tenancy import tenant
from rootstock.files.models import StoredFile

KEY = {"idempotency-key": "k-1"}


@contextmanager
def outside(look: Callable[[], object]) -> Iterator[tuple[int, list[object]]]:
    """A server that looks into the database when it is called, and hangs up: its port, and what it saw."""
    seen: list[object] = []

    def serve() -> None:
        while True:
            try:
                caller, _ = server.accept()
            except OSError:
                return
            with caller, transaction.atomic():
                try:
                    seen.append(look())
                except Exception as error:
                    seen.append(error)
                    transaction.set_rollback(True)
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], seen
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_while_an_invitation_is_mailed(committed_world, settings) -> None:
    world = committed_world
    api = world.api(*sorted(ROLE_SCOPES["administrator"]))
    body = {"email": "nia@example.org", "role": "auditor"}

    def look() -> object:
        rows = Organisation.objects.select_for_update(nowait=True)
        return rows.get(pk=world.organisation.pk).pk

    with outside(look) as (port, seen):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        settings.EMAIL_TIMEOUT, settings.MAIL_CONFIGURED = 20, True
        made = api.post("/invitations", body, **KEY)
        again = api.post(f"/invitations/{made.json()['id']}/renew", {}, **{"idempotency-key": "k-2"})
    assert (made.status_code, made.json()["sent"], again.status_code) == (201, False, 201)
    assert seen == [world.organisation.pk] * 2
    assert api.post("/invitations", body, **KEY)["Idempotent-Replayed"] == "true"


def test_while_an_upload_is_scanned(committed_world, settings) -> None:
    world = committed_world
    api = world.api("files:read", "files:write")

    def look() -> object:
        with tenant(world.organisation) as owner, connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"files {owner}"])
            return cursor.fetchone()[0], StoredFile.objects.count()

    with outside(look) as (port, seen):
        settings.CLAMD = f"127.0.0.1:{port}"
        file = SimpleUploadedFile("a.csv", b"name,amount\nkestrel,3\n")
        made = api._client.post("/api/v1/files", {"purpose": "import", "file": file}, headers=KEY)
    assert (made.status_code, made.json()["state"]) == (201, "quarantined")
    assert seen[0] == (True, 1)
