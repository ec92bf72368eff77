"""The job that checks a large file."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from rootstock.accounts.tenancy import tenant
from rootstock.files import services
from rootstock.files.models import StoredFile
from rootstock.jobs.models import Job
from tests.fixtures.jobs import run_job


@pytest.fixture
def waiting(world: Any, settings: Any) -> StoredFile:
    """A file that a job is to check."""
    settings.FILE_INLINE_BYTES = 1
    content = SimpleUploadedFile("a.csv", b"a,b\n1,2\n")
    return services.file_store(organisation=world.organisation, purpose="import", content=content)[0]


def ended(world: Any, row: StoredFile) -> Job:
    run_job(world.organisation.pk, row.job_id)
    with tenant(world.organisation):
        return Job.objects.get(pk=row.job_id)


def test_it_works(world: Any, waiting: StoredFile) -> None:
    job = ended(world, waiting)
    assert (job.state, job.result["state"]) == ("succeeded", "clean")


def test_a_file_that_is_gone_by_then_is_no_fault(world: Any, waiting: StoredFile) -> None:
    services.file_delete(organisation=world.organisation, file_id=waiting.pk)
    job = ended(world, waiting)
    assert (job.state, job.result["state"]) == ("succeeded", "gone")


def test_one_whose_content_is_lost_is_one(world: Any, waiting: StoredFile, stored: Any) -> None:
    (stored / waiting.storage_key).unlink()
    assert ended(world, waiting).state != "succeeded"
