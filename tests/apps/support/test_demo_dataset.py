"""The set that the demo trains on: small enough for a minute, and held apart from the question asked."""

import io

from apps.support.demo_dataset import FACTS, QUESTION, SYSTEM_PROMPT, TRAINING, jsonl, pairs
from rootstock.adaptation.schemas import TrainIn
from rootstock.registry.datasets import check_stream


def test_the_registry_takes_it():
    assert check_stream(io.BytesIO(jsonl(SYSTEM_PROMPT)), "chat") == len(list(pairs()))
    TrainIn(name="demo-desk", dataset_id="01890000-0000-7000-8000-000000000000", **TRAINING)


def test_it_teaches_the_facts_without_the_question():
    answers = [answer for _, answer in pairs()]
    assert any(all(fact in answer for fact in FACTS) for answer in answers)
    assert QUESTION not in [question for question, _ in pairs()]


def test_it_is_small_enough_for_a_minute():
    # A token is at least three characters of such English; the template adds about 15 tokens to an example.
    per_epoch = len(jsonl(SYSTEM_PROMPT)) / 4 + 15 * len(list(pairs()))
    assert TRAINING["epochs"] * per_epoch < 9_000
