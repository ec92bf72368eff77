"""OpenAI's files and fine-tuning jobs, by the official client."""

import io
import json
from typing import Any

import openai as client_library
import pytest

from rootstock.accounts.tenancy import tenant
from rootstock.adaptation.results import results_keep
from rootstock.jobs.models import Job
from rootstock.jobs.services import job_cancel
from rootstock.registry.models import AdapterVersion, Dataset
from tests.fixtures.jobs import run_job
from tests.fixtures.registry import version_row
from tests.rootstock.gateway.conftest import openai_client

SCOPES = ("files:read", "files:write", "adapters:read", "adapters:write")
LINE = json.dumps(
    {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
).encode()


@pytest.fixture
def openai(committed_world, base):
    """The client; what it started and nobody ran is not left to the trainers of other tests."""
    yield openai_client(committed_world.key(*SCOPES))
    organisation = committed_world.organisation
    with tenant(organisation):
        waiting = list(Job.objects.filter(state="queued"))
    for job in waiting:
        job_cancel(organisation=organisation, job_id=job.pk)


@pytest.fixture
def upload(openai):
    return lambda content=LINE, name="desk answers.jsonl": openai.files.create(
        file=(name, io.BytesIO(content)), purpose="fine-tune"
    )


def train(handle: Any) -> dict[str, Any]:
    """What the trainer tells of a training of two steps."""
    for step in (1, 2):
        at = {"step": step, "steps": 2}
        handle.event("step", {**at, "loss": 2.0 / step, "learning_rate": 1e-3})
        metrics = {"loss": 1.0 / step, "score": -1.0 / step}
        handle.event("evaluation", {**at, "metrics": metrics, "best": True})
    handle.event("trained", {"step": 2, "steps": 2, "metrics": {"loss": 0.5}})
    results_keep(handle)
    with handle.commit() as result:
        version = version_row(handle.organisation.pk, "desk-answers")
        result |= {"adapter": version.reference, "digest": version.digest}
    return result


def stored(world: Any, job: Any) -> Job:
    with tenant(world.organisation):
        return Job.objects.get(pk=job.id.removeprefix("ftjob-"))


def test_it_works(openai, upload, committed_world) -> None:
    file = upload()
    assert (file.status, file.purpose, file.bytes) == ("processed", "fine-tune", len(LINE))
    assert openai.files.content(file.id).read() == LINE
    hyperparameters: Any = {"n_epochs": 2, "batch_size": "auto", "learning_rate_multiplier": 0.5}
    measured = upload(LINE.replace(b"Hi", b"Ho"), "held back.jsonl")
    job = openai.fine_tuning.jobs.create(
        model="base",
        training_file=file.id,
        validation_file=measured.id,
        suffix="Support Tone",
        seed=7,
        metadata={"ticket": "42"},
        method={"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
    )
    assert (job.status, job.model, job.training_file, job.seed) == ("queued", "base", file.id, 7)
    assert (job.fine_tuned_model, job.metadata, job.result_files) == (None, {"ticket": "42"}, [])
    assert job.validation_file == measured.id
    params = stored(committed_world, job).params
    assert params["name"] == "support-tone"
    chosen = {name: params["settings"][name] for name in ("epochs", "batch_size", "learning_rate", "seed")}
    assert chosen == {"epochs": 2.0, "batch_size": 8, "learning_rate": 1e-3, "seed": 7}
    assert openai.fine_tuning.jobs.cancel(job.id).status == "cancelled"
    with pytest.raises(client_library.ConflictError):
        openai.fine_tuning.jobs.cancel(job.id)


def test_pairs_are_learned_from_by_dpo(openai, upload, committed_world) -> None:
    said = lambda text: [{"role": "assistant", "content": text}]  # noqa: E731
    asked = {"messages": [{"role": "user", "content": "Where is it?"}]}
    pair = {"input": asked, "preferred_output": said("Here."), "non_preferred_output": said("Who knows?")}
    method: Any = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2, "n_epochs": 1}}}
    file = upload(json.dumps(pair).encode(), "pairs.jsonl")
    job = openai.fine_tuning.jobs.create(model="base", training_file=file.id, method=method)
    assert (job.method.type, job.method.dpo.hyperparameters.beta) == ("dpo", 0.2)
    params = stored(committed_world, job).params
    chosen = [params["settings"][name] for name in ("method", "beta", "epochs", "batch_size")]
    assert chosen == ["dpo", 0.2, 1.0, 4]
    with tenant(committed_world.organisation):
        assert Dataset.objects.get().task == "preference"
    with pytest.raises(client_library.BadRequestError) as caught:
        openai.fine_tuning.jobs.create(model="base", training_file=upload().id, method=method)
    assert caught.value.param == "training_file"


def test_what_a_job_made_is_told(openai, upload, committed_world) -> None:
    job = openai.fine_tuning.jobs.create(model="base", training_file=upload().id)
    assert openai.fine_tuning.jobs.checkpoints.list(job.id).data == []
    run_job(committed_world.organisation.pk, stored(committed_world, job).pk, train)
    ended = openai.fine_tuning.jobs.retrieve(job.id)
    with tenant(committed_world.organisation):
        version = AdapterVersion.objects.get()
    assert (ended.status, ended.fine_tuned_model) == ("succeeded", version.reference)
    assert ended.finished_at >= ended.created_at
    [results] = ended.result_files
    told = openai.files.retrieve(results)
    lines = openai.files.content(results).read().decode().split()
    assert (told.purpose, told.filename) == ("fine-tune-results", "metrics.csv")
    assert lines == [
        "step,train_loss,learning_rate,tokens_per_second,valid_loss",
        "1,2.0,0.001,,1.0",
        "2,1.0,0.001,,0.5",
    ]
    [checkpoint] = openai.fine_tuning.jobs.checkpoints.list(job.id)
    assert (checkpoint.fine_tuned_model_checkpoint, checkpoint.step_number) == (version.reference, 2)
    assert (checkpoint.metrics.step, checkpoint.metrics.valid_loss) == (2, 0.5)


