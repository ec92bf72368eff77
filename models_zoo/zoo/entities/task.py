"""BC5CDR (Li et al., 2016), the NCBI disease corpus (Doğan et al., 2014), AnatEM (Pyysalo and Ananiadou, 2014).

By entity F1, exact in both ends and type. Each corpus has an adapter of its own: what one calls a disease another
calls anatomy ("breast cancer"), and one sequence of tags cannot say both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random

from models_zoo.zoo.augment import recased
from models_zoo.zoo.entities.text import exchanged, joined, mentions, row_of
from models_zoo.zoo.files import Row, Sentence, read_iob
from models_zoo.zoo.measures import entities
from models_zoo.zoo.tasks import MIX, TRAIN, VALIDATION, Bar, Task

LABELS = {"Chemical": "CHEMICAL", "Disease": "DISEASE", "Anatomy": "ANATOMY"}
NATURAL = 0.3  # of the texts, spaced as people write
RECASED = 0.05
EXCHANGED = 0.3  # of the sentences come once more with other mentions
TOGETHER = (1, 1, 1, 2, 4)  # sentences of one text: notes have many, the measured texts one
HELD = 0.12  # of what is trained on, its last stretch, for validation: no document is in both


def examples(
    data: Path,
    part: str,
    *,
    folder: str,
    learned: Sequence[str],
    tested: str,
    kinds: Sequence[str],
    others: Mapping[str, Sequence[str]],
) -> list[Row]:
    """Rows of a part: `learned` are the files that train and validation come from, `tested` the one measured on.

    others: folder -> files of the corpora that are blended in, of whose entities those of `kinds` are marked.
    """
    place = data / folder
    if part == MIX:
        found = [one for name, parts in others.items() for one in _sentences(data / name, parts)]
        return _varied([_only(one, kinds) for one in found], Random(f"{folder}:{MIX}"), exchange=0.0)
    if part == "test":
        return [row_of(one, LABELS, natural=False) for one in read_iob(place / f"{tested}.tsv.gz")]
    sentences = _sentences(place, learned)
    cut = round(len(sentences) * (1 - HELD))
    if part == VALIDATION:
        return [row_of(one, LABELS, natural=False) for one in sentences[cut:]]
    return _varied(sentences[:cut], Random(f"{folder}:{TRAIN}"), EXCHANGED)


def _sentences(folder: Path, names: Sequence[str]) -> list[Sentence]:
    return [one for name in names for one in read_iob(folder / f"{name}.tsv.gz")]


def _only(sentence: Sentence, kinds: Sequence[str]) -> Sentence:
    """The sentence without the entities of other kinds."""
    words, tags = sentence
    return words, [tag if tag[2:] in kinds else "O" for tag in tags]


def _varied(sentences: Sequence[Sentence], random: Random, exchange: float) -> list[Row]:
    known = _mentions(sentences)
    copies = [exchanged(one, known, random) for one in sentences if random.random() < exchange]
    found = [*_together(sentences, random), *copies]
    return [recased(row_of(one, LABELS, random.random() < NATURAL), RECASED, random) for one in found]


def _together(sentences: Sequence[Sentence], random: Random) -> list[Sentence]:
    found: list[Sentence] = []
    at = 0
    while at < len(sentences):
        size = random.choice(TOGETHER)
        found.append(joined(sentences[at : at + size]))
        at += size
    return found


def _mentions(sentences: Sequence[Sentence]) -> Mapping[str, Sequence[Sequence[str]]]:
    """Type -> the different mentions of it."""
    found: dict[str, dict[tuple[str, ...], None]] = {}
    for words, tags in sentences:
        for start, stop, kind in mentions(tags):
            found.setdefault(kind, {})[tuple(words[start:stop])] = None
    return {kind: list(of_kind) for kind, of_kind in found.items()}


def _task(
    name: str,
    kinds: Sequence[str],
    bar: Bar,
    folder: str,
    learned: Sequence[str],
    tested: str,
    others: Mapping[str, Sequence[str]],
) -> Task:
    return Task(
        folder=Path(__file__).parent / name,
        examples=partial(examples, folder=folder, learned=learned, tested=tested, kinds=kinds, others=others),
        measures={"test": entities([LABELS[kind] for kind in kinds])},
        bars={"test entity_f1": bar},
        mixes=bool(others),
    )


BC5CDR, NCBI, ANATEM = "ehr_ner_bc5cdr", "ehr_ner_ncbi_disease", "ehr_ner_anatem"

CHEMICAL_DISEASE = _task(
    "chemical_disease",
    ("Chemical", "Disease"),
    Bar(0.855, 0.87),
    BC5CDR,
    ("train", "devel"),
    "test",
    {},
)
DISEASE = _task(
    "disease", ("Disease",), Bar(0.83, 0.86), NCBI, ("train",), "devel", {BC5CDR: ("train", "devel")}
)
ANATOMY = _task("anatomy", ("Anatomy",), Bar(0.80), ANATEM, ("train",), "devel", {})
