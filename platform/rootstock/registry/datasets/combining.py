"""One data set from several: each example once, and none that is held out."""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from rootstock.accounts.tenancy import tenant
from rootstock.registry.datasets.contents import dataset_examples, dataset_open
from rootstock.registry.datasets.looking import asked_fingerprint
from rootstock.registry.datasets.reading import canonical_upload, json_lines
from rootstock.registry.datasets.services import dataset_create
from rootstock.registry.models import Dataset, DatasetPart, DatasetPerson


@dataclass(slots=True)
class Gathered:
    """Lines of data sets, each once; `seen` are the digests of all lines that are there or were not to be."""

    lines: list[str] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)
    left_out: int = 0


def asked_in(tests: Sequence[Dataset]) -> set[bytes]:
    """What the examples of test sets ask, as fingerprints."""
    return {asked_fingerprint(test.task, row) for test in tests for row in dataset_examples(test)}


def examples_gather(
    parts: Sequence[Dataset], without: Collection[bytes] = (), asked: Collection[bytes] = ()
) -> Gathered:
    """The examples of all parts in order, without lines of a digest in `without` and what asks one of `asked`.

    Raises what refuses a part.
    """
    found = Gathered(seen=set(without))
    for part in parts:
        for line in _lines(part):
            digest = hashlib.sha256(line.encode()).digest()
            if digest in found.seen or (asked and asked_fingerprint(part.task, json.loads(line)) in asked):
                found.left_out += 1
                continue
            found.seen.add(digest)
            found.lines.append(line)
    return found


def dataset_combine(*, name: str, parts: Sequence[Dataset], lines: Sequence[str]) -> Dataset:
    """Store lines of the parts as a data set that holds all their persons, also those who are told of later.

    One with this content is there once.
    """
    organisation, task = parts[0].organisation, parts[0].task
    content, _ = canonical_upload(((f"line {at}", line) for at, line in enumerate(lines, 1)), task, name)
    with tenant(organisation):
        persons = _persons(parts)
    made, _ = dataset_create(
        organisation=organisation, name=name, content=content, task=task, subject_ids=persons
    )
    with tenant(organisation) as owner:
        locked = list(Dataset.objects.select_for_update().filter(pk__in=[part.pk for part in parts]))
        held = [DatasetPart(organisation_id=owner, whole=made, part=part) for part in locked if part != made]
        DatasetPart.objects.bulk_create(held, ignore_conflicts=True)
        late = [
            DatasetPerson(organisation_id=owner, dataset=made, subject_id=one) for one in _persons(locked)
        ]
        DatasetPerson.objects.bulk_create(late, ignore_conflicts=True)
    return made


def _persons(parts: Sequence[Dataset]) -> set[UUID]:
    return set(DatasetPerson.objects.filter(dataset__in=parts).values_list("subject_id", flat=True))


def _lines(part: Dataset) -> Iterator[str]:
    with dataset_open(part, "used") as stored:
        for _, line in json_lines(stored):
            yield line
