"""Measure a version on a frozen test set, as it is served: the job, and what asks for it."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from models_zoo.llm.scores import answer_scores, commonest_labels, entity_scores, label_scores
from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.audit.services import audit_record
from rootstock.errors import Conflict, InvalidInput, NotFound
from rootstock.files.services import file_open
from rootstock.jobs.models import Job
from rootstock.jobs.running import JobHandle
from rootstock.jobs.services import job_create
from rootstock.lanes import client
from rootstock.registry.datasets import examples_of
from rootstock.registry.datasets.contents import dataset_file
from rootstock.registry.models import AdapterVersion, Dataset, Evaluation
from rootstock.registry.selectors import Reference, version_named

KIND, LANE = "adapters.evaluate", "registry.evaluate"
MOST_ROWS = 2_000
AT_ONCE = 16
MOST_TOKENS = 256  # of an answer
SAMPLES = 8

Example = dict[str, Any]


def evaluation_start(
    *, organisation: Organisation, reference: Reference, dataset_id: UUID, created_by: User | None = None
) -> Job:
    """Have a version measured on a test set of its task. Raises InvalidInput or NotFound naming the field."""
    with tenant(organisation):
        version = version_named(reference, "adapter")
        dataset = Dataset.objects.filter(pk=dataset_id).first()
        if dataset is None:
            raise NotFound("dataset_id: no such data set")
        _check(version, dataset)
        job = job_create(
            organisation=organisation,
            kind=KIND,
            params={"version": str(version.pk), "dataset": str(dataset.pk)},
            total=dataset.rows,
            created_by=created_by,
        )
        audit_record(
            organisation=organisation,
            action="adapter.evaluation_started",
            object_type="adapter",
            object_id=version.pk,
            data={"adapter": version.reference, "dataset": str(dataset.pk)},
        )
    return job


def _check(version: AdapterVersion, dataset: Dataset) -> None:
    if version.retired_at:
        raise Conflict(f"adapter: {version.reference} is retired")
    if not dataset.is_test:
        raise InvalidInput.field("dataset_id", f"{dataset.name} is training data; use a frozen test set")
    if dataset.task != version.task:
        raise InvalidInput.field(
            "dataset_id", f"{dataset.name} is for {dataset.task}, {version.reference} for {version.task}"
        )
    if dataset.rows > MOST_ROWS:
        raise InvalidInput.field("dataset_id", f"has {dataset.rows} examples, at most {MOST_ROWS} are run")
    dataset_file(dataset)


def evaluate(job: JobHandle) -> dict[str, Any]:
    """The job `adapters.evaluate`. Its result names the evaluation and its figures."""
    with tenant(job.organisation):
        version = AdapterVersion.objects.select_related("base").get(pk=UUID(job.params["version"]))
        dataset = Dataset.objects.prefetch_related("persons").get(pk=UUID(job.params["dataset"]))
    examples = _examples(job, dataset)
    given = _answers(job, version.task, version, examples, len(examples))
    wanted = [_wanted(version.task, example) for example in examples]
    base = _baseline(job, version.task, examples, wanted)
    score = SCORES[version.task]
    samples = [] if dataset.subject_ids else _samples(version.task, examples, wanted, base, given)
    with job.commit() as result:
        row = Evaluation.objects.create(
            organisation=job.organisation, version=version, dataset=dataset, base=version.base,
            rows=len(examples), metrics=score(wanted, given), samples=samples,
            baseline=score(wanted, base) if base else {}, job_id=job.id,
        )  # fmt: skip
        result |= {"evaluation": str(row.pk), "metrics": row.metrics, "baseline": row.baseline}
    return result


def _examples(job: JobHandle, dataset: Dataset) -> list[Example]:
    with tenant(job.organisation):
        file_id = dataset_file(dataset)
    _, stored = file_open(organisation=job.organisation.pk, file_id=file_id, done="used")
    with stored:
        return list(examples_of(stored))


def _answers(
    job: JobHandle, task: str, version: AdapterVersion | None, examples: Sequence[Example], total: int
) -> list[Any]:
    """The served answers, a few examples at a time so that others have their turn."""
    adapter, name = (version.digest, version.reference) if version else ("", "the base alone")
    found: list[Any] = []
    rest = iter(examples)
    while few := list(islice(rest, AT_ONCE)):
        payloads = [_payload(task, adapter, example) for example in few]
        found += [told["answer"] for told in client.call(LANE, payloads, organisation=job.organisation)]
        job.progress(len(found), total, f"{name}: {len(found)} of {len(examples)}")
    return found


def _payload(task: str, adapter: str, example: Example) -> dict[str, Any]:
    if task != "chat":
        return {"task": task, "adapter": adapter, "example": {"text": example["text"]}, "max_tokens": 0}
    *asked, answer = example["messages"]
    most = min(MOST_TOKENS, 16 + len(answer["content"]) // 2)  # far more tokens than the expected answer has
    return {"task": task, "adapter": adapter, "example": {"messages": asked}, "max_tokens": most}


def _baseline(job: JobHandle, task: str, examples: list[Example], wanted: list[Any]) -> list[Any]:
    """What there would be without the adapter: the base's own answers, or the commonest labels; no entities."""
    if task == "chat":
        return _answers(job, task, None, examples, len(examples))
    return commonest_labels(wanted) if task == "classification" else []


def _wanted(task: str, example: Example) -> Any:
    if task == "chat":
        return example["messages"][-1]["content"]
    return example["labels"] if task == "classification" else _entities(example["spans"])


def _entities(spans: Sequence[Sequence[Any]]) -> list[tuple[int, int, str]]:
    return [(start, end, label) for start, end, label in spans]


def _samples(
    task: str, examples: list[Example], wanted: list[Any], base: list[Any], given: list[Any]
) -> list[dict[str, Any]]:
    """A few examples side by side, spread over the set."""
    step = max(1, len(examples) // SAMPLES)
    return [
        {
            "input": examples[at]["messages"][-2]["content"] if task == "chat" else examples[at]["text"],
            "expected": wanted[at],
            "base": base[at] if base else None,
            "adapter": given[at],
        }
        for at in range(0, len(examples), step)
    ][:SAMPLES]


SCORES: dict[str, Callable[[list[Any], list[Any]], dict[str, float]]] = {
    "chat": answer_scores,
    "classification": label_scores,
    "tagging": lambda wanted, given: entity_scores(wanted, [_entities(one) for one in given]),
}
