"""What a run reads before its first step, and what its card says of that."""

from __future__ import annotations

from dataclasses import dataclass, field

from models_zoo.llm.card import AdapterCard, BaseCard, ModelError, file_sha256
from models_zoo.llm.tokenizer import ChatTokenizer
from models_zoo.llm.training.data import Example, encode_examples, labels_in, read_rows
from models_zoo.llm.training.rows import pack
from models_zoo.llm.training.spec import DATA, TrainSpec

LEARNED = ("train", "mix", "replay")


@dataclass(slots=True)
class DataSets:
    """Encoded examples; all but `train` may be empty."""

    train: list[Example]
    mix: list[Example] = field(default_factory=list)
    replay: list[Example] = field(default_factory=list)
    evaluation: list[Example] = field(default_factory=list)
    test: list[Example] = field(default_factory=list)

    @property
    def all(self) -> list[Example]:
        """Of every file."""
        return [*self.train, *self.mix, *self.replay, *self.evaluation, *self.test]


def read_data(
    spec: TrainSpec, tokenizer: ChatTokenizer, known: tuple[str, ...] = ()
) -> tuple[tuple[str, ...], DataSets]:
    """Labels, and the examples of the spec's files. known: the labels of the adapter that it goes on from.

    Raises `ModelError` naming the line and field.
    """
    rows = {name: read_rows(path) for name in DATA if (path := getattr(spec, name)) is not None}
    learned = [row for name in LEARNED for row in rows.get(name, [])]
    labels = spec.labels or known or labels_in(spec, learned)
    if spec.task != "chat" and not labels:
        raise ModelError(f"{spec.train}: no labels, and none given in the spec")
    data = DataSets(
        **{
            name: encode_examples(getattr(spec, name), each, spec, labels, tokenizer)
            for name, each in rows.items()
        }
    )
    if spec.packing:
        for name in LEARNED:
            setattr(data, name, pack(getattr(data, name), spec.max_tokens))
    return labels, data


def start_card(spec: TrainSpec, base: BaseCard, labels: tuple[str, ...]) -> AdapterCard:
    """The adapter's card as far as it is known before the first step."""
    return AdapterCard(
        name=spec.name,
        task=spec.task,
        base_fingerprint=base.fingerprint,
        labels=labels,
        multi_label=spec.multi_label,
        bidirectional=spec.task != "chat" if spec.bidirectional is None else spec.bidirectional,
        max_tokens=spec.max_tokens,
        overlap_tokens=spec.overlap_tokens,
        licence=spec.licence,
        description=spec.description,
    )


def data_record(spec: TrainSpec, data: DataSets) -> dict[str, object]:
    """What the adapter was made from: a hash and a count of each file, and the spec's own note."""
    record: dict[str, object] = dict(spec.data_note)
    for name in DATA:
        path, examples = getattr(spec, name), getattr(data, name)
        if path is not None:
            count = sum(example.documents for example in examples)
            record[name] = {"sha256": file_sha256(path), "examples": count}
    return record
