"""The pages on which adapters are brought, without a worker: the form, the list, the checks of one upload."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from rootstock.accounts.actors import Actor, acting
from rootstock.accounts.tenancy import tenant
from rootstock.files.models import StoredFile
from rootstock.registry import uploads
from rootstock.registry.models import AdapterUpload
from tests.fixtures.world import Api

FILES = {"adapter_config.json": b'{"r": 8}', "adapter_model.safetensors": b"not really"}


@pytest.fixture(autouse=True)
def stored(tmp_path: Any, settings: Any) -> None:
    settings.FILE_INCOMING_DIR = tmp_path / "incoming"


def files(**changes: bytes) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(name, content) for name, content in (FILES | changes).items()]


def brought(world: Any, name: str = "tone", **changes: bytes) -> AdapterUpload:
    return uploads.adapter_upload(
        organisation=world.organisation, name=name, files=files(**changes), uploaded_by=world.owner
    )


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_a_form_without_scripts_brings_one(world: Any) -> None:
    browser = world.browser(world.owner)
    assert "data-adapter-upload" in text(browser.get("/adapters/upload"))
    answer = browser.post("/adapters/upload", {"name": "tone", "files": files()})
    assert answer.status_code == 302
    page = text(browser.get(answer["Location"]))
    assert "Being checked" in page
    assert 'hx-trigger="every 1s"' in page
    with tenant(world.organisation):
        row = AdapterUpload.objects.get()
    assert sorted(row.files) == sorted(FILES)
    assert row.brought_by == f"person:{world.owner.pk}"


def test_it_says_which_key_brought_it_and_whose_that_is(world: Any) -> None:
    from rootstock.accounts.services import api_key_create

    key, token = api_key_create(
        organisation=world.organisation,
        name="nightly build",
        scopes=("adapters:read",),
        created_by=world.owner,
    )
    with acting(Actor("key", str(key.pk))):
        row = brought(world)
    browser, told = world.browser(world.owner), f"API key nightly build, made by {world.owner.username}"
    assert f"by {told}." in text(browser.get(f"/adapters/uploads/{row.pk}/"))
    assert told in text(browser.get("/adapters/uploads/"))
    answer = Api(token).get(f"/adapters/uploads/{row.pk}").json()
    assert answer["brought_by"] == f"key:{key.pk}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "Tone!", "files": files()}, "Name</a>: Use 2 to 63 lower-case letters"),
        ({"name": "tone", "files": []}, "Files</a>: This field is required"),
        ({"name": "tone", "files": files(**{"adapter_model.bin": b"x"})}, "pickled weights are not taken"),
        ({"name": "tone", "files": files(**{"notes.txt": b"x"})}, "unexpected file"),
        ({"name": "tone", "files": files(**{"README.md": b"x"})}, "README.md is not part of an adapter"),
    ],
)
def test_a_wrong_form_says_so(world: Any, given: dict[str, Any], said: str) -> None:
    for one in given["files"]:
        one.seek(0)
    answer = world.browser(world.owner).post("/adapters/upload", given)
    assert answer.status_code == 200
    assert said in text(answer)
    with tenant(world.organisation):
        assert not StoredFile.objects.exists()


def test_each_check_is_told_as_it_comes(world: Any) -> None:
    row = brought(world)
    checks = [{"check": "scan", "passed": True, "text": "2 files passed the scanners"}]
    with tenant(world.organisation):
        AdapterUpload.objects.update(checks=checks)
    browser, at = world.browser(world.owner), f"/adapters/uploads/{row.pk}/"
    part = browser.get(at, headers={"HX-Request": "true", "HX-Target": "upload"})
    assert (part.status_code, "<html" in text(part)) == (200, False)
    assert text(part).count("To come") == 5
    assert "At work" in text(part)
    checks.append({"check": "files", "passed": False, "text": "'../evil.json': expected a path within"})
    with tenant(world.organisation):
        uploads.upload_refuse(row, checks)
    part = browser.get(at, headers={"HX-Request": "true", "HX-Target": "upload"})
    assert part.status_code == 286, "htmx asks no more"
    assert "../evil.json" in text(part)
    assert text(part).count("Not made") == 5


def test_a_taken_one_links_to_its_version(world: Any, make_version: Any) -> None:
    row, version = brought(world), make_version()
    with tenant(world.organisation):
        uploads.upload_taken(row, [{"check": "scan", "passed": True, "text": "fine"}], version)
    assert f">{version.reference}</a>" in text(world.browser(world.owner).get(f"/adapters/uploads/{row.pk}/"))


def test_the_list_has_filters(world: Any) -> None:
    refused, _ = brought(world, "grumpy"), brought(world, "cheerful")
    with tenant(world.organisation):
        uploads.upload_refuse(refused, [{"check": "files", "passed": False, "text": "two folders"}])
    browser = world.browser(world.owner)
    assert "cheerful" in text(browser.get("/adapters/uploads/"))
    page = text(browser.get("/adapters/uploads/?state=refused"))
    assert "files: two folders" in page
    assert "cheerful" not in page


def test_who_may_see_and_bring(world: Any) -> None:
    row = brought(world)
    world.assert_private(f"/adapters/uploads/{row.pk}/", "adapters:read")
    world.assert_private(f"/api/v1/adapters/uploads/{row.pk}", "adapters:read")
    auditor = world.browser(world.colleague)
    assert auditor.get("/adapters/upload").status_code == 403
    assert "Upload an adapter" not in text(auditor.get("/adapters/uploads/"))


def test_what_two_uploads_share_goes_with_the_last(world: Any) -> None:
    first, second = brought(world), brought(world, **{"adapter_model.safetensors": b"others"})
    assert first.files["adapter_config.json"] == second.files["adapter_config.json"]
    failed = [{"check": "tensors", "passed": False, "text": "not a safetensors file"}]
    with tenant(world.organisation):
        uploads.upload_refuse(first, failed)
        assert {str(row.pk) for row in StoredFile.objects.all()} == set(second.files.values())
        uploads.upload_refuse(second, failed)
        assert not StoredFile.objects.exists()


def test_large_forms_are_let_through(world: Any, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 200
    large = {"adapter_model.safetensors": b"x" * 1000}
    answer = world.browser(world.owner).post("/adapters/upload", {"name": "tone", "files": files(**large)})
    assert answer.status_code == 302
    api = world.api("adapters:write")
    assert api.upload("/adapters/uploads", name="tone", files=files(**large)).status_code == 202
