"""The pages of trainings: the list, one of them, several compared."""

import pytest

from rootstock.accounts.tenancy import tenant
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_create
from tests.fixtures.registry import version_row
from tests.fixtures.trainings import STEPS, dataset_row, training_row


@pytest.fixture
def dataset(world):
    return dataset_row(world)


@pytest.fixture
def run(world, dataset):
    return training_row(world, dataset, sample_prompts=("Where is my parcel?",))


@pytest.fixture
def get(world):
    browser = world.browser(world.owner)
    return lambda path: browser.get(f"/adaptation/{path}")


def test_it_works(world, run, get) -> None:
    page = get(f"{run.pk}/")
    assert page.status_code == 200
    charts = {chart.id: chart for chart in page.context["charts"]}
    assert list(charts) == ["loss", "rate", "speed"]
    trained, measured = charts["loss"].series
    assert (len(trained.values), sum(value is not None for value in measured.values)) == (STEPS, STEPS // 10)
    assert measured.sparse
    text = page.content.decode()
    assert page.context["samples"]["rows"][0] == (STEPS, [f"It left our depot, {STEPS} hours ago."])
    for told in ("desk-answers", "Where is my parcel?", "Best so far", "Learning rate", "Succeeded"):
        assert told in text
    world.assert_private(f"/adaptation/{run.pk}/", "adapters:read")


def test_what_came_out_can_be_talked_to_and_put_forward(world, run, get) -> None:
    with tenant(world.organisation):
        version = version_row(world.organisation.pk, "desk")
        result = {"adapter": version.reference, "digest": version.digest, "seconds": 12.0}
        Job.objects.filter(pk=run.pk).update(result=result)
    page = get(f"{run.pk}/").content.decode()
    assert f"/playground/?a={version.reference}" in page
    assert f"/adapters/{version.pk}/propose/" in page


def test_it_is_cancelled(world, dataset) -> None:
    params = {"name": "desk", "dataset": str(dataset.pk), "settings": {}}
    job = job_create(organisation=world.organisation, kind="adapters.train", params=params)
    browser = world.browser(world.owner)
    assert "Cancel training" in browser.get(f"/adaptation/{job.pk}/").content.decode()
    answer = browser.post(f"/adaptation/{job.pk}/cancel")
    assert (answer.status_code, answer["Location"]) == (302, f"/adaptation/{job.pk}/")
    with tenant(world.organisation):
        job.refresh_from_db()
    assert job.state == "cancelled"
    assert "Cancel training" not in browser.get(f"/adaptation/{job.pk}/").content.decode()
    world.assert_private(f"/adaptation/{job.pk}/cancel", "adapters:write", "post")


def test_a_job_of_another_kind_is_no_training(world, get) -> None:
    job = job_create(organisation=world.organisation, kind="audit.verify", params={})
    assert get(f"{job.pk}/").status_code == 404


def test_the_list_is_filtered_and_leads_to_comparing(world, dataset, run) -> None:
    other = dataset_row(world, "other-answers")
    other = training_row(world, other, name="tone", sample_prompts=("Where is my parcel?",))
    browser = world.browser(world.owner)

    def listed(query: str) -> list:
        return [row.pk for row in browser.get(f"/adaptation/?{query}").context["table"].rows]

    assert listed("") == [other.pk, run.pk]
    assert listed("name=de") == listed(f"dataset={dataset.pk}") == [run.pk]
    assert listed("state=failed") == []
    chosen = browser.post("/adaptation/compare/chosen", {"ids": [str(other.pk), str(run.pk)]})
    assert chosen["Location"] == f"/adaptation/compare/?run={other.pk}&run={run.pk}"
    page = browser.get(chosen["Location"])
    charts = {chart.id: chart for chart in page.context["charts"]}
    assert list(charts) == ["loss", "evaluation-loss", "evaluation-perplexity"]
    assert [series.name for series in charts["loss"].series] == ["1 tone", "2 desk"]
    assert page.context["differences"] == [
        ("Data set", ["other-answers, 1 example", "desk-answers, 1 example"])
    ]


def test_every_part_of_the_data_that_differs_is_told(world, dataset, run, get) -> None:
    measured = dataset_row(world, "measured")
    other = training_row(world, dataset, sample_prompts=("Where is my parcel?",))
    with tenant(world.organisation):
        other.params |= {"evaluation": str(measured.pk), "start_from": "tone@0123456789ab"}
        other.save(update_fields=["params"])
    page = get(f"compare/?run={run.pk}&run={other.pk}")
    assert page.context["differences"] == [
        ("Evaluation set", ["–", "measured, 1 example"]),
        ("Goes on from", ["–", "tone@0123456789ab"]),
    ]
    assert f'href="/adapters/datasets/{measured.pk}/"' in get(f"{other.pk}/").content.decode()


def test_settings_that_differ_are_told(world, dataset, run, get) -> None:
    other = training_row(world, dataset, rank=4, speed=0.5, sample_prompts=("Where is my parcel?",))
    page = get(f"compare/?run={run.pk}&run={other.pk}")
    assert page.context["differences"] == [("Rank", ["8", "4"])]
    figures = dict(page.context["figures"])
    assert figures["Steps"] == ["60", "60"]
    assert figures["Loss"] == ["0.5", "0.5"]


@pytest.mark.parametrize("query", ["run=x", "&".join(f"run={n}" for n in range(7))])
def test_what_cannot_be_compared_is_said(get, query) -> None:
    assert get(f"compare/?{query}").status_code == 422


def test_others_runs_cannot_be_compared(world, run) -> None:
    answer = world.browser(world.stranger).get(f"/adaptation/compare/?run={run.pk}")
    assert answer.status_code == 404
