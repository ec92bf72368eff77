"""Files that come in pieces: the protocol, what is refused, and what stays after a broken connection."""

import hashlib
import io
import threading
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from rootstock.accounts.tenancy import tenant
from rootstock.files import pieces, sweeping
from rootstock.files.models import FileUpload, StoredFile
from tests.rootstock.files.test_api import actions, contents
from tests.rootstock.files.tus import AT, CSV, Tus

pytestmark = pytest.mark.everybody


@pytest.fixture
def tus(world) -> Tus:
    return Tus(world.key("files:read", "files:write"))


def incoming(settings) -> list[bytes]:
    folder = Path(settings.FILE_INCOMING_DIR)
    return contents(folder) if folder.exists() else []


def field_of(answer) -> str:
    return answer.json()["errors"][0]["field"]


def test_it_works(world, tus, stored, settings) -> None:
    at = tus.begin(name="../../Q3 report.csv")
    assert tus.offset(at) == 0
    first = tus.piece(at, 0, CSV[:100])
    assert (first.status_code, first["Upload-Offset"], first["Tus-Resumable"]) == (204, "100", "1.0.0")
    assert "GMT" in first["Upload-Expires"]
    last = tus.piece(at, 100, CSV[100:])
    assert last.status_code == 204
    api = world.api("files:read")
    file = api.get(f"/files/{last['X-Rootstock-File']}").json()
    assert (file["state"], file["name"], file["bytes"]) == ("clean", "Q3 report.csv", len(CSV))
    assert file["sha256"] == hashlib.sha256(CSV).hexdigest()
    [listed] = api.get("/files/uploads").json()["items"]
    assert (listed["file_id"], listed["offset"]) == (file["id"], len(CSV))
    assert tus.offset(at) == len(CSV)
    assert incoming(settings) == []
    assert contents(stored) == [CSV]
    assert actions(world) == ["uploaded"]


def test_what_is_spoken_is_told(tus) -> None:
    answer = tus.ask("OPTIONS", AT, Tus_Resumable="")
    assert (answer.status_code, answer["Tus-Version"]) == (204, "1.0.0")
    assert "creation" in answer["Tus-Extension"]
    assert int(answer["Tus-Max-Size"]) == 512 * 2**20


def test_the_same_content_is_the_same_file(world, tus) -> None:
    known = world.api("files:write").upload("/files", purpose="import", file=SimpleUploadedFile("b.csv", CSV))
    assert tus.piece(tus.begin(), 0, CSV)["X-Rootstock-File"] == known.json()["id"]


@pytest.mark.parametrize(
    ("headers", "status", "field"),
    [
        ({"Tus_Resumable": ""}, 422, "Tus-Resumable"),
        ({"Tus_Resumable": "0.2.2"}, 412, None),
        ({"Upload_Length": ""}, 422, "Upload-Length"),
        ({"Upload_Length": "many"}, 422, "Upload-Length"),
        ({"Upload_Length": "-1"}, 422, "Upload-Length"),
        ({"Upload_Length": "0"}, 422, "Upload-Length"),
        ({"Upload_Length": str(600 * 2**20)}, 413, "file"),
        ({"Upload_Length": "", "Upload_Defer_Length": "1"}, 422, "Upload-Defer-Length"),
        ({"Upload_Metadata": ""}, 422, "Upload-Metadata"),
        ({"Upload_Metadata": "purpose ???"}, 422, "Upload-Metadata"),
        ({"Upload_Metadata": "purpose cGFydHk="}, 422, "purpose"),
        ({"Upload_Metadata": "purpose aW1wb3J0,subject_id YQ=="}, 422, "Upload-Metadata"),
        ({"Upload_Metadata": "purpose aW1wb3J0,filename AA=="}, 422, "Upload-Metadata"),
    ],
)
def test_a_bad_beginning_names_its_header(tus, headers, status, field) -> None:
    answer = tus.create(**headers)
    assert answer.status_code == status, answer.content
    assert answer["Tus-Resumable"] == "1.0.0"
    if field:
        assert field_of(answer) == field


