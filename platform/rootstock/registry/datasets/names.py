"""Names of persons in a data set. They have no form, so the worker's de-identification adapter looks for them, in a
sample of the examples and behind whoever waits for an answer. Lines and fields are kept, never a name."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any
from uuid import UUID

from rootstock.accounts.models import Organisation, User
from rootstock.accounts.tenancy import tenant
from rootstock.errors import InvalidInput, NotFound
from rootstock.jobs.models import FINAL_STATES
from rootstock.jobs.running import JobHandle
from rootstock.jobs.services import job_create
from rootstock.lanes import client
from rootstock.registry.datasets.contents import dataset_file, dataset_open
from rootstock.registry.datasets.examples import fields_of
from rootstock.registry.datasets.reading import json_lines
from rootstock.registry.datasets.report import Names
from rootstock.registry.models import Dataset

KIND, LANE = "datasets.names", "registry.names"
ROWS, MOST_ROWS = 500, 20_000
CHARACTERS = 800  # of a stored line, on average: so many times the rows are read at most
AT_ONCE, AT_ONCE_CHARACTERS = 16, 4_000  # texts of one call: then others have their turn


@dataclass(slots=True, frozen=True)
class _Text:
    """One text of a line; at: the line's place in the sample, from 1."""

    at: int
    line: int
    field: str
    text: str


def names_soon(dataset: Dataset, created_by: User | None = None) -> None:
    """Have names looked for in a new data set."""
    started = names_start(organisation=dataset.organisation, dataset_id=dataset.pk, created_by=created_by)
    dataset.names_job = started.names_job


def names_start(
    *, organisation: Organisation, dataset_id: UUID, rows: int = ROWS, created_by: User | None = None
) -> Dataset:
    """Have names looked for in so many examples, by a job, which is `names_job`; one under way already is kept."""
    if not 1 <= rows <= MOST_ROWS:
        raise InvalidInput.field("rows", f"must be 1 to {MOST_ROWS:,}")
    with tenant(organisation):
        row = Dataset.objects.select_for_update(of=("self",)).filter(pk=dataset_id).first()
        if row is None:
            raise NotFound("no such data set")
        if is_looked_for(row):
            return row
        dataset_file(row)
        row.names_job = job_create(
            organisation=organisation,
            kind=KIND,
            params={"dataset": str(row.pk), "rows": rows},
            total=min(rows, row.rows),
            created_by=created_by,
        )
        row.save(update_fields=["names_job"])
    return row


def is_looked_for(dataset: Dataset) -> bool:
    """Whether a job looks for names, or waits to. Call it inside `tenant()`."""
    return dataset.names_job is not None and dataset.names_job.state not in FINAL_STATES


def names_of(dataset: Dataset) -> Names | None:
    """What was found."""
    return Names.model_validate(dataset.names) if dataset.names else None


def find(job: JobHandle) -> dict[str, Any]:
    """The job `datasets.names`."""
    began = time.monotonic()
    with tenant(job.organisation):
        row = Dataset.objects.select_related("organisation").get(pk=UUID(job.params["dataset"]))
    with dataset_open(row, "used") as stored:
        lines = [text for _, text in json_lines(stored)]
    chosen = sample(lines, job.params["rows"], row.sha256)
    names = Names(looked=len(chosen), rows=len(lines))
    sure: dict[int, list[tuple[str, float]]] = {}
    for part, answers in _answered(job, list(_texts(lines, chosen))):
        for text, answer in zip(part, answers, strict=True):
            names.adapter = answer["adapter"]
            if answer["sure"] is not None:
                sure.setdefault(text.line, []).append((text.field, answer["sure"]))
        job.progress(part[-1].at, len(chosen), f"names: {part[-1].at} of {len(chosen)} examples")
    for line, found in sure.items():
        names.found.add(line, value=max(score for _, score in found), fields=[field for field, _ in found])
    names.seconds = round(time.monotonic() - began, 3)
    with job.commit() as result:
        there = Dataset.objects.filter(pk=row.pk).exclude(file=None)  # unless the content has gone meanwhile
        there.update(names=names.model_dump(mode="json"))
        result |= {"dataset": str(row.pk), "looked": names.looked, "lines": names.found.count}
    return result


def sample(lines: Sequence[str], rows: int, seed: str) -> list[int]:
    """The places of at most so many lines, in order, drawn evenly: of one content the same ones each time.

    Together they are at most `CHARACTERS` times `rows` long; a line for which there is no more room is passed over.
    """
    room, chosen = rows * CHARACTERS, list[int]()
    for at in Random(seed).sample(range(len(lines)), len(lines)):
        if len(chosen) == rows:
            break
        if len(lines[at]) <= room:
            chosen.append(at)
            room -= len(lines[at])
    return sorted(chosen)


def _texts(lines: Sequence[str], chosen: Sequence[int]) -> Iterator[_Text]:
    for at, place in enumerate(chosen, start=1):
        for field, text in fields_of(json.loads(lines[place])):
            yield _Text(at, place + 1, field, text)


def _answered(
    job: JobHandle, texts: Sequence[_Text]
) -> Iterator[tuple[Sequence[_Text], list[dict[str, Any]]]]:
    """A few texts and the worker's answers to them at a time. Raises the lane's Unavailable, Busy, DeadlineExceeded."""
    for part in parts([len(one.text) for one in texts]):
        few = texts[part]
        yield few, client.call(LANE, [{"text": one.text} for one in few], organisation=job.organisation)


def parts(lengths: Sequence[int]) -> Iterator[slice]:
    """Texts of these lengths, in order, a call's worth at a time; a longer one has a call of its own."""
    start, size = 0, 0
    for at, length in enumerate(lengths):
        if at > start and (at - start == AT_ONCE or size + length > AT_ONCE_CHARACTERS):
            yield slice(start, at)
            start, size = at, 0
        size += length
    if lengths:
        yield slice(start, len(lengths))
