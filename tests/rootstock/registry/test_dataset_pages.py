"""The pages of data sets: bringing one, what is said of it, its examples, dropping lines."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.rootstock.registry.test_dataset_reports import TURNS, lines_of, upload
from tests.rootstock.registry.test_pages import text_of

CSV = b"utterance,intent\nWhere is it?,parcel\nThank you,thanks\n"


@pytest.fixture
def owner(world: Any) -> Client:
    """The owner's session."""
    return world.browser(world.owner)


def bring(client: Client, content: bytes = CSV, path: str = "upload", **fields: str) -> Any:
    file = SimpleUploadedFile("a.csv", content)
    form = {"name": "desk", "task": "classification", "file": file}
    return client.post(f"/adapters/datasets/{path}", form | fields, follow=True)


def test_it_works(world: Any, owner: Client, base: Path) -> None:
    dataset = upload(world, lines_of(*TURNS))
    path = f"/adapters/datasets/{dataset['id']}/"
    page = text_of(owner, path)
    for told in (
        "The same as an earlier line 1",
        "E-mail addresses 1",
        "Repeat themselves",
        "Lengths",
        "Nowhere yet",
    ):
        assert told in page
    assert "example.org" not in page
    shown = text_of(owner, f"{path}examples/", first="5")
    assert "Line 5" in shown
    assert "ana@example.org" in shown
    dropped = owner.post(f"{path}drop", {"line": ["3", "5"]}, follow=True).content.decode()
    assert "2 lines dropped" in dropped
    assert "E-mail addresses" not in dropped
    assert "the version before lines were dropped" in dropped
    assert "Without some lines" in text_of(owner, path)


def test_all_lines_of_a_finding_are_dropped(world: Any, owner: Client) -> None:
    dataset = upload(world, lines_of(*TURNS))
    page = owner.post(f"/adapters/datasets/{dataset['id']}/drop", {"finding": "0"}, follow=True)
    assert "1 line dropped" in page.content.decode()
    page = owner.post(f"/adapters/datasets/{dataset['id']}/drop", {"finding": "9"}, follow=True)
    assert "Nothing was dropped: lines: name at least one line" in page.content.decode()


def test_columns_are_chosen_on_the_form(owner: Client) -> None:
    refused = bring(owner)
    assert refused.status_code == 422
    page = refused.content.decode()
    assert "say which columns are" in page
    assert '<option value="utterance" selected>' in page
    made = bring(owner, **{"column-text": "utterance", "column-label": "intent"})
    assert "desk is stored: 2 examples." in made.content.decode()
    assert "Label balance" in made.content.decode()


def test_a_preview_keeps_nothing(owner: Client) -> None:
    page = bring(owner, path="preview").content.decode()
    assert "Where is it?" in page
    assert "What the first row becomes" in page
    assert "is cut off, or no Parquet file" in bring(owner, b"PAR1 and more", path="preview").content.decode()
    assert "desk" not in text_of(owner, "/adapters/datasets/")


def test_looking_again_is_a_job(world: Any, owner: Client) -> None:
    dataset = upload(world, lines_of(*TURNS))
    path = f"/adapters/datasets/{dataset['id']}/"
    asked = owner.post(f"{path}look", {"max_tokens": "64", "least_evenness": "0.3"}, follow=True)
    assert 'hx-trigger="every 1s"' in asked.content.decode()
    wrong = owner.post(f"{path}look", {"max_tokens": "x", "least_evenness": "0.3"}, follow=True)
    assert "Nothing was changed: max_tokens" in wrong.content.decode()


def test_the_content_is_saved_as_it_is_stored(world: Any, owner: Client) -> None:
    dataset = upload(world, lines_of(*TURNS))
    answer = owner.get(f"/adapters/datasets/{dataset['id']}/content")
    assert "attachment" in answer["Content-Disposition"]
    assert len([json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]) == len(TURNS)


def test_who_may_see_it(world: Any) -> None:
    dataset = upload(world, lines_of(*TURNS))
    path = f"/adapters/datasets/{dataset['id']}/"
    world.assert_private(path, "adapters:read")
    world.assert_private(f"{path}examples/", "adapters:write")
    world.assert_private(f"{path}content", "adapters:write")
    world.assert_private(f"{path}drop", "adapters:write", method="post")
