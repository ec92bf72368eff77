"""One data set from several: each example once, and none that is held out."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from rootstock.accounts.tenancy import tenant
from rootstock.registry.datasets.contents import dataset_open
from rootstock.registry.datasets.reading import canonical_upload, json_lines
from rootstock.registry.datasets.services import dataset_create
from rootstock.registry.models import Dataset, DatasetPerson


@dataclass(slots=True)
class Gathered:
    """Lines of data sets, each once; `seen` are the digests of all lines that are there or were not to be."""

    lines: list[str] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)
    left_out: int = 0


def examples_gather(parts: Sequence[Dataset], without: Collection[bytes] = ()) -> Gathered:
    """The examples of all parts in order, without those whose digest is given. Raises what refuses a part."""
    found = Gathered(seen=set(without))
    for part in parts:
        for line in _lines(part):
            digest = hashlib.sha256(line.encode()).digest()
            if digest in found.seen:
                found.left_out += 1
                continue
            found.seen.add(digest)
            found.lines.append(line)
    return found


def dataset_combine(*, name: str, parts: Sequence[Dataset], lines: Sequence[str]) -> Dataset:
    """Store lines of the parts as a data set that holds all their persons; one with this content is there once."""
    organisation, task = parts[0].organisation, parts[0].task
    with tenant(organisation):
        held = DatasetPerson.objects.filter(dataset__in=parts)
        persons = set(held.values_list("subject_id", flat=True))
    content, _ = canonical_upload(((f"line {at}", line) for at, line in enumerate(lines, 1)), task, name)
    return dataset_create(
        organisation=organisation, name=name, content=content, task=task, subject_ids=persons
    )[0]


def _lines(part: Dataset) -> Iterator[str]:
    with dataset_open(part, "used") as stored:
        for _, line in json_lines(stored):
            yield line