@pytest.mark.parametrize(
    ("given", "status", "field"),
    [
        ({"Upload_Offset": "5"}, 409, "Upload-Offset"),
        ({"Upload_Offset": ""}, 422, "Upload-Offset"),
        ({"Upload_Offset": "x"}, 422, "Upload-Offset"),
        ({"type": "text/csv"}, 415, "Content-Type"),
        ({"body": CSV + b"more"}, 413, "Content-Length"),
        ({"Upload_Checksum": "md5 abc"}, 422, "Upload-Checksum"),
        ({"Upload_Checksum": "sha256 YWJj"}, 422, "Upload-Checksum"),
    ],
)
def test_a_bad_piece_names_its_header(tus, settings, given, status, field) -> None:
    at = tus.begin()
    answer = tus.piece(at, **{"offset": 0, "body": CSV[:10]} | given)
    assert answer.status_code == status, answer.content
    assert field_of(answer) == field
    assert tus.offset(at) == 0
    assert incoming(settings) in ([], [b""])


def test_a_piece_is_kept_with_the_right_checksum_alone(tus) -> None:
    at = tus.begin()

    def named(body: bytes) -> str:
        return f"sha256 {b64encode(hashlib.sha256(body).digest()).decode()}"

    assert tus.piece(at, 0, CSV[:99], Upload_Checksum=named(b"other")).status_code == 460
    assert tus.offset(at) == 0
    assert tus.piece(at, 0, CSV[:99], Upload_Checksum=named(CSV[:99])).status_code == 204
    assert tus.offset(at) == 99


class BrokenOff(io.BytesIO):
    """A caller who goes away after 500 bytes: by an end, or by an error."""

    def __init__(self, content: bytes, error: bool) -> None:
        super().__init__(content)
        self.error = error

    def read(self, size: int | None = -1) -> bytes:
        left = 500 - self.tell()
        if left <= 0 and self.error:
            raise OSError("the client has gone")
        return super().read(min(200, left))


@pytest.mark.parametrize("error", [True, False])
def test_what_came_before_a_broken_connection_stays(tus, error) -> None:
    at = tus.begin()
    extra = {"wsgi.input": BrokenOff(CSV, error), "CONTENT_LENGTH": str(len(CSV))}
    answer = tus.piece(at, 0, b"", extra=extra)
    assert (answer.status_code, answer.json()["detail"]) == (400, "body: ended in the middle")
    there = tus.offset(at)
    assert 400 <= there <= 500
    assert tus.piece(at, there, CSV[there:]).status_code == 204


def test_permissions_and_other_tenants(world, tus) -> None:
    at = tus.begin()
    assert Tus(world.key("files:read")).create().status_code == 403
    stranger = Tus(world.key("files:read", "files:write", organisation=world.other))
    for method in ("HEAD", "PATCH", "DELETE", "GET"):
        answer = stranger.ask(method, at, b"x", "application/offset+octet-stream", Upload_Offset=0)
        assert answer.status_code == 404, method
    assert stranger.ask("GET", AT).json()["items"] == []
    assert tus.ask("HEAD", f"{AT}/{UUID(int=7)}").status_code == 404
    world.assert_private(at, "files:read")


def test_a_session_needs_its_token(world) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(world.owner)
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": "purpose aW1wb3J0"}
    assert browser.post(AT, headers=headers).status_code == 403


def test_the_quota_is_promised(world, tus, settings) -> None:
    settings.FILE_QUOTA_BYTES = len(CSV) + 10
    at = tus.begin()
    assert tus.create(11).status_code == 409
    form = world.api("files:write").upload(
        "/files", purpose="import", file=SimpleUploadedFile("b.csv", b"a,b\n1,2\n1,2\n")
    )
    assert form.status_code == 409
    assert tus.piece(at, 0, CSV).status_code == 204
    assert tus.create(11).status_code == 409
    assert tus.create(10).status_code == 201


