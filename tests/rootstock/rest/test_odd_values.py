"""What no caller should send, and some do: refused or answered, and never a fault of ours."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

EDGES = ["0001-01-01T00:00:00Z", "1969-12-31T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"]
EDGES += ["0001-01-01T00:00:00+14:00", "2026-03-01T00:00:00"]


@pytest.mark.parametrize("moment", EDGES)
@pytest.mark.parametrize("name", ["since", "until"])
@pytest.mark.parametrize(
    "path", ["/audit/entries", "/audit/decisions", "/audit/export", "/fraud/transactions"]
)
def test_the_ends_of_time(world, path, name, moment) -> None:
    answer = world.api("audit:read", "fraud:read").get(path, **{name: moment})
    assert answer.status_code in (200, 422), answer.content


@pytest.mark.parametrize("day", ["1969-12-31", "1900-01-01", "2200-12-31"])
@pytest.mark.parametrize(
    "path", ["/audit/?at_from=", "/audit/?at_to=", "/jobs/?created_from=", "/files/?created_to="]
)
def test_the_ends_of_time_on_pages(world, path, day) -> None:
    assert world.browser(world.owner).get(path + day).status_code == 200


def test_a_name_longer_than_any_file_system_takes(world) -> None:
    file = SimpleUploadedFile("x" * 5000 + ".csv", b"a,b\n1,2\n")
    answer = world.api("files:read", "files:write").upload("/files", purpose="attachment", file=file)
    assert answer.status_code in (201, 422), answer.content


def test_a_form_without_a_boundary(world) -> None:
    client = world.api("files:write")._client
    answer = client.post("/api/v1/files", b"--x", content_type="multipart/form-data")
    assert answer.status_code == 400
    assert "body" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/people?role=banana", "/privacy/requests?state=banana", "/privacy/requests?action=banana",
        "/jobs?kind=banana", "/jobs?state=banana", "/files?state=banana", "/ehr/patients?band=banana",
    ],
)  # fmt: skip
def test_a_filter_that_no_row_can_pass(world, path) -> None:
    api = world.api("people:read", "privacy:read", "jobs:read", "files:read", "ehr:read")
    answer = api.get(path)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] in path


def test_events_of_a_job_come_in_bounded_numbers(world) -> None:
    path = "/jobs/00000000-0000-7000-8000-000000000000/events"
    assert world.api("jobs:read").get(path, limit=99999, after=-5).status_code == 422
