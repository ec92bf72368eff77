"""Embeddings with the official client."""

import openai as client_library
import pytest

from rootstock.accounts.tenancy import tenant


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