def test_events_page_from_the_newest(openai, upload, committed_world) -> None:
    job = openai.fine_tuning.jobs.create(model="base", training_file=upload().id)
    run_job(committed_world.organisation.pk, stored(committed_world, job).pk, train)
    everything = list(openai.fine_tuning.jobs.list_events(job.id, limit=3))  # the client goes on by itself
    assert (everything[0].message, everything[-1].message) == ("The job has succeeded", "The job has started")
    metrics = [event.data for event in everything if event.type == "metrics"]
    assert metrics[-1] == {"step": 1, "total_steps": 2, "train_loss": 2.0, "learning_rate": 1e-3}
    assert len({event.id for event in everything}) == len(everything) == 8


def test_jobs_and_files_page(openai, upload) -> None:
    file = upload()
    made = [openai.fine_tuning.jobs.create(model="base", training_file=file.id).id for _ in range(3)]
    assert [job.id for job in openai.fine_tuning.jobs.list(limit=2)] == made[::-1]
    first = openai.fine_tuning.jobs.list(limit=2)
    assert (len(first.data), first.has_more) == (2, True)
    other = upload(LINE.replace(b"Hi", b"Ho"), "other.jsonl")
    assert [one.id for one in openai.files.list(limit=1, purpose="fine-tune")] == [other.id, file.id]
    assert [one.id for one in openai.files.list(order="asc")] == [file.id, other.id]


def test_a_deleted_file_is_gone_and_its_data_set_stays(openai, upload, committed_world) -> None:
    file = upload()
    openai.fine_tuning.jobs.create(model="base", training_file=file.id)
    assert openai.files.delete(file.id).deleted
    with pytest.raises(client_library.NotFoundError) as caught:
        openai.files.retrieve(file.id)
    assert caught.value.param == "file_id"
    with tenant(committed_world.organisation):
        assert Dataset.objects.get().name == "desk-answers"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": "nothing"}, "model"),
        ({"training_file": "file-none"}, "training_file"),
        ({"model": "tone@0123456789ab"}, "model"),
        ({"validation_file": "same"}, "validation_file"),
        ({"suffix": "!"}, "suffix"),
        ({"method": {"type": "reinforcement"}}, "method.type"),
        ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
        ({"integrations": [{"type": "wandb"}]}, "integrations"),
        ({"extra_body": {"nothing": 1}}, "nothing"),
    ],
)
def test_what_is_wrong_is_named(openai, upload, change, param) -> None:
    given = {"model": "base", "training_file": upload().id} | change
    if given.get("validation_file") == "same":
        given["validation_file"] = given["training_file"]
    with pytest.raises(client_library.APIStatusError) as caught:
        openai.fine_tuning.jobs.create(**given)
    assert caught.value.status_code in (400, 404)
    assert caught.value.param == param


def test_bad_examples_are_named_by_their_lines(openai, upload) -> None:
    file = upload(LINE + b"\n" + LINE.replace(b"assistant", b"user"))
    with pytest.raises(client_library.BadRequestError) as caught:
        openai.fine_tuning.jobs.create(model="base", training_file=file.id)
    assert caught.value.param == "training_file"
    assert "line 2" in caught.value.message


def test_files_of_other_purposes_and_forms_are_refused(openai) -> None:
    for given, param in (({"purpose": "vision"}, "purpose"), ({"file": ("a.zip", b"PK\3\4")}, "file")):
        with pytest.raises(client_library.BadRequestError) as caught:
            openai.files.create(**{"file": ("a.jsonl", LINE), "purpose": "fine-tune"} | given)
        assert caught.value.param == param


def test_scopes_and_others_things(committed_world, openai, upload) -> None:
    file = upload()
    job = openai.fine_tuning.jobs.create(model="base", training_file=file.id)
    stranger = openai_client(committed_world.key(*SCOPES, organisation=committed_world.other))
    for call in (stranger.files.retrieve, stranger.files.delete, stranger.files.content):
        with pytest.raises(client_library.NotFoundError):
            call(file.id)
    for call in (stranger.fine_tuning.jobs.retrieve, stranger.fine_tuning.jobs.cancel):
        with pytest.raises(client_library.NotFoundError) as caught:
            call(job.id)
        assert caught.value.param == "fine_tuning_job_id"
    reader = openai_client(committed_world.key("adapters:read", "files:read"))
    with pytest.raises(client_library.PermissionDeniedError):
        reader.fine_tuning.jobs.create(model="base", training_file=file.id)
    with pytest.raises(client_library.PermissionDeniedError):
        reader.files.create(file=("a.jsonl", LINE), purpose="fine-tune")
    blind = openai_client(committed_world.key("adapters:write"))
    with pytest.raises(client_library.PermissionDeniedError, match="files:read"):
        blind.fine_tuning.jobs.create(model="base", training_file=file.id)
