"""What is large is only parsed by a process with limits, by one of them, and how that ended is told as it was."""

import io
import threading
import time
import tracemalloc
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from rootstock.accounts.tenancy import tenant
from rootstock.files import services
from rootstock.files.models import StoredFile
from rootstock.files.scanning import scan
from rootstock.jobs.models import Job
from rootstock.limited import LimitBroken, ReaderLost, told_by
from rootstock.registry import uploads
from rootstock.storable import unstorable
from tests.fixtures.jobs import run_job
from tests.rootstock.files import hostile as h

pytestmark = pytest.mark.slow  # real processes at their limits

READING = "tests.fixtures.reading"
MB = 2**20


def test_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOTSTOCK_MASTER_KEY", "secret")
    [told] = told_by(READING, "nothing")
    assert "PYTHONPATH" in told["environment"]
    assert not [name for name in told["environment"] if name.startswith("ROOTSTOCK")]


@pytest.mark.parametrize(
    ("what", "kind", "words"),
    [
        ("memory", LimitBroken, "more than 512 MB of memory"),
        ("time", LimitBroken, "more than 1 s of processor time"),
        ("killed", ReaderLost, r"ended early \(signal 9\); this says nothing about the content"),
    ],
)
def test_how_it_ended_is_told(what: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        list(told_by(READING, what, cpu_s=1))


def test_it_can_be_stopped() -> None:
    def soon(stop: Any) -> None:
        threading.Timer(0.2, stop).start()

    began = time.monotonic()
    with pytest.raises((ReaderLost, LimitBroken)):
        list(told_by(READING, "time", cpu_s=1, stop_with=soon))
    assert time.monotonic() - began < 60


def large(name: str, content: bytes) -> Any:
    return scan(io.BytesIO(content), name=name, purpose="import", size=2 * MB)


def test_a_large_file_is_judged_as_a_small_one() -> None:
    assert large("a.csv", b"a,b\n1,2\n").is_clean
    assert "surrogate" in large("a.json", b'{"a": "\\ud800"}').reason
    assert large("a.json", b"[1, NaN]").reason == "is not JSON: not a value"
    small = scan(io.BytesIO(h.EICAR), name="a.txt", purpose="attachment", size=len(h.EICAR))
    again = scan(io.BytesIO(h.EICAR), name="a.txt", purpose="attachment", size=2 * MB)
    assert small.as_list() == again.as_list()


def test_a_large_document_is_not_parsed_here() -> None:
    """A million empty lists, of 3 MB as text: more than 60 MB as Python has them, and a name that needs a look."""
    content = b'{"peft_type": "\\u0041", "x": [' + b"[]," * MB + b"1]}"
    tracemalloc.start()
    report = large("adapter_config.json", content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert report.is_clean
    assert peak < 8 * MB


def test_what_cannot_be_stored_is_found_without_memory() -> None:
    value = {"x": [[]] * MB, "y": [{"z": "\0"}]}
    tracemalloc.start()
    assert list(unstorable(value, "")) == ["y.0.z"]
    assert tracemalloc.get_traced_memory()[1] < MB
    tracemalloc.stop()


TEXTS = st.text(st.sampled_from("a\0\ud800"), max_size=2)
JSON = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
)


def bad(value: Any) -> int:
    """How many strings, and objects with such names, cannot be stored."""
    if isinstance(value, dict):
        names = any("\0" in name or "\ud800" in name for name in value)
        return names + sum(bad(inner) for inner in value.values())
    if isinstance(value, list):
        return sum(bad(inner) for inner in value)
    return isinstance(value, str) and ("\0" in value or "\ud800" in value)


@given(JSON)
def test_every_unstorable_string_is_found(value: Any) -> None:
    assert len(list(unstorable(value, "body"))) == bad(value)


def test_an_intake_takes_the_scan_over(world: Any, settings: Any) -> None:
    settings.FILE_INLINE_BYTES = 1
    content = SimpleUploadedFile("mine.zip", b"PK\x05\x06" + bytes(18))
    row, _ = services.file_store(organisation=world.organisation, purpose="adapter", content=content)
    scanning = row.job_id
    upload = uploads.upload_create(organisation=world.organisation, name="mine", file_ids=[row.pk])
    run_job(world.organisation.pk, scanning)
    with tenant(world.organisation):
        assert Job.objects.get(pk=scanning).result["reason"] == "another job checks it"
        row = StoredFile.objects.get()
    assert (row.state, row.job_id) == ("quarantined", upload.job_id)


def test_an_upload_is_scanned_by_its_own_job_alone(world: Any, settings: Any) -> None:
    settings.FILE_INLINE_BYTES = 1
    content = SimpleUploadedFile("mine.zip", b"PK\x05\x06" + bytes(18))
    uploads.adapter_upload(organisation=world.organisation, name="mine", files=[content])
    with tenant(world.organisation):
        assert list(Job.objects.values_list("kind", flat=True)) == ["adapters.intake"]
