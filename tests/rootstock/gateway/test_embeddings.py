"""Embeddings with the official client."""

import time
from dataclasses import replace

import openai as client_library
import pytest
from django.conf import settings

from rootstock.accounts.tenancy import tenant
from rootstock.gateway.budgets import Allowance, stream_slots_take, streams_under_way
from rootstock.gateway.usage import budget_set


def test_it_works(openai, served) -> None:
    answer = openai.embeddings.create(model="base", input=["one", "two more words", "four"])
    assert [each.embedding for each in answer.data] == [
        pytest.approx([0.6, -0.8]),
        [1.0, 0.0],
        [1.0, 0.0],
    ]
    assert ([each.index for each in answer.data], answer.model) == ([0, 1, 2], "base")
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (5, 5)


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_both_encodings(openai, encoding) -> None:
    vector = openai.embeddings.create(model="base", input="one", encoding_format=encoding).data[0].embedding
    if encoding == "base64":
        assert vector == "mpkZP83MTL8="
    else:
        assert vector == pytest.approx([0.6, -0.8])


def test_it_is_counted_and_recorded(openai, served) -> None:
    from rootstock.audit.models import DecisionRecord
    from rootstock.gateway.models import UsageDay

    openai.embeddings.create(model="base", input=["one", "two more words"])
    with tenant(served.organisation):
        assert UsageDay.objects.get().prompt_tokens == 4
        record = DecisionRecord.objects.get(kind="gateway.embed")
    assert record.output == {"vectors": 2, "size": 2, "tokens": 4}


def test_what_was_read_is_counted_when_the_rest_fails(openai, served) -> None:
    from rootstock.gateway.models import UsageDay

    with pytest.raises(client_library.BadRequestError):
        openai.embeddings.create(model="base", input=["two words"] * 8 + ["refuse this"])
    with tenant(served.organisation):
        assert UsageDay.objects.get().prompt_tokens == 16


def test_a_call_is_one_answer_under_way(openai, served, engine, monkeypatch) -> None:
    seen, read = [], engine.embed
    count = lambda: streams_under_way(served.organisation)  # noqa: E731
    monkeypatch.setattr(engine, "embed", lambda *asked: (seen.append(count()), read(*asked))[1])
    openai.embeddings.create(model="base", input=["one"] * 20)
    assert (set(seen), count()) == ({1}, 0)
    with pytest.raises(client_library.BadRequestError):
        openai.embeddings.create(model="base", input="refuse this")
    assert count() == 0
    budget_set(organisation=served.organisation, streams=1)
    stream_slots_take(Allowance(served.organisation.pk, 1), [1], until=time.time() + 60)
    with pytest.raises(client_library.RateLimitError, match="no room for 1 more"):
        openai.with_options(max_retries=0).embeddings.create(model="base", input="one")


@pytest.mark.slow
def test_a_call_may_take_as_long_as_its_limits_allow(openai, served, engine, monkeypatch) -> None:
    assert settings.LANES["gateway.embed"].deadline_s == 600
    lane = replace(settings.LANES["gateway.embed"], deadline_s=2.0)
    monkeypatch.setitem(settings.LANES, "gateway.embed", lane)
    read = engine.embed
    monkeypatch.setattr(engine, "embed", lambda *asked: (time.sleep(1.2), read(*asked))[1])
    with pytest.raises(client_library.InternalServerError, match="8 of 40 texts were read in time"):
        openai.embeddings.create(model="base", input=["one"] * 40)


def test_the_vectors_own_size_may_be_asked_for(openai) -> None:
    assert openai.embeddings.create(model="base", input="one", dimensions=576).data
    with pytest.raises(client_library.BadRequestError, match="not shortened") as caught:
        openai.embeddings.create(model="base", input="one", dimensions=2)
    assert caught.value.param == "dimensions"


@pytest.mark.parametrize("given", ["", [], [1, 2], ["ok", "refuse this"]])
def test_what_cannot_be_read_is_refused(openai, given) -> None:
    with pytest.raises(client_library.BadRequestError) as caught:
        openai.embeddings.create(model="base", input=given)
    assert caught.value.param.startswith("input")


def test_many_texts_leave_others_their_turn(openai, engine) -> None:
    assert len(openai.embeddings.create(model="base", input=["one"] * 20).data) == 20
    assert max(len(texts) for texts, _ in engine.read) <= 8
    assert {call.priority.name for _, call in engine.read} == {"BULK"}
    openai.embeddings.create(model="base", input="one", extra_body={"priority": "interactive"})
    assert engine.read[-1][1].priority.name == "INTERACTIVE"


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (["ok", "word " * 2100], "input.1"),
        ("word " * 2100, "input"),
        (["word " * 15_000] * 3, "input"),
    ],
)
def test_what_cannot_be_read_in_time_is_refused(openai, engine, given, param) -> None:
    with pytest.raises(client_library.BadRequestError) as caught:
        openai.embeddings.create(model="base", input=given)
    assert caught.value.param == param
