"""Bases that an organisation trains: asked for over REST, listed with their lineage, served by one setting."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import override_settings

from rootstock.accounts.tenancy import tenant
from rootstock.jobs.models import Job
from rootstock.operations.preflight import Refusal
from rootstock.operations.preparation import _fetch
from rootstock.registry.base import base_card, base_row
from rootstock.registry.base_contents import base_fetch, base_store, unquantized_fetch
from rootstock.registry.models import TrainedBase
from rootstock.registry.trained_bases import Lineage, bases, trained_base_register
from tests.models_zoo.llm.tiny import make_base

LINES = b"".join(
    json.dumps(
        {"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": "Yes."}]}
    ).encode()
    + b"\n"
    for n in range(4)
)
OTHER = LINES.replace(b"?", b", then?")
METRICS = {
    f"{model}_{figure}": 2.0
    for model in ("original", "trained", "requantized")
    for figure in ("loss", "perplexity")
} | {"lost_by_quantization": 0.01}


@pytest.fixture
def api(world: Any) -> Any:
    return world.api("adapters:read", "adapters:write", "jobs:read")


def upload(api: Any, lines: bytes = LINES, **fields: Any) -> str:
    from django.core.files.uploadedfile import SimpleUploadedFile

    form = {"name": "desk", "file": SimpleUploadedFile("x.jsonl", lines), **fields}
    answer = api.upload("/datasets", **form)
    assert answer.status_code in (200, 201), answer.content
    return str(answer.json()["id"])


@pytest.fixture
def made(world: Any, api: Any, tmp_path: Path) -> TrainedBase:
    """A base that was trained: a tiny one, as the trainer hands it over."""
    folder = make_base(tmp_path / "desk-base", seed=3).folder
    floats = tmp_path / "floats"
    floats.mkdir()
    (floats / "model.safetensors").write_bytes(b"weights")
    files, size = base_store(world.organisation.pk, folder, floats)
    with tenant(world.organisation):
        job = Job.objects.create(organisation=world.organisation, kind="bases.train")
    lineage = Lineage(
        parent=base_row(base_card()), job_id=job.pk, recipe="distil", dataset_id=upload(api),  # type: ignore[arg-type]
        data={"training": {"name": "desk", "sha256": "ab" * 32, "rows": 4}}, settings={"epochs": 1.0}, metrics=METRICS,
    )  # fmt: skip
    return trained_base_register(
        organisation=world.organisation,
        name="desk-base",
        target=folder,
        files=files,
        bytes_=size,
        lineage=lineage,
    )


def test_it_works(world: Any, api: Any, base: Path) -> None:
    dataset = upload(api)
    body = {
        "name": "desk-base",
        "dataset_id": dataset,
        "evaluation_id": upload(api, OTHER),
        "recipe": "distil",
        "epochs": 2,
    }
    answer = api.post("/bases/train", body)
    assert answer.status_code == 202, answer.content
    with tenant(world.organisation):
        job = Job.objects.get(pk=answer.json()["id"])
    assert (job.kind, job.queue) == ("bases.train", "adaptation")
    assert (job.params["base"], job.params["settings"]["recipe"]) == ("", "distil")
    assert job.params["settings"]["epochs"] == 2.0


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        ({"name": "Bad Name"}, 422, "name"),
        ({"recipe": "prune"}, 422, "recipe"),
        ({"student_layers": 0}, 422, "student_layers"),
        ({"rank": 8}, 422, "rank"),
        ({"base": "desk"}, 422, "base"),
        ({"base": "desk@0123456789ab"}, 404, "base"),
        ({"dataset_id": "00000000-0000-0000-0000-000000000000"}, 404, "dataset_id"),
        ({"evaluation_id": "00000000-0000-0000-0000-000000000000"}, 404, "evaluation_id"),
    ],
)
def test_what_is_refused(api: Any, base: Path, changes: dict[str, Any], status: int, told: str) -> None:
    dataset = upload(api)
    answer = api.post(
        "/bases/train", {"name": "mine", "dataset_id": dataset, "evaluation_id": dataset} | changes
    )
    assert (answer.status_code, told in answer.content.decode()) == (status, True), answer.content


def test_nothing_is_trained_on_a_frozen_test_set(api: Any, base: Path) -> None:
    frozen = upload(api, is_test=True)
    answer = api.post("/bases/train", {"name": "mine", "dataset_id": frozen, "evaluation_id": frozen})
    assert (answer.status_code, "frozen test set" in answer.content.decode()) == (422, True)


def test_one_is_listed_with_its_lineage_for_those_who_trained_it(
    world: Any, api: Any, base: Path, made: TrainedBase
) -> None:
    [row] = [one for one in api.get("/bases").json() if one["lineage"]]
    assert row == api.get(f"/bases/{made.base_id}").json()
    assert (row["name"], row["served_at"]) == ("tiny", None)
    [lineage] = row["lineage"]
    assert lineage["reference"] == f"desk-base@{row['fingerprint'][:12]}"
    assert lineage["parent_fingerprint"] == base_card().fingerprint
    assert lineage["metrics"]["lost_by_quantization"] == 0.01
    assert made.base_id not in [one.pk for one in bases(organisation=world.other)]
    assert (
        world.api("adapters:read", organisation=world.other).get(f"/bases/{made.base_id}").status_code == 404
    )


def test_its_page_says_how_it_did_and_how_it_is_served(world: Any, base: Path, made: TrainedBase) -> None:
    client = world.browser(world.owner)
    listed = client.get("/adapters/bases/").content.decode()
    assert "Distilled into fewer layers" in listed
    page = client.get(f"/adapters/bases/{made.base_id}/").content.decode()
    assert f"ROOTSTOCK_BASE_MODEL={made.reference}" in page
    assert "The new base, as served" in page


def test_one_setting_brings_it_from_storage(base: Path, made: TrainedBase, tmp_path: Path) -> None:
    with override_settings(BASE_MODEL=made.reference, MODELS_DIR=tmp_path / "elsewhere"):
        assert base_card() is None
        _fetch()
        assert base_card().fingerprint == made.base.fingerprint
        assert base_fetch(made) == tmp_path / "elsewhere" / made.reference
    assert (
        unquantized_fetch(made, tmp_path / "floats-again") / "model.safetensors"
    ).read_bytes() == b"weights"


def test_a_base_that_nobody_trained_or_that_was_changed_is_refused(
    base: Path, made: TrainedBase, tmp_path: Path
) -> None:
    with (
        override_settings(BASE_MODEL="desk-base@0123456789ab"),
        pytest.raises(Refusal, match="no organisation"),
    ):
        _fetch()
    default_storage.delete(f"bases/{made.organisation_id}/{made.base.fingerprint}/tokenizer.json")
    with (
        override_settings(BASE_MODEL=made.reference, MODELS_DIR=tmp_path),
        pytest.raises(Refusal, match="tokenizer"),
    ):
        _fetch()
    assert not list(tmp_path.glob(f"{made.reference}*"))