def test_one_that_is_given_up_leaves_nothing(tus, settings, world) -> None:
    at = tus.begin()
    tus.piece(at, 0, CSV[:50])
    assert tus.ask("DELETE", at).status_code == 204
    assert tus.ask("HEAD", at).status_code == 404
    assert incoming(settings) == []
    with tenant(world.organisation):
        assert StoredFile.objects.count() == 0


def test_its_time_is_over_at_last(tus, settings, world) -> None:
    at = tus.begin()
    tus.piece(at, 0, CSV[:50])
    with tenant(world.organisation):
        FileUpload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert tus.ask("HEAD", at).status_code == 410
    assert tus.piece(at, 50, CSV[50:]).status_code == 410
    assert sweeping.files_sweep()["given_up"] == 1
    assert incoming(settings) == []
    with tenant(world.organisation):
        FileUpload.objects.update(expires_at=timezone.now() - timedelta(days=2))
    sweeping.files_sweep()
    assert tus.ask("HEAD", at).status_code == 404


def test_a_complete_one_is_taken_after_all(tus, settings, world) -> None:
    """The process ended between the last byte and the file."""
    settings.FILE_QUOTA_BYTES = 2 * len(CSV)
    first, second = tus.begin(), tus.begin()
    with tenant(world.organisation):
        rows = {str(row.pk): row for row in FileUpload.objects.all()}
    for at in (first, second):
        pieces.append(rows[at.rsplit("/", 1)[1]], 0, [CSV])
    assert tus.piece(first, len(CSV), b"")["X-Rootstock-File"]
    sweeping.files_sweep()
    ended = tus.ask("GET", second).json()
    assert ended["file_id"] == tus.ask("GET", first).json()["file_id"]
    assert incoming(settings) == []


def test_there_is_a_limit_to_open_ones(tus, monkeypatch) -> None:
    monkeypatch.setattr("rootstock.files.resumable.MOST_OPEN", 1)
    at = tus.begin()
    assert tus.create().status_code == 409
    tus.ask("DELETE", at)
    assert tus.create().status_code == 201


@pytest.mark.slow
@examples(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    content=st.binary(min_size=1, max_size=400),
    steps=st.lists(st.tuples(st.integers(0, 450), st.integers(0, 450), st.booleans()), max_size=12),
)
def test_any_pieces_in_any_order_make_the_content(tus, stored, content, steps) -> None:
    """Whatever is sent, right or wrong, only what continues the upload is kept."""
    at, kept = tus.begin(len(content), purpose="knowledge", name="a.txt"), 0
    for start, size, right in steps:
        offset = kept if right else start
        body = content[offset : offset + size] if right else b"#" * size
        answer = tus.piece(at, offset, body)
        continues = offset == kept and kept + len(body) <= len(content)
        if continues and not right and body:
            return  # a wrong byte at the right place is only seen by its hash
        assert (answer.status_code == 204) == continues
        kept += len(body) if continues else 0
        assert tus.offset(at) == kept
    answer = tus.piece(at, kept, content[kept:])
    assert answer.status_code == 204
    file = tus.ask("GET", f"/api/v1/files/{answer['X-Rootstock-File']}", Tus_Resumable="").json()
    assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_of_two_writers_one_goes_on(world, settings) -> None:
    upload = FileUpload(organisation=world.organisation, length=1)
    refused, written = [], []
    begin = threading.Barrier(2)

    def write(mark: bytes) -> None:
        begin.wait()
        try:
            pieces.append(upload, 0, (mark * 1000 for _ in range(200)))
            written.append(mark)
        except Exception as error:
            refused.append((mark, str(error)))

    threads = [threading.Thread(target=write, args=(mark,)) for mark in (b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [content], [(_, why)] = incoming(settings), refused
    assert content == written[0] * 200_000
    assert why.startswith("Upload-Offset: must be")
